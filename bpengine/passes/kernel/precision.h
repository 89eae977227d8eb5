// What differs between float32 and float64. Constants not of this list are the coefficients.

#if PRECISION == 32
#define REAL float
#define WORD int32_t
#define MANTISSA 23
#define EXPONENT_BIAS 127
#define SMALLEST 0x1p-126f // normal number
#define ROOT_HALF 0x3f3504f3 // bits of the root of 1/2
#define LN2_HIGH 0x1.62e4p-1f // so short that its products with exponents are exact
#define LN2_LOW 0x1.7f7d1cp-20f
#define EXP_LEAST -104.0f // exp is 0 below, infinite above EXP_MOST
#define EXP_MOST 89.0f
#define SIGMOID_FLAT 87.5f
#define TANH_FLAT 20.0f // tanh is 1 above half of it
#define GUARD (64 * 0x1p-126f / 0x1p-23f) // dwarfs what is to become 0; see `clear_traces`
#define root_of __builtin_sqrtf
#if defined(__aarch64__)
#define INTRINSIC(f) f##q_f32
typedef float32x4_t native;
#else
#define INTRINSIC(f) f##_ps
#endif
#else
#define REAL double
#define WORD int64_t
#define MANTISSA 52
#define EXPONENT_BIAS 1023
#define SMALLEST 0x1p-1022
#define ROOT_HALF 0x3fe6a09e667f3bcd
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW 0x1.a39ef35793c76p-33
#define EXP_LEAST -746.0
#define EXP_MOST 710.0
#define SIGMOID_FLAT 708.5
#define TANH_FLAT 40.0
#define GUARD (64 * 0x1p-1022 / 0x1p-52)
#define root_of __builtin_sqrt
#if defined(__aarch64__)
#define INTRINSIC(f) f##q_f64
typedef float64x2_t native;
#else
#define INTRINSIC(f) f##_pd
#endif
#endif

#define LEAK ((REAL)0.01)
#define GELU_SCALE ((REAL)0.79788456080286535588) // root of 2 / pi
#define GELU_CUBIC ((REAL)0.044715)
#define GELU_STEEPEST ((REAL)(8 * 0.79788456080286535588 * (1 + 3 * 0.044715 * 64)))
#define LOG2_E ((REAL)1.44269504088896340736)
