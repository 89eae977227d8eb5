// Products of matrices, in tiles that stay in registers.
//
// Weights lie in panels of PANEL columns, the last one of BLOCK if that is enough: within a panel row
// follows row, so that a tile reads memory in its order. Whatever the tile, an element is the sum over
// k = 0, 1, ... one after the other, but for products of one row (in four sums) and of two or three
// (in two): the width of vectors and further rows don't change its bits.

// Where the panel with a column begins in a matrix of `rows` rows, and how wide it is
INLINE long panel_at(long column, long rows) { return column / PANEL * PANEL * rows; }
INLINE long panel_width(long column, long padded) {
  long rest = padded - column / PANEL * PANEL;
  return rest < PANEL ? rest : PANEL;
}

// sum[r][c] = start[r][c] + sum over k of A(r, k) B(k, c), A(r, k) = A[r * row + k * step]; S sums.
INLINE void tile(const int S, const int R, const int C, long K, const REAL *A, long row,
                 long step, const REAL *B, long width, vec sum[ROWS][COLUMNS]) {
  vec part[4][ROWS][COLUMNS];
#pragma GCC unroll 16
  for (int s = 0; s < S; s++)
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 16
      for (int c = 0; c < C; c++) part[s][r][c] = s ? (vec){0} : sum[r][c];
  long k = 0;
  for (; k + S <= K; k += S)
#pragma GCC unroll 16
    for (int s = 0; s < S; s++)
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        // Of one example, what is 0 is left out: of pixels and rectified units that is most.
        if (S == 4 && A[(k + s) * step] == 0) continue;
        vec a = all(A[r * row + (k + s) * step]);
#pragma GCC unroll 16
        for (int c = 0; c < C; c++)
          part[s][r][c] = fused(a, LOAD(B + (k + s) * width + c * V), part[s][r][c]);
      }
  if (S > 1)
    for (; k < K; k++)
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        vec a = all(A[r * row + k * step]);
#pragma GCC unroll 16
        for (int c = 0; c < C; c++)
          part[0][r][c] = fused(a, LOAD(B + k * width + c * V), part[0][r][c]);
      }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) {
      vec total = part[0][r][c];
#pragma GCC unroll 16
      for (int s = 1; s < S; s++) total += part[s][r][c];
      sum[r][c] = total;
    }
}

INLINE void product_tile(const int S, const int R, const int C, long K, const REAL *A,
                         long lda, const REAL *B, long width, REAL *out, long ldo) {
  vec sum[ROWS][COLUMNS];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) sum[r][c] = (vec){0};
  tile(S, R, C, K, A, lda, 1, B, width, sum);
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) STORE(out + r * ldo + c * V, sum[r][c]);
}

#define ROWS_OF(S, R, C)                                                                          \
  product_tile(S, R, C, K, A + r * lda, lda, B, width, out + r * ldo, ldo)
// One tile's columns of out = A B
INLINE void product_columns(const int C, long rows, long K, const REAL *A, long lda,
                            const REAL *B, long width, REAL *out, long ldo) {
  long r = 0;
  if (rows == 1) ROWS_OF(4, 1, C);
  else if (rows == 2) ROWS_OF(2, 2, C);
  else if (rows == 3) ROWS_OF(2, 3, C);
  else {
    for (; r + ROWS <= rows; r += ROWS) ROWS_OF(1, ROWS, C);
#if ROWS > 8
    for (; r + 8 <= rows; r += 8) ROWS_OF(1, 8, C);
#endif
    for (; r + 4 <= rows; r += 4) ROWS_OF(1, 4, C);
    for (; r + 2 <= rows; r += 2) ROWS_OF(1, 2, C);
    for (; r < rows; r++) ROWS_OF(1, 1, C);
  }
}

