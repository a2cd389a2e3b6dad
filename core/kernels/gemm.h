/* Matrix products, row major: C = op(A) op(B) + beta C, where op(A) is m x k and op(B) is k x n, and
   op transposes when told to. With beta 0, C is not read. The bits of the result do not depend on
   the number of threads. */
#ifndef XENT_KERNELS_GEMM_H
#define XENT_KERNELS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

void sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
           int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/* The same plus a bias of n values in every row (NULL: none), in one pass. */
void sgemm_bias(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                const float *b, int64_t ldb, float beta, const float *bias, float *c, int64_t ldc);

/* `batch` products; the strides are counted in values. Those of A and B may be 0. */
void sgemm_batch(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                 const float *a, int64_t lda, int64_t stride_a, const float *b, int64_t ldb,
                 int64_t stride_b, float beta, float *c, int64_t ldc, int64_t stride_c,
                 int64_t batch);

/* For checks by finite differences: simple and in one thread. */
void dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a,
           int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc);

#endif
