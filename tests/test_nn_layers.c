/* Shapes and numbers of parameters of every layer, and what a layer refuses. */
#include "tests/building.h"

/* What build says is what forward does, in training and in evaluation, for a batch of one and of three. */
static void check_shape(const char *json, Shape input, Shape output, int64_t parameters)
{
    Build build;
    Layer *layer = build_open(&build, json, input);
    if (layer->parameter_count != parameters)
        fail_msg("%s: %lld parameters, not %lld", json, (long long)layer->parameter_count, (long long)parameters);
    assert_int_equal(parameters_trainable(build.builder.parameters), parameters);
    assert_string_equal(layer->name, "layers.2");
    assert_int_equal(layer->output.vocabulary, 0);
    const char *text = shape_text(build.texts.arena, layer->output), *expected = shape_text(build.texts.arena, output);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s, not %s", json, text, expected);
    for (int pass = 0; pass < 4; pass++) {
        Forward forward = {.training = pass % 2};
        Tensor *x = batch_of(input, pass < 2 ? 1 : 3, 0), *y = layer_forward(layer, &forward, x);
        assert_int_equal(y->rank, output.rank + 1);
        assert_int_equal(y->shape[0], x->shape[0]);
        for (int i = 0; i < output.rank; i++)
            assert_int_equal(y->shape[i + 1], output.sizes[i]);
        tape_reset();
    }
    build_close(&build);
}

static void test_nn_layers__shapes_of_linear_and_embedding(void **state)
{
    (void)state;
    check_shape("{\"type\": \"linear\", \"units\": 5}", FEATURES(3), FEATURES(5), 20);
    check_shape("{\"type\": \"linear\", \"units\": 5}", FEATURES(2, 7, 3), FEATURES(2, 7, 5), 20);
    check_shape("{\"type\": \"linear\", \"units\": 5, \"bias\": false}", FEATURES(3), FEATURES(5), 15);
    check_shape("{\"type\": \"embedding\", \"width\": 4}", TOKENS(6, 10), FEATURES(6, 4), 40);
}

static void test_nn_layers__shapes_of_convolutions(void **state)
{
    (void)state;
    check_shape("{\"type\": \"convolution\", \"channels\": 4}", FEATURES(3, 8, 8), FEATURES(4, 8, 8), 112);
    check_shape("{\"type\": \"convolution\", \"channels\": 4, \"kernel\": [3, 5], \"stride\": [2, 1]}",
                FEATURES(2, 9, 8), FEATURES(4, 5, 8), 124);
    check_shape("{\"type\": \"convolution\", \"channels\": 4, \"same\": false, \"bias\": false}", FEATURES(3, 8, 8),
                FEATURES(4, 6, 6), 108);
    check_shape("{\"type\": \"convolution\", \"channels\": 4, \"same\": false, \"padding\": [2]}", FEATURES(3, 8),
                FEATURES(4, 10), 40);
    check_shape("{\"type\": \"convolution\", \"channels\": 1, \"same\": false, \"dilation\": [2]}", FEATURES(1, 9),
                FEATURES(1, 5), 4);
    check_shape("{\"type\": \"convolution\", \"channels\": 1, \"dilation\": [2]}", FEATURES(1, 9), FEATURES(1, 9), 4);
    check_shape("{\"type\": \"convolution\", \"channels\": 6, \"groups\": 2}", FEATURES(4, 5), FEATURES(6, 5), 42);
    check_shape("{\"type\": \"convolution\", \"channels\": 4, \"groups\": 4}", FEATURES(4, 5, 5), FEATURES(4, 5, 5),
                40);
    check_shape("{\"type\": \"convolution\", \"channels\": 2}", FEATURES(1, 4, 4, 4), FEATURES(2, 4, 4, 4), 56);
    check_shape("{\"type\": \"convolution_transposed\", \"channels\": 3, \"kernel\": [2], \"stride\": [2]}",
                FEATURES(5, 4, 4), FEATURES(3, 8, 8), 63);
    check_shape("{\"type\": \"convolution_transposed\", \"channels\": 1, \"kernel\": [4], \"stride\": [2], "
                "\"padding\": [1]}", FEATURES(1, 4), FEATURES(1, 8), 5);
    check_shape("{\"type\": \"convolution_transposed\", \"channels\": 4, \"kernel\": [3], \"groups\": 2}",
                FEATURES(2, 3), FEATURES(4, 5), 16);
}

