/* Matrix products, row major: C = op(A) op(B) + beta C, where op(A) is m x k and op(B) is k x n, and
   op transposes when told to. With beta 0, C is not read. The bits of the result do not depend on
   the number of threads. */
#ifndef XENT_KERNELS_GEMM_H
#define XENT_KERNELS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernels/elementwise.h"

void sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
           int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

/* What is done with a product while it is near, in this order; nothing where all is 0. Arrays [m, n] have rows ldc
   apart, as C has, and overlap neither C nor each other. */
typedef struct GemmFinish {
    const float *bias;          /* n values added to every row */
    const float *row_bias;      /* m values, each added to its row */
    float scale;                /* factor, if not 0 */
    float *argument;            /* [m, n]: gets what the activation is applied to, which its derivative may need */
    UnaryKernel activation;     /* one without parameters */
    UnaryKernel slope;          /* multiplies by f'(x), where y = f(x); one of UNARY_GRADIENT_KERNELS */
    const float *slope_argument, *slope_value; /* [m, n]: x and y */
    const float *residual;      /* [m, n], added */
} GemmFinish;

/* C = finish(op(A) op(B) + beta C) in one pass; finish may be NULL. */
void sgemm_finish(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                  const float *b, int64_t ldb, float beta, const GemmFinish *finish, float *c, int64_t ldc);

/* `batch` products; the strides are counted in values. Those of A and B may be 0. */
void sgemm_batch(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                 const float *a, int64_t lda, int64_t stride_a, const float *b, int64_t ldb,
                 int64_t stride_b, float beta, float *c, int64_t ldc, int64_t stride_c,
                 int64_t batch);

/* For checks by finite differences: simple and in one thread. */
void dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a,
           int64_t lda, const double *b, int64_t ldb, double beta, double *c, int64_t ldc);

#endif
