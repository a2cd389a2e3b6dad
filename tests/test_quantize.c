/* Quantizers: codes and scales by hand, bytes, packing, layers that compute in integers, checkpoints. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/models/model.h"
#include "core/quantize/grid.h"
#include "core/train/quantized_file.h"

static Instance parse(Arena *arena, const char *text)
{
    JsonSource *source = json_source_new();
    Error error;
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance instance = {NULL, NULL};
    const cJSON *json = json_parse(source, "test", text, strlen(text), &error);
    if (!json || !instance_parse(&context, "quantizer", json, &instance))
        fail_msg("%s: %s", text, error.message);
    json_source_free(source);
    return instance;
}

static LinearReport quantize(Arena *arena, const char *text, const LinearData *data)
{
    const Instance method = parse(arena, text);
    LinearReport report = {.output_mse = 0};
    Error error;
    if (!quantize_linear(&method, data, arena, &report, &error))
        fail_msg("%s: %s", text, error.message);
    return report;
}

static void check_codes(const char *text, int64_t outputs, int64_t inputs, const float *weights, const int *codes,
                        const float *scales, int64_t bytes)
{
    Arena *arena = arena_new();
    const LinearData data = {.outputs = outputs, .inputs = inputs, .weights = weights};
    const LinearReport report = quantize(arena, text, &data);
    const QuantizedWeight *q = report.linear.integers;
    for (int64_t i = 0; i < outputs * inputs; i++)
        if (q->codes[i] != codes[i])
            fail_msg("%s: code %lld is %d, not %d", text, (long long)i, q->codes[i], codes[i]);
    for (int64_t i = 0; i < outputs * quantized_groups(q); i++)
        if (fabsf(q->scales[i] - scales[i]) > 1e-6F * scales[i])
            fail_msg("%s: scale %lld is %g, not %g", text, (long long)i, (double)q->scales[i], (double)scales[i]);
    assert_int_equal(report.linear.bytes, bytes);
    cJSON_Delete(report.parameters);
    arena_free(arena);
}

/* ---- Round to nearest ---- */

static void test_quantize__rounds_half_to_even(void **state)
{
    (void)state;
    const float w[] = {7, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F, 0};
    check_codes("{\"type\": \"rtn\", \"bits\": 4}", 1, 8, w, (const int[]){7, 0, 2, 2, 0, -2, -2, 0},
                (const float[]){1}, 4 + 4);
}

static void test_quantize__examples_by_hand(void **state)
{
    (void)state;
    const float w[] = {-0.9F, -0.2F, 0.05F, 0.4F, 1.2F};
    /* symmetric, 4 bits: 3 bytes and a scale */
    check_codes("{\"type\": \"rtn\", \"bits\": 4}", 1, 5, w, (const int[]){-5, -1, 0, 2, 7}, (const float[]){1.2F / 7},
                3 + 4);
    /* asymmetric codes 0 2 3 4 7 and 0 1 1 2 3, held 4 and 2 lower; 5 bytes for a scale and its zero point */
    check_codes("{\"type\": \"rtn\", \"bits\": 3, \"symmetric\": false}", 1, 5, w, (const int[]){-4, -2, -1, 0, 3},
                (const float[]){0.3F}, 2 + 5);
    check_codes("{\"type\": \"rtn\", \"bits\": 2, \"symmetric\": false}", 1, 5, w, (const int[]){-2, -1, -1, 0, 1},
                (const float[]){0.7F}, 2 + 5);
}

static void test_quantize__sets_of_one_scale(void **state)
{
    (void)state;
    const float w[] = {1, -2, 0, 4, 127, 0, 0, 0, 0, 8};
    check_codes("{\"type\": \"rtn\"}", 2, 5, w, (const int[]){1, -2, 0, 4, 127, 0, 0, 0, 0, 127},
                (const float[]){1, 8.0F / 127}, 10 + 8);
    check_codes("{\"type\": \"rtn\", \"granularity\": \"tensor\"}", 2, 5, w,
                (const int[]){1, -2, 0, 4, 127, 0, 0, 0, 0, 8}, (const float[]){1, 1}, 10 + 4);
    /* groups of 2, 2, 1; one of zeros has scale 1 */
    check_codes("{\"type\": \"rtn\", \"granularity\": \"group\", \"group_size\": 2}", 2, 5, w,
                (const int[]){64, -127, 0, 127, 127, 0, 0, 0, 0, 127},
                (const float[]){2.0F / 127, 4.0F / 127, 1, 1, 1, 8.0F / 127}, 10 + 24);
}

