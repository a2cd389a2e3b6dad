/* Preparing benchmarks and timing them in rounds. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/random.h"
#include "core/bench/benchmark.h"
#include "core/bench/machine.h"

double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds a run, the mean of so many. */
static double measure(Benchmark *benchmark, int64_t repeats)
{
    double start = clock_now();
    for (int64_t i = 0; i < repeats; i++)
        benchmark->def->run(benchmark);
    return (clock_now() - start) / (double)repeats;
}

static Tape *tape_for(BenchmarkList *list, const Benchmark *benchmark)
{
    if (!benchmark->def->shares_tape)
        return tape_new();
    if (!list->tape)
        list->tape = tape_new();
    return list->tape;
}

static bool prepare(BenchmarkList *list, Benchmark *benchmark, int64_t rounds, double seconds, Error *error)
{
    enum { MOST_REPEATS = 1000000 };
    benchmark->arena = arena_new();
    benchmark->tape = tape_for(list, benchmark);
    tape_use(benchmark->tape);
    benchmark->times = arena_zero(benchmark->arena, (size_t)rounds, sizeof(double));
    benchmark->peaks = arena_zero(benchmark->arena, (size_t)rounds, sizeof(double));
    if (!benchmark->def->prepare(benchmark, error))
        return fail_at(error, "bench: %s", benchmark->name);
    benchmark->def->run(benchmark); /* touches its memory */
    if (isnan(seconds))
        seconds = benchmark->def->seconds > 0 ? benchmark->def->seconds : 0.02;
    benchmark->repeats = (int64_t)fmin(ceil(seconds / fmax(measure(benchmark, 1), 1e-9)), MOST_REPEATS);
    if (benchmark->repeats < 1)
        benchmark->repeats = 1;
    return true;
}

bool benchmarks_prepare(BenchmarkList *list, uint64_t seed, int64_t rounds, double seconds, Error *error)
{
    for (int64_t i = 0; i < list->count; i++) {
        list->items[i]->seed = seed;
        if (!prepare(list, list->items[i], rounds, seconds, error))
            return false;
    }
    return true;
}

void benchmarks_round(BenchmarkList *list, int64_t round, bool peaks)
{
    for (int64_t i = 0; i < list->count; i++) {
        Benchmark *benchmark = list->items[i];
        tape_use(benchmark->tape);
        if (benchmark->repeats > 1)
            benchmark->def->run(benchmark); /* brings its data back into the caches; long runs do it themselves */
        benchmark->times[round] = measure(benchmark, benchmark->repeats);
        if (peaks && !benchmark->def->table)
            benchmark->peaks[round] = machine_flops_now();
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static double median_of(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void benchmarks_finish(BenchmarkList *list, int64_t rounds)
{
    for (int64_t i = 0; i < list->count; i++) {
        Benchmark *benchmark = list->items[i];
        double *times = benchmark->times;
        benchmark->median = median_of(times, rounds);
        benchmark->least = times[0];
        benchmark->most = times[rounds - 1];
        benchmark->peak = median_of(benchmark->peaks, rounds);
    }
}

void benchmarks_free(BenchmarkList *list)
{
    for (int64_t i = 0; i < list->count; i++) {
        Benchmark *benchmark = list->items[i];
        if (benchmark->state && benchmark->def->release)
            benchmark->def->release(benchmark);
        if (benchmark->tape && benchmark->tape != list->tape)
            tape_free(benchmark->tape);
        arena_free(benchmark->arena);
    }
    if (list->tape)
        tape_free(list->tape);
    arena_free(list->arena);
    *list = (BenchmarkList){0};
}

Tensor *benchmark_normals(Benchmark *benchmark, double deviation, bool leaf, int rank, const int64_t *shape)
{
    enum { DRAWN = 1 << 18 };
    Tensor *result = tensor_new(benchmark->arena, ARRAY_F32, rank, shape);
    float *values = tensor_f32(result);
    Random random = random_start(benchmark->seed, "benchmark", (uint32_t)rank);
    for (int64_t i = 0; i < result->count && i < DRAWN; i++)
        values[i] = (float)(deviation * random_normal(&random));
    for (int64_t i = DRAWN; i < result->count; i++)
        values[i] = values[i - DRAWN];
    result->requires_gradient = leaf;
    return result;
}

Tensor *benchmark_classes(Benchmark *benchmark, int64_t classes, int64_t count)
{
    Tensor *result = tensor_new(benchmark->arena, ARRAY_I32, SHAPE(count));
    Random random = random_start(benchmark->seed, "classes", 0);
    for (int64_t i = 0; i < count; i++)
        tensor_i32(result)[i] = (int32_t)random_below(&random, classes);
    return result;
}
