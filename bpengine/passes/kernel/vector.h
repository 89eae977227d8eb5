// A vector of REAL as wide as the processor's, and what C can't say about it. Results don't depend
// on the width: whatever is summed across a vector is summed in blocks of 64 bytes, and a * b + c is
// rounded once where it says `fused` and twice elsewhere.

#if defined(__AVX512F__)
#define BYTES 64
#define COLUMNS 2 // vectors that a tile is wide: with ROWS they fill the registers
#define ROWS 12
#elif defined(__AVX2__) && defined(__FMA__)
#define BYTES 32
#define COLUMNS 2
#define ROWS 6
#elif defined(__aarch64__)
#define BYTES 16
#define COLUMNS 4
#define ROWS 6
#else
#error "The kernel is for x86-64 with AVX2 and FMA, and for ARM64."
#endif

#define V ((long)(BYTES / sizeof(REAL)))   // numbers of a vector
#define BLOCK ((long)(64 / sizeof(REAL)))  // numbers of a block: arrays are padded to it
#define PANEL (2 * BLOCK)                  // columns of a weight matrix that lie together
#define INLINE static inline __attribute__((always_inline))
#define OWN static __attribute__((noinline)) // not inlined: a copy for each use would be slow to load

typedef REAL vec __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef WORD bits __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

#define LOAD(p) (*(const vec *)(p))
#define STORE(p, x) (*(vec *)(p) = (x))

INLINE vec all(REAL x) { return x - (vec){0}; }

#if BYTES == 64
#define OPERATION(f) INTRINSIC(_mm512_##f)
typedef __typeof__(OPERATION(setzero)()) native;
#elif BYTES == 32
#define OPERATION(f) INTRINSIC(_mm256_##f)
typedef __typeof__(OPERATION(setzero)()) native;
#else
#define OPERATION(f) INTRINSIC(v##f)
#endif

INLINE vec fused(vec a, vec b, vec c) {
#if BYTES > 16
  return (vec)OPERATION(fmadd)((native)a, (native)b, (native)c);
#else
  return (vec)OPERATION(fma)((native)c, (native)a, (native)b);
#endif
}
INLINE vec root(vec a) { return (vec)OPERATION(sqrt)((native)a); }
// Where b is NaN so is the result.
INLINE vec larger(vec a, vec b) { return (vec)OPERATION(max)((native)a, (native)b); }
INLINE vec smaller(vec a, vec b) { return (vec)OPERATION(min)((native)a, (native)b); }

// yes where the mask is set, no elsewhere
INLINE vec choose(bits mask, vec yes, vec no) {
  return (vec)((mask & (bits)yes) | (~mask & (bits)no));
}

// The sum of a block's numbers, in a fixed order.
INLINE REAL sum_block(REAL *block) {
  for (long half = BLOCK / 2; half; half /= 2)
    for (long i = 0; i < half; i++) block[i] += block[i + half];
  return block[0];
}

INLINE REAL sum_squares(const REAL *x, long n) {
  REAL block[BLOCK] __attribute__((aligned(64))) = {0};
  long i = 0;
  for (; i + BLOCK <= n; i += BLOCK)
    for (long c = 0; c < BLOCK; c += V) {
      vec part = LOAD(x + i + c);
      STORE(block + c, LOAD(block + c) + part * part);
    }
  for (long c = 0; i < n; i++, c++) block[c] += x[i] * x[i];
  return sum_block(block);
}

// Whether all of x is finite: a finite number times 0 is 0, of either sign.
OWN int is_finite(const REAL *x, long n) {
  bits fine = ~(bits){0};
  for (long i = 0; i < n; i += V) fine &= (bits)(LOAD(x + i) * (REAL)0 == (REAL)0);
  for (long c = 0; c < V; c++)
    if (!fine[c]) return 0;
  return 1;
}
