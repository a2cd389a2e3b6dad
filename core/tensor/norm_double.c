/* Normalisation of doubles, for checks: one thread, plain loops. */
#include <string.h>

#include "core/tensor/norm.h"

/* Body for every element: `at` its place, `o`, `c` its indices, `s` its statistic. */
#define EACH_ELEMENT(norm, BODY)                                                    \
    for (int64_t o = 0, at = 0; o < (norm)->outer; o++)                             \
        for (int64_t c = 0; c < (norm)->channels; c++) {                            \
            const int64_t s = norm_statistic_of(norm, o, c);                        \
            for (int64_t i = 0; i < (norm)->inner; i++, at++)                       \
                BODY;                                                               \
        }

static const double *values(const Tensor *tensor)
{
    return tensor ? tensor_f64(tensor) : NULL;
}

void norm_statistics_double(const Norm *norm, const Tensor *x, double *mean, double *variance)
{
    const double *p = values(x);
    const double elements = (double)(norm_elements(norm) > 0 ? norm_elements(norm) : 1);
    const size_t bytes = (size_t)norm_statistics_count(norm) * sizeof(double);
    memset(mean, 0, bytes);
    memset(variance, 0, bytes);
    if (norm->centred)
        EACH_ELEMENT(norm, mean[s] += p[at] / elements)
    EACH_ELEMENT(norm, variance[s] += (p[at] - mean[s]) * (p[at] - mean[s]) / elements)
}

void norm_apply_double(const Norm *norm, const Tensor *x, const double *mean, const double *factor, const Tensor *scale,
                       const Tensor *shift, Tensor *y)
{
    const double *p = values(x), *a = values(scale), *b = values(shift);
    double *r = tensor_f64(y);
    EACH_ELEMENT(norm, r[at] = (p[at] - mean[s]) * factor[s] * (a ? a[c] : 1) + (b ? b[c] : 0))
}

static void parameter_gradients(const Norm *norm, const NormGradient *work)
{
    const double *p = values(work->x), *dy = values(work->dy);
    if (work->dscale) {
        double *sum = tensor_f64(work->dscale);
        memset(sum, 0, (size_t)norm->channels * sizeof *sum);
        EACH_ELEMENT(norm, sum[c] += dy[at] * (p[at] - work->mean[s]) * work->factor[s])
    }
    if (work->dshift) {
        double *sum = tensor_f64(work->dshift);
        memset(sum, 0, (size_t)norm->channels * sizeof *sum);
        EACH_ELEMENT(norm, ((void)s, sum[c] += dy[at]))
    }
}

void norm_gradient_double(const Norm *norm, const NormGradient *work)
{
    parameter_gradients(norm, work);
    if (!work->dx)
        return;
    const double *p = values(work->x), *dy = values(work->dy), *a = values(work->scale), *mean = work->mean,
                 *factor = work->factor;
    double *dx = tensor_f64(work->dx);
    const int64_t count = norm_statistics_count(norm);
    const double elements = (double)(norm_elements(norm) > 0 ? norm_elements(norm) : 1);
    double *average = arena_zero(tape_arena(), (size_t)count, sizeof *average);
    double *product = arena_zero(tape_arena(), (size_t)count, sizeof *product);
    if (!norm->given) {
        if (norm->centred)
            EACH_ELEMENT(norm, average[s] += dy[at] * (a ? a[c] : 1) / elements)
        EACH_ELEMENT(norm, product[s] += dy[at] * (a ? a[c] : 1) * (p[at] - mean[s]) * factor[s] / elements)
    }
    EACH_ELEMENT(norm, dx[at] = factor[s] * (dy[at] * (a ? a[c] : 1) - average[s] -
                                             (p[at] - mean[s]) * factor[s] * product[s]))
    arena_recycle(tape_arena(), average, (size_t)count * sizeof *average);
    arena_recycle(tape_arena(), product, (size_t)count * sizeof *product);
}
