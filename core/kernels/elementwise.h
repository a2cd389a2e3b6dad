/* Kernels of the elementwise operations and reductions, in single precision. Included by kernels.h. */
#ifndef XENT_KERNELS_ELEMENTWISE_H
#define XENT_KERNELS_ELEMENTWISE_H

#include <stdint.h>

/* One list for the enumeration and the table. p and q are what the operation takes besides x. */
#define UNARY_KERNELS(X)                                                                                  \
    X(neg) X(scale) X(add_scalar) X(square) X(sqrt) X(rsqrt) X(reciprocal) X(abs) X(sign) X(step) X(within) \
    X(exp) X(expm1) X(log) X(log1p) X(xlogx) X(tanh) X(erf) X(sigmoid) X(log_sigmoid) X(softplus) X(relu)   \
    X(leaky_relu) X(elu) X(gelu) X(gelu_tanh) X(silu) X(hard_sigmoid) X(clamp) X(round)
/* Those whose gradient is computed in one pass. */
#define UNARY_GRADIENT_KERNELS(X)                                                                   \
    X(square) X(abs) X(tanh) X(sigmoid) X(log_sigmoid) X(softplus) X(relu) X(leaky_relu) X(elu) X(gelu) \
    X(gelu_tanh) X(silu) X(hard_sigmoid) X(clamp)
#define BINARY_KERNELS(X) X(add) X(sub) X(mul) X(div) X(maximum) X(minimum)

#define COMPARE_KERNELS(X) X(less) X(less_equal) X(equal)

#define UNARY_INDEX(name) UNARY_##name,
#define BINARY_INDEX(name) BINARY_##name,
#define COMPARE_INDEX(name) COMPARE_##name,
typedef enum UnaryKernel { UNARY_none, UNARY_KERNELS(UNARY_INDEX) UNARY_COUNT } UnaryKernel;
typedef enum BinaryKernel { BINARY_none, BINARY_KERNELS(BINARY_INDEX) BINARY_COUNT } BinaryKernel;
typedef enum CompareKernel { COMPARE_KERNELS(COMPARE_INDEX) COMPARE_COUNT } CompareKernel;

typedef struct ElementwiseKernels {
    /* y[i] = f(x[i]; p, q); y may be x. */
    void (*unary[UNARY_COUNT])(int64_t n, const float *x, float *y, float p, float q);
    /* out[i] = gradient[i] f'(x[i]), where y = f(x) is known. */
    void (*unary_gradient[UNARY_COUNT])(int64_t n, const float *x, const float *y, const float *gradient, float *out,
                                        float p, float q);
    /* y [rows, n] of f(a, b). Row r of a begins at a + r row_a, and step_a is 1, or 0 where one element
       serves the whole row; so b. y overlaps neither. */
    void (*binary[BINARY_COUNT])(int64_t rows, int64_t n, const float *a, int64_t row_a, int64_t step_a,
                                 const float *b, int64_t row_b, int64_t step_b, float *y);
    /* The same, 0 or 1. */
    void (*compare[COMPARE_COUNT])(int64_t rows, int64_t n, const float *a, int64_t row_a, int64_t step_a,
                                   const float *b, int64_t row_b, int64_t step_b, int32_t *y);
    /* y [rows, n] of a where the condition is not 0, else b; row and step are of condition, a and b. */
    void (*where)(int64_t rows, int64_t n, const int32_t *condition, const float *a, const float *b,
                  const int64_t row[3], const int64_t step[3], float *y);
    void (*fill)(int64_t n, float value, float *y);
    /* y[i] = scale x[i], or 0 where words[i] < below. */
    void (*dropout)(int64_t n, const uint32_t *words, uint32_t below, float scale, const float *x, float *y);
    /* y[r] = sum of row r of x [rows, n], in single precision: keep n below some ten thousands. */
    void (*sum_rows)(int64_t rows, int64_t n, const float *x, float *y);
    /* y[i] = sum over r of x[r stride + i], i < n. */
    void (*sum_columns)(int64_t rows, int64_t n, int64_t stride, const float *x, float *y);
    /* The largest of sign x, the first of equals, NaN above all: its x and its place, along the rows of
       x [rows, n], n >= 1, or down the columns, rows >= 1. */
    void (*search_rows)(int64_t rows, int64_t n, const float *x, float sign, float *value, int32_t *index);
    void (*search_columns)(int64_t rows, int64_t n, const float *x, float sign, float *value, int32_t *index);
    /* y[i] = scale exp(x[i] - shift). */
    void (*exp_scaled)(int64_t n, const float *x, float shift, float scale, float *y);
    /* Philox4x32-10: words[4 k + j] is word j of block first + k. */
    void (*random_words)(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first, int64_t blocks,
                         uint32_t *words);
} ElementwiseKernels;

#endif
