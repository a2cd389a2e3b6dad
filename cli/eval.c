/* xent eval RUN [CONFIG]: the metrics of a trained model on a split of its data, or of other data.
   xent eval [DIR] --logits Z.npy --targets Y.npy: of arrays, after the calibration in DIR. */
#include <stdio.h>
#include <string.h>

#include "cli/arrays.h"
#include "cli/evaluation.h"
#include "core/base/file.h"
#include "core/calibrate/calibrate.h"
#include "core/train/folder.h"
#include "core/train/outputs.h"
#include "core/train/saved.h"

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

/* An option that does not apply is an error, not ignored. */
static bool only_for(const Arguments *arguments, bool arrays, Error *error)
{
    static const char *const of_arrays[] = {"weights", "kind", "group", "bytes-per-token", NULL}, *const of_models[] = {
                                                                                             "split", "output", "force",
                                                                                             "set", NULL};
    for (const char *const *name = arrays ? of_models : of_arrays; *name; name++)
        if (argument_option(arguments, *name))
            return fail_usage(error, "--%s: does not apply to %s", *name, arrays ? "arrays" : "a model");
    if (arrays && arguments->count > 1)
        return fail_usage(error, "eval: arrays are measured after one calibration at most; usage: xent eval [DIR] "
                                 "--logits FILE --targets FILE");
    return true;
}

static bool write_evaluation(const char *folder, const MeasuredSplit *measured, const Model *model,
                             const DataSplit *split, bool force, Error *error)
{
    Arena *arena = arena_new();
    const char *path = path_join(arena, folder, "evaluation.json");
    bool good = (force || !file_exists(path) || fail_usage(error, "%s: exists; --force replaces it", path))
                && folder_make(folder, error) && measured_write(measured, model, split, path, error);
    arena_free(arena);
    return good;
}

static void print(const MeasuredSplit *measured, const char *const *names, const Arguments *arguments)
{
    bool tables = argument_option(arguments, "tables") != NULL;
    if (!argument_option(arguments, "quiet"))
        measured_warn(measured);
    if (!argument_option(arguments, "json")) {
        measured_print(measured);
        if (tables)
            measured_print_tables(measured, names);
        return;
    }
    cJSON *json = measured_json(measured);
    if (tables)
        measured_add_tables(measured, names, json);
    print_json_object(json);
}

typedef struct Settings {
    uint64_t seed;
    const uint64_t *seed_given;
    int64_t resamples;
    double bytes_per_token;
} Settings;

static bool eval_arrays(const Arguments *arguments, const Settings *settings, Arena *arena, Error *error)
{
    PredictionInput input;
    if (!arrays_need(arguments, "eval", error) ||
        !arrays_read(arguments, argument_option(arguments, "kind"), arena, &input, error) ||
        (arguments->count && !apply_calibration(arguments->words[0], arguments, arena, &input, error)))
        return false;
    input.bytes_per_token = settings->bytes_per_token;
    MeasuredSplit measured = measure_outputs(arena, NULL, &input, NULL, settings->seed, (int)settings->resamples);
    print(&measured, NULL, arguments);
    return true;
}

static bool choose_split(const Arguments *arguments, const DataSplits *splits, const char **name,
                         const DataSplit **split, Error *error)
{
    const struct {
        const char *name;
        const DataSplit *split;
    } all[] = {{"train", &splits->train}, {"val", &splits->val}, {"test", &splits->test}};
    *name = argument_option(arguments, "split");
    if (!*name)
        *name = splits->test.count ? "test" : splits->val.count ? "val" : "train";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].name, *name) == 0)
            *split = all[i].split;
    if (!*split)
        return fail_usage(error, "--split: expected train, val or test, got \"%s\"", *name);
    return (*split)->count || fail(error, "--split: the data has no %s split", *name);
}

/* The loss, and what the objective measures besides. */
static bool add_loss(MeasuredSplit *measured, const SavedModel *saved, const DataSplits *splits,
                     const DataSplit *split, uint64_t seed, Error *error)
{
    const Config *config = saved->config;
    const char *missing;
    if (!saved_figures(saved, splits, split, &measured->figures, &missing, error))
        return false;
    if (missing) /* whatever --quiet says: figures are left out */
        fprintf(stderr, "xent: %s: not measured as the objective %s does: %s\n", saved->path,
                config->objective.component->name, missing);
    measured->loss = measured->figures.count
                         ? measured->figures.items[0].value
                         : split_measure(saved->model, &config->loss, split, config->train.eval_batch_size, seed).loss;
    return true;
}

