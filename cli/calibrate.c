/* xent calibrate --logits Z.npy --targets Y.npy CONFIG [-o DIR]: fits a calibrator on a random part of the
   samples and measures it on the rest. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arrays.h"
#include "core/base/file.h"
#include "core/base/random.h"
#include "core/calibrate/calibrate.h"
#include "core/metrics/metric.h"

/* The config's "calibrate" block; `argument` is a file, or JSON itself when it begins with {. */
static bool read_config(const char *argument, JsonSource *source, Arena *arena, Instance *method, Error *error)
{
    static const Param table[] = {
        {.name = "calibrate", .type = PARAM_TYPE_COMPONENT, .min = -INFINITY, .max = INFINITY, .kind = "calibrator"},
        PARAM_END,
    };
    ParamContext context = {.source = source, .arena = arena, .error = error};
    const cJSON *tree = argument[0] == '{' ? json_parse(source, "CONFIG", argument, strlen(argument), error)
                                           : json_parse_file(source, argument, error);
    return tree && params_parse(&context, table, false, tree, method);
}

typedef struct Calibrating {
    Instance method;
    PredictionInput input;
    int64_t *order, fit_count, eval_count;  /* rows: the first are fitted, the last are measured */
    Calibration calibration;
    int64_t changed;                        /* measured rows whose largest logit is another after it */
    const MetricDef *const *metrics;
    const double *before, *after;
} Calibrating;

static bool split_rows(Calibrating *c, uint64_t seed, Arena *arena, const char *path, Error *error)
{
    int64_t n = c->input.count;
    double holdout = calibrator_holdout(&c->method);
    Random random = random_start(seed, "holdout", 0);
    c->order = arena_zero(arena, (size_t)n, sizeof *c->order);
    random_permutation(&random, n, c->order);
    c->eval_count = holdout > 0 ? (int64_t)floor(holdout * (double)n + 0.5) : n;
    c->fit_count = holdout > 0 ? n - c->eval_count : n;
    if (c->eval_count < 1 || c->fit_count < 1)
        return fail(error, "%s: %lld samples are too few to hold out a share of %g", path, (long long)n, holdout);
    return true;
}

/* The rows listed, copied. */
static PredictionInput take_rows(Arena *arena, const PredictionInput *all, const int64_t *rows, int64_t count)
{
    PredictionInput part = *all;
    size_t classes = (size_t)all->classes, row_bytes = classes * sizeof(double);
    double *logits = arena_zero(arena, (size_t)count * classes, sizeof *logits);
    double *soft = all->soft_targets ? arena_zero(arena, (size_t)count * classes, sizeof *soft) : NULL;
    int64_t *targets = all->targets ? arena_zero(arena, (size_t)count, sizeof *targets) : NULL;
    double *weights = all->weights ? arena_zero(arena, (size_t)count, sizeof *weights) : NULL;
    for (int64_t i = 0; i < count; i++) {
        memcpy(logits + (size_t)i * classes, all->logits + (size_t)rows[i] * classes, row_bytes);
        if (soft)
            memcpy(soft + (size_t)i * classes, all->soft_targets + (size_t)rows[i] * classes, row_bytes);
        if (targets)
            targets[i] = all->targets[rows[i]];
        if (weights)
            weights[i] = all->weights[rows[i]];
    }
    part.count = count;
    part.logits = logits;
    part.soft_targets = soft;
    part.targets = targets;
    part.weights = weights;
    return part;
}

static bool fit_and_measure(Calibrating *c, Arena *arena, Error *error)
{
    PredictionInput fitted = take_rows(arena, &c->input, c->order, c->fit_count);
    PredictionInput rest = take_rows(arena, &c->input, c->order + c->input.count - c->eval_count, c->eval_count);
    CalibrationData data = {fitted.count,   fitted.classes,      fitted.logits,
                            fitted.targets, fitted.soft_targets, fitted.weights};
    if (!calibration_fit(&c->method, &data, arena, &c->calibration, error))
        return false;
    Predictions *before = predictions_new(arena, &rest);
    double *calibrated = arena_zero(arena, (size_t)(rest.count * rest.classes), sizeof *calibrated);
    if (!calibration_apply(&c->calibration, rest.count, rest.logits, calibrated, error))
        return false;
    PredictionInput changed = rest;
    changed.logits = calibrated;
    changed.probabilities_only = c->calibration.method->gives_probabilities;
    Predictions *after = predictions_new(arena, &changed);
    for (int64_t i = 0; i < rest.count; i++)
        c->changed += before->predicted[i] != after->predicted[i];
    c->metrics = metrics_that_apply(arena, before);
    c->before = metric_values(arena, c->metrics, before);
    c->after = metric_values(arena, c->metrics, after);
    return true;
}

