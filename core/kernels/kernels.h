/* The innermost loops, built once per instruction set from kernels_isa.c and chosen at start. */
#ifndef XENT_KERNELS_KERNELS_H
#define XENT_KERNELS_KERNELS_H

#include "core/base/error.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/int8.h"
#include "core/kernels/kernels_convolution.h"
#include "core/kernels/optimizer.h"
#include "core/kernels/rows.h"
#include "core/kernels/softmax.h"

#include <stdbool.h>
#include <stdint.h>

/* y[i] = f(x[i]); y may be x itself, but must not overlap it otherwise. */
typedef void (*VectorFunction)(int64_t n, const float *x, float *y);

enum { KERNEL_MAX_MR = 16, KERNEL_MAX_NR = 32, GEMM_AHEAD = 8 };

typedef void (*GemmTile)(int64_t k, const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t b_step,
                         const float *bias, float beta, float *c, int64_t ldc);

typedef void (*GemmFarTile)(int64_t k, const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t b_step,
                            const float *bias, float beta, float *c, int64_t ldc, const float *ahead);

typedef void (*GemmEdge)(int64_t columns, int64_t k, const float *a, int64_t a_row, int64_t a_step, const float *b,
                         int64_t b_step, const float *bias, float beta, float *c, int64_t ldc);

typedef struct Kernels {
    const char *isa;
    int64_t mr, nr; /* rows and columns of the largest register block */

    /* c[r + 1][nr] = a b + bias + beta c for gemm_tile[r], r < mr. Value (i, p) of a is at i a_row + p a_step, and
       row p of b at p b_step. bias: nr values for each row, or NULL. With beta 0, c is not read. */
    GemmTile gemm_tile[KERNEL_MAX_MR];
    /* The same where c is in no near cache. Meanwhile GEMM_AHEAD floats from `ahead` on for each of k, if it is not
       NULL, are fetched into the second cache. */
    GemmFarTile gemm_far_tile[KERNEL_MAX_MR];
    /* As gemm_tile for the first `columns` of a tile, 1 to nr; of b whole vectors are read. */
    GemmEdge gemm_edge[KERNEL_MAX_MR];
    /* Panels of mr rows of a (of nr columns of b) that lie next to each other, in the order in which blocks read. */
    void (*gemm_pack_a)(int64_t panels, int64_t k, const float *from, int64_t k_stride, float *to);
    void (*gemm_pack_b)(int64_t k, const float *from, int64_t k_stride, float *to);
    /* A panel of b of fewer columns, filled up with 0. */
    void (*gemm_pack_edge)(int64_t columns, int64_t k, const float *from, int64_t k_stride, float *to);
    /* A panel of nr columns of b, each of which lies along k. */
    void (*gemm_turn_b)(int64_t k, const float *from, int64_t line_stride, float *to);
    /* c[4][4] = products of 4 rows of a with 4 rows of b, all of k values that lie together. */
    void (*gemm_dots)(int64_t k, const float *a, int64_t a_row, const float *b, int64_t b_row, float *c);
    float (*dot)(int64_t n, const float *x, const float *y);
    void (*axpy)(int64_t n, float alpha, const float *x, float *y); /* y += alpha x */

    VectorFunction exp, log, tanh, sigmoid, erf;

    /* One row; a row whose largest value is infinite follows IEEE arithmetic (log_sum_exp_row of
       nothing but -inf, or of an empty row, is -inf). */
    VectorFunction log_softmax_row;
    float (*log_sum_exp_row)(int64_t n, const float *x);

    /* result[j] += sum over i of (x[i] - y[j stride + i])^2, for `rows` rows of n, in double. */
    void (*squared_distances)(int64_t n, int64_t stride, const float *x, int64_t rows, const float *y, double *result);
    /* result[i] = sum over j of weights[j] (x[i] - y[j stride + i]). */
    void (*weighted_differences)(int64_t n, int64_t stride, const float *x, int64_t rows, const float *y,
                                 const float *weights, float *result);

    /* Derivatives by x of a row of y = softmax(x) and of y = log softmax(x), from y and the gradient by y. */
    void (*softmax_backward_row)(int64_t n, const float *y, const float *gradient, float *result);
    void (*log_softmax_backward_row)(int64_t n, const float *y, const float *gradient, float *result);
    /* The log-sum-exp of a row as a sum of two, shift and log of the rest: added up, a large shift would take
       the low bits of the other. */
    void (*log_sum_exp_parts)(int64_t n, const float *x, float *parts);
    /* result = factor softmax(x), given the parts. */
    void (*scaled_softmax_row)(int64_t n, const float *x, const float *parts, float factor, float *result);

    /* y[i] = the largest x[i stride + tap[k]], the first of equals; NaN is largest. places[i]: which one,
       counted in x, plus `first`. taps >= 1, in ascending order; `room` floats of x can be read. `spare`
       elements of y and places behind n may be overwritten. */
    void (*max_pool_row)(int64_t n, int64_t spare, int64_t stride, const float *x, int64_t room, int64_t taps,
                         const int32_t *tap, int32_t first, float *y, int32_t *places);
    /* The transpose for rows of n windows of 2 x 2, the first of which begins at place `first` of a plane `width` wide:
       sets 2n elements of each of 2 `rows` rows `step` floats apart, and perhaps those between them. A place in no
       window (-1) takes nothing. `spare` elements behind the values and places can be read. */
    void (*max_spread_2x2)(int64_t rows, int64_t n, const float *y, const int32_t *places, int64_t spare,
                           int32_t first, int32_t width, float *to, int64_t step);
    /* Sum of x[i] where places[i] >= 0. */
    float (*sum_placed)(int64_t n, const float *x, const int32_t *places);
    /* n averages of 2 x 2 places from two rows of x, which are `width` floats apart. */
    void (*average_pool_2x2_row)(int64_t n, const float *x, int64_t width, float *y);
    /* Its transpose: sets 2n elements of both rows of x. */
    void (*average_spread_2x2_row)(int64_t n, const float *y, int64_t width, float *x);

    SoftmaxKernels softmax;
    RowKernels rows;
    ElementwiseKernels elementwise;
    ConvolutionKernels convolution;
    OptimizerKernels optimizer;
    Int8Kernels int8;

    /* For measuring the machine: independent chains x = factor x + term, chain_flops operations a round. */
    float (*multiply_add_chains)(int64_t rounds, float factor, float term);
    int64_t chain_flops;
} Kernels;

/* The table in use: what kernels_select chose last, or the best the machine has. */
const Kernels *kernels(void);

/* "baseline", "avx2" or "avx512". NULL: what XENT_ISA names, or the best the machine has. */
bool kernels_select(const char *isa, Error *error);

#endif
