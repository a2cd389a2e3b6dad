#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/metrics/metric.h"

bool metric_applies(const MetricDef *metric, const Predictions *predictions)
{
    return metric->kinds & predictions->input.kind && (!metric->available || metric->available(predictions));
}

const MetricDef *const *metrics_that_apply(Arena *arena, const Predictions *predictions)
{
    const ComponentKind *kind = component_kind("metric");
    size_t count = 0, applying = 0;
    while (kind->items[count])
        count++;
    const MetricDef **metrics = arena_zero(arena, count + 1, sizeof *metrics);
    for (size_t i = 0; i < count; i++) {
        const MetricDef *metric = (const MetricDef *)kind->items[i];
        if (metric_applies(metric, predictions))
            metrics[applying++] = metric;
    }
    return metrics;
}

LANES_CLONED
void weighted_mean(int64_t count, const double *values, const Lanes *row_weights, Lanes *mean)
{
    Lanes sum = {0}, weight = {0};
    for (int64_t i = 0; i < count; i++) {
        sum += row_weights[i] * values[i];
        weight += row_weights[i];
    }
    for (int l = 0; l < LANES; l++) {
        if (isfinite(sum[l]))
            continue;
        sum[l] = 0; /* an infinite value counts only where it has a weight */
        for (int64_t i = 0; i < count; i++)
            sum[l] += row_weights[i][l] > 0 ? row_weights[i][l] * values[i] : 0;
    }
    lanes_ratio(&sum, &weight, mean);
}

const Lanes *sample_weights(const Predictions *predictions, Arena *arena)
{
    int64_t n = predictions->input.count;
    Lanes *lanes = arena_alloc(arena, (size_t)n * sizeof *lanes);
    for (int64_t i = 0; i < n; i++)
        lanes[i] = (Lanes){0} + predictions->weights[i];
    return lanes;
}

static double measure(const MetricDef *metric, Predictions *predictions, const Lanes *row_weights, Arena *scratch)
{
    if (metric->prepare)
        metric->prepare(predictions);
    Lanes values;
    metric->measure(predictions, row_weights, scratch, &values);
    return values[0];
}

double metric_value(const MetricDef *metric, Predictions *predictions)
{
    Arena *scratch = arena_new();
    double value = measure(metric, predictions, sample_weights(predictions, scratch), scratch);
    arena_free(scratch);
    return value;
}

double *metric_values(Arena *arena, const MetricDef *const *metrics, Predictions *predictions)
{
    size_t count = 0;
    while (metrics[count])
        count++;
    double *values = arena_zero(arena, count + 1, sizeof *values);
    Arena *scratch = arena_new();
    const Lanes *row_weights = sample_weights(predictions, scratch);
    for (size_t i = 0; i < count; i++)
        values[i] = measure(metrics[i], predictions, row_weights, scratch);
    arena_free(scratch);
    return values;
}

typedef struct Bootstrap {
    const MetricDef *const *metrics;
    const Predictions *predictions;
    uint64_t seed;
    int64_t resamples;
    double *values;                 /* [metrics, resamples] */
    int64_t units;                  /* what is drawn: rows, or groups */
    const int64_t *starts;          /* [units + 1], where groups begin; NULL: rows */
} Bootstrap;

/* How often resample `resample` has each row: times [count]; drawn [units] is room for the draws. */
static void draw_resample(const Bootstrap *b, int64_t resample, int64_t *drawn, int32_t *times)
{
    memset(times, 0, (size_t)b->predictions->input.count * sizeof *times);
    Random random = random_start(b->seed, "bootstrap", (uint32_t)resample);
    random_below_each(&random, b->units, b->units, drawn);
    for (int64_t i = 0; i < b->units; i++) {
        if (!b->starts)
            times[drawn[i]]++;
        else
            for (int64_t row = b->starts[drawn[i]]; row < b->starts[drawn[i] + 1]; row++)
                times[row]++;
    }
}

