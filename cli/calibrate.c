/* xent calibrate RUN CONFIG [-o DIR]: fits a calibrator on a model's validation split and measures it on the
   test split. xent calibrate --logits Z.npy --targets Y.npy CONFIG [-o DIR]: the same of arrays, on a random
   part of the samples and the rest. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arrays.h"
#include "cli/evaluation.h"
#include "core/base/file.h"
#include "core/base/random.h"
#include "core/calibrate/calibrate.h"
#include "core/metrics/metric.h"
#include "core/train/folder.h"
#include "core/train/outputs.h"
#include "core/train/saved.h"

typedef struct Calibrating {
    Instance method;
    PredictionInput fitted, rest;           /* what is fitted, what is measured */
    PredictionInput calibrated;             /* rest, after the calibration */
    bool same;                              /* they are the same samples */
    Calibration calibration;
    int64_t changed;                        /* measured rows whose largest logit is another after it */
    const MetricDef *const *metrics;
    const double *before, *after;
} Calibrating;

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

/* A random share of the samples is fitted and the rest measured; holdout 0: both on all. */
static bool split_rows(Calibrating *c, const PredictionInput *all, uint64_t seed, Arena *arena, const char *path,
                       Error *error)
{
    int64_t n = all->count;
    double holdout = calibrator_holdout(&c->method);
    Random random = random_start(seed, "holdout", 0);
    int64_t *order = arena_zero(arena, (size_t)n, sizeof *order);
    random_permutation(&random, n, order);
    int64_t measured = holdout > 0 ? (int64_t)floor(holdout * (double)n + 0.5) : n,
            fitted = holdout > 0 ? n - measured : n;
    if (measured < 1 || fitted < 1)
        return fail(error, "%s: %lld samples are too few to hold out a share of %g", path, (long long)n, holdout);
    c->same = holdout == 0;
    c->fitted = take_rows(arena, all, order, fitted);
    c->rest = take_rows(arena, all, order + n - measured, measured);
    return true;
}