static void test_quantize__symmetric_grids(void **state)
{
    (void)state;
    const float w[] = {-1, 0.5F, 1, 0.2F};
    check_codes("{\"type\": \"rtn\", \"bits\": 2, \"sym_grid\": \"gptq\"}", 1, 4, w, (const int[]){-2, 1, 1, 0},
                (const float[]){2.0F / 3}, 1 + 4);
    check_codes(
        "{\"type\": \"rtn\", \"bits\": 2, \"sym_grid\": \"restricted\", \"clip\": \"percentile\", \"percentile\": 0.5}",
        1, 4, w, (const int[]){-1, 1, 1, 0}, (const float[]){0.75F}, 1 + 4);
    check_codes("{\"type\": \"rtn\", \"bits\": 2, \"clip\": \"percentile\", \"percentile\": 0.5}", 1, 4,
                (const float[]){-8, 1, 1, 1}, (const int[]){-2, 1, 1, 1}, (const float[]){1}, 1 + 4);
}

static void test_quantize__clipping_lowers_the_error(void **state)
{
    (void)state;
    enum { N = 512 };
    float w[N];
    Random random = random_start(1, "quantize", 0);
    for (int i = 0; i < N; i++)
        w[i] = (float)random_normal(&random);
    w[7] = 12;
    Arena *arena = arena_new();
    const LinearData data = {.outputs = 1, .inputs = N, .weights = w};
    const LinearReport plain = quantize(arena, "{\"type\": \"rtn\", \"bits\": 4}", &data);
    static const char *const clips[] = {
        "{\"type\": \"rtn\", \"bits\": 4, \"clip\": \"mse\", \"clip_norm\": 2}",
        "{\"type\": \"rtn\", \"bits\": 4, \"clip\": \"percentile\", \"percentile\": 0.998}",
        "{\"type\": \"rtn\", \"bits\": 4, \"clip\": \"kl\"}"};
    for (int i = 0; i < 3; i++) {
        const LinearReport clipped = quantize(arena, clips[i], &data);
        assert_true(clipped.linear.integers->scales[0] < plain.linear.integers->scales[0]);
        if (i == 0)
            assert_true(clipped.weight_mse < plain.weight_mse);
        cJSON_Delete(clipped.parameters);
    }
    cJSON_Delete(plain.parameters);
    arena_free(arena);
}

static void test_quantize__outputs_and_kernel(void **state)
{
    (void)state;
    /* crossquant's matrix: a token at a time one of nine becomes 0 */
    const float x[] = {1, -2, 100, 0.5F, 0.25F, 50, 0.1F, 3, 80}, w[] = {1, 0, 0, 0, 1, 0};
    const float expected[] = {1, -3, 127, 1, 1, 127, 0, 5, 127};
    Arena *arena = arena_new();
    const LinearData data = {.outputs = 2, .inputs = 3, .weights = w, .tokens = 3, .activations = x};
    const LinearReport report = quantize(arena, "{\"type\": \"none\", \"activations\": \"per_token\"}", &data);
    double sum = 0;
    for (int i = 0; i < 9; i++) {
        const float value = expected[i] * (x[i / 3 * 3 + 2] / 127);
        assert_float_equal(report.activations[i], value, 1e-6F);
        sum += i % 3 < 2 ? pow((double)value - (double)x[i], 2) / 6 : 0;
    }
    assert_true(fabs(report.output_mse - sum) < 1e-7);
    assert_true(fabs(cJSON_GetObjectItem(report.parameters, "kernel")->valuedouble - 1.0 / 9) < 1e-8);
    assert_float_equal(report.weight_mse, 0, 0);
    assert_float_equal(report.bits_per_weight, 32, 0);
    cJSON_Delete(report.parameters);
    arena_free(arena);
}

static void test_quantize__bias_correction_takes_the_mean_away(void **state)
{
    (void)state;
    const float x[] = {1, 1, 1, 1}, w[] = {1, 0.3F, 0.7F, 1};
    Arena *arena = arena_new();
    const LinearData data = {.outputs = 2, .inputs = 2, .weights = w, .tokens = 2, .activations = x};
    const LinearReport plain = quantize(arena, "{\"type\": \"rtn\", \"bits\": 2}", &data);
    const LinearReport corrected =
        quantize(arena, "{\"type\": \"rtn\", \"bits\": 2, \"bias_correction\": true}", &data);
    assert_true(fabs(plain.output_mse - 0.09) < 1e-6);
    assert_true(corrected.output_mse < 1e-12);
    const cJSON *correction = cJSON_GetObjectItem(corrected.parameters, "bias_correction");
    assert_true(fabs(cJSON_GetArrayItem(correction, 0)->valuedouble - 0.3) < 1e-6);
    assert_true(fabs(cJSON_GetArrayItem(correction, 1)->valuedouble + 0.3) < 1e-6);
    cJSON_Delete(plain.parameters);
    cJSON_Delete(corrected.parameters);
    arena_free(arena);
}

