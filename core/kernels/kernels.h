/* The innermost loops, built once per instruction set from kernels_isa.c and chosen at start. */
#ifndef XENT_KERNELS_KERNELS_H
#define XENT_KERNELS_KERNELS_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* y[i] = f(x[i]); y may be x itself, but must not overlap it otherwise. */
typedef void (*VectorFunction)(int64_t n, const float *x, float *y);

enum { KERNEL_MAX_MR = 16, KERNEL_MAX_NR = 32 };

typedef struct Kernels {
    const char *isa;
    int64_t mr, nr; /* rows and columns of the register block of gemm_tile */

    /* c[mr][nr] = a b + beta c, where `a` is packed as k columns of mr floats and `b` as k rows of
       nr floats. With beta 0, c is not read. */
    void (*gemm_tile)(int64_t k, const float *a, const float *b, float beta, float *c, int64_t ldc);
    float (*dot)(int64_t n, const float *x, const float *y);
    void (*axpy)(int64_t n, float alpha, const float *x, float *y); /* y += alpha x */

    VectorFunction exp, log, tanh, sigmoid, erf;

    /* One row; a row whose largest value is infinite follows IEEE arithmetic (log_sum_exp_row of
       nothing but -inf, or of an empty row, is -inf). */
    VectorFunction softmax_row, log_softmax_row;
    float (*log_sum_exp_row)(int64_t n, const float *x);

    /* Derivatives by x of a row of y = softmax(x) and of y = log softmax(x), from y and the gradient by y. */
    void (*softmax_backward_row)(int64_t n, const float *y, const float *gradient, float *result);
    void (*log_softmax_backward_row)(int64_t n, const float *y, const float *gradient, float *result);
    /* The log-sum-exp of a row as a sum of two, shift and log of the rest: added up, a large shift would take
       the low bits of the other. */
    void (*log_sum_exp_parts)(int64_t n, const float *x, float *parts);
    /* result = factor softmax(x), given the parts. */
    void (*scaled_softmax_row)(int64_t n, const float *x, const float *parts, float factor, float *result);

    double (*sum_row)(int64_t n, const float *x, float center);     /* sum of x - center */
    double (*squares_row)(int64_t n, const float *x, float center); /* sum of (x - center)^2 */
    float (*max_row)(int64_t n, const float *x);                    /* -inf of an empty row */
    float (*exp_row)(int64_t n, const float *x, float shift, float *y); /* y = exp(x - shift); returns the sum */
    void (*scale_row)(int64_t n, float factor, float *x);

    /* s = scale s + slope (first + i) + mask; mask may be NULL. */
    void (*score_row)(int64_t n, float *s, float scale, const float *mask, float slope, float first);
    /* dp = p (dp - delta) scale: through a softmax whose output is p. */
    void (*attention_gradient_row)(int64_t n, const float *p, float *dp, float delta, float scale);
    /* z = weight exp(z - log_sum) (1 - (inverse_cap z)^2), log_sum in the two parts above */
    void (*cross_entropy_gradient_row)(int64_t n, float *z, const float *parts, float weight, float inverse_cap);

    /* Normalisation, with x' = x - mean. In *_row mean and factors are the same all along, and scale and
       shift (may be NULL) are not; in *_columns all have an entry for each element. */
    void (*norm_row)(int64_t n, const float *x, float mean, float factor, const float *scale, const float *shift,
                     float *y);  /* y = factor x' scale + shift */
    void (*norm_columns)(int64_t n, const float *x, const float *mean, const float *factor, const float *shift, float *y);
    /* *sum = sum of dy scale, *product = sum of dy scale x' */
    void (*norm_sums)(int64_t n, const float *x, float mean, const float *dy, const float *scale, double *sum,
                      double *product);
    void (*norm_sums_columns)(int64_t n, const float *x, const float *mean, const float *dy, float *sum, float *product);
    void (*sum_columns)(int64_t n, const float *x, const float *mean, float *sum);     /* sum += x' */
    void (*squares_columns)(int64_t n, const float *x, const float *mean, float *sum); /* sum += x'^2 */
    /* dx = by[0] dy scale - by[1] - by[2] x' */
    void (*norm_gradient_row)(int64_t n, const float *x, float mean, const float *dy, const float *scale,
                              const float by[3], float *dx);
    void (*norm_gradient_columns)(int64_t n, const float *x, const float *mean, const float *dy, const float *const by[3],
                                  float *dx);
    /* dscale += factor x' dy, dshift += dy */
    void (*norm_parameters_row)(int64_t n, const float *x, float mean, float factor, const float *dy, float *dscale,
                                float *dshift);
} Kernels;

/* The table in use: what kernels_select chose last, or the best the machine has. */
const Kernels *kernels(void);

/* "baseline", "avx2" or "avx512". NULL: what XENT_ISA names, or the best the machine has. */
bool kernels_select(const char *isa, Error *error);

#endif
