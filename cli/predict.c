/* xent predict RUN [INPUT] [-o FILE]: probabilities of classes and labels, or values. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/configs.h"
#include "core/base/file.h"
#include "core/calibrate/calibrate.h"
#include "core/train/features.h"
#include "core/train/folder.h"
#include "core/train/predict.h"
#include "data/npy.h"

typedef struct Predicting {
    const Arguments *arguments;
    const char *input, *output; /* NULL: the data's split; standard output */
    Arena *arena;
    SavedModel *saved;
    ModelOutputs outputs;
} Predicting;

static bool run_split(Predicting *p, const char *name, Error *error)
{
    DataSplits splits;
    if (!saved_load_data(p->saved, NULL, &splits, error))
        return false;
    const DataSplit *split = strcmp(name, "train") == 0 ? &splits.train
                             : strcmp(name, "val") == 0 ? &splits.val
                                                        : &splits.test;
    bool good = split->count > 0 ||
                fail(error, "%s: data: the %s split is empty; give INPUT, or --split", p->saved->path, name);
    good = good && model_outputs(p->saved, split->dataset, split->order, split->count, p->arena, &p->outputs, error);
    data_free(&splits);
    return good;
}

static bool run_file(Predicting *p, Error *error)
{
    Dataset *dataset = features_read(p->saved, p->input, error);
    bool good = dataset && model_outputs(p->saved, dataset, NULL, dataset->count, p->arena, &p->outputs, error);
    dataset_free(dataset);
    return good;
}

static bool apply_calibration(Predicting *p, Error *error)
{
    Calibration calibration;
    ModelOutputs *outputs = &p->outputs;
    if (!p->saved->calibration)
        return true;
    if (!calibration_parse(p->saved->path, p->saved->calibration, p->arena, &calibration, error))
        return false;
    if (calibration.classes != outputs->classes)
        return fail(error, "%s: its calibration is of %lld classes, its model has %lld", p->saved->path,
                    (long long)calibration.classes, (long long)outputs->classes);
    return calibration_apply(&calibration, outputs->rows, outputs->values, outputs->values, error) ||
           fail_at(error, "%s", p->saved->path);
}

static bool check_finite(const Predicting *p, Error *error)
{
    const ModelOutputs *outputs = &p->outputs;
    for (int64_t i = 0; i < outputs->rows * outputs->classes; i++)
        if (!isfinite(outputs->values[i]))
            return fail(error, "%s: the model's output for row %lld is not finite",
                        p->input ? p->input : p->saved->path, (long long)(i / outputs->classes));
    return true;
}

/* "class_3" where the data names no classes. */
static const char *column_name(const Predicting *p, int64_t k)
{
    if (p->saved->class_names)
        return p->saved->class_names[k];
    return arena_format(p->arena, "%s_%lld", p->saved->target_kind == TARGET_VALUES ? "value" : "class", (long long)k);
}

/* RFC 4180: quoted where the text holds a separator, a quote or a line end. */
static void write_cell(FILE *stream, const char *text)
{
    if (text[0] && !strpbrk(text, ",\"\r\n") && text[0] != ' ' && text[strlen(text) - 1] != ' ') {
        fputs(text, stream);
        return;
    }
    putc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', stream);
        putc(*text, stream);
    }
    putc('"', stream);
}

static void write_csv(const Predicting *p, FILE *stream)
{
    const ModelOutputs *outputs = &p->outputs;
    for (int64_t k = 0; k < outputs->classes; k++) {
        if (k)
            putc(',', stream);
        write_cell(stream, column_name(p, k));
    }
    putc('\n', stream);
    for (int64_t i = 0; i < outputs->rows; i++)
        for (int64_t k = 0; k < outputs->classes; k++)
            fprintf(stream, "%.9g%c", outputs->values[i * outputs->classes + k], k + 1 < outputs->classes ? ',' : '\n');
}

/* {"prediction", "probabilities"}; of values {"values"}. The prediction is the first of the largest. */
static cJSON *row_json(const Predicting *p, int64_t row)
{
    const double *values = p->outputs.values + row * p->outputs.classes;
    cJSON *object = cJSON_CreateObject();
    bool classes = p->saved->target_kind != TARGET_VALUES && p->saved->target_kind != TARGET_LABELS;
    int64_t best = 0;
    for (int64_t k = 1; k < p->outputs.classes; k++)
        best = values[k] > values[best] ? k : best;
    if (classes && p->saved->class_names)
        cJSON_AddStringToObject(object, "prediction", p->saved->class_names[best]);
    else if (classes)
        cJSON_AddNumberToObject(object, "prediction", (double)best);
    cJSON_AddItemToObject(object, p->saved->target_kind == TARGET_VALUES ? "values" : "probabilities",
                          json_numbers9(values, p->outputs.classes));
    return object;
}

static void write_jsonl(const Predicting *p, FILE *stream)
{
    for (int64_t i = 0; i < p->outputs.rows; i++) {
        cJSON *object = row_json(p, i);
        char *text = cJSON_PrintUnformatted(object);
        fprintf(stream, "%s\n", text);
        cJSON_free(text);
        cJSON_Delete(object);
    }
}