static void test_quantize__what_cannot_be_is_refused(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const float w[] = {1, 2};
    const LinearData data = {.outputs = 1, .inputs = 2, .weights = w};
    LinearReport report;
    Error error;
    const Instance method = parse(arena, "{\"type\": \"rtn\", \"granularity\": \"group\", \"group_size\": 3}");
    assert_false(quantize_linear(&method, &data, arena, &report, &error));
    assert_int_equal(error.status, STATUS_USAGE);
    assert_non_null(strstr(error.message, "group_size"));
    static const char *const wrong[] = {"{\"type\": \"rtn\", \"bits\": 9}", "{\"type\": \"rtn\", \"bits\": 1}",
                                        "{\"type\": \"rtn\", \"activations\": \"rtn\"}",
                                        "{\"type\": \"rtn\", \"skip\": [1]}"};
    for (int i = 0; i < 4; i++) {
        JsonSource *source = json_source_new();
        ParamContext context = {.source = source, .arena = arena, .error = &error};
        Instance instance;
        assert_false(instance_parse(&context, "quantizer",
                                    json_parse(source, "test", wrong[i], strlen(wrong[i]), &error), &instance));
        json_source_free(source);
    }
    arena_free(arena);
}

/* ---- Packing ---- */

static void test_quantize__packing_is_undone(void **state)
{
    (void)state;
    Random random = random_start(2, "quantize", 0);
    for (int bits = 2; bits <= 8; bits++) {
        Arena *arena = arena_new();
        QuantizedWeight *q = quantized_new(arena, 3, 13, 0, bits, false),
                        *back = quantized_new(arena, 3, 13, 0, bits, false);
        for (int i = 0; i < 39; i++)
            q->codes[i] = (int8_t)(random_below(&random, 1 << bits) - (1 << (bits - 1)));
        assert_int_equal(quantized_row_bytes(13, bits), (13 * bits + 7) / 8);
        uint8_t *bytes = arena_alloc(arena, (size_t)(3 * quantized_row_bytes(13, bits)));
        quantized_pack(q, bytes);
        quantized_unpack(bytes, back);
        assert_memory_equal(q->codes, back->codes, 39);
        arena_free(arena);
    }
}

static void test_quantize__packing_goes_from_the_lowest_bit(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    QuantizedWeight *q = quantized_new(arena, 1, 3, 0, 3, false);
    memcpy(q->codes, (int8_t[]){-4, 3, -1}, 3); /* 0, 7, 3: 11 111 000 and 0 */
    uint8_t bytes[2];
    quantized_pack(q, bytes);
    assert_int_equal(bytes[0], 0xf8);
    assert_int_equal(bytes[1], 0x00);
    arena_free(arena);
}

/* ---- Models ---- */

static Model *small_model(JsonSource *source, Arena *arena)
{
    static const char text[] = "{\"type\": \"cnn\", \"channels\": [4, 6], \"hidden\": [9], \"norm\": \"batch_norm\"}";
    Error error;
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    Instance instance;
    assert_true(instance_parse(&context, "model", json_parse(source, "model", text, strlen(text), &error), &instance));
    const int64_t sizes[] = {2, 8, 8};
    Model *model = model_new(&instance, (ModelInput){.shape = shape_of(3, sizes), .outputs = 3}, 5, &error);
    assert_non_null(model);
    return model;
}

/* Every weight, by the method; returns the layers. */
static int quantize_layers(Model *model, const Instance *method, Int8Grid activations)
{
    int count = 0;
    for (int i = 0; i < model->layer_count; i++) {
        Layer *layer = model->layers[i];
        char name[128];
        snprintf(name, sizeof name, "%s.weight", layer->name);
        if (quantizable_layer(model, name) != layer)
            continue;
        const Tensor *value = parameters_find(model->parameters, name)->value;
        const LinearData data = {
            .outputs = value->shape[0], .inputs = value->count / value->shape[0], .weights = tensor_f32(value)};
        QuantizedLinear result;
        Error error;
        assert_true(
            ((const QuantizerDef *)method->component)->quantize(method->values, &data, model->arena, &result, &error));
        result.integers->activations = activations;
        memcpy(value->data, result.weights, (size_t)value->count * sizeof(float));
        layer->quantized = result.integers;
        count++;
    }
    return count;
}

