/* xent quantize RUN CONFIG: measured before and after. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/evaluation.h"
#include "cli/quantize.h"
#include "core/base/file.h"
#include "core/quantize/model.h"
#include "core/train/folder.h"
#include "core/train/outputs.h"

enum { SPLITS = 2 };

/* Validation and test, as far as there are samples; of the rest predictions is NULL. */
typedef struct Figures { MeasuredSplit splits[SPLITS]; } Figures;

static bool measure(const SavedModel *saved, const DataSplits *data, Arena *arena, Figures *figures, Error *error)
{
    const struct {
        const char *name;
        const DataSplit *split;
    } all[SPLITS] = {{"val", &data->val}, {"test", &data->test}};
    const Config *config = saved->config;
    *figures = (Figures){0};
    for (int i = 0; i < SPLITS; i++) {
        PredictionInput outputs;
        if (all[i].split->count == 0)
            continue;
        if (!split_outputs(saved->model, &config->loss, all[i].split, config->train.eval_batch_size, arena, &outputs,
                           error) ||
            !outputs_calibrate(saved->path, saved->calibration, arena, &outputs, error))
            return false;
        MeasuredSplit *measured = &figures->splits[i];
        *measured = measure_outputs(arena, all[i].name, &outputs, config->metrics, (uint64_t)config->seed,
                                    EVALUATION_RESAMPLES);
        if (!saved->calibration)
            measured->loss = split_measure(saved->model, &config->loss, all[i].split, config->train.eval_batch_size,
                                           (uint64_t)config->seed)
                                 .loss;
    }
    return true;
}

/* {"bytes", "metrics": {split: ...}, "ci": {split: ...}} */
static cJSON *figures_json(const Figures *figures, int64_t bytes)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "bytes", (double)bytes);
    cJSON *metrics = cJSON_AddObjectToObject(object, "metrics"), *ci = cJSON_AddObjectToObject(object, "ci");
    for (int i = 0; i < SPLITS; i++) {
        if (!figures->splits[i].predictions)
            continue;
        cJSON *measured = measured_json(&figures->splits[i]);
        cJSON_AddItemToObject(metrics, figures->splits[i].split,
                              cJSON_DetachItemFromObjectCaseSensitive(measured, "metrics"));
        cJSON_AddItemToObject(ci, figures->splits[i].split, cJSON_DetachItemFromObjectCaseSensitive(measured, "ci"));
        cJSON_Delete(measured);
    }
    return object;
}

typedef struct Quantizing {
    const Instance *method;
    ModelReport report;
    Figures before, after;
} Quantizing;

static cJSON *summary_json(const Quantizing *q)
{
    const ModelReport *report = &q->report;
    cJSON *object = cJSON_CreateObject(), *after = figures_json(&q->after, report->bytes_after);
    int64_t weights = 0, bytes = 0;
    int bits = 0;
    for (int64_t i = 0; i < report->count; i++)
        if (!report->weights[i].skipped) {
            weights += report->weights[i].rows * report->weights[i].columns;
            bytes += report->weights[i].bytes;
            bits = report->weights[i].bits;
        }
    cJSON_AddStringToObject(object, "method", q->method->component->name);
    cJSON_AddNumberToObject(object, "bits", bits);
    cJSON_AddNumberToObject(object, "activation_bits", report->activations.bits ? report->activations.bits : 32);
    cJSON_AddNumberToObject(object, "layers", (double)report->quantized);
    cJSON_AddNumberToObject(object, "layers_skipped", (double)(report->count - report->quantized));
    cJSON_AddItemToObject(object, "bits_per_weight", json_number9(8.0 * (double)bytes / (double)weights));
    cJSON_AddItemToObject(object, "ratio", json_number9((double)report->bytes_after / (double)report->bytes_before));
    cJSON_AddItemToObject(object, "before", figures_json(&q->before, report->bytes_before));
    cJSON_AddItemToObject(object, "metrics", cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(after, "metrics"), true));
    cJSON_AddItemToObject(object, "ci", cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(after, "ci"), true));
    cJSON_AddItemToObject(object, "after", after);
    cJSON_AddStringToObject(object, "version", XENT_VERSION);
    return object;
}

