/* Models that are refused because they are too large. */
#include "tests/building.h"

static void check_error(const char *json, ModelInput input, const char *message)
{
    Texts texts = texts_open();
    Instance instance = instance_of(&texts, "model", json);
    assert_null(model_new(&instance, input, 1, &texts.error));
    assert_string_equal(texts.error.message, message);
    assert_int_equal(texts.error.status, STATUS_USAGE);
    texts_close(&texts);
}

/* A small config may ask for anything: what is too large is refused before it takes memory. */
static void test_models_limits__too_large_are_refused(void **state)
{
    (void)state;
    const ModelInput vector = {.shape = {.rank = 1, .sizes = {3}}, .outputs = 2};
    const ModelInput picture = {.shape = {.rank = 3, .sizes = {3, 32, 32}}, .outputs = 10};
    const ModelInput text = {.shape = {.rank = 1, .sizes = {1 << 24}, .vocabulary = 65}, .outputs = 65,
                             .per_position = true};
    check_error("{\"type\": \"mlp\", \"hidden\": [10000000, 10000000]}", vector,
                "model.layers.1: with weight [10000000, 10000000] the model has more than 500000000 parameters");
    check_error("{\"type\": \"mlp\", \"hidden\": [1000, 499999]}", vector,
                "model.layers.1: with weight [499999, 1000] the model has more than 500000000 parameters");
    check_error("{\"type\": \"sequential\", \"layers\": [{\"type\": \"convolution\", \"channels\": 1000000,"
                " \"kernel\": [9999]}]}", picture,
                "model.layers.0: with weight [1000000, 3, 9999, 9999] the model has more than 500000000 parameters");
    check_error("{\"type\": \"sequential\", \"layers\": [{\"type\": \"convolution\", \"channels\": 8,"
                " \"same\": false, \"kernel\": [1], \"padding\": [10000]}]}", picture,
                "model.layers.0: the output [8, 20032, 20032] has more than 500000000 elements a sample");
    check_error("{\"type\": \"transformer\", \"width\": 64}", text,
                "model.embedding: the output [16777216, 64] has more than 500000000 elements a sample");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_models_limits__too_large_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