static void test_nn_layers__shapes_of_pooling(void **state)
{
    (void)state;
    static const char *const kinds[] = {"max", "average"};
    for (int i = 0; i < 2; i++) {
        char json[128];
        snprintf(json, sizeof json, "\"%s_pool\"", kinds[i]);
        check_shape(json, FEATURES(3, 8, 9), FEATURES(3, 4, 4), 0);
        snprintf(json, sizeof json, "{\"type\": \"%s_pool\", \"kernel\": [3], \"stride\": [2], \"padding\": [1]}",
                 kinds[i]);
        check_shape(json, FEATURES(3, 7), FEATURES(3, 4), 0);
        snprintf(json, sizeof json, "{\"type\": \"%s_pool\", \"kernel\": [1, 2, 3]}", kinds[i]);
        check_shape(json, FEATURES(2, 4, 4, 6), FEATURES(2, 4, 2, 2), 0);
        snprintf(json, sizeof json, "\"global_%s_pool\"", kinds[i]);
        check_shape(json, FEATURES(3, 4, 5), FEATURES(3), 0);
        snprintf(json, sizeof json, "{\"type\": \"adaptive_%s_pool\", \"size\": [2, 3]}", kinds[i]);
        check_shape(json, FEATURES(3, 5, 7), FEATURES(3, 2, 3), 0);
        snprintf(json, sizeof json, "{\"type\": \"adaptive_%s_pool\", \"size\": [4]}", kinds[i]);
        check_shape(json, FEATURES(3, 5), FEATURES(3, 4), 0);
    }
}

static void test_nn_layers__shapes_of_what_has_no_parameters(void **state)
{
    (void)state;
    check_shape("\"flatten\"", FEATURES(2, 3, 4), FEATURES(24), 0);
    check_shape("{\"type\": \"reshape\", \"shape\": [4, 6]}", FEATURES(2, 3, 4), FEATURES(4, 6), 0);
    check_shape("\"activation\"", FEATURES(2, 3), FEATURES(2, 3), 0);
    check_shape("{\"type\": \"activation\", \"activation\": \"swiglu\"}", FEATURES(5, 6), FEATURES(5, 3), 0);
    check_shape("\"dropout\"", FEATURES(2, 3), FEATURES(2, 3), 0);
    check_shape("\"drop_path\"", FEATURES(2, 3), FEATURES(2, 3), 0);
    check_shape("\"mean_tokens\"", FEATURES(5, 4), FEATURES(4), 0);
    check_shape("\"one_hot\"", TOKENS(5, 4), FEATURES(5, 4), 0);
    check_shape("\"transpose\"", FEATURES(5, 4), FEATURES(4, 5), 0);
    check_shape("\"transpose\"", FEATURES(2, 5, 4), FEATURES(2, 4, 5), 0);
}

static void test_nn_layers__shapes_of_norms(void **state)
{
    (void)state;
    check_shape("\"layer_norm\"", FEATURES(5, 4), FEATURES(5, 4), 8);
    check_shape("\"rms_norm\"", FEATURES(4), FEATURES(4), 4);
    check_shape("{\"type\": \"group_norm\", \"groups\": 2}", FEATURES(4, 3, 3), FEATURES(4, 3, 3), 8);
    check_shape("\"batch_norm\"", FEATURES(4, 3, 3), FEATURES(4, 3, 3), 8);
    check_shape("\"batch_norm\"", FEATURES(4), FEATURES(4), 8);
}

