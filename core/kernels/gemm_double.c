#include "core/kernels/gemm.h"

enum { BLOCK = 64 };

/* C += op(A)[:, rows of the block] times `block`, a copy of a part of op(B). */
static void add_block(bool transpose_a, int64_t m, int64_t columns, int64_t depth, const double *a,
                      int64_t lda, double block[BLOCK][BLOCK], double *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t p = 0; p < depth; p++) {
            const double factor = transpose_a ? a[p * lda + i] : a[i * lda + p];
            for (int64_t j = 0; j < columns; j++)
                c[i * ldc + j] += factor * block[p][j];
        }
}

void dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a,
           int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0.0 ? 0.0 : beta * c[i * ldc + j];
    double block[BLOCK][BLOCK];
    for (int64_t j0 = 0; j0 < n; j0 += BLOCK)
        for (int64_t p0 = 0; p0 < k; p0 += BLOCK) {
            const int64_t columns = n - j0 < BLOCK ? n - j0 : BLOCK;
            const int64_t depth = k - p0 < BLOCK ? k - p0 : BLOCK;
            for (int64_t p = 0; p < depth; p++)
                for (int64_t j = 0; j < columns; j++)
                    block[p][j] = transpose_b ? b[(j0 + j) * ldb + p0 + p] : b[(p0 + p) * ldb + j0 + j];
            add_block(transpose_a, m, columns, depth, transpose_a ? a + p0 * lda : a + p0, lda,
                      block, c + j0, ldc);
        }
}
