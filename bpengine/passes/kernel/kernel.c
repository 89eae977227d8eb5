// The compiled kernel: whole segments of updates, one lane after the other. Compiled once for each
// precision (PRECISION: 32 or 64) and kind of processor.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "interface.h"
#include "precision.h"
#include "coefficients.h"
#include "vector.h"
#include "functions.h"
#include "tiles.h"
#include "network.h"
#include "optimizers.h"
#include "lanes.h"