static bool measure_model(const Arguments *arguments, const Settings *settings, const SavedModel *saved,
                          const Config *config, const DataSplits *splits, Arena *arena, Error *error)
{
    const char *name;
    const DataSplit *split = NULL;
    PredictionInput outputs;
    if (!choose_split(arguments, splits, &name, &split, error) ||
        !split_outputs(saved->model, &saved->config->loss, split, saved->config->train.eval_batch_size, arena, &outputs,
                       error) ||
        !outputs_calibrate(saved->path, saved->calibration, arena, &outputs, error))
        return false;
    const bool own = !config || (!config->metrics && !config->data.component); /* the config is about an attack alone */
    const cJSON *names = own ? saved->config->metrics : config->metrics;
    uint64_t seed = settings->seed_given ? settings->seed : (uint64_t)saved->config->seed;
    MeasuredSplit measured = measure_outputs(arena, name, &outputs, names, seed, (int)settings->resamples);
    if (!saved->calibration && !add_loss(&measured, saved, splits, split, seed, error))
        return false;
    const Instance *attack = config && config->attack.component ? &config->attack : &saved->config->attack;
    if (attack->component && !measured_add_attack(&measured, saved, attack, split, seed, arena, error))
        return false;
    const char *folder = argument_option(arguments, "output");
    if (folder &&
        !write_evaluation(folder, &measured, saved->model, split, argument_option(arguments, "force") != NULL, error))
        return false;
    print(&measured, saved->class_names, arguments);
    return true;
}

static bool eval_model(const Arguments *arguments, const Settings *settings, Arena *arena, Error *error)
{
    const char **sets = argument_options(arguments, "set");
    bool other = arguments->count == 2;
    SavedModel *saved =
        saved_open(arguments->words[0], other ? NULL : sets, other ? NULL : settings->seed_given, error);
    Config *config = saved && other ? config_load(arguments->words[1], sets, settings->seed_given, error) : NULL;
    memory_free(sets);
    DataSplits splits = {0};
    /* A config that names an attack alone is about the run's own data. */
    const Config *data = config && config->attack.component && !config->data.component ? NULL : config;
    bool good = saved && (config || !other) && saved_load_data(saved, data, &splits, error);
    if (good) {
        good = measure_model(arguments, settings, saved, config, &splits, arena, error);
        data_free(&splits);
    }
    config_free(config);
    saved_close(saved);
    return good;
}

static bool run(const Arguments *arguments, Error *error)
{
    Settings settings = {.resamples = 1000};
    if (!argument_seed(arguments, &settings.seed, &settings.seed_given, error)
        || !argument_integer(arguments, "resamples", 0, 1000000, &settings.resamples, error)
        || !argument_number(arguments, "bytes-per-token", &settings.bytes_per_token, error))
        return false;
    bool arrays = argument_option(arguments, "logits") || argument_option(arguments, "targets") ||
                  arguments->count == 0;
    if (!only_for(arguments, arrays, error))
        return false;
    Arena *arena = arena_new();
    Tape *tape = tape_new();
    tape_use(tape);
    bool good = (arrays ? eval_arrays : eval_model)(arguments, &settings, arena, error);
    tape_free(tape);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    ARRAY_OPTION_ROWS,
    {"kind", "KIND",
     "of arrays: classification, multi-label, regression, ranking or tokens; told from them when not given", 0, false},
    {"group", "FILE",
     "NPY array: integers [samples] that members of a group share, side by side; targets are then worths", 0, false},
    {"bytes-per-token", "X", "of arrays: mean length of a token, for bits_per_byte", 0, false},
    {"split", "NAME", "of a model's data: train, val or test (test, where there is one)", 0, false},
    {"tables", NULL, "also precision, recall and F1 of each class, and the confusion matrix", 0, false},
    {"output", "DIR", "write DIR/evaluation.json", 'o', false},
    {"force", NULL, "replace an evaluation that is there", 0, false},
    {"resamples", "N", "resamples of the bootstrap (1000); 0: no intervals", 0, false},
    {0},
};

const Command command_eval = {
    .name = "eval", .synopsis = "eval RUN [CONFIG] [-o DIR] | eval [DIR] --logits FILE --targets FILE",
    .summary = "metrics of a trained model or of arrays, with intervals",
    .description = "Prints the metrics that apply, with 95% bootstrap intervals: of a trained model (a run folder or\n"
                   "a .safetensors file) on a split of its data, or of the data that CONFIG names; or of arrays,\n"
                   "after the calibration that xent calibrate wrote to DIR. Where CONFIG has the key attack, also\n"
                   "the accuracy under that attack.",
    .most = 2, .options = options, .run = run,
};