static void print_table(const Quantizing *q)
{
    const ModelReport *report = &q->report;
    printf("%s: %lld of %lld layers; %lld bytes, from %lld (%.3g times)\n", q->method->component->name,
           (long long)report->quantized, (long long)report->count, (long long)report->bytes_after,
           (long long)report->bytes_before, (double)report->bytes_after / (double)report->bytes_before);
    for (int i = 0; i < SPLITS; i++) {
        const MeasuredSplit *before = &q->before.splits[i], *after = &q->after.splits[i];
        if (!before->predictions)
            continue;
        printf("%s: %lld samples%19s   %10s\n", before->split, (long long)before->outputs.count, "before",
               "after; 95% bootstrap intervals");
        if (!isnan(before->loss))
            printf("  %-18s %10.6g   %10.6g\n", "loss", before->loss, after->loss);
        for (int k = 0; before->metrics[k]; k++)
            printf("  %-18s %10.6g   %10.6g  [%.6g, %.6g]\n", before->metrics[k]->component.name, before->values[k],
                   after->values[k], after->intervals[k][0], after->intervals[k][1]);
    }
}

/* What is written to the folder. */
static const char *const files[] = {"config.json", "checkpoints/best.safetensors", "checkpoints/last.safetensors",
                                    "quantization.json", "summary.json", NULL};

typedef struct Quantized {
    const Quantizing *quantizing;
    const SavedModel *saved;
    const cJSON *summary;
} Quantized;

static bool write_files(const void *context, RunFolder *folder, Error *error)
{
    const Quantized *result = context;
    const Instance *method = result->quantizing->method;
    cJSON *report = model_report_json(method, &result->quantizing->report);
    bool good = run_folder_write_config(folder, result->saved->config, error);
    for (int i = 1; i < 3 && good; i++)
        good =
            quantize_save(method, result->saved, arena_format(folder->arena, "%s/%s", folder->path, files[i]), error);
    good = good && run_folder_write_json(folder, "quantization.json", report, error)
        && run_folder_write_json(folder, "summary.json", result->summary, error);
    cJSON_Delete(report);
    return good;
}

/* Nothing is written yet: what stands in the way is said before the work is done. */
static bool check_folder(const char *path, const char *run, bool force, Error *error)
{
    if (file_same(path, run) || run_folder_owns(path, run))
        return fail_usage(error, "-o: %s is the run itself", path);
    return run_folder_check_free(path, files, force, error);
}

/* --force removes nothing that is read. */
static bool check_inputs(const char *folder, const Arguments *arguments, const SavedModel *saved, Error *error)
{
    const char *inputs[] = {saved->path, arguments->words[1]};
    for (int i = 0; i < 2; i++)
        if (run_folder_owns(folder, inputs[i]))
            return fail_usage(error, "-o: %s would replace %s, which is read", folder, inputs[i]);
    return true;
}

static bool quantize(const Arguments *arguments, Quantizing *q, SavedModel *saved, const DataSplits *data, Arena *arena,
                     Error *error)
{
    const char *folder = argument_option(arguments, "output");
    if (data->val.count == 0 && data->test.count == 0)
        return fail(error, "%s: the data has neither a val nor a test split; give data.split", saved->path);
    if (!measure(saved, data, arena, &q->before, error) || !quantize_model(q->method, saved, arena, &q->report, error)
        || !measure(saved, data, arena, &q->after, error))
        return false;
    cJSON *summary = summary_json(q);
    bool good = !folder || run_folder_replace(folder, files, write_files, &(Quantized){q, saved, summary}, error);
    if (good && argument_option(arguments, "json")) {
        print_json_object(summary);
        return true;
    }
    cJSON_Delete(summary);
    if (good)
        print_table(q);
    return good;
}

bool quantize_run(const Arguments *arguments, const Config *config, Arena *arena, Error *error)
{
    Quantizing q = {.method = &config->quantize};
    const char *folder = argument_option(arguments, "output");
    if (folder && !check_folder(folder, arguments->words[0], argument_option(arguments, "force") != NULL, error))
        return false;
    Tape *tape = tape_new();
    tape_use(tape);
    DataSplits data = {0};
    SavedModel *saved = saved_open(arguments->words[0], NULL, NULL, error);
    bool good = saved && (!folder || check_inputs(folder, arguments, saved, error))
        && saved_load_data(saved, config->data.component ? config : NULL, &data, error);
    if (good) {
        saved->config->quantize = config->quantize;
        if (config->data.component)
            saved->config->data = config->data;
        good = quantize(arguments, &q, saved, &data, arena, error);
        data_free(&data);
    }
    saved_close(saved);
    tape_free(tape);
    return good;
}
