/* ONNX files read again by a reader of their own: every input of a node is known before it, sizes add up,
   operations are those of the layers. */
#include <string.h>

#include "core/base/file.h"
#include "core/tensor/operations.h"
#include "core/train/export_onnx.h"
#include "tests/testing.h"

typedef struct Field {
    int number, wire_type;
    uint64_t value;             /* varints and fixed 32 bits */
    const unsigned char *bytes; /* length-delimited */
    size_t size;
} Field;

static uint64_t read_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(*at < end && shift < 64);
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
}

/* False at the end of the message. */
static bool next_field(const unsigned char **at, const unsigned char *end, Field *field)
{
    if (*at == end)
        return false;
    uint64_t tag = read_varint(at, end);
    *field = (Field){.number = (int)(tag >> 3), .wire_type = (int)(tag & 7)};
    if (field->wire_type == 0) {
        field->value = read_varint(at, end);
    } else if (field->wire_type == 5) {
        assert_true(end - *at >= 4);
        memcpy(&field->value, *at, 4);
        *at += 4;
    } else {
        assert_int_equal(field->wire_type, 2);
        field->size = (size_t)read_varint(at, end);
        assert_true((size_t)(end - *at) >= field->size);
        field->bytes = *at;
        *at += field->size;
    }
    return true;
}

typedef struct Known {
    int count, nodes;
    char names[256][64];
    char operations[128][32];
    int64_t weights; /* elements of f32 initializers */
} Known;

static void copy_name(const Field *field, char *out, size_t room)
{
    assert_true(field->size < room);
    memcpy(out, field->bytes, field->size);
    out[field->size] = '\0';
}

static bool is_known(const Known *known, const char *name)
{
    for (int i = 0; i < known->count; i++)
        if (strcmp(known->names[i], name) == 0)
            return true;
    return false;
}

static void add_known(Known *known, const Field *field)
{
    assert_true(known->count < 256);
    copy_name(field, known->names[known->count], 64);
    char name[64];
    copy_name(field, name, sizeof name);
    assert_false(is_known(known, name));
    known->count++;
}

static void read_initializer(Known *known, Field message)
{
    const unsigned char *at = message.bytes, *end = at + message.size;
    Field field;
    int64_t count = 1, type = 0;
    size_t bytes = 0;
    while (next_field(&at, end, &field)) {
        if (field.number == 1)
            count *= (int64_t)field.value;
        else if (field.number == 2)
            type = (int64_t)field.value;
        else if (field.number == 8)
            add_known(known, &field);
        else if (field.number == 9)
            bytes = field.size;
        else
            fail_msg("field %d of a TensorProto", field.number);
    }
    assert_true(type == 1 || type == 7);
    assert_int_equal(bytes, (size_t)count * (type == 1 ? 4 : 8));
    known->weights += type == 1 ? count : 0;
}

static void read_node(Known *known, Field message)
{
    const unsigned char *at = message.bytes, *end = at + message.size;
    Field field;
    int inputs = 0;
    assert_true(known->nodes < 128);
    while (next_field(&at, end, &field)) {
        char name[64];
        if (field.number == 1) {
            copy_name(&field, name, sizeof name);
            if (!is_known(known, name))
                fail_msg("a node reads %s, which nothing before it gives", name);
            inputs++;
        } else if (field.number == 2) {
            add_known(known, &field);
        } else if (field.number == 4) {
            copy_name(&field, known->operations[known->nodes++], 32);
        }
    }
    assert_true(inputs >= 1);
}

static void read_value(Known *known, Field message, bool input, char *name)
{
    const unsigned char *at = message.bytes, *end = at + message.size;
    Field field;
    assert_true(next_field(&at, end, &field) && field.number == 1);
    copy_name(&field, name, 64);
    if (input)
        add_known(known, &field);
    else
        assert_true(is_known(known, name));
    assert_true(next_field(&at, end, &field) && field.number == 2);
}