static void test_nn_layers__shapes_of_attention(void **state)
{
    (void)state;
    check_shape("{\"type\": \"attention\", \"heads\": 2}", FEATURES(5, 8), FEATURES(5, 8), 288);
    check_shape("{\"type\": \"attention\", \"heads\": 2, \"kv_heads\": 1, \"positions\": \"rope\"}", FEATURES(5, 8),
                FEATURES(5, 8), 216);
    check_shape("{\"type\": \"attention\", \"heads\": 4, \"bias\": false, \"causal\": true, \"positions\": \"alibi\", "
                "\"dropout\": 0.5}", FEATURES(5, 8), FEATURES(5, 8), 256);
    check_shape("\"feed_forward\"", FEATURES(5, 4), FEATURES(5, 4), 148);
    check_shape("{\"type\": \"feed_forward\", \"width\": 6, \"activation\": \"swiglu\"}", FEATURES(5, 4),
                FEATURES(5, 4), 88);
    check_shape("{\"type\": \"transformer_block\", \"heads\": 2}", FEATURES(5, 8), FEATURES(5, 8), 872);
    check_shape("{\"type\": \"transformer_block\", \"heads\": 2, \"norm\": \"rms_norm\", \"bias\": false, "
                "\"feed_forward\": 3}", FEATURES(5, 8), FEATURES(5, 8), 320);
}

static void test_nn_layers__shapes_of_compositions(void **state)
{
    (void)state;
    check_shape("{\"type\": \"chain\", \"layers\": [\"flatten\", {\"type\": \"linear\", \"units\": 2}]}",
                FEATURES(2, 3), FEATURES(2), 14);
    check_shape("{\"type\": \"residual\", \"layers\": [{\"type\": \"linear\", \"units\": 4}]}", FEATURES(4),
                FEATURES(4), 20);
    check_shape("{\"type\": \"residual\", \"layers\": [{\"type\": \"linear\", \"units\": 4}]}", FEATURES(3),
                FEATURES(4), 28);
    check_shape("{\"type\": \"residual\", \"layers\": [{\"type\": \"convolution\", \"channels\": 4, \"stride\": [2]}]}",
                FEATURES(2, 7, 8), FEATURES(4, 4, 4), 84);
    check_shape("{\"type\": \"residual\", \"layers\": [{\"type\": \"residual\", \"layers\": [\"activation\"]}, "
                "\"batch_norm\"]}", FEATURES(2, 3), FEATURES(2, 3), 4);
}

/* Nested layers are called by where they are, and listed with their depth. */
static void test_nn_layers__names_and_depths(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"residual\", \"layers\": [{\"type\": \"chain\", \"layers\": [{\"type\": "
                       "\"linear\", \"units\": 4}]}]}", FEATURES(3));
    static const struct { const char *name; int depth; } expected[] = {
        {"layers.2", 0}, {"layers.2.0", 1}, {"layers.2.0.0", 2}, {"layers.2.shortcut", 1}};
    assert_int_equal(build.builder.layer_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(build.builder.layers[i]->name, expected[i].name);
        assert_int_equal(build.builder.layers[i]->depth, expected[i].depth);
    }
    assert_non_null(parameters_find(build.builder.parameters, "layers.2.0.0.weight"));
    assert_non_null(parameters_find(build.builder.parameters, "layers.2.shortcut.weight"));
    assert_string_equal(build.builder.path, "");
    assert_true(build.layer->flops == 2 * 3 * 4 * 2);
    build_close(&build);
}

static void check_error(const char *json, Shape input, const char *message)
{
    Build build;
    build_try(&build, json, input);
    if (build.layer)
        fail_msg("%s: not refused", json);
    if (strcmp(build.texts.error.message, message) != 0)
        fail_msg("\"%s\"\nis not\n\"%s\"", build.texts.error.message, message);
    assert_int_equal(build.texts.error.status, STATUS_USAGE);
    build_close(&build);
}

