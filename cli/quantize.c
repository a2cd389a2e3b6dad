/* xent quantize RUN CONFIG [-o DIR]; xent quantize --weights W.npy [--activations X.npy] CONFIG */
#include "cli/quantize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/memory_limit.h"
#include "core/quantize/quantize.h"
#include "data/npy.h"

/* ---- Arrays ---- */

static bool read_matrix(const Arguments *arguments, const char *option, Arena *arena, Array *array, Error *error)
{
    const char *path = argument_option(arguments, option);
    if (!npy_read(path, arena, array, error))
        return false;
    if (array->type != ARRAY_F32 || array->rank != 2 || array->count < 1)
        return fail_usage(error, "--%s: %s: expected a matrix of f4", option, path);
    for (int64_t i = 0; i < array->count; i++)
        if (!isfinite(((const float *)array->data)[i]))
            return fail(error, "%s: row %lld is not finite", path, (long long)(i / array->shape[1]));
    return true;
}

static bool read_both(const Arguments *arguments, Arena *arena, LinearData *data, Error *error)
{
    Array weights, activations;
    if (!read_matrix(arguments, "weights", arena, &weights, error))
        return false;
    *data = (LinearData){.outputs = weights.shape[0], .inputs = weights.shape[1], .weights = weights.data};
    if (!argument_option(arguments, "activations"))
        return true;
    if (!read_matrix(arguments, "activations", arena, &activations, error))
        return false;
    if (activations.shape[1] != data->inputs)
        return fail_usage(error, "--activations: %s: rows of %lld, but the weights have %lld inputs",
                          argument_option(arguments, "activations"), (long long)activations.shape[1],
                          (long long)data->inputs);
    data->tokens = activations.shape[0];
    data->activations = activations.data;
    return true;
}

static bool read_arrays(const Arguments *arguments, Arena *arena, LinearData *data, Error *error)
{
    size_t before = memory_limit(INPUT_MOST_MEMORY);
    bool good = read_both(arguments, arena, data, error);
    memory_limit_restore(before);
    return good;
}

/* Nothing is written yet: what stands in the way is said before the work is done. */
static bool check_outputs(const Arguments *arguments, const Config *config, Arena *arena, Error *error)
{
    static const char *const inputs[] = {"weights", "activations"},
                             *const outputs[] = {"dequantized", "dequantized-activations"};
    const char *folder = argument_option(arguments, "output");
    bool activations = argument_option(arguments, "activations") != NULL;
    const Instance *method = &quantizer_common(&config->quantize)->activations;
    if (!activations && argument_option(arguments, "dequantized-activations"))
        return fail_usage(error, "--dequantized-activations: needs --activations FILE");
    if (!activations && method->component && strcmp(method->component->name, "none") != 0)
        return fail_usage(error, "--activations FILE is missing: the config quantizes activations (%s)",
                          method->component->name);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2 && argument_option(arguments, outputs[i]); k++) {
            const char *in = argument_option(arguments, inputs[k]);
            if (in && file_same(in, argument_option(arguments, outputs[i])))
                return fail_usage(error, "--%s: %s is the input itself", outputs[i], in);
        }
    const char *both[] = {argument_option(arguments, outputs[0]), argument_option(arguments, outputs[1])};
    if (both[0] && both[1] && (strcmp(both[0], both[1]) == 0 || file_same(both[0], both[1])))
        return fail_usage(error, "--dequantized and --dequantized-activations: %s cannot be both", both[0]);
    if (folder && file_exists(folder) && !file_is_folder(folder))
        return fail_usage(error, "-o: %s is not a folder", folder);
    const char *path = folder ? path_join(arena, folder, "quantization.json") : NULL;
    if (path && file_exists(path) && !argument_option(arguments, "force"))
        return fail_usage(error, "%s: exists; --force replaces it", path);
    return true;
}

static bool write_matrix(const char *path, int64_t rows, int64_t columns, float *data, Error *error)
{
    const Array array = {.type = ARRAY_F32, .rank = 2, .shape = {rows, columns}, .count = rows * columns, .data = data};
    return !path || npy_write(path, &array, error);
}

static bool write_report(const char *folder, const cJSON *json, Arena *arena, Error *error)
{
    if (!folder)
        return true;
    bool existed = file_exists(folder);
    char *text = cJSON_Print(json);
    bool good = folder_make(folder, error)
        && file_write(path_join(arena, folder, "quantization.json"), text, strlen(text), error);
    cJSON_free(text);
    if (!good && !existed)
        rmdir(folder);
    return good;
}

/* What was written before the failure does not stay, unless it took the place of an earlier result: better that than
   none. */
