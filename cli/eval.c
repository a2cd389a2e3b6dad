/* xent eval [DIR] --logits Z.npy --targets Y.npy: the metrics of arrays that apply to them. */
#include <math.h>
#include <stdio.h>

#include "cli/arrays.h"
#include "core/base/file.h"
#include "core/calibrate/calibrate.h"
#include "core/metrics/metric.h"

typedef struct Evaluation {
    int64_t samples, resamples;
    const MetricDef *const *metrics;    /* ends with NULL */
    const double *values;
    double (*intervals)[2];             /* NULL without resamples */
} Evaluation;

static void print_json(const Evaluation *e)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNullToObject(object, "split");
    cJSON_AddNumberToObject(object, "n", (double)e->samples);
    cJSON *metrics = cJSON_AddObjectToObject(object, "metrics"), *ci = cJSON_AddObjectToObject(object, "ci");
    for (int i = 0; e->metrics[i]; i++) {
        cJSON_AddItemToObject(metrics, e->metrics[i]->component.name, json_number9(e->values[i]));
        if (e->intervals)
            cJSON_AddItemToObject(ci, e->metrics[i]->component.name, json_numbers9(e->intervals[i], 2));
    }
    print_json_object(object);
}

static void print_table(const Evaluation *e)
{
    printf("%lld samples", (long long)e->samples);
    if (e->intervals)
        printf("; 95%% bootstrap intervals of %lld resamples", (long long)e->resamples);
    putchar('\n');
    for (int i = 0; e->metrics[i]; i++) {
        printf("%-18s %10.6g", e->metrics[i]->component.name, e->values[i]);
        if (e->intervals)
            printf("  [%.6g, %.6g]", e->intervals[i][0], e->intervals[i][1]);
        putchar('\n');
    }
}

static void measure(Arena *arena, const PredictionInput *input, uint64_t seed, int64_t resamples,
                    const Arguments *arguments)
{
    Predictions *predictions = predictions_new(arena, input);
    Evaluation e = {.samples = input->count, .resamples = resamples, .metrics = metrics_that_apply(arena, predictions)};
    e.values = metric_values(arena, e.metrics, predictions);
    size_t count = 0;
    for (; e.metrics[count]; count++)
        if (!isfinite(e.values[count]) && !argument_option(arguments, "quiet"))
            fprintf(stderr, "xent: %s: %s for these arrays\n", e.metrics[count]->component.name,
                    isnan(e.values[count]) ? "undefined" : "infinite");
    if (resamples > 0) {
        e.intervals = arena_zero(arena, count + 1, sizeof *e.intervals);
        bootstrap_intervals(e.metrics, predictions, seed, (int)resamples, e.intervals);
    }
    (argument_option(arguments, "json") ? print_json : print_table)(&e);
}

/* Replaces the logits by calibrated ones. */
static bool apply_calibration(const char *folder, const Arguments *arguments, Arena *arena, PredictionInput *input,
                              Error *error)
{
    Calibration calibration;
    const char *path = path_join(arena, folder, "calibration.json");
    const char *logits_path = argument_option(arguments, "logits");
    if (!calibration_read(path, arena, &calibration, error))
        return false;
    if (input->kind != PREDICTION_CLASSIFICATION)
        return fail(error, "%s: only class logits can be calibrated", logits_path);
    if (input->classes != calibration.classes)
        return fail(error, "%s: %lld classes, but %s was fitted to %lld", logits_path, (long long)input->classes, path,
                    (long long)calibration.classes);
    int64_t bad = logits_first_bad_row(input->count, input->classes, input->logits, false);
    if (bad >= 0)
        return fail(error, "%s: row %lld is not finite, and a calibrator needs it to be", logits_path, (long long)bad);
    double *calibrated = arena_zero(arena, (size_t)(input->count * input->classes), sizeof *calibrated);
    if (!calibration_apply(&calibration, input->count, input->logits, calibrated, error))
        return fail_at(error, "%s", logits_path);
    input->logits = calibrated;
    input->probabilities_only = calibration.method->gives_probabilities;
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    int64_t seed = 0, resamples = 1000;
    double bytes_per_token = 0;
    if (!arrays_need(arguments, "eval", error) || !argument_integer(arguments, "seed", 0, INT64_MAX, &seed, error) ||
        !argument_integer(arguments, "resamples", 0, 1000000, &resamples, error) ||
        !argument_number(arguments, "bytes-per-token", &bytes_per_token, error))
        return false;
    Arena *arena = arena_new();
    PredictionInput input;
    bool good = arrays_read(arguments, argument_option(arguments, "kind"), arena, &input, error) &&
                (arguments->count == 0 || apply_calibration(arguments->words[0], arguments, arena, &input, error));
    if (good) {
        input.bytes_per_token = bytes_per_token;
        measure(arena, &input, (uint64_t)seed, resamples, arguments);
    }
    arena_free(arena);
    return good;
}

static const Option options[] = {
    ARRAY_OPTION_ROWS,
    {"kind", "KIND", "classification, multi-label, regression or tokens; told from the arrays when not given", 0, false},
    {"bytes-per-token", "X", "mean length of a token, for bits_per_byte", 0, false},
    {"resamples", "N", "resamples of the bootstrap (1000); 0: no intervals", 0, false},
    {0},
};

const Command command_eval = {
    .name = "eval",
    .synopsis = "eval [DIR] --logits FILE --targets FILE [--weights FILE] [--json]",
    .summary = "metrics of logits, with intervals",
    .description = "Prints the metrics that apply to arrays, with 95% bootstrap intervals; with DIR, after\n"
                   "applying the calibration that xent calibrate wrote there.",
    .most = 1,
    .options = options,
    .run = run,
};
