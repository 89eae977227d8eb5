// exp, log and tanh, and the activations with their derivatives. NaN stays NaN, and no step depends
// on the width of a vector. The coefficients are those of coefficients.py.

#define ROUND ((REAL)1.5 * ((WORD)1 << MANTISSA)) // adding it leaves whole numbers in the last bits

INLINE vec power_of_two(bits n) { return (vec)((n + EXPONENT_BIAS) << MANTISSA); }

// The polynomial c[0] x^(n-1) + ... + c[n-1], by Horner.
INLINE vec polynomial(vec x, const REAL *c, const int n) {
  vec y = all(c[0]);
#pragma GCC unroll 16
  for (int i = 1; i < n; i++) y = fused(y, x, all(c[i]));
  return y;
}

// exp(r) - 1 with x = n ln 2 + r and |r| <= ln 2 / 2; x must be within the range of exp.
INLINE vec reduced_exp(vec x, bits *n) {
  vec rounded = fused(x, all(LOG2_E), all(ROUND));
  *n = (bits)rounded - (bits)all(ROUND);
  vec whole = rounded - ROUND;
  vec r = fused(whole, all(-LN2_HIGH), x);
  r = fused(whole, all(-LN2_LOW), r);
  return fused(r * r, polynomial(r, EXP, sizeof EXP / sizeof(REAL)), r);
}

INLINE vec exponential(vec x) {
  x = smaller(all(EXP_MOST), larger(all(EXP_LEAST), x));
  bits n;
  vec y = reduced_exp(x, &n) + (REAL)1;
  bits half = n >> 1; // in two steps: 2^n alone may be no normal number
  return y * power_of_two(half) * power_of_two(n - half);
}

INLINE vec logarithm(vec x) {
  bits tiny = (bits)(x < SMALLEST);
  vec normal = choose(tiny, x * (REAL)((WORD)1 << MANTISSA), x);
  bits e = ((bits)normal - ROOT_HALF) >> MANTISSA; // x = 2^e m with m between the roots of 1/2, 2
  vec m = (vec)((bits)normal - (e << MANTISSA));
  e -= tiny & MANTISSA;
  vec n = __builtin_convertvector(e, vec);
  vec f = m - (REAL)1, s = f / (f + (REAL)2), z = s * s, half = f * f * (REAL)0.5;
  vec r = z * polynomial(z, LOG, sizeof LOG / sizeof(REAL));
  vec y = fused(n, all(LN2_HIGH), f - (half - fused(s, half + r, n * LN2_LOW)));
  y = choose((bits)(x < (REAL)INFINITY), y, x); // infinity and NaN stay
  y = choose((bits)(x == (REAL)0), all(-(REAL)INFINITY), y);
  return choose((bits)(x < (REAL)0), all((REAL)NAN), y);
}

// With e = exp(2 |x|) - 1, tanh |x| = e / (e + 2).
INLINE vec hyperbolic_tangent(vec x) {
  bits sign = (bits)x & (bits)all((REAL)-0.0);
  vec twice = (vec)((bits)x ^ sign) * (REAL)2;
  twice = smaller(all(TANH_FLAT), twice);
  bits n;
  vec p = reduced_exp(twice, &n), power = power_of_two(n);
  vec e = fused(power, p, power - (REAL)1);
  // The quotient is mended by what it and the divisor were rounded by.
  vec divisor = e + (REAL)2, inverse = (REAL)1 / divisor, y = e * inverse;
  vec rest = fused(-y, divisor, e) - y * (e - (divisor - (REAL)2));
  return (vec)((bits)fused(rest, inverse, y) | sign);
}

// 1 / (1 + exp(-x)); between the numbers where it is 1 and where it is no normal number
INLINE vec sigmoid(vec x) {
  x = smaller(all(SIGMOID_FLAT), larger(all(-SIGMOID_FLAT), x));
  bits n;
  vec y = reduced_exp(-x, &n) + (REAL)1;
  return (REAL)1 / fused(y, power_of_two(n), all(1));
}

// log(1 + x) for 0 <= x <= 1: what rounding 1 + x lost is made good to first order.
INLINE vec log_of_one_plus(vec x) {
  vec y = x + (REAL)1;
  return logarithm(y) + (x - (y - (REAL)1)) / y;
}

// tanh(sqrt(2 / pi) (x + 0.044715 x^3)) of gelu
INLINE vec gelu_tanh(vec x) {
  return hyperbolic_tangent(fused(x * x, all(GELU_SCALE * GELU_CUBIC), all(GELU_SCALE)) * x);
}

INLINE vec activation(const int kind, vec x) {
  switch (kind) {
    case SIGMOID: return sigmoid(x);
    case TANH: return hyperbolic_tangent(x);
    case RELU: return choose((bits)(x < (REAL)0), all(0), x);
    case LEAKY_RELU: return choose((bits)(x < (REAL)0), x * LEAK, x);
    case GELU: return (gelu_tanh(x) + (REAL)1) * x * (REAL)0.5;
    default: return x;
  }
}

// dpsi/dnet from net = x and psi
INLINE vec slope(const int kind, vec x, vec psi) {
  switch (kind) {
    case SIGMOID: return ((REAL)1 - psi) * psi;
    case TANH: return (REAL)1 - psi * psi;
    case RELU: return choose((bits)(psi > (REAL)0), all(1), all(0));
    case LEAKY_RELU: return choose((bits)(psi > (REAL)0), all(1), all(LEAK));
    case GELU: {
      vec u = gelu_tanh(x);
      vec steep = fused(x * x, all(3 * GELU_SCALE * GELU_CUBIC), all(GELU_SCALE)) * x;
      // Past GELU_STEEPEST it meets a factor of 0, and 0 times infinity would be NaN.
      steep = smaller(all(GELU_STEEPEST), larger(all(-GELU_STEEPEST), steep));
      u = (REAL)1 - u;
      return (steep * u + (REAL)1) * ((REAL)2 - u) * (REAL)0.5;
    }
    default: return all(1);
  }
}
