/* xent export RUN --format safetensors|onnx [-o FILE] */
#include <stdio.h>
#include <string.h>

#include "cli/configs.h"
#include "core/base/file.h"
#include "core/train/export_onnx.h"
#include "core/train/folder.h"
#include "data/safetensors.h"

static void take_parameters(const ParameterSet *parameters, Arena *arena, Safetensors *file)
{
    file->count = parameters->count;
    file->items = arena_zero(arena, (size_t)file->count, sizeof *file->items);
    for (int64_t i = 0; i < parameters->count; i++) {
        const Tensor *value = parameters->items[i].value;
        Array array = {.type = ARRAY_F32, .rank = value->rank, .count = value->count, .data = value->data};
        memcpy(array.shape, value->shape, sizeof array.shape);
        file->items[i] = (NamedArray){parameters->items[i].name, array};
    }
}

static void drop_metadata(Safetensors *file, const char *key)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->keys[i], key) != 0) {
            file->keys[kept] = file->keys[i];
            file->values[kept++] = file->values[i];
        }
    file->metadata_count = kept;
}

/* The file's tensors as they are, or those of the model that was made of them, f32; with the file's metadata. */
static bool export_safetensors(const SavedModel *saved, const char *path, bool dequantize, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    bool good = safetensors_read(saved->path, arena, &file, error);
    if (good && dequantize) {
        take_parameters(saved->model->parameters, arena, &file);
        drop_metadata(&file, "quantization");
    }
    good = good && safetensors_write(path, &file, error);
    arena_free(arena);
    return good;
}

/* RUN/model.ENDING; of a file, the name with another ending. */
static const char *default_output(const char *run, const char *ending, Arena *arena)
{
    const char *dot = strrchr(run, '.'), *slash = strrchr(run, '/');
    if (file_is_folder(run))
        return arena_format(arena, "%s/model.%s", run, ending);
    int length = dot && (!slash || dot > slash) ? (int)(dot - run) : (int)strlen(run);
    return arena_format(arena, "%.*s.%s", length, run, ending);
}

static bool export_model(const Arguments *arguments, SavedModel **saved, Arena *arena, Error *error)
{
    const char *format = argument_option(arguments, "format"), *output = argument_option(arguments, "output"),
               *run = arguments->words[0];
    bool dequantize = argument_option(arguments, "dequantize") != NULL;
    if (!format)
        return fail_usage(error, "export: --format safetensors|onnx is missing");
    bool onnx = strcmp(format, "onnx") == 0;
    if (!onnx && strcmp(format, "safetensors") != 0)
        return fail_usage(error, "--format: expected safetensors or onnx, got \"%s\"", format);
    output = output ? output : default_output(run, format, arena);
    if (!check_output_file(output, run, argument_option(arguments, "force") != NULL, error) ||
        !(*saved = argument_run(arguments, run, error)))
        return false;
    if (file_same(output, (*saved)->path) || run_folder_owns(run, output))
        return fail_usage(error, "%s: belongs to the run itself", output);
    if (!(onnx ? export_onnx(*saved, output, error) : export_safetensors(*saved, output, dequantize, error)))
        return false;
    if (argument_option(arguments, "json")) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "format", format);
        cJSON_AddStringToObject(object, "output", output);
        cJSON_AddNumberToObject(object, "parameters", (double)parameters_trainable((*saved)->model->parameters));
        print_json_object(object);
    } else if (!argument_option(arguments, "quiet")) {
        printf("%s\n", output);
    }
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    Arena *arena = arena_new();
    SavedModel *saved = NULL;
    Tape *tape = tape_new();
    tape_use(tape);
    bool good = export_model(arguments, &saved, arena, error);
    saved_close(saved);
    tape_free(tape);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    {"format", "NAME", "safetensors, or onnx for mlp, cnn and sequential models", 0, false},
    {"output", "FILE", "where to (RUN/model.NAME)", 'o', false},
    {"dequantize", NULL, "weights as f32, where the run holds quantized ones; onnx always does", 0, false},
    {"force", NULL, "replace a file that is there", 0, false},
    {0},
};

const Command command_export = {
    .name = "export",
    .synopsis = "export RUN --format safetensors|onnx [-o FILE] [--dequantize]",
    .summary = "a trained model for other programs",
    .description =
        "Writes the model of RUN (a run folder or a .safetensors file). ONNX takes \"input\" as it is before\n"
        "normalisation (bytes of images as 0..1) and gives \"logits\", or \"values\".",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
