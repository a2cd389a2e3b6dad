#include "core/train/quantized_file.h"

#include <math.h>
#include <string.h>

/* ---- Writing ---- */

int quantized_tensors(const char *name, const QuantizedWeight *weight, int rank, const int64_t *shape, Arena *arena,
                      NamedArray tensors[QUANTIZED_MAX_TENSORS])
{
    const int64_t groups = quantized_groups(weight), scales = weight->one_scale ? 1 : weight->rows * groups;
    const bool plain = weight->bits == 8 && !weight->zeros;
    NamedArray *codes = &tensors[0], *scale = &tensors[1], *zero = &tensors[2];
    *codes =
        (NamedArray){arena_format(arena, "%s.quantized", name),
                     {.type = ARRAY_I8, .rank = rank, .count = weight->rows * weight->columns, .data = weight->codes}};
    memcpy(codes->array.shape, shape, (size_t)rank * sizeof *shape);
    if (!plain) {
        const int64_t row_bytes = quantized_row_bytes(weight->columns, weight->bits);
        uint8_t *packed = arena_alloc(arena, (size_t)(weight->rows * row_bytes));
        quantized_pack(weight, packed);
        codes->array = (Array){.type = ARRAY_U8,
                               .rank = 2,
                               .shape = {weight->rows, row_bytes},
                               .count = weight->rows * row_bytes,
                               .data = packed};
    }
    *scale = (NamedArray){
        arena_format(arena, "%s.scale", name),
        {.type = ARRAY_F32, .rank = 2, .shape = {weight->rows, groups}, .count = scales, .data = weight->scales}};
    if (weight->one_scale) {
        scale->array.rank = 1;
        scale->array.shape[0] = 1;
    }
    if (!weight->zeros)
        return 2;
    uint8_t *zeros = arena_alloc(arena, (size_t)scales);
    for (int64_t i = 0; i < scales; i++)
        zeros[i] = (uint8_t)(weight->zeros[i] + (1 << (weight->bits - 1)));
    *zero = (NamedArray){arena_format(arena, "%s.zero_point", name), scale->array};
    zero->array.type = ARRAY_U8;
    zero->array.data = zeros;
    return 3;
}

cJSON *quantized_description(const QuantizedWeight *weight)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "bits", weight->bits);
    cJSON_AddNumberToObject(object, "group_size", (double)weight->group);
    cJSON_AddNumberToObject(object, "activation_bits", weight->activations.bits);
    cJSON_AddBoolToObject(object, "activation_symmetric", weight->activations.symmetric);
    return object;
}

/* ---- Reading ---- */

struct description { int64_t bits, group_size, activation_bits; bool activation_symmetric; };
static const Param description_params[] = {
    PARAM_REQUIRED(INT, struct description, bits, .min = 2, .max = 8),
    PARAM_REQUIRED(INT, struct description, group_size, .min = 1, .max = 1e12),
    PARAM_REQUIRED(INT, struct description, activation_bits, .min = 0, .max = 8),
    PARAM_REQUIRED(BOOL, struct description, activation_symmetric),
    PARAM_END
};

struct quantization { const cJSON *method, *weights; };
static const Param quantization_params[] = {
    PARAM_JSON(struct quantization, method, "null"),
    PARAM_JSON(struct quantization, weights, NULL),
    PARAM_END
};

Layer *quantizable_layer(const Model *model, const char *name)
{
    for (int i = 0; i < model->layer_count; i++) {
        const size_t length = strlen(model->layers[i]->name);
        if (model->layers[i]->def->quantizable && strncmp(name, model->layers[i]->name, length) == 0
            && strcmp(name + length, ".weight") == 0)
            return model->layers[i];
    }
    return NULL;
}

typedef struct Reading {
    const Safetensors *file;
    const Model *model;
    Arena *arena;               /* until the end of reading */
    int64_t *taken;
    Error *error;
} Reading;

static bool has_shape(const Array *array, ArrayType type, int rank, const int64_t *shape)
{
    bool same = array && array->type == type && array->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = array->shape[i] == shape[i];
    return same;
}

static const Array *part(const Reading *r, const char *name, const char *kind)
{
    return safetensors_find(r->file, arena_format(r->arena, "%s.%s", name, kind));
}

