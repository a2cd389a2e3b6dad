#include "core/quantize/model.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "core/train/quantized_file.h"

/* ---- Which layers ---- */

/* The quantizable layers in the order of the model. */
static Layer **list_layers(const Model *model, Arena *arena, int64_t *count)
{
    Layer **layers = arena_zero(arena, (size_t)model->layer_count + 1, sizeof *layers);
    *count = 0;
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->def->quantizable)
            layers[(*count)++] = model->layers[i];
    return layers;
}

static bool matches(const char *pattern, const char *name, int64_t index, int64_t count)
{
    if (strcmp(pattern, "first") == 0 || strcmp(pattern, "last") == 0)
        return index == (pattern[0] == 'f' ? 0 : count - 1);
    return fnmatch(pattern, name, 0) == 0;
}

/* skipped[i] for each layer; a pattern that fits none is an error. */
static bool mark_skipped(const cJSON *skip, Layer *const *layers, int64_t count, bool *skipped, Error *error)
{
    const cJSON *pattern;
    cJSON_ArrayForEach(pattern, skip)
    {
        bool found = false;
        for (int64_t i = 0; i < count; i++)
            if (matches(pattern->valuestring, layers[i]->name, i, count))
                found = skipped[i] = true;
        if (!found)
            return fail_usage(error, "skip: \"%s\" is the name of no linear or convolution layer; the first is \"%s\"",
                              pattern->valuestring, layers[0]->name);
    }
    return true;
}

/* ---- Quantizing ---- */

static bool choose_activations(const QuantizerCommon *common, Int8Grid *grid, Error *error)
{
    const Instance *method = &common->activations;
    *grid = (Int8Grid){8, true};
    if (!method->component)
        return true;
    const QuantizerDef *def = (const QuantizerDef *)method->component;
    if (!def->grid)
        return fail_usage(error,
                          "activations: %s cannot run in a model, whose activations become integers a token at a time; "
                          "give per_token or none",
                          def->component.name);
    *grid = def->grid(method->values);
    return true;
}

static bool quantize_layer(const Instance *method, Layer *layer, Tensor *value, const SavedModel *saved,
                           Int8Grid activations, WeightReport *report, Error *error)
{
    const QuantizerDef *def = (const QuantizerDef *)method->component;
    LinearData data = {.outputs = value->shape[0],
                       .inputs = value->count / value->shape[0],
                       .weights = tensor_f32(value),
                       .seed = (uint64_t)saved->config->seed};
    QuantizedLinear result;
    for (int64_t i = 0; i < value->count; i++)
        if (!isfinite(tensor_f32(value)[i]))
            return fail(error, "%s: %s: element %lld is not finite", saved->path, report->name, (long long)i);
    if (!def->quantize(method->values, &data, saved->model->arena, &result, error))
        return fail_at(error, "quantize: %s: %s", def->component.name, report->name);
    cJSON_Delete(result.parameters);
    if (!result.integers)
        return fail_usage(error, "quantize: %s has no form that layers can run in integers", def->component.name);
    double sum = 0, all = 0;
    for (int64_t i = 0; i < value->count; i++) {
        const double w = (double)data.weights[i], difference = w - (double)result.weights[i];
        sum += difference * difference;
        all += w * w;
    }
    result.integers->activations = activations;
    layer->quantized = result.integers;
    memcpy(value->data, result.weights, (size_t)value->count * sizeof(float));
    report->bits = result.bits;
    report->bytes = result.bytes;
    report->weight_mse = sum / (double)value->count;
    report->relative_error = all > 0 ? sqrt(sum / all) : 0;
    return true;
}

bool quantize_model(const Instance *method, const SavedModel *saved, Arena *arena, ModelReport *report, Error *error)
{
    const QuantizerCommon *common = quantizer_common(method);
    const ParameterSet *parameters = saved->model->parameters;
    int64_t count;
    Layer **layers = list_layers(saved->model, arena, &count);
    bool *skipped = arena_zero(arena, (size_t)count + 1, sizeof *skipped);
    *report = (ModelReport){.weights = arena_zero(arena, (size_t)count + 1, sizeof(WeightReport)), .count = count};
    if (count == 0)
        return fail_usage(error, "%s: the model has no linear or convolution layer", saved->path);
    if (common->bias_correction)
        return fail_usage(error, "quantize: bias_correction needs activations, and is for arrays alone");
    if (!choose_activations(common, &report->activations, error)
        || !mark_skipped(common->skip, layers, count, skipped, error))
        return fail_at(error, "quantize");
    for (int64_t i = 0; i < parameters->count; i++)
        report->bytes_before += parameters->items[i].value->count * 4;
    report->bytes_after = report->bytes_before;
    for (int64_t i = 0; i < count; i++) {
        const Parameter *parameter = parameters_find(parameters, arena_format(arena, "%s.weight", layers[i]->name));
        Tensor *value = parameter->value;
        WeightReport *weight = &report->weights[i];
        *weight = (WeightReport){.name = parameter->name,
                                 .rows = value->shape[0],
                                 .columns = value->count / value->shape[0],
                                 .skipped = skipped[i],
                                 .bits = 32,
                                 .bytes = value->count * 4};
        if (layers[i]->quantized)
            return fail_usage(error, "%s: %s is quantized already; give the run that it was made from", saved->path,
                              weight->name);
        if (skipped[i])
            continue;
        if (!quantize_layer(method, layers[i], value, saved, report->activations, weight, error))
            return false;
        report->quantized++;
        report->bytes_after += weight->bytes - value->count * 4;
    }
    return report->quantized > 0 || fail_usage(error, "quantize: skip leaves no layer to quantize");
}

