/* xent eval --logits Z.npy --targets Y.npy: the registered metrics of arrays. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "core/metrics/metric.h"
#include "data/npy.h"

enum { RESAMPLES = 1000 };

static bool parse_seed(const char *text, uint64_t *seed, Error *error)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || value > INT64_MAX)
        return fail_usage(error, "--seed: expected decimal digits, 0 to 2^63-1, got \"%s\"", text);
    *seed = value;
    return true;
}

static bool read_logits(const char *path, Arena *arena, Array *logits, Error *error)
{
    if (!npy_read(path, arena, logits, error))
        return false;
    if (array_is_integer(logits) || logits->rank != 2 || logits->shape[0] < 1 || logits->shape[1] < 1)
        return fail(error, "%s: expected logits [samples, classes] of f4 or f8", path);
    for (int64_t i = 0; i < logits->count; i++)
        if (!isfinite(array_value(logits, i)))
            return fail(error, "%s: row %lld is not finite", path, (long long)(i / logits->shape[1]));
    return true;
}

static bool read_targets(const char *path, Arena *arena, const Array *logits, Array *targets, Error *error)
{
    if (!npy_read(path, arena, targets, error))
        return false;
    if (!array_is_integer(targets) || targets->rank != 1 || targets->count != logits->shape[0])
        return fail(error, "%s: expected %lld integer targets, one a row of the logits", path, (long long)logits->shape[0]);
    int64_t *classes = arena_alloc(arena, (size_t)targets->count * sizeof *classes);
    for (int64_t i = 0; i < targets->count; i++) {
        int64_t target = classes[i] = array_integer(targets, i);
        if (target < 0 || target >= logits->shape[1])
            return fail(error, "%s: target %lld at row %lld is outside 0..%lld", path, (long long)target, (long long)i, (long long)logits->shape[1] - 1);
    }
    targets->type = ARRAY_I64; /* whatever width the file had, the metrics take int64_t */
    targets->data = classes;
    return true;
}

static void print_json(int64_t count, const Component *const *items, const double *values, const double (*intervals)[2])
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNullToObject(object, "split");
    cJSON_AddNumberToObject(object, "n", (double)count);
    cJSON *metrics = cJSON_AddObjectToObject(object, "metrics"), *ci = cJSON_AddObjectToObject(object, "ci");
    for (int i = 0; items[i]; i++) {
        cJSON_AddItemToObject(metrics, items[i]->name, json_number9(values[i]));
        cJSON_AddItemToObject(ci, items[i]->name, json_numbers9(intervals[i], 2));
    }
    print_json_object(object);
}

static void print_table(int64_t count, const Component *const *items, const double *values, const double (*intervals)[2])
{
    printf("%lld samples; 95%% bootstrap intervals of %d resamples\n", (long long)count, RESAMPLES);
    for (int i = 0; items[i]; i++)
        printf("%-18s %10.6g  [%.6g, %.6g]\n", items[i]->name, values[i], intervals[i][0], intervals[i][1]);
}

static void measure(Arena *arena, const Array *logits, const Array *targets, uint64_t seed, bool json)
{
    double *z = arena_zero(arena, (size_t)logits->count, sizeof *z);
    array_to_doubles(logits, z);
    Predictions predictions = predictions_from_logits(arena, logits->shape[0], logits->shape[1], z, targets->data);
    int64_t *rows = arena_zero(arena, (size_t)predictions.count, sizeof *rows);
    for (int64_t i = 0; i < predictions.count; i++)
        rows[i] = i;
    const ComponentKind *kind = component_kind("metric");
    size_t count = 0;
    while (kind->items[count])
        count++;
    double *values = arena_zero(arena, count, sizeof *values), (*intervals)[2] = arena_zero(arena, count, sizeof *intervals);
    for (size_t i = 0; i < count; i++) {
        const MetricDef *metric = (const MetricDef *)kind->items[i];
        values[i] = metric->measure(&predictions, rows, predictions.count, arena);
        bootstrap_interval(metric, &predictions, seed, RESAMPLES, intervals[i]);
    }
    (json ? print_json : print_table)(predictions.count, kind->items, values, (const double(*)[2])intervals);
}

static bool run(const Arguments *arguments, Error *error)
{
    const char *logits_path = argument_option(arguments, "logits"), *targets_path = argument_option(arguments, "targets");
    const char *seed_text = argument_option(arguments, "seed");
    uint64_t seed = 0;
    if (!logits_path || !targets_path)
        return fail_usage(error, "eval: --%s FILE is missing", logits_path ? "targets" : "logits");
    if (seed_text && !parse_seed(seed_text, &seed, error))
        return false;
    Arena *arena = arena_new();
    Array logits, targets;
    bool good = read_logits(logits_path, arena, &logits, error) && read_targets(targets_path, arena, &logits, &targets, error);
    if (good)
        measure(arena, &logits, &targets, seed, argument_option(arguments, "json") != NULL);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    {"logits", "FILE", "NPY array [samples, classes], f4 or f8"},
    {"targets", "FILE", "NPY array [samples] of integer classes"},
    {"seed", "N", "seed of the bootstrap (0)"},
    {0},
};

const Command command_eval = {
    .name = "eval", .synopsis = "eval --logits FILE --targets FILE [--json]", .summary = "metrics of logits, with intervals",
    .description = "Prints every registered metric of an array of logits, with 95% bootstrap intervals.",
    .options = options, .run = run,
};
