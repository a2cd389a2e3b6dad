#include <math.h>
#include <stdlib.h>

#include "core/base/random.h"
#include "core/metrics/metric.h"

Predictions predictions_from_logits(Arena *arena, int64_t count, int64_t classes, const double *logits, const int64_t *targets)
{
    double *log_probabilities = arena_zero(arena, (size_t)(count * classes), sizeof(double));
    double *confidence = arena_zero(arena, (size_t)count, sizeof(double));
    int64_t *predicted = arena_zero(arena, (size_t)count, sizeof(int64_t));
    for (int64_t i = 0; i < count; i++) {
        const double *row = logits + i * classes;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++)
            if (row[k] > row[best])
                best = k;
        double sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum += exp(row[k] - row[best]);
        for (int64_t k = 0; k < classes; k++)
            log_probabilities[i * classes + k] = row[k] - row[best] - log(sum);
        predicted[i] = best;
        confidence[i] = 1 / sum;
    }
    return (Predictions){count, classes, log_probabilities, confidence, predicted, targets};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile by linear interpolation between order statistics. */
static double quantile(const double *sorted, int count, double share)
{
    double position = share * (count - 1);
    int low = (int)position, high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (position - low) * (sorted[high] - sorted[low]);
}

void bootstrap_interval(const MetricDef *metric, const Predictions *predictions, uint64_t seed, int resamples, double interval[2])
{
    Arena *scratch = arena_new();
    int64_t n = predictions->count, *rows = memory_array((size_t)n, sizeof *rows);
    double *values = memory_array((size_t)resamples, sizeof *values);
    int defined = 0;
    for (int r = 0; r < resamples && n > 0; r++) {
        Random random = random_start(seed, "bootstrap", (uint32_t)r);
        for (int64_t i = 0; i < n; i++)
            rows[i] = random_below(&random, n);
        arena_reset(scratch);
        double value = metric->measure(predictions, rows, n, scratch);
        if (isfinite(value))
            values[defined++] = value;
    }
    qsort(values, (size_t)defined, sizeof *values, compare_doubles);
    interval[0] = defined ? quantile(values, defined, 0.025) : NAN;
    interval[1] = defined ? quantile(values, defined, 0.975) : NAN;
    memory_free(values);
    memory_free(rows);
    arena_free(scratch);
}