static bool fit_and_measure(Calibrating *c, Arena *arena, Error *error)
{
    PredictionInput fitted = c->fitted, rest = c->rest;
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
    c->calibrated = changed;
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
    cJSON_AddNumberToObject(object, "n_fit", (double)c->fitted.count);
    cJSON_AddNumberToObject(object, "n_eval", (double)c->rest.count);
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
    printf("fitted on %lld samples, measured on %lld%s; %lld predictions changed\n", (long long)c->fitted.count,
           (long long)c->rest.count, c->same ? " (the same)" : "",
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

static void print(const Calibrating *c, const Arguments *arguments)
{
    if (c->calibration.note && !argument_option(arguments, "quiet"))
        fprintf(stderr, "xent: %s: %s\n", c->method.component->name, c->calibration.note);
    (argument_option(arguments, "json") ? print_json : print_table)(c);
}

static bool calibrate_arrays(const Arguments *arguments, const Config *config, uint64_t seed, Arena *arena,
                             Error *error)
{
    Calibrating c = {.method = config->calibrate};
    PredictionInput all;
    const char *logits_path = argument_option(arguments, "logits"), *folder = argument_option(arguments, "output");
    const char *path = folder ? path_join(arena, folder, "calibration.json") : NULL;
    if ((folder &&
         !check_output(folder, path, arguments->words[0], argument_option(arguments, "force") != NULL, error)) ||
        !arrays_read(arguments, "classification", arena, &all, error))
        return false;
    int64_t bad = logits_first_bad_row(all.count, all.classes, all.logits, false);
    if (bad >= 0)
        return fail(error, "%s: row %lld is not finite, and a calibrator needs it to be", logits_path, (long long)bad);
    if (!split_rows(&c, &all, seed, arena, logits_path, error))
        return false;
    if (!fit_and_measure(&c, arena, error))
        return fail_at(error, "%s", logits_path);
    if (folder && !write_output(&c.calibration, folder, path, error))
        return false;
    print(&c, arguments);
    return true;
}

/* evaluation.json of the calibrated test split, for reports. */
static bool write_evaluation(const Calibrating *c, const SavedModel *saved, const DataSplits *splits, const char *path,
                             Error *error)
{
    Arena *arena = arena_new();
    MeasuredSplit measured =
        measure_outputs(arena, "test", &c->calibrated, NULL, (uint64_t)saved->config->seed, EVALUATION_RESAMPLES);
    bool good = measured_write(&measured, saved->model, &splits->test,
                               arena_format(arena, "%s/evaluation.json", path), error);
    arena_free(arena);
    return good;
}

/* What is written to a run folder. */
static const char *const files[] = {"config.json", "checkpoints/best.safetensors", "calibration.json",
                                    "evaluation.json", NULL};

typedef struct Calibrated {
    const Calibrating *calibrating;
    const SavedModel *saved;
    const DataSplits *splits;
} Calibrated;

/* The run's weights with the calibration in their metadata, the calibration, and what it does to the test split. */
static bool write_files(const void *context, RunFolder *folder, Error *error)
{
    const Calibrated *result = context;
    const Calibration *calibration = &result->calibrating->calibration;
    char *text = calibration_text(calibration);
    const char *checkpoint = arena_format(folder->arena, "%s/checkpoints/best.safetensors", folder->path);
    bool good = run_folder_write_config(folder, result->saved->config, error)
        && saved_copy(result->saved, "calibration", text, checkpoint, error)
        && calibration_write(calibration, arena_format(folder->arena, "%s/calibration.json", folder->path), error)
        && write_evaluation(result->calibrating, result->saved, result->splits, folder->path, error);
    cJSON_free(text);
    return good;
}

/* Nothing is written yet, and --force replaces nothing that is read. */
static bool check_run_folder(const char *path, const char *run, bool force, Error *error)
{
    if (file_same(path, run) || run_folder_owns(path, run))
        return fail_usage(error, "-o: %s is the run itself", path);
    return run_folder_check_free(path, files, force, error);
}

static bool fit_model(const Arguments *arguments, Calibrating *c, const SavedModel *saved, const DataSplits *splits,
                      Arena *arena, Error *error)
{
    const char *folder = argument_option(arguments, "output");
    int64_t batch_size = saved->config->train.eval_batch_size;
    if (saved->target_kind != TARGET_CLASS && saved->target_kind != TARGET_SOFT)
        return fail(error, "%s: only a classifier can be calibrated", saved->path);
    if (splits->val.count == 0 || splits->test.count == 0)
        return fail(error, "%s: the data has no %s split; give data.split", saved->path,
                    splits->val.count ? "test" : "val");
    if (!split_outputs(saved->model, &saved->config->loss, &splits->val, batch_size, arena, &c->fitted, error)
        || !split_outputs(saved->model, &saved->config->loss, &splits->test, batch_size, arena, &c->rest, error))
        return false;
    if (!fit_and_measure(c, arena, error))
        return fail_at(error, "%s", saved->path);
    return !folder || run_folder_replace(folder, files, write_files, &(Calibrated){c, saved, splits}, error);
}

static bool calibrate_model(const Arguments *arguments, const Config *config, Arena *arena, Error *error)
{
    Calibrating c = {.method = config->calibrate};
    const char *folder = argument_option(arguments, "output");
    if (folder && !check_run_folder(folder, arguments->words[0], argument_option(arguments, "force") != NULL, error))
        return false;
    Tape *tape = tape_new();
    tape_use(tape);
    DataSplits splits = {0};
    SavedModel *saved = saved_open(arguments->words[0], NULL, NULL, error);
    bool good = saved && saved_load_data(saved, config->data.component ? config : NULL, &splits, error);
    if (good) {
        good = fit_model(arguments, &c, saved, &splits, arena, error);
        if (good)
            print(&c, arguments);
        data_free(&splits);
    }
    saved_close(saved);
    tape_free(tape);
    return good;
}

static bool run(const Arguments *arguments, Error *error)
{
    uint64_t seed;
    const uint64_t *given;
    bool arrays = arguments->count == 1;
    if (arrays && !arrays_need(arguments, "calibrate", error))
        return false;
    if (!arrays && (argument_option(arguments, "logits") || argument_option(arguments, "targets") ||
                    argument_option(arguments, "weights")))
        return fail_usage(
            error,
            "calibrate: arrays stand in the place of RUN; usage: xent calibrate --logits FILE --targets FILE CONFIG");
    if (!argument_seed(arguments, &seed, &given, error))
        return false;
    const char **sets = argument_options(arguments, "set");
    Config *config = config_load(arguments->words[arrays ? 0 : 1], sets, given, error);
    memory_free(sets);
    Arena *arena = arena_new();
    bool good = config && config_require(config, "calibrate", error) &&
                (arrays ? calibrate_arrays(arguments, config, (uint64_t)config->seed, arena, error)
                        : calibrate_model(arguments, config, arena, error));
    config_free(config);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    ARRAY_OPTION_ROWS,
    {"output", "DIR",
     "of a model: a run folder whose checkpoint carries the calibration; of arrays: for calibration.json", 'o', false},
    {"force", NULL, "replace what is there", 0, false},
    {0},
};

const Command command_calibrate = {
    .name = "calibrate",
    .synopsis = "calibrate RUN CONFIG [-o DIR] | calibrate --logits FILE --targets FILE CONFIG [-o DIR]",
    .summary = "fit a calibrator to a trained model or to arrays",
    .description = "Fits the calibrator that CONFIG names, a file or JSON such as '{\"calibrate\": \"temperature\"}':\n"
                   "on the validation split of a run, measured on its test split; or on a random 70% of arrays,\n"
                   "measured on the rest.",
    .least = 1,
    .most = 2,
    .options = options,
    .run = run,
};
