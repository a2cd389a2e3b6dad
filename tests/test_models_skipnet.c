/* SkipNet: its size, counted apart from this program from the paper's tables, and its gradients. */
#include "tests/tensors.h"

#include <string.h>

#include "core/models/model.h"

static Model *build(Arena *arena, JsonSource *source, const char *json, int64_t channels, int64_t size, int64_t outputs)
{
    Error error;
    Instance instance;
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    const cJSON *tree = json_parse(source, "model", json, strlen(json), &error);
    if (!tree || !instance_parse(&context, "model", tree, &instance))
        fail_msg("%s: %s", json, error.message);
    ModelInput input = {.shape = {.rank = 3, .sizes = {channels, size, size}}, .outputs = outputs};
    Model *model = model_new(&instance, input, 1, &error);
    if (!model)
        fail_msg("%s: %s", json, error.message);
    return model;
}

static void check_size(const char *json, int64_t channels, int64_t size, int64_t outputs, int64_t parameters,
                       double products)
{
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    Model *model = build(arena, source, json, channels, size, outputs);
    assert_int_equal(parameters_trainable(model->parameters), parameters);
    assert_true(model->flops == 2 * products);
    model_free(model);
    json_source_free(source);
    arena_free(arena);
}

static void test_models_skipnet__parameters_and_multiply_adds(void **state)
{
    (void)state;
    check_size("\"skipnet\"", 1, 28, 10, 39954, 2241136);
    check_size("{\"type\": \"skipnet\", \"variant\": \"large\"}", 3, 224, 1000, 5532064, 233410784);
}

static void test_models_skipnet__every_parameter_has_a_gradient(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    Model *model = build(arena, source, "{\"type\": \"skipnet\", \"width\": 1.3}", 2, 15, 3);
    Forward forward = {.training = true};
    Tensor *x = t_random_normal(ARRAY_F32, SHAPE(4, 2, 15, 15), random_start(1, "x", 0));
    Tensor *logits = model_forward(model, &forward, x);
    assert_int_equal(logits->shape[0], 4);
    assert_int_equal(logits->shape[1], 3);
    t_backward(t_sum(t_mul(logits, t_random_normal(ARRAY_F32, SHAPE(4, 3), random_start(1, "y", 0))), ALL_AXES, false));
    for (int64_t i = 0; i < model->parameters->count; i++) {
        const Parameter *item = &model->parameters->items[i];
        double most = 0;
        for (int64_t k = 0; item->value->gradient && k < item->value->count; k++)
            most = fmax(most, fabs(tensor_value(item->value->gradient, k)));
        if (item->role != ROLE_BUFFER && !(most > 0))
            fail_msg("%s has no gradient", item->name);
    }
    model_free(model);
    json_source_free(source);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_models_skipnet__parameters_and_multiply_adds),
        TAPE_TEST(test_models_skipnet__every_parameter_has_a_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
