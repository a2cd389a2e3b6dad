#include "data/normalize.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"

/* Samples a chunk: sums are per chunk and added in order, so the bits do not depend on threads. */
enum { SAMPLES_PER_CHUNK = 512, INTEGERS_PER_SUM = 65536 };

/* One pass over the training features. Pass 1 gives sums, pass 2 the squared distances from `center`;
   bytes give sums and squares at once, exactly. */
typedef struct Pass {
    const DataSplit *split;
    int64_t channels, plane;    /* plane: neighbouring elements of a channel; 1 where channels alternate */
    int64_t repeats;            /* how often the channels follow each other in a sample */
    const double *center;       /* [channels] or NULL in pass 1 */
    double *sums, *squares;     /* [chunks, channels] */
} Pass;

/* Below 65536 squares of bytes a 32-bit sum does not overflow, and the loop fills vectors. */
static void add_bytes(const uint8_t *values, int64_t count, double *sum, double *squares)
{
    for (int64_t begin = 0; begin < count; begin += INTEGERS_PER_SUM) {
        int64_t end = count - begin < INTEGERS_PER_SUM ? count : begin + INTEGERS_PER_SUM;
        uint32_t total = 0, total_squares = 0;
        for (int64_t i = begin; i < end; i++) {
            uint32_t value = values[i];
            total += value;
            total_squares += value * value;
        }
        *sum += (double)total;
        *squares += (double)total_squares;
    }
}

static void add_floats(const Pass *pass, const float *sample, double *sums, double *squares)
{
    for (int64_t r = 0; r < pass->repeats; r++)
        for (int64_t c = 0; c < pass->channels; c++) {
            const float *values = sample + (r * pass->channels + c) * pass->plane;
            double sum = 0, center = pass->center ? pass->center[c] : 0;
            for (int64_t i = 0; i < pass->plane; i++) {
                double value = (double)values[i] - center;
                sum += pass->center ? value * value : value;
            }
            *(pass->center ? &squares[c] : &sums[c]) += sum;
        }
}

static void add_chunk(void *context, int64_t begin, int64_t end)
{
    const Pass *pass = context;
    const Dataset *dataset = pass->split->dataset;
    double *sums = pass->sums + begin / SAMPLES_PER_CHUNK * pass->channels;
    double *squares = pass->squares + begin / SAMPLES_PER_CHUNK * pass->channels;
    for (int64_t i = begin; i < end; i++) {
        int64_t start = pass->split->order[i] * dataset->sample_stride;
        if (dataset->type == ARRAY_F32) {
            add_floats(pass, (const float *)dataset->features + start, sums, squares);
            continue;
        }
        const uint8_t *sample = (const uint8_t *)dataset->features + start;
        for (int64_t k = 0; k < pass->repeats * pass->channels; k++)
            add_bytes(sample + k * pass->plane, pass->plane, &sums[k % pass->channels], &squares[k % pass->channels]);
    }
}

/* Runs a pass and leaves the totals in totals[channels]. */
static void run_pass(const Pass *pass, const double *partial, double *totals)
{
    parallel_for(pass->split->count, SAMPLES_PER_CHUNK, add_chunk, (void *)(uintptr_t)pass);
    memset(totals, 0, (size_t)pass->channels * sizeof *totals);
    int64_t chunks = (pass->split->count + SAMPLES_PER_CHUNK - 1) / SAMPLES_PER_CHUNK;
    for (int64_t k = 0; k < chunks; k++)
        for (int64_t c = 0; c < pass->channels; c++)
            totals[c] += partial[k * pass->channels + c];
}

/* 1 for a constant; what rounding leaves of one, below f32's resolution of the mean, is no deviation. */
static double deviation_of(double variance, double mean)
{
    return variance <= 1e-14 * mean * mean ? 1 : sqrt(variance);
}

static void shape_pass(const Dataset *dataset, Pass *pass)
{
    pass->channels = dataset->shape[dataset->rank >= 3 ? 0 : dataset->rank - 1];
    pass->repeats = dataset->rank == 2 ? dataset->shape[0] : 1;
    pass->plane = dataset_sample_size(dataset) / (pass->channels * pass->repeats);
}