/* Inputs are declared after the nodes may use them: they are read first. */
static void read_graph(Known *known, Field message, char *output)
{
    for (int pass = 0; pass < 2; pass++) {
        const unsigned char *at = message.bytes, *end = at + message.size;
        Field field;
        char name[64];
        while (next_field(&at, end, &field)) {
            if (pass == 0 && field.number == 11)
                read_value(known, field, true, name);
            else if (pass == 0 && field.number == 5)
                read_initializer(known, field);
            else if (pass == 1 && field.number == 1)
                read_node(known, field);
            else if (pass == 1 && field.number == 12)
                read_value(known, field, false, output);
        }
    }
    assert_true(is_known(known, "input"));
}

static void read_model(const unsigned char *bytes, size_t size, Known *known, char *output)
{
    const unsigned char *at = bytes, *end = bytes + size;
    Field field;
    int64_t version = 0, opset = 0;
    bool graph = false;
    while (next_field(&at, end, &field)) {
        if (field.number == 1)
            version = (int64_t)field.value;
        if (field.number == 7) {
            read_graph(known, field, output);
            graph = true;
        }
        if (field.number == 8) {
            const unsigned char *inner = field.bytes, *inner_end = inner + field.size;
            Field part;
            while (next_field(&inner, inner_end, &part))
                if (part.number == 2)
                    opset = (int64_t)part.value;
        }
    }
    assert_true(graph);
    assert_int_equal(version, 7);
    assert_int_equal(opset, 13);
}

typedef struct Made {
    JsonSource *source;
    Arena *arena;
    Config config;          /* of which the loss is read */
    SavedModel saved;
} Made;

static void make(Made *made, const char *text, ModelInput input)
{
    Error error = {0};
    Instance instance;
    *made = (Made){.source = json_source_new(), .arena = arena_new()};
    ParamContext context = {.source = made->source, .arena = made->arena, .error = &error};
    const cJSON *json = json_parse(made->source, "model", text, strlen(text), &error);
    if (!json || !instance_parse(&context, "model", json, &instance))
        fail_msg("%s", error.message);
    made->saved = (SavedModel){.path = "model.safetensors", .target_kind = TARGET_CLASS, .classes = input.outputs};
    made->config.loss = instance_default(made->arena, "loss", "ce");
    made->saved.config = &made->config;
    made->saved.model = model_new(&instance, input, 1, &error);
    if (!made->saved.model)
        fail_msg("%s", error.message);
}

static void drop(Made *made)
{
    model_free(made->saved.model);
    arena_free(made->arena);
    json_source_free(made->source);
}

static ModelInput image_input(void)
{
    return (ModelInput){.shape = shape_of(3, (int64_t[]){1, 8, 8}), .outputs = 3};
}

static void export_and_read(Made *made, Known *known, char *output)
{
    Temporary temporary;
    Error error = {0};
    unsigned char *bytes;
    size_t size = 0;
    temporary_make(&temporary, "model.onnx");
    if (!export_onnx(&made->saved, temporary.file, &error) ||
        !file_read(temporary.file, 1 << 24, made->arena, &bytes, &size, &error))
        fail_msg("%s", error.message);
    read_model(bytes, size, known, output);
    temporary_drop(&temporary);
}

static void check_operations(const char *model, const SavedModel *more, const char *const *expected)
{
    static Known known;
    Made made;
    char output[64];
    memset(&known, 0, sizeof known);
    make(&made, model, image_input());
    if (more) {
        made.saved.normalized = more->normalized;
        made.saved.mean = more->mean;
        made.saved.deviation = more->deviation;
        made.saved.target_kind = more->target_kind;
        made.saved.target_mean = more->target_mean;
        made.saved.target_deviation = more->target_deviation;
    }
    export_and_read(&made, &known, output);
    for (int i = 0; i < known.nodes || expected[i]; i++) {
        assert_true(i < known.nodes && expected[i] != NULL);
        assert_string_equal(known.operations[i], expected[i]);
    }
    assert_string_equal(output, made.saved.target_kind == TARGET_VALUES ? "values" : "logits");
    assert_true(known.weights >= parameters_trainable(made.saved.model->parameters));
    drop(&made);
}