/* ---- Writing ---- */

/* Tensors of four bytes first, so that all are aligned. */
static void list_tensors(const Model *model, Arena *arena, Safetensors *file)
{
    const ParameterSet *parameters = model->parameters;
    NamedArray *tensors = arena_zero(arena, (size_t)parameters->count * QUANTIZED_MAX_TENSORS, sizeof *tensors),
               *narrow = arena_zero(arena, (size_t)parameters->count * QUANTIZED_MAX_TENSORS, sizeof *narrow);
    int64_t narrow_count = 0;
    file->count = 0;
    file->items = tensors;
    for (int64_t i = 0; i < parameters->count; i++) {
        const Parameter *parameter = &parameters->items[i];
        const Tensor *value = parameter->value;
        const Layer *layer = quantizable_layer(model, parameter->name);
        NamedArray parts[QUANTIZED_MAX_TENSORS] = {
            {parameter->name, {.type = ARRAY_F32, .rank = value->rank, .count = value->count, .data = value->data}}};
        int count = 1;
        if (layer && layer->quantized)
            count = quantized_tensors(parameter->name, layer->quantized, value->rank, value->shape, arena, parts);
        else
            memcpy(parts[0].array.shape, value->shape, (size_t)value->rank * sizeof *value->shape);
        for (int k = 0; k < count; k++)
            if (parts[k].array.type == ARRAY_F32)
                tensors[file->count++] = parts[k];
            else
                narrow[narrow_count++] = parts[k];
    }
    memcpy(tensors + file->count, narrow, (size_t)narrow_count * sizeof *narrow);
    file->count += narrow_count;
}

static const char *print_and_delete(cJSON *json, Arena *arena)
{
    char *text = cJSON_PrintUnformatted(json);
    const char *copy = arena_string(arena, text);
    cJSON_free(text);
    cJSON_Delete(json);
    return copy;
}

static const char *describe(const Instance *method, const Model *model, Arena *arena)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "method", instance_to_json(method));
    cJSON *weights = cJSON_AddObjectToObject(object, "weights");
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->quantized)
            cJSON_AddItemToObject(weights, arena_format(arena, "%s.weight", model->layers[i]->name),
                                  quantized_description(model->layers[i]->quantized));
    return print_and_delete(object, arena);
}

bool quantize_save(const Instance *method, const SavedModel *saved, const char *path, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    bool good = safetensors_read(saved->path, arena, &file, error);
    if (good) {
        const char **keys = arena_zero(arena, (size_t)file.metadata_count + 1, sizeof *keys);
        const char **values = arena_zero(arena, (size_t)file.metadata_count + 1, sizeof *values);
        for (int64_t i = 0; i < file.metadata_count; i++) {
            keys[i] = file.keys[i];
            values[i] = strcmp(keys[i], "config") == 0 ? print_and_delete(config_resolved(saved->config), arena)
                                                       : file.values[i];
        }
        keys[file.metadata_count] = "quantization";
        values[file.metadata_count++] = describe(method, saved->model, arena);
        file.keys = keys;
        file.values = values;
        list_tensors(saved->model, arena, &file);
        good = safetensors_write(path, &file, error);
    }
    arena_free(arena);
    return good;
}

cJSON *model_report_json(const Instance *method, const ModelReport *report)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_CreateArray();
    for (int64_t i = 0; i < report->count; i++) {
        const WeightReport *weight = &report->weights[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", weight->name);
        cJSON_AddNumberToObject(item, "rows", (double)weight->rows);
        cJSON_AddNumberToObject(item, "columns", (double)weight->columns);
        cJSON_AddNumberToObject(item, "bits", weight->bits);
        cJSON_AddNumberToObject(item, "bytes_before", 4.0 * (double)weight->rows * (double)weight->columns);
        cJSON_AddNumberToObject(item, "bytes", (double)weight->bytes);
        cJSON_AddItemToObject(item, "weight_mse", json_number9(weight->weight_mse));
        cJSON_AddItemToObject(item, "relative_error", json_number9(weight->relative_error));
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddItemToObject(object, "method", instance_to_json(method));
    cJSON_AddNumberToObject(object, "activation_bits", report->activations.bits ? report->activations.bits : 32);
    cJSON_AddNumberToObject(object, "bytes_before", (double)report->bytes_before);
    cJSON_AddNumberToObject(object, "bytes_after", (double)report->bytes_after);
    cJSON_AddItemToObject(object, "weights", list);
    return object;
}