static void test_quantize__layers_compute_what_the_values_say(void **state)
{
    (void)state;
    static const char *const methods[] = {"{\"type\": \"rtn\"}", "{\"type\": \"rtn\", \"symmetric\": false}",
                                          "{\"type\": \"rtn\", \"granularity\": \"group\", \"group_size\": 5}"};
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    Tape *tape = tape_new();
    tape_use(tape);
    for (int m = 0; m < 3; m++) {
        const Instance method = parse(arena, methods[m]);
        Model *model = small_model(source, arena);
        assert_int_equal(quantize_layers(model, &method, (Int8Grid){8, m != 1}), 4);
        Random random = random_start(3, "quantize", (uint32_t)m);
        Tensor *x = t_new(ARRAY_F32, SHAPE(3, 2, 8, 8));
        for (int64_t i = 0; i < x->count; i++)
            tensor_f32(x)[i] = (float)random_normal(&random);
        Forward forward = {0};
        Tensor *recorded = model_forward(model, &forward, x); /* through the dequantized values */
        tape_record(false);
        Tensor *integers = model_forward(model, &forward, x);
        tape_record(true);
        double largest = 0, error = 0;
        for (int64_t i = 0; i < recorded->count; i++) {
            largest = fmax(largest, fabs(tensor_value(recorded, i)));
            error = fmax(error, fabs(tensor_value(recorded, i) - tensor_value(integers, i)));
        }
        assert_true(error > 0 && error < 0.02 * largest);
        model_free(model);
        tape_reset();
    }
    tape_free(tape);
    json_source_free(source);
    arena_free(arena);
}

/* What the checkpoint of a quantized model holds becomes the same model again. */
static void test_quantize__checkpoints(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "{\"type\": \"rtn\", \"granularity\": \"tensor\"}", "{\"type\": \"rtn\", \"bits\": 3}",
        "{\"type\": \"rtn\", \"symmetric\": false}",
        "{\"type\": \"rtn\", \"bits\": 5, \"symmetric\": false, \"granularity\": \"group\", \"group_size\": 4}"};
    for (int m = 0; m < 4; m++) {
        Arena *arena = arena_new();
        JsonSource *source = json_source_new();
        const Instance method = parse(arena, methods[m]);
        Model *model = small_model(source, arena), *other = small_model(source, arena);
        quantize_layers(model, &method, (Int8Grid){8, true});
        NamedArray items[64];
        Safetensors file = {.items = items};
        cJSON *json = cJSON_CreateObject(), *weights = cJSON_AddObjectToObject(json, "weights");
        for (int i = 0; i < model->layer_count; i++) {
            const Layer *layer = model->layers[i];
            if (!layer->quantized)
                continue;
            const char *name = arena_format(arena, "%s.weight", layer->name);
            const Tensor *value = parameters_find(model->parameters, name)->value;
            file.count +=
                quantized_tensors(name, layer->quantized, value->rank, value->shape, arena, items + file.count);
            cJSON_AddItemToObject(weights, name, quantized_description(layer->quantized));
        }
        char *text = cJSON_PrintUnformatted(json);
        const char *key = "quantization", *texts[] = {text};
        file.metadata_count = 1;
        file.keys = &key;
        file.values = texts;
        int64_t taken = 0;
        Error error;
        assert_true(quantized_take(&file, "file", other, &taken, &error));
        assert_int_equal(taken, file.count);
        for (int i = 0; i < model->layer_count; i++) {
            const QuantizedWeight *a = model->layers[i]->quantized, *b = other->layers[i]->quantized;
            assert_int_equal(a != NULL, b != NULL);
            if (!a)
                continue;
            assert_memory_equal(a->codes, b->codes, (size_t)(a->rows * a->columns));
            assert_memory_equal(a->scales, b->scales, (size_t)(a->rows * quantized_groups(a)) * sizeof(float));
            assert_int_equal(a->zeros != NULL, b->zeros != NULL);
            assert_int_equal(a->one_scale, b->one_scale);
            if (a->zeros)
                assert_memory_equal(a->zeros, b->zeros, (size_t)(a->rows * quantized_groups(a)) * sizeof(int16_t));
        }
        /* a tensor of another shape is refused, and named */
        items[0].array.shape[0]++;
        assert_false(quantized_take(&file, "file", other, &taken, &error));
        assert_int_equal(error.status, STATUS_FAILED);
        assert_non_null(strstr(error.message, items[0].name));
        cJSON_free(text);
        cJSON_Delete(json);
        model_free(model);
        model_free(other);
        json_source_free(source);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize__rounds_half_to_even),
        cmocka_unit_test(test_quantize__examples_by_hand),
        cmocka_unit_test(test_quantize__sets_of_one_scale),
        cmocka_unit_test(test_quantize__symmetric_grids),
        cmocka_unit_test(test_quantize__clipping_lowers_the_error),
        cmocka_unit_test(test_quantize__outputs_and_kernel),
        cmocka_unit_test(test_quantize__bias_correction_takes_the_mean_away),
        cmocka_unit_test(test_quantize__what_cannot_be_is_refused),
        cmocka_unit_test(test_quantize__packing_is_undone),
        cmocka_unit_test(test_quantize__packing_goes_from_the_lowest_bit),
        cmocka_unit_test(test_quantize__layers_compute_what_the_values_say),
        cmocka_unit_test(test_quantize__checkpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
