/* Ranges that give up the largest values for finer steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantize/grid.h"

/* The range shrunk by 0 to 79 hundredths: the factor with the least sum of |x - quantized x|^clip_norm, the largest
   of equals. GPTQ's code, arXiv:2210.17323. */
static void clip_mse(const UniformGrid *grid, int64_t n, const float *x, double *low, double *high)
{
    double best = INFINITY, best_factor = 1;
    for (int i = 0; i < 80; i++) {
        const double factor = 1 - i / 100.0;
        const GridStep step = grid_step_of_range(grid, factor * *low, factor * *high);
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += pow(fabs((double)grid_value(&step, grid_code(&step, x[k])) - (double)x[k]), grid->clip_norm);
        if (sum < best) {
            best = sum;
            best_factor = factor;
        }
    }
    *low *= best_factor;
    *high *= best_factor;
}

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Of sorted values, by linear interpolation. */
static double quantile(int64_t n, const float *sorted, double p)
{
    const double place = p * (double)(n - 1);
    const int64_t below = (int64_t)place;
    const double rest = place - (double)below;
    return (double)sorted[below] + (below + 1 < n ? rest * ((double)sorted[below + 1] - (double)sorted[below]) : 0);
}

static void clip_percentile(const UniformGrid *grid, int64_t n, const float *x, double *low, double *high)
{
    float *sorted = memory_array((size_t)n, sizeof *sorted);
    for (int64_t i = 0; i < n; i++)
        sorted[i] = grid->symmetric ? fabsf(x[i]) : x[i];
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    *high = fmax(quantile(n, sorted, grid->percentile), 0);
    *low = grid->symmetric ? -*high : fmin(quantile(n, sorted, 1 - grid->percentile), 0);
    memory_free(sorted);
}

enum { BINS = 2048 };

/* KL divergence of the first `kept` bins, the rest added to the last of them, from the same spread evenly over
   `levels` runs of bins; bins that are empty stay so. */
static double divergence(const double *histogram, int kept, int levels)
{
    double all = 0, rest = 0, inside = 0, sum = 0;
    for (int i = 0; i < BINS; i++) {
        all += histogram[i];
        rest += i >= kept ? histogram[i] : 0;
    }
    inside = all - rest;
    if (!(inside > 0))
        return INFINITY;
    for (int level = 0; level < levels; level++) {
        const int begin = (int)((int64_t)level * kept / levels), end = (int)((int64_t)(level + 1) * kept / levels);
        double mass = 0, filled = 0;
        for (int i = begin; i < end; i++) {
            mass += histogram[i];
            filled += histogram[i] > 0 || (i == kept - 1 && rest > 0);
        }
        for (int i = begin; i < end; i++) {
            const double p = (histogram[i] + (i == kept - 1 ? rest : 0)) / all;
            if (p > 0 && !(mass > 0))
                return INFINITY;
            sum += p > 0 ? p * log(p / (mass / filled / inside)) : 0;
        }
    }
    return sum;
}

/* The threshold whose clipped histogram of |x| is nearest to its quantized form; the largest of equals. */
static void clip_kl(const UniformGrid *grid, int64_t n, const float *x, double *low, double *high)
{
    const double largest = fmax(-*low, *high);
    const int levels = 1 << (grid->bits - (grid->symmetric ? 1 : 0));
    double histogram[BINS] = {0}, best = INFINITY, threshold = largest;
    for (int64_t i = 0; i < n; i++) {
        const int bin = (int)(fabs((double)x[i]) / largest * BINS);
        histogram[bin < BINS ? bin : BINS - 1] += 1;
    }
    for (int kept = BINS; kept >= levels; kept--) {
        const double found = divergence(histogram, kept, levels);
        if (found < best) {
            best = found;
            threshold = largest * kept / BINS;
        }
    }
    *low = fmax(*low, -threshold);
    *high = fmin(*high, threshold);
}

void grid_clip(const UniformGrid *grid, int64_t n, const float *x, double *low, double *high)
{
    if (grid->clip == CLIP_MSE)
        clip_mse(grid, n, x, low, high);
    else if (grid->clip == CLIP_PERCENTILE)
        clip_percentile(grid, n, x, low, high);
    else if (grid->clip == CLIP_KL)
        clip_kl(grid, n, x, low, high);
}