static void test_train_onnx__mlp(void **state)
{
    (void)state;
    check_operations("{\"type\": \"mlp\", \"hidden\": [5], \"dropout\": 0.5}", NULL,
                     (const char *const[]){"Flatten", "Gemm", "Relu", "Gemm", "Identity", NULL});
}

static void test_train_onnx__normalisation_and_values_are_part_of_the_graph(void **state)
{
    (void)state;
    static const float mean[] = {0.5f}, deviation[] = {0.25f};
    static const double target_mean[] = {1, 2, 3}, target_deviation[] = {4, 5, 6};
    const SavedModel more = {.normalized = 1,
                             .mean = mean,
                             .deviation = deviation,
                             .target_kind = TARGET_VALUES,
                             .target_mean = target_mean,
                             .target_deviation = target_deviation};
    check_operations("{\"type\": \"mlp\", \"hidden\": []}", &more,
                     (const char *const[]){"Sub", "Div", "Flatten", "Gemm", "Mul", "Add", "Identity", NULL});
}

static void test_train_onnx__cnn(void **state)
{
    (void)state;
    check_operations(
        "{\"type\": \"cnn\", \"channels\": [4], \"norm\": \"batch_norm\", \"activation\": \"silu\", \"hidden\": []}",
        NULL,
        (const char *const[]){"Conv", "BatchNormalization", "Sigmoid", "Mul", "MaxPool", "Flatten", "Gemm", "Identity",
                              NULL});
}

static void test_train_onnx__residual_adds_its_shortcut(void **state)
{
    (void)state;
    check_operations(
        "{\"type\": \"sequential\", \"layers\": [{\"type\": \"residual\", \"layers\": "
        "[{\"type\": \"convolution\", \"channels\": 2}, \"activation\"]}, \"global_average_pool\"]}",
        NULL,
        (const char *const[]){"Conv", "Relu", "Conv", "Add", "GlobalAveragePool", "Flatten", "Gemm", "Identity", NULL});
}

static void test_train_onnx__weights_are_those_of_the_model(void **state)
{
    (void)state;
    Made made;
    Temporary temporary;
    Error error = {0};
    unsigned char *bytes;
    size_t size;
    make(&made, "{\"type\": \"mlp\", \"hidden\": []}", image_input());
    temporary_make(&temporary, "model.onnx");
    assert_true(export_onnx(&made.saved, temporary.file, &error));
    assert_true(file_read(temporary.file, 1 << 24, made.arena, &bytes, &size, &error));
    const Tensor *weight = parameters_find(made.saved.model->parameters, "head.weight")->value;
    assert_non_null(memmem(bytes, size, weight->data, (size_t)weight->count * sizeof(float)));
    temporary_drop(&temporary);
    drop(&made);
}

static void test_train_onnx__a_layer_without_translation_is_named(void **state)
{
    (void)state;
    Made made;
    Error error = {0};
    make(&made,
         "{\"type\": \"sequential\", \"layers\": [\"activation\", {\"type\": \"adaptive_max_pool\", \"size\": [2]}]}",
         image_input());
    assert_false(export_onnx(&made.saved, "/nowhere/model.onnx", &error));
    assert_int_equal(error.status, STATUS_FAILED);
    assert_string_equal(error.message,
                        "model.safetensors: layer layers.1: adaptive_max_pool has no translation to ONNX");
    drop(&made);
    make(&made, "{\"type\": \"transformer\", \"layers\": 1, \"width\": 8, \"heads\": 2}", image_input());
    assert_false(export_onnx(&made.saved, "/nowhere/model.onnx", &error));
    assert_string_equal(error.message,
                        "model.safetensors: layer blocks.0: transformer_block has no translation to ONNX");
    drop(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_onnx__mlp),
        cmocka_unit_test(test_train_onnx__normalisation_and_values_are_part_of_the_graph),
        cmocka_unit_test(test_train_onnx__cnn),
        cmocka_unit_test(test_train_onnx__residual_adds_its_shortcut),
        cmocka_unit_test(test_train_onnx__weights_are_those_of_the_model),
        cmocka_unit_test(test_train_onnx__a_layer_without_translation_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
