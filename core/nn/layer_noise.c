#include "core/nn/layer_noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operations.h"

enum { ROWS_PER_TASK = 16 };

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float lower_median(int64_t count, float *values)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[(count - 1) / 2];
}

/* Unbiased; 0 of a single value. */
static double variance(int64_t count, const float *values)
{
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < count; i++)
        mean += (double)values[i] / (double)count;
    for (int64_t i = 0; i < count; i++)
        sum += ((double)values[i] - mean) * ((double)values[i] - mean);
    return count > 1 ? sum / (double)(count - 1) : 0;
}

typedef struct Rows {
    const LayerNoise *noise;
    int64_t width;
    const float *h;
    double base, *variances, mean_variance;
    float *sigma;               /* also where each row is sorted before it is filled */
} Rows;

static void row_variances(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    for (int64_t r = begin; r < end; r++)
        rows->variances[r] = variance(rows->width, rows->h + r * rows->width);
}

static void row_deviations(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    const LayerNoise *noise = rows->noise;
    for (int64_t r = begin; r < end; r++) {
        const float *h = rows->h + r * rows->width;
        float *sigma = rows->sigma + r * rows->width;
        double square = 0;
        memcpy(sigma, h, (size_t)rows->width * sizeof *sigma);
        float median = lower_median(rows->width, sigma);
        for (int64_t k = 0; k < rows->width; k++) {
            sigma[k] = fabsf(h[k] - median);
            square += (double)h[k] * (double)h[k];
        }
        double spread = fmax((double)lower_median(rows->width, sigma), 1e-6 * sqrt(square));
        double factor = fmin(exp(rows->variances[r] / (rows->mean_variance + 1e-6)), noise->factor_max);
        for (int64_t k = 0; k < rows->width; k++) {
            double distance = (double)fabsf(h[k] - median);
            sigma[k] = (float)(rows->base * spread * exp(-noise->beta * distance / (spread + 1e-6)) * factor);
        }
    }
}

void layer_noise_deviations(const LayerNoise *noise, double base, int64_t rows, int64_t width, const float *h,
                            float *sigma)
{
    Rows work = {noise, width, h, base, arena_alloc(tape_arena(), (size_t)rows * sizeof(double)), 0, sigma};
    parallel_for(rows, ROWS_PER_TASK, row_variances, &work);
    for (int64_t r = 0; r < rows; r++)
        work.mean_variance += work.variances[r] / (double)rows;
    parallel_for(rows, ROWS_PER_TASK, row_deviations, &work);
}

static Tensor *uniform_noise(const LayerNoise *noise, Forward *forward, const Tensor *x)
{
    double radius = noise->radius / sqrt((double)(x->count / x->shape[0]));
    Tensor *draws = t_random_uniform(x->type, x->rank, x->shape, forward_random(forward));
    return t_add_scalar(t_scale(draws, 2 * radius), -radius);
}

/* The lower median of each row, [R, 1]. */
static Tensor *row_medians(Tensor *rows)
{
    int64_t at = (rows->shape[1] - 1) / 2;
    return t_slice(t_sort(rows, false, NULL), 1, at, at + 1);
}

static Tensor *unbiased(Tensor *variance, int64_t count)
{
    return t_scale(variance, count > 1 ? (double)count / (double)(count - 1) : 0);
}

Tensor *layer_noise_attached(const LayerNoise *noise, double deviation, Tensor *x)
{
    int64_t width = x->shape[x->rank - 1];
    Tensor *rows = t_reshape(x, SHAPE(-1, width));
    Tensor *distance = t_abs(t_sub(rows, row_medians(rows)));
    Tensor *spread = t_maximum(row_medians(distance), t_scale(t_norm(rows, 1, true), 1e-6));
    Tensor *variances = unbiased(t_variance(rows, 1, true), width);
    Tensor *factor = t_exp(t_div(variances, t_add_scalar(t_mean(variances, ALL_AXES, false), 1e-6)));
    Tensor *nearness = t_exp(t_scale(t_div(distance, t_add_scalar(spread, 1e-6)), -noise->beta));
    Tensor *base = t_scale(t_sqrt(unbiased(t_variance(x, ALL_AXES, false), x->count)), deviation);
    Tensor *bounded = t_minimum(factor, t_scalar(x->type, noise->factor_max));
    return t_reshape(t_mul(t_mul(nearness, t_mul(spread, bounded)), base), x->rank, x->shape);
}

static double root_mean_square(const Tensor *x)
{
    double sum = 0;
    for (int64_t i = 0; i < x->count; i++)
        sum += (double)tensor_f32(x)[i] * (double)tensor_f32(x)[i];
    return sqrt(sum / (double)x->count);
}

static Tensor *adaptive_noise(const LayerNoise *noise, int place, Forward *forward, Tensor *x)
{
    int64_t width = x->shape[x->rank - 1];
    double deviation = noise->deviation * (noise->scales ? noise->scales[place] : 1);
    Tensor *sigma;
    if (noise->attached) {
        sigma = layer_noise_attached(noise, deviation, x);
    } else {
        sigma = t_like(x);
        layer_noise_deviations(noise, deviation * sqrt(variance(x->count, tensor_f32(x))), x->count / width, width,
                               tensor_f32(x), tensor_f32(sigma));
    }
    if (noise->rms)
        noise->rms[place] = root_mean_square(sigma);
    return t_mul(sigma, t_random_normal(x->type, x->rank, x->shape, forward_random(forward)));
}

Tensor *layer_noise_add(const LayerNoise *noise, const Layer *layer, Forward *forward, Tensor *x)
{
    for (int i = 0; i < noise->count; i++)
        if (noise->layers[i] == layer)
            return t_add(x, noise->uniform ? uniform_noise(noise, forward, x) : adaptive_noise(noise, i, forward, x));
    return x;
}