static void print_json(const Calibrating *c)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "method", c->method.component->name);
    cJSON_AddItemToObject(object, "parameters", calibration_parameters(&c->calibration, false));
    cJSON *before = cJSON_AddObjectToObject(object, "before"), *after = cJSON_AddObjectToObject(object, "after");
    for (int i = 0; c->metrics[i]; i++) {
        cJSON_AddItemToObject(before, c->metrics[i]->component.name, json_number9(c->before[i]));
        cJSON_AddItemToObject(after, c->metrics[i]->component.name, json_number9(c->after[i]));
    }
    cJSON_AddNumberToObject(object, "n_fit", (double)c->fit_count);
    cJSON_AddNumberToObject(object, "n_eval", (double)c->eval_count);
    cJSON_AddNumberToObject(object, "predictions_changed", (double)c->changed);
    print_json_object(object);
}

static void print_table(const Calibrating *c)
{
    cJSON *parameters = calibration_parameters(&c->calibration, false);
    char *text = cJSON_PrintUnformatted(parameters);
    size_t length = strlen(text);
    printf("%s %.*s%s\n", c->method.component->name, (int)(length < 400 ? length : 400), text,
           length < 400 ? "" : " ...");
    printf("fitted on %lld samples, measured on %lld%s; %lld predictions changed\n", (long long)c->fit_count,
           (long long)c->eval_count, c->fit_count + c->eval_count > c->input.count ? " (the same)" : "",
           (long long)c->changed);
    printf("%-18s %10s  %10s\n", "", "before", "after");
    for (int i = 0; c->metrics[i]; i++)
        printf("%-18s %10.6g  %10.6g\n", c->metrics[i]->component.name, c->before[i], c->after[i]);
    cJSON_free(text);
    cJSON_Delete(parameters);
}

/* Nothing is written yet: what stands in the way is said before the work is done. */
static bool check_output(const char *folder, const char *path, const char *config, bool force, Error *error)
{
    if (file_exists(folder) && !file_is_folder(folder))
        return fail_usage(error, "%s: not a folder", folder);
    if (file_same(path, config))
        return fail_usage(error, "%s: is the config itself", path);
    if (file_exists(path) && !force)
        return fail_usage(error, "%s: exists; --force replaces it", path);
    return true;
}

static bool write_output(const Calibration *calibration, const char *folder, const char *path, Error *error)
{
    bool existed = file_exists(folder);
    if (!folder_make(folder, error))
        return false;
    bool good = calibration_write(calibration, path, error);
    if (!good && !existed)
        rmdir(folder);
    return good;
}

static bool calibrate(Calibrating *c, const Arguments *arguments, uint64_t seed, JsonSource *source, Arena *arena,
                      Error *error)
{
    const char *logits_path = argument_option(arguments, "logits"), *folder = argument_option(arguments, "output");
    const char *config = arguments->words[0], *path = folder ? path_join(arena, folder, "calibration.json") : NULL;
    if (!read_config(config, source, arena, &c->method, error) ||
        (folder && !check_output(folder, path, config, argument_option(arguments, "force") != NULL, error)) ||
        !arrays_read(arguments, "classification", arena, &c->input, error))
        return false;
    int64_t bad = logits_first_bad_row(c->input.count, c->input.classes, c->input.logits, false);
    if (bad >= 0)
        return fail(error, "%s: row %lld is not finite, and a calibrator needs it to be", logits_path, (long long)bad);
    if (!split_rows(c, seed, arena, logits_path, error))
        return false;
    if (!fit_and_measure(c, arena, error))
        return fail_at(error, "%s", logits_path);
    if (c->calibration.note && !argument_option(arguments, "quiet"))
        fprintf(stderr, "xent: %s: %s\n", c->method.component->name, c->calibration.note);
    return !folder || write_output(&c->calibration, folder, path, error);
}

static bool run(const Arguments *arguments, Error *error)
{
    int64_t seed = 0;
    if (!arrays_need(arguments, "calibrate", error) || !argument_integer(arguments, "seed", 0, INT64_MAX, &seed, error))
        return false;
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    Calibrating c = {0};
    bool good = calibrate(&c, arguments, (uint64_t)seed, source, arena, error);
    if (good)
        (argument_option(arguments, "json") ? print_json : print_table)(&c);
    json_source_free(source);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    ARRAY_OPTION_ROWS,
    {"output", "DIR", "write DIR/calibration.json, which xent eval DIR applies", 'o', false},
    {"force", NULL, "replace a calibration that is there", 0, false},
    {0},
};

const Command command_calibrate = {
    .name = "calibrate",
    .synopsis = "calibrate --logits FILE --targets FILE CONFIG [-o DIR] [--json]",
    .summary = "fit a calibrator to logits",
    .description = "Fits the calibrator that CONFIG names, a file or JSON such as '{\"calibrate\": \"temperature\"}',\n"
                   "on a random 70% of the samples and measures it on the rest.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