/* The weights of LANES resamples from `first` on; past the last one 0. */
LANES_CLONED
static void draw_lanes(const Bootstrap *b, int64_t first, Lanes *row_weights, Arena *scratch)
{
    int64_t n = b->predictions->input.count;
    int64_t *drawn = arena_alloc(scratch, (size_t)b->units * sizeof *drawn);
    int32_t *times = arena_alloc(scratch, (size_t)(n * LANES) * sizeof *times);
    for (int l = 0; l < LANES && first + l < b->resamples; l++)
        draw_resample(b, first + l, drawn, times + l * n);
    for (int64_t l = b->resamples - first; l < LANES; l++)
        memset(times + l * n, 0, (size_t)n * sizeof *times);
    const int32_t *t = times;
    for (int64_t i = 0; i < n; i++, t++)
        row_weights[i] = (Lanes){t[0], t[n], t[2 * n], t[3 * n], t[4 * n], t[5 * n], t[6 * n], t[7 * n]} *
                         b->predictions->weights[i];
}

static void measure_resamples(void *context, int64_t begin, int64_t end)
{
    const Bootstrap *b = context;
    Arena *scratch = arena_new();
    Lanes *row_weights = memory_array((size_t)b->predictions->input.count, sizeof *row_weights), values;
    for (int64_t first = begin * LANES; first < end * LANES; first += LANES) {
        arena_reset(scratch);
        draw_lanes(b, first, row_weights, scratch);
        for (int64_t m = 0; b->metrics[m]; m++) {
            arena_reset(scratch);
            b->metrics[m]->measure(b->predictions, row_weights, scratch, &values);
            for (int l = 0; l < LANES && first + l < b->resamples; l++)
                b->values[m * b->resamples + first + l] = values[l];
        }
    }
    memory_free(row_weights);
    arena_free(scratch);
}

/* Puts in place what sorting would put at place k of values[begin..end), smaller ones before it, larger ones after it
   (Hoare 1961, "find"). */
static void select_place(double *values, int64_t begin, int64_t end, int64_t k)
{
    while (end - begin > 1) {
        double pivot = values[begin + (end - begin) / 2];
        int64_t low = begin, high = end - 1;
        while (low <= high) {
            while (values[low] < pivot)
                low++;
            while (values[high] > pivot)
                high--;
            if (low <= high) {
                double kept = values[low];
                values[low++] = values[high];
                values[high--] = kept;
            }
        }
        if (k <= high)
            end = high + 1;
        else if (k >= low)
            begin = low;
        else
            return;
    }
}

/* The quantile by linear interpolation between order statistics. */
static double quantile(double *values, int64_t count, double share)
{
    double position = share * (double)(count - 1);
    int64_t low = (int64_t)position, high = low + 1 < count ? low + 1 : low;
    select_place(values, 0, count, low);
    select_place(values, low, count, high);
    if (values[low] == values[high])
        return values[low]; /* both may be infinite */
    return values[low] + (position - (double)low) * (values[high] - values[low]);
}

/* Rows of a group are not independent of each other. */
static void find_units(Bootstrap *b, Arena *arena)
{
    const PredictionInput *in = &b->predictions->input;
    b->units = in->count;
    if (!in->groups)
        return;
    int64_t *starts = arena_alloc(arena, (size_t)(in->count + 1) * sizeof *starts), count = 0;
    for (int64_t i = 0; i < in->count; i++)
        if (i == 0 || in->groups[i] != in->groups[i - 1])
            starts[count++] = i;
    starts[count] = in->count;
    b->units = count;
    b->starts = starts;
}

static void percentile_interval(double *values, int64_t resamples, double interval[2])
{
    int64_t defined = 0;
    for (int64_t r = 0; r < resamples; r++)
        if (!isnan(values[r]))
            values[defined++] = values[r];
    interval[0] = defined ? quantile(values, defined, 0.025) : NAN;
    interval[1] = defined ? quantile(values, defined, 0.975) : NAN;
}

void bootstrap_intervals(const MetricDef *const *metrics, Predictions *predictions, uint64_t seed, int resamples,
                         double (*intervals)[2])
{
    size_t count = 0;
    for (; metrics[count]; count++)
        if (metrics[count]->prepare)
            metrics[count]->prepare(predictions);
    Bootstrap b = {.metrics = metrics, .predictions = predictions, .seed = seed, .resamples = resamples,
                   .values = memory_array(count * (size_t)resamples, sizeof(double))};
    Arena *arena = arena_new();
    find_units(&b, arena);
    parallel_for((resamples + LANES - 1) / LANES, 1, measure_resamples, &b);
    for (size_t m = 0; m < count; m++)
        percentile_interval(b.values + m * (size_t)resamples, resamples, intervals[m]);
    arena_free(arena);
    memory_free(b.values);
}