/* mean[channels] and deviation[channels] of the features as a network sees them, bytes as 0..1. */
static void fit(const DataSplit *split, Arena *scratch, const Pass *shape, double *mean, double *deviation)
{
    Pass pass = *shape;
    size_t chunks = (size_t)(split->count + SAMPLES_PER_CHUNK - 1) / SAMPLES_PER_CHUNK;
    pass.split = split;
    pass.sums = arena_zero(scratch, chunks * (size_t)pass.channels, sizeof *pass.sums);
    pass.squares = arena_zero(scratch, chunks * (size_t)pass.channels, sizeof *pass.squares);
    double n = (double)split->count * (double)(pass.plane * pass.repeats);
    run_pass(&pass, pass.sums, mean);
    bool bytes = split->dataset->type == ARRAY_U8;
    for (int64_t c = 0; c < pass.channels; c++)
        mean[c] /= n;
    if (bytes) {
        memset(deviation, 0, (size_t)pass.channels * sizeof *deviation);
        for (size_t k = 0; k < chunks * (size_t)pass.channels; k++)
            deviation[k % (size_t)pass.channels] += pass.squares[k];
    } else {
        pass.center = mean;
        run_pass(&pass, pass.squares, deviation);
    }
    for (int64_t c = 0; c < pass.channels; c++) {
        double variance = deviation[c] / n - (bytes ? mean[c] * mean[c] : 0);
        double scale = bytes ? 255 : 1;
        deviation[c] = deviation_of(variance / (scale * scale), mean[c] / scale);
        mean[c] /= scale;
    }
}

bool normalize_features(DataSplits *splits, Error *error)
{
    const Dataset *train = splits->train.dataset;
    if (train->type != ARRAY_F32 && train->type != ARRAY_U8)
        return fail(error, "data.normalize: the features are tokens");
    Arena *scratch = arena_new();
    Pass shape = {0};
    shape_pass(train, &shape);
    double *mean = arena_alloc(scratch, (size_t)shape.channels * sizeof *mean);
    double *deviation = arena_alloc(scratch, (size_t)shape.channels * sizeof *deviation);
    fit(&splits->train, scratch, &shape, mean, deviation);
    for (int i = 0; i < 3; i++) {
        Dataset *dataset = splits->datasets[i];
        if (!dataset)
            continue;
        dataset->normalized = shape.channels;
        dataset->mean = arena_alloc(dataset->arena, (size_t)shape.channels * sizeof *dataset->mean);
        dataset->deviation = arena_alloc(dataset->arena, (size_t)shape.channels * sizeof *dataset->deviation);
        for (int64_t c = 0; c < shape.channels; c++) {
            dataset->mean[c] = (float)mean[c];
            dataset->deviation[c] = (float)deviation[c];
        }
    }
    arena_free(scratch);
    return true;
}

static void apply_to_values(Dataset *dataset, const double *mean, const double *deviation)
{
    size_t bytes = (size_t)dataset->classes * sizeof *mean;
    dataset->target_mean = memcpy(arena_alloc(dataset->arena, bytes), mean, bytes);
    dataset->target_deviation = memcpy(arena_alloc(dataset->arena, bytes), deviation, bytes);
    for (int64_t i = 0; i < dataset->count; i++)
        for (int64_t k = 0; k < dataset->classes; k++) {
            float *value = &dataset->values[i * dataset->classes + k];
            *value = (float)(((double)*value - mean[k]) / deviation[k]);
        }
}

bool normalize_targets(DataSplits *splits, Error *error)
{
    const DataSplit *train = &splits->train;
    const Dataset *dataset = train->dataset;
    if (dataset->target_kind != TARGET_VALUES)
        return fail(error, "data.standardize_targets: the targets are not values");
    Arena *scratch = arena_new();
    int64_t outputs = dataset->classes;
    double *mean = arena_zero(scratch, (size_t)outputs, sizeof *mean), n = (double)train->count;
    double *deviation = arena_zero(scratch, (size_t)outputs, sizeof *deviation);
    for (int64_t i = 0; i < train->count; i++)
        for (int64_t k = 0; k < outputs; k++)
            mean[k] += (double)dataset->values[train->order[i] * outputs + k];
    for (int64_t k = 0; k < outputs; k++)
        mean[k] /= n;
    for (int64_t i = 0; i < train->count; i++)
        for (int64_t k = 0; k < outputs; k++) {
            double distance = (double)dataset->values[train->order[i] * outputs + k] - mean[k];
            deviation[k] += distance * distance;
        }
    for (int64_t k = 0; k < outputs; k++)
        deviation[k] = deviation_of(deviation[k] / n, mean[k]);
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i])
            apply_to_values(splits->datasets[i], mean, deviation);
    arena_free(scratch);
    return true;
}