static void test_nn_layers__errors_of_ranks(void **state)
{
    (void)state;
    Shape tokens = TOKENS(4, 9);
    check_error("{\"type\": \"linear\", \"units\": 2}", tokens,
                "model.layers.2: linear needs features [..., n], got tokens");
    check_error("{\"type\": \"embedding\", \"width\": 2}", FEATURES(3, 4),
                "model.layers.2: embedding needs tokens, got features [3, 4]");
    check_error("{\"type\": \"convolution\", \"channels\": 2}", FEATURES(3),
                "model.layers.2: convolution needs [channels, 1 to 3 sizes], got [3]");
    check_error("{\"type\": \"convolution\", \"channels\": 2}", FEATURES(1, 2, 3, 4, 5),
                "model.layers.2: convolution needs [channels, 1 to 3 sizes], got [1, 2, 3, 4, 5]");
    check_error("{\"type\": \"convolution_transposed\", \"channels\": 2}", FEATURES(3),
                "model.layers.2: convolution_transposed needs [channels, 1 to 3 sizes], got [3]");
    check_error("\"max_pool\"", FEATURES(3), "model.layers.2: max_pool needs [channels, 1 to 3 sizes], got [3]");
    check_error("\"global_average_pool\"", FEATURES(3),
                "model.layers.2: global_average_pool needs [channels, 1 to 3 sizes], got [3]");
    check_error("\"flatten\"", tokens, "model.layers.2: flatten needs features, got tokens");
    check_error("\"activation\"", tokens, "model.layers.2: activation needs features, got tokens");
    check_error("\"dropout\"", tokens, "model.layers.2: dropout needs features, got tokens");
    check_error("\"drop_path\"", tokens, "model.layers.2: drop_path needs features, got tokens");
    check_error("\"layer_norm\"", tokens, "model.layers.2: layer_norm needs features of at least 1 axes, got tokens");
    check_error("\"batch_norm\"", tokens, "model.layers.2: batch_norm needs features of at least 1 axes, got tokens");
    check_error("\"attention\"", FEATURES(8), "model.layers.2: attention needs [tokens, width], got [8]");
    check_error("\"attention\"", tokens, "model.layers.2: attention needs [tokens, width], got [4] tokens");
    check_error("\"feed_forward\"", tokens, "model.layers.2: feed_forward needs features, got tokens");
    check_error("\"mean_tokens\"", FEATURES(8), "model.layers.2: mean_tokens needs [tokens, width], got [8]");
    check_error("{\"type\": \"reshape\", \"shape\": [2]}", tokens,
                "model.layers.2: reshape needs features, got tokens");
    check_error("\"one_hot\"", FEATURES(3, 4), "model.layers.2: one_hot needs tokens, got features [3, 4]");
    check_error("\"transpose\"", FEATURES(3),
                "model.layers.2: transpose needs features of at least 2 axes, got [3]");
    check_error("\"transpose\"", tokens, "model.layers.2: transpose needs features of at least 2 axes, got [4] tokens");
}

