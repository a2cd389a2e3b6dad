/* What normalisations, attention and cross-entropies do to a row of floats: part of the table of kernels. */
#ifndef XENT_KERNELS_ROWS_H
#define XENT_KERNELS_ROWS_H

#include <stdint.h>

typedef struct RowKernels {
    double (*centred_sum_row)(int64_t n, const float *x, float center);     /* sum of x - center */
    double (*centred_squares_row)(int64_t n, const float *x, float center); /* sum of (x - center)^2 */
    float (*max_row)(int64_t n, const float *x);                    /* -inf of an empty row */
    float (*exp_row)(int64_t n, const float *x, float shift, float *y); /* y = exp(x - shift); returns the sum */
    /* Of columns of rows that are `stride` apart; n a multiple of nr. largest = the largest of it and x. */
    void (*max_columns)(int64_t rows, int64_t n, int64_t stride, const float *x, float *largest);
    /* sum = the sums of e = exp(x - shift), shift an entry for each column; x = e (1 - (inverse_cap x)^2) */
    void (*exp_columns)(int64_t rows, int64_t n, int64_t stride, float *x, const float *shift, float inverse_cap,
                        float *sum);
    /* sum + lost += x, element by element, where lost keeps what rounding takes from the sum (2Sum). */
    void (*add_compensated)(int64_t n, const float *x, float *sum, float *lost);
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
    void (*norm_columns)(int64_t n, const float *x, const float *mean, const float *factor, const float *shift,
                         float *y);
    /* *sum = sum of dy scale, *product = sum of dy scale x' */
    void (*norm_sums)(int64_t n, const float *x, float mean, const float *dy, const float *scale, double *sum,
                      double *product);
    void (*norm_sums_columns)(int64_t n, const float *x, const float *mean, const float *dy, float *sum,
                              float *product);
    void (*centred_sum_columns)(int64_t n, const float *x, const float *mean, float *sum); /* sum += x' */
    void (*centred_squares_columns)(int64_t n, const float *x, const float *mean, float *sum); /* sum += x'^2 */
    /* dx = by[0] dy scale - by[1] - by[2] x' */
    void (*norm_gradient_row)(int64_t n, const float *x, float mean, const float *dy, const float *scale,
                              const float by[3], float *dx);
    void (*norm_gradient_columns)(int64_t n, const float *x, const float *mean, const float *dy,
                                  const float *const by[3], float *dx);
    /* dscale += factor x' dy, dshift += dy */
    void (*norm_parameters_row)(int64_t n, const float *x, float mean, float factor, const float *dy, float *dscale,
                                float *dshift);
} RowKernels;

#endif