// out = A B, B being K rows of panels of `padded` columns in all
OWN void product(long rows, long padded, long K, const REAL *A, long lda, const REAL *B,
                 REAL *out, long ldo) {
  for (long c = 0; c < padded;) {
    long width = panel_width(c, padded);
    const REAL *panel = B + panel_at(c, K) + c % PANEL;
    if (BYTES == 64 && width == BLOCK) {
      product_columns(1, rows, K, A, lda, panel, width, out + c, ldo);
      c += V;
    } else {
      product_columns(COLUMNS, rows, K, A, lda, panel, width, out + c, ldo);
      c += COLUMNS * V;
    }
  }
}

// What becomes of a gradient: it begins a sum or is added to one; the sum is kept or, at the end of
// plain gradient descent's, added to the weights.
typedef struct { int first, descend; } Use;

INLINE void gradient_tile(const int R, const int C, long K, const REAL *A, long lda,
                          const REAL *D, long ldd, REAL *G, REAL *W, long width, Use use) {
  vec sum[ROWS][COLUMNS];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) sum[r][c] = use.first ? (vec){0} : LOAD(G + r * width + c * V);
  tile(1, R, C, K, A, 1, lda, D, ldd, sum);
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) {
      long at = r * width + c * V;
      if (use.descend) STORE(W + at, LOAD(W + at) + sum[r][c]);
      else STORE(G + at, sum[r][c]);
    }
}

#define INPUTS_OF(R, C)                                                                           \
  gradient_tile(R, C, K, A + r, lda, D, ldd, G + r * width, W + r * width, width, use)
INLINE void gradient_columns(const int C, long inputs, long K, const REAL *A, long lda,
                             const REAL *D, long ldd, REAL *G, REAL *W, long width, Use use) {
  long r = 0;
  for (; r + ROWS <= inputs; r += ROWS) INPUTS_OF(ROWS, C);
  for (; r + 4 <= inputs; r += 4) INPUTS_OF(4, C);
  for (; r < inputs; r++) INPUTS_OF(1, C);
}

// G = A' D over K examples, in panels like W
OWN void gradient(long inputs, long padded, long K, const REAL *A, long lda, const REAL *D,
                  long ldd, REAL *G, REAL *W, Use use) {
  for (long c = 0; c < padded;) {
    long width = panel_width(c, padded), at = panel_at(c, inputs) + c % PANEL;
    if (BYTES == 64 && width == BLOCK) {
      gradient_columns(1, inputs, K, A, lda, D + c, ldd, G + at, W + at, width, use);
      c += V;
    } else {
      gradient_columns(COLUMNS, inputs, K, A, lda, D + c, ldd, G + at, W + at, width, use);
      c += COLUMNS * V;
    }
  }
}

// The same for a single example and a panel, whose part of D stays in registers
INLINE void outer_product(const int descend, const long width, long inputs, const REAL *A,
                          const REAL *D, REAL *to) {
  vec d[PANEL / V];
#pragma GCC unroll 16
  for (long v = 0; v < width / V; v++) d[v] = LOAD(D + v * V);
  for (long i = 0; i < inputs; i++, to += width) {
    if (descend && A[i] == 0) continue; // as in `tile`
    vec a = all(A[i]);
#pragma GCC unroll 16
    for (long v = 0; v < width / V; v++)
      STORE(to + v * V, descend ? LOAD(to + v * V) + a * d[v] : a * d[v]);
  }
}

// The same for a single example, to the gradient or to the weights that descend by it: row after row,
// without tiles
OWN void gradient_of_one(long inputs, long padded, const REAL *A, const REAL *D, REAL *to,
                         int descend) {
  for (long c = 0; c < padded; c += PANEL) {
    long width = panel_width(c, padded);
    REAL *panel = to + panel_at(c, inputs);
    if (descend && width == PANEL) outer_product(1, PANEL, inputs, A, D + c, panel);
    else if (descend) outer_product(1, BLOCK, inputs, A, D + c, panel);
    else if (width == PANEL) outer_product(0, PANEL, inputs, A, D + c, panel);
    else outer_product(0, BLOCK, inputs, A, D + c, panel);
  }
}