static void test_nn_layers__errors_of_sizes(void **state)
{
    (void)state;
    check_error("{\"type\": \"convolution\", \"channels\": 2, \"kernel\": [3, 3]}", FEATURES(1, 8),
                "model.layers.2: kernel has 2 numbers for 1 spatial axes");
    check_error("{\"type\": \"convolution\", \"channels\": 2, \"stride\": [1, 1]}", FEATURES(1, 8, 8, 8),
                "model.layers.2: stride has 2 numbers for 3 spatial axes");
    check_error("{\"type\": \"convolution\", \"channels\": 2, \"kernel\": [2]}", FEATURES(1, 8),
                "model.layers.2: \"same\" needs an odd kernel, got 2");
    check_error("{\"type\": \"convolution\", \"channels\": 2, \"kernel\": [9], \"same\": false}", FEATURES(1, 8),
                "model.layers.2: a kernel of 9 does not fit the input [1, 8]");
    check_error("{\"type\": \"convolution\", \"channels\": 4, \"groups\": 3}", FEATURES(3, 8),
                "model.layers.2: groups 3 does not divide 3 input and 4 output channels");
    check_error("{\"type\": \"convolution_transposed\", \"channels\": 4, \"kernel\": [1], \"padding\": [9]}",
                FEATURES(3, 8), "model.layers.2: padding leaves nothing of the input [3, 8]");
    check_error("{\"type\": \"max_pool\", \"kernel\": [2, 2]}", FEATURES(1, 8),
                "model.layers.2: kernel has 2 numbers for 1 spatial axes");
    check_error("{\"type\": \"average_pool\", \"stride\": [2, 2]}", FEATURES(1, 8),
                "model.layers.2: stride has 2 numbers for 1 spatial axes");
    check_error("{\"type\": \"max_pool\", \"padding\": [2]}", FEATURES(1, 8),
                "model.layers.2: padding 2 is more than half of the kernel 2");
    check_error("{\"type\": \"max_pool\", \"kernel\": [9]}", FEATURES(1, 8),
                "model.layers.2: a kernel of 9 does not fit the input [1, 8]");
    check_error("{\"type\": \"adaptive_max_pool\", \"size\": [1, 2]}", FEATURES(1, 8),
                "model.layers.2: size has 2 numbers for 1 spatial axes");
    check_error("{\"type\": \"activation\", \"activation\": \"geglu\"}", FEATURES(3),
                "model.layers.2: geglu needs an even last axis, got [3]");
    check_error("{\"type\": \"reshape\", \"shape\": [2, 2]}", FEATURES(3),
                "model.layers.2: [2, 2] does not hold the 3 values of the input [3]");
    check_error("{\"type\": \"reshape\", \"shape\": [1, 1, 1, 1, 1, 3]}", FEATURES(3),
                "model.layers.2: reshape gives at most 5 axes, got 6");
    check_error("{\"type\": \"reshape\", \"shape\": [1000000000, 1000000000, 1000000000]}", FEATURES(3),
                "model.layers.2: [1000000000, 1000000000, 1000000000] does not hold the 3 values of the input [3]");
    check_error("{\"type\": \"embedding\", \"width\": 2}", (Shape){.rank = 5, .sizes = {1, 1, 1, 1, 1},
        .vocabulary = 3}, "model.layers.2: embedding takes tokens of at most 4 axes, got 5");
    check_error("{\"type\": \"group_norm\", \"groups\": 3}", FEATURES(4),
                "model.layers.2: groups 3 does not divide 4 channels");
    check_error("{\"type\": \"attention\", \"heads\": 3}", FEATURES(5, 8),
                "model.layers.2: heads 3 does not divide the width 8");
    check_error("{\"type\": \"attention\", \"heads\": 4, \"kv_heads\": 3}", FEATURES(5, 8),
                "model.layers.2: kv_heads 3 does not divide heads 4");
    check_error("{\"type\": \"attention\", \"heads\": 8, \"positions\": \"rope\"}", FEATURES(5, 8),
                "model.layers.2: rope needs an even head size, got 1");
    check_error("{\"type\": \"transformer_block\", \"heads\": 3}", FEATURES(5, 8),
                "model.layers.2.attention: heads 3 does not divide the width 8");
}

static void test_nn_layers__errors_of_compositions(void **state)
{
    (void)state;
    check_error("{\"type\": \"chain\", \"layers\": [\"flatten\", {\"type\": \"residual\", \"layers\": "
                "[\"max_pool\"]}]}", FEATURES(2, 8),
                "model.layers.2.1.0: max_pool needs [channels, 1 to 3 sizes], got [16]");
    check_error("{\"type\": \"residual\", \"layers\": [\"flatten\"]}", FEATURES(2, 8),
                "model.layers.2: the layers turn [2, 8] into [16], to which the input cannot be added");
    check_error("{\"type\": \"residual\", \"layers\": [{\"type\": \"embedding\", \"width\": 1}]}", TOKENS(3, 4),
                "model.layers.2: the layers turn [3] tokens into [3, 1], to which the input cannot be added");
    check_error("{\"type\": \"residual\", \"layers\": [{\"type\": \"convolution\", \"channels\": 2, \"same\": false}]}",
                FEATURES(2, 8),
                "model.layers.2: no stride takes the shortcut from [2, 8] to [2, 6]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_nn_layers__shapes_of_linear_and_embedding),
        TAPE_TEST(test_nn_layers__shapes_of_convolutions),
        TAPE_TEST(test_nn_layers__shapes_of_pooling),
        TAPE_TEST(test_nn_layers__shapes_of_what_has_no_parameters),
        TAPE_TEST(test_nn_layers__shapes_of_norms),
        TAPE_TEST(test_nn_layers__shapes_of_attention),
        TAPE_TEST(test_nn_layers__shapes_of_compositions),
        TAPE_TEST(test_nn_layers__names_and_depths),
        TAPE_TEST(test_nn_layers__errors_of_ranks),
        TAPE_TEST(test_nn_layers__errors_of_sizes),
        TAPE_TEST(test_nn_layers__errors_of_compositions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