/* f4, [samples, classes], of language models [samples, tokens, classes]. */
static bool write_npy(const Predicting *p, Error *error)
{
    const ModelOutputs *outputs = &p->outputs;
    Array array = {.type = ARRAY_F32,
                   .rank = 2,
                   .shape = {outputs->rows, outputs->classes},
                   .count = outputs->rows * outputs->classes};
    if (outputs->rows != outputs->samples) {
        array.rank = 3;
        array.shape[0] = outputs->samples;
        array.shape[1] = outputs->rows / outputs->samples;
        array.shape[2] = outputs->classes;
    }
    float *values = array.data = arena_alloc(p->arena, (size_t)array.count * sizeof *values);
    for (int64_t i = 0; i < array.count; i++)
        values[i] = (float)outputs->values[i];
    return npy_write(p->output, &array, error);
}

static bool write_output(const Predicting *p, Error *error)
{
    if (name_ends_with(p->output, ".npy"))
        return write_npy(p, error);
    OutputFile file;
    if (!output_open(&file, p->output, error))
        return false;
    (name_ends_with(p->output, ".csv") ? write_csv : write_jsonl)(p, file.stream);
    return output_commit(&file, error);
}

static void print_json(const Predicting *p)
{
    cJSON *object = cJSON_CreateObject(), *names = cJSON_CreateArray();
    cJSON_AddNumberToObject(object, "n", (double)p->outputs.rows);
    for (int64_t k = 0; k < p->outputs.classes; k++)
        cJSON_AddItemToArray(names, cJSON_CreateString(column_name(p, k)));
    cJSON_AddItemToObject(object, "columns", names);
    if (p->output) {
        cJSON_AddStringToObject(object, "output", p->output);
    } else {
        cJSON *rows = cJSON_AddArrayToObject(object, "rows");
        for (int64_t i = 0; i < p->outputs.rows; i++)
            cJSON_AddItemToArray(rows, row_json(p, i));
    }
    print_json_object(object);
}

static bool check_words(Predicting *p, Error *error)
{
    const char *split = argument_option(p->arguments, "split");
    if (split && p->input)
        return fail_usage(error, "--split: does not go with INPUT");
    if (split && strcmp(split, "train") != 0 && strcmp(split, "val") != 0 && strcmp(split, "test") != 0)
        return fail_usage(error, "--split: expected train, val or test, got \"%s\"", split);
    if (!p->output)
        return true;
    if (!name_ends_with(p->output, ".npy") && !name_ends_with(p->output, ".csv") &&
        !name_ends_with(p->output, ".jsonl"))
        return fail_usage(error, "-o: %s: expected a name that ends with .npy, .csv or .jsonl", p->output);
    if (run_folder_owns(p->arguments->words[0], p->output))
        return fail_usage(error, "-o: %s belongs to the run", p->output);
    return check_output_file(p->output, p->input, true, error);
}

static bool predict(Predicting *p, Error *error)
{
    const char *split = argument_option(p->arguments, "split");
    if (!check_words(p, error) || !(p->saved = argument_run(p->arguments, p->arguments->words[0], error)))
        return false;
    if (p->output && file_same(p->output, p->saved->path))
        return fail_usage(error, "%s: is the model itself", p->output);
    if (!(p->input ? run_file(p, error) : run_split(p, split ? split : "test", error)) || !check_finite(p, error) ||
        !apply_calibration(p, error))
        return false;
    outputs_to_probabilities(p->saved->target_kind, &p->outputs);
    if (p->output && !write_output(p, error))
        return false;
    if (argument_option(p->arguments, "json"))
        print_json(p);
    else if (!p->output)
        write_csv(p, stdout);
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    Predicting p = {.arguments = arguments,
                    .arena = arena_new(),
                    .input = arguments->count > 1 ? arguments->words[1] : NULL,
                    .output = argument_option(arguments, "output")};
    Tape *tape = tape_new();
    tape_use(tape);
    bool good = predict(&p, error);
    saved_close(p.saved);
    tape_free(tape);
    arena_free(p.arena);
    return good;
}

static const Option options[] = {
    {"output", "FILE", "write there, as .npy, .csv or .jsonl; CSV on standard output when not given", 'o', false},
    {"split", "NAME", "train, val or test (test) of the run's data, where there is no INPUT", 0, false},
    {0},
};

const Command command_predict = {
    .name = "predict",
    .synopsis = "predict RUN [INPUT] [-o FILE] [--json]",
    .summary = "class probabilities, or values, of samples",
    .description =
        "Applies the model of RUN (a run folder or a .safetensors file) to INPUT: .npy, .csv, .tsv, .jsonl,\n"
        "or - for CSV rows on standard input; without INPUT to the test split of its data. Calibrated,\n"
        "where the run is.",
    .least = 1,
    .most = 2,
    .options = options,
    .run = run,
};
