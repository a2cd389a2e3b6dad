/* What all normalisations share: x seen as [outer, channels, inner], y = (x - mean) factor scale_c + shift_c
   with factor = 1/sqrt(variance + epsilon), where mean and variance are either one for each channel (over
   outer and inner) or one for each of `groups` groups of channels of each outer index.
   Layer norm is the latter with one group and inner 1. Statistics are double for both element types. */
#ifndef XENT_TENSOR_NORM_H
#define XENT_TENSOR_NORM_H

#include "core/tensor/tensor.h"

typedef struct Norm {
    int64_t outer, channels, inner, groups;
    bool per_channel;   /* batch norm */
    bool centred;       /* false: mean is taken as 0 (root mean square) */
    bool given;         /* the statistics do not depend on x */
    double epsilon;
} Norm;

static inline int64_t norm_statistics_count(const Norm *norm)
{
    return norm->per_channel ? norm->channels : norm->outer * norm->groups;
}

/* How many elements share a mean. */
static inline int64_t norm_elements(const Norm *norm)
{
    return norm->per_channel ? norm->outer * norm->inner : norm->channels / norm->groups * norm->inner;
}

static inline int64_t norm_statistic_of(const Norm *norm, int64_t outer, int64_t channel)
{
    return norm->per_channel ? channel : outer * norm->groups + channel / (norm->channels / norm->groups);
}

/* mean and factor have norm_statistics_count entries; parameters, and gradients that are not wanted, may be
   NULL; parameters and their gradients are of x's type. norm_statistics writes the variance. */
void norm_statistics_single(const Norm *norm, const Tensor *x, double *mean, double *variance);
void norm_statistics_double(const Norm *norm, const Tensor *x, double *mean, double *variance);
void norm_apply_single(const Norm *norm, const Tensor *x, const double *mean, const double *factor, const Tensor *scale,
                       const Tensor *shift, Tensor *y);
void norm_apply_double(const Norm *norm, const Tensor *x, const double *mean, const double *factor, const Tensor *scale,
                       const Tensor *shift, Tensor *y);

/* With g = dy scale and x^ = (x - mean) factor: dx = factor (g - average(g) - x^ average(g x^)), the averages
   over what shares a mean (Ioffe and Szegedy 2015; Ba et al. 2016); dscale_c = sum dy x^, dshift_c = sum dy. */
typedef struct NormGradient {
    const Tensor *x, *dy, *scale;
    const double *mean, *factor;
    Tensor *dx, *dscale, *dshift;
} NormGradient;
void norm_gradient_single(const Norm *norm, const NormGradient *work);
void norm_gradient_double(const Norm *norm, const NormGradient *work);

#endif