static bool take_codes(const Reading *r, const char *name, const Tensor *value, QuantizedWeight *weight)
{
    const Array *codes = part(r, name, "quantized");
    const int64_t packed[] = {weight->rows, quantized_row_bytes(weight->columns, weight->bits)};
    if (weight->bits == 8 && !weight->zeros && has_shape(codes, ARRAY_I8, value->rank, value->shape))
        memcpy(weight->codes, codes->data, (size_t)codes->count);
    else if (has_shape(codes, ARRAY_U8, 2, packed))
        quantized_unpack(codes->data, weight);
    else
        return fail(r->error, "tensor %s.quantized is missing or of another shape or type than the model's", name);
    return true;
}

static bool take_scales(const Reading *r, const char *name, QuantizedWeight *weight)
{
    const Array *scale = part(r, name, "scale"), *zero = part(r, name, "zero_point");
    const int64_t groups = quantized_groups(weight), shape[] = {weight->rows, groups}, one[] = {1};
    weight->one_scale = has_shape(scale, ARRAY_F32, 1, one);
    if (!weight->one_scale && !has_shape(scale, ARRAY_F32, 2, shape))
        return fail(r->error, "tensor %s.scale is missing or of another shape or type than %lld rows of %lld groups",
                    name, (long long)weight->rows, (long long)groups);
    if (zero && !has_shape(zero, ARRAY_U8, scale->rank, scale->shape))
        return fail(r->error, "tensor %s.zero_point has another shape or type than the scales", name);
    for (int64_t i = 0; i < weight->rows * groups; i++) {
        const int64_t from = weight->one_scale ? 0 : i;
        weight->scales[i] = ((const float *)scale->data)[from];
        if (!isfinite(weight->scales[i]))
            return fail(r->error, "tensor %s.scale: element %lld is not finite", name, (long long)from);
        if (!zero)
            continue;
        const int code = ((const uint8_t *)zero->data)[from];
        if (code >> weight->bits)
            return fail(r->error, "tensor %s.zero_point: element %lld has more than %d bits", name, (long long)from,
                        weight->bits);
        weight->zeros[i] = (int16_t)(code - (1 << (weight->bits - 1)));
    }
    return true;
}

static bool take_weight(const Reading *r, const char *name, const struct description *description)
{
    Layer *layer = quantizable_layer(r->model, name);
    if (!layer)
        return fail(r->error, "quantization: %s is no weight of the model that can be quantized", name);
    const Tensor *value = parameters_find(r->model->parameters, name)->value;
    const int64_t rows = value->shape[0], columns = value->count / rows;
    if (description->group_size > columns || description->activation_bits == 1)
        return fail(r->error, "quantization: %s: group_size or activation_bits out of range", name);
    const bool zeros = part(r, name, "zero_point") != NULL;
    QuantizedWeight *weight =
        quantized_new(r->model->arena, rows, columns, description->group_size, (int)description->bits, zeros);
    weight->activations = (Int8Grid){(int)description->activation_bits, description->activation_symmetric};
    if (!take_codes(r, name, value, weight) || !take_scales(r, name, weight))
        return false;
    quantized_values(weight, tensor_f32(value));
    layer->quantized = weight;
    *r->taken += zeros ? 3 : 2;
    return true;
}

bool quantized_take(const Safetensors *file, const char *path, const Model *model, int64_t *taken, Error *error)
{
    const char *text = safetensors_metadata(file, "quantization");
    if (!text)
        return true;
    Reading reading = {file, model, arena_new(), taken, error};
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = reading.arena, .error = error};
    struct quantization quantization;
    const cJSON *json = json_parse(source, "quantization", text, strlen(text), error), *item;
    bool good = json && params_parse(&context, quantization_params, false, json, &quantization)
                && (cJSON_IsObject(quantization.weights) || fail(error, "quantization: weights: expected an object"));
    if (good)
        cJSON_ArrayForEach(item, quantization.weights)
        {
            struct description description;
            good = good && params_parse(&context, description_params, false, item, &description)
                && take_weight(&reading, item->string, &description);
        }
    if (!good) {
        fail_at(error, "%s", path);
        error->status = STATUS_FAILED; /* a damaged file, not a wrong command */
    }
    json_source_free(source);
    arena_free(reading.arena);
    return good;
}