static bool write_outputs(const Arguments *arguments, const LinearData *data, const LinearReport *report,
                          const cJSON *json, Arena *arena, Error *error)
{
    const char *weights = argument_option(arguments, "dequantized"),
               *activations = argument_option(arguments, "dequantized-activations");
    bool keep_weights = weights && file_exists(weights), keep_activations = activations && file_exists(activations);
    if (!write_matrix(weights, data->outputs, data->inputs, report->linear.weights, error))
        return false;
    bool good = write_matrix(activations, data->tokens, data->inputs, report->activations, error);
    bool whole = good && write_report(argument_option(arguments, "output"), json, arena, error);
    if (!whole && weights && !keep_weights)
        unlink(weights);
    if (good && !whole && activations && !keep_activations)
        unlink(activations);
    return whole;
}

static void print_report(const Instance *method, const LinearReport *report)
{
    printf("%s: %lld bytes, %.6g bits a weight\n", method->component->name, (long long)report->linear.bytes,
           report->bits_per_weight);
    printf("%-18s %.6g\n", "weight_mse", report->weight_mse);
    if (report->activations)
        printf("%-18s %.6g\n", "output_mse", report->output_mse);
}

bool quantize_arrays(const Arguments *arguments, const Config *config, Arena *arena, Error *error)
{
    LinearData data;
    LinearReport report;
    if (!check_outputs(arguments, config, arena, error) || !read_arrays(arguments, arena, &data, error))
        return false;
    data.seed = (uint64_t)config->seed;
    if (!quantize_linear(&config->quantize, &data, arena, &report, error))
        return fail_at(error, "%s", config->name);
    cJSON *json = linear_report_json(&config->quantize, &report);
    bool good = write_outputs(arguments, &data, &report, json, arena, error);
    if (good && argument_option(arguments, "json"))
        print_json_object(json);
    else
        cJSON_Delete(json);
    if (good && !argument_option(arguments, "json"))
        print_report(&config->quantize, &report);
    return good;
}

/* ---- Both ---- */

/* A config, or the quantizer alone: {"type": "rtn", ...}. */
static Config *read_config(const char *argument, const char *const *sets, const uint64_t *seed, Arena *arena,
                           Error *error)
{
    JsonSource *source = json_source_new();
    Error ignored; /* whatever is wrong, config_load says it with the same words */
    const cJSON *tree = argument[0] == '{' ? json_parse(source, "config", argument, strlen(argument), &ignored) : NULL;
    bool alone = tree && cJSON_GetObjectItemCaseSensitive(tree, "type");
    json_source_free(source);
    return config_load(alone ? arena_format(arena, "{\"quantize\": %s}", argument) : argument, sets, seed, error);
}

/* An option that does not apply is an error, not ignored. */
static bool only_for(const Arguments *arguments, bool arrays, Error *error)
{
    static const char *const of_arrays[] = {"activations", "dequantized", "dequantized-activations", NULL};
    for (const char *const *name = of_arrays; !arrays && *name; name++)
        if (argument_option(arguments, *name))
            return fail_usage(error, "--%s: needs --weights FILE, in the place of RUN", *name);
    if (arrays && arguments->count > 1)
        return fail_usage(error,
                          "quantize: --weights stands in the place of RUN; usage: xent quantize --weights FILE CONFIG");
    if (!arrays && arguments->count < 2)
        return fail_usage(error, "quantize: RUN or --weights FILE is missing; usage: xent quantize RUN CONFIG");
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    uint64_t seed;
    const uint64_t *given;
    bool arrays = argument_option(arguments, "weights") != NULL;
    if (!only_for(arguments, arrays, error) || !argument_seed(arguments, &seed, &given, error))
        return false;
    Arena *arena = arena_new();
    const char **sets = argument_options(arguments, "set");
    Config *config = read_config(arguments->words[arguments->count - 1], sets, given, arena, error);
    memory_free(sets);
    bool good = config && config_require(config, "quantize", error)
        && (quantizer_check(&config->quantize, error) || fail_at(error, "%s", config->name))
        && (arrays ? quantize_arrays : quantize_run)(arguments, config, arena, error);
    config_free(config);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    {"weights", "FILE", "of arrays: NPY matrix [out, in] of f4", 0, false},
    {"activations", "FILE", "of arrays: NPY matrix [tokens, in] of f4", 0, false},
    {"dequantized", "FILE", "of arrays: write the quantized weights as f4", 0, false},
    {"dequantized-activations", "FILE", "of arrays: write the quantized activations as f4", 0, false},
    {"output", "DIR", "of a model: a run folder for the quantized model; of arrays: for quantization.json", 'o', false},
    {"force", NULL, "replace what is there", 0, false},
    {0},
};

const Command command_quantize = {
    .name = "quantize",
    .synopsis = "quantize RUN CONFIG [-o DIR] | quantize --weights FILE [--activations FILE] CONFIG",
    .summary = "quantize a trained model, or the arrays of a linear layer",
    .description = "Quantizes every linear and convolution weight of a run as CONFIG says, a file or JSON such as\n"
                   "'{\"quantize\": \"rtn\"}', measures the model before and after, and writes a run folder that xent\n"
                   "eval and predict take as any other. Of arrays: a weight, and what it does to given activations.",
    .least = 1,
    .most = 2,
    .options = options,
    .run = run,
};
