/* Values of layers by hand. */
#include "tests/building.h"

#include "core/nn/activation.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* What the layer gives on a batch of these values. */
static Tensor *run(const Build *build, bool training, int rank, const int64_t *shape, const double *values)
{
    Forward forward = {.training = training};
    return layer_forward(build->layer, &forward, values_of(rank, shape, values));
}
#define VALUES(...) (const double[]){__VA_ARGS__}

static void test_nn_values__linear(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"linear\", \"units\": 3}", FEATURES(2));
    build_set(&build, "weight", NUMBERS(1, 2, 3, 4, 5, 6));
    build_set(&build, "bias", NUMBERS(1, 0, -1));
    ASSERT_NEAR(run(&build, false, SHAPE(2, 2), VALUES(1, -1, 0, 2)), 0, -1, -2, 5, 8, 11);
    build_close(&build);
}

static void test_nn_values__convolution(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"convolution\", \"channels\": 1}", FEATURES(1, 3));
    build_set(&build, "weight", NUMBERS(1, 10, 100));
    build_set(&build, "bias", NUMBERS(0.5));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 1, 3), VALUES(1, 2, 3)), 210.5, 321.5, 32.5);
    build_close(&build);
    build_open(&build, "{\"type\": \"convolution\", \"channels\": 2, \"groups\": 2, \"kernel\": [2], \"same\": false, "
                       "\"stride\": [2], \"bias\": false}", FEATURES(2, 4));
    build_set(&build, "weight", NUMBERS(1, 2, 3, 4));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 4), VALUES(1, 2, 3, 4, 1, 1, 0, 1)), 5, 11, 7, 4);
    build_close(&build);
    /* Two axes: a kernel that looks up and to the left. */
    build_open(&build, "{\"type\": \"convolution\", \"channels\": 1, \"bias\": false}", FEATURES(1, 2, 2));
    build_set(&build, "weight", NUMBERS(0, 10, 0, 1, 0, 0, 0, 0, 0));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 1, 2, 2), VALUES(1, 2, 3, 4)), 0, 1, 10, 23);
    build_close(&build);
    build_open(&build, "{\"type\": \"convolution_transposed\", \"channels\": 1, \"kernel\": [2], \"stride\": [2]}",
               FEATURES(1, 2));
    build_set(&build, "weight", NUMBERS(1, 10));
    build_set(&build, "bias", NUMBERS(0.5));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 1, 2), VALUES(1, 2)), 1.5, 10.5, 2.5, 20.5);
    build_close(&build);
}

/* Padding is no zero: it does not count. */
static void test_nn_values__pooling(void **state)
{
    (void)state;
    static const struct { const char *json; double expected[4]; int count; } cases[] = {
        {"\"max_pool\"", {5, 3}, 2},
        {"\"average_pool\"", {3, 2}, 2},
        {"{\"type\": \"max_pool\", \"kernel\": [3], \"stride\": [2], \"padding\": [1]}", {5, 5}, 2},
        {"{\"type\": \"average_pool\", \"kernel\": [3], \"stride\": [2], \"padding\": [1]}", {3, 3}, 2},
        {"\"global_average_pool\"", {2.5}, 1},
        {"\"global_max_pool\"", {5}, 1},
        {"{\"type\": \"adaptive_average_pool\", \"size\": [3]}", {3, 4, 2}, 3},
        {"{\"type\": \"adaptive_max_pool\", \"size\": [3]}", {5, 5, 3}, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Build build;
        build_open(&build, cases[i].json, FEATURES(1, 4));
        assert_near(run(&build, true, SHAPE(1, 1, 4), VALUES(1, 5, 3, 1)), cases[i].count, cases[i].expected);
        build_close(&build);
    }
}

static void test_nn_values__norms(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"layer_norm\", \"epsilon\": 0}", FEATURES(2));
    build_set(&build, "weight", NUMBERS(2, 3));
    build_set(&build, "bias", NUMBERS(0.5, 0));
    ASSERT_NEAR(run(&build, false, SHAPE(2, 2), VALUES(1, 3, 10, 4)), -1.5, 3, 2.5, -3);
    build_close(&build);
    build_open(&build, "{\"type\": \"layer_norm\", \"epsilon\": 0.5625}", FEATURES(2));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2), VALUES(1, 3)), -0.8, 0.8);
    build_close(&build);
    build_open(&build, "{\"type\": \"rms_norm\", \"epsilon\": 0}", FEATURES(2));
    build_set(&build, "weight", NUMBERS(1, 2));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2), VALUES(1, 7)), 0.2, 2.8);
    build_close(&build);
    build_open(&build, "{\"type\": \"group_norm\", \"groups\": 2, \"epsilon\": 0}", FEATURES(4));
    build_set(&build, "weight", NUMBERS(1, 2, 1, 1));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 4), VALUES(1, 3, 10, 4)), -1, 2, 1, -1);
    build_close(&build);
}

/* Batch statistics in training, which move the running ones by their share; the variance is the unbiased one. */
static void test_nn_values__batch_norm(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"batch_norm\", \"epsilon\": 0}", FEATURES(1));
    build_set(&build, "weight", NUMBERS(2));
    build_set(&build, "bias", NUMBERS(1));
    ASSERT_NEAR(run(&build, true, SHAPE(2, 1), VALUES(1, 3)), -1, 3);
    Tensor *mean = parameters_find(build.builder.parameters, "layers.2.running_mean")->value;
    Tensor *variance = parameters_find(build.builder.parameters, "layers.2.running_var")->value;
    assert_false(mean->requires_gradient || variance->requires_gradient);
    ASSERT_NEAR(mean, 0.2);
    ASSERT_NEAR(variance, 0.9 + 0.1 * 2);
    run(&build, true, SHAPE(2, 1), VALUES(1, 3));
    ASSERT_NEAR(mean, 0.38);
    ASSERT_NEAR(variance, 0.81 + 0.19 * 2);
    Tensor *y = run(&build, false, SHAPE(1, 1), VALUES(1.38));
    ASSERT_NEAR(y, 1 + 2 / sqrt(1.19));
    ASSERT_NEAR(mean, 0.38); /* evaluation leaves them alone */
    build_close(&build);
}

static void test_nn_values__embedding_and_mean(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"embedding\", \"width\": 2}", TOKENS(3, 4));
    build_set(&build, "weight", NUMBERS(0, 1, 10, 11, 20, 21, 30, 31));
    Forward forward = {0};
    Tensor *tokens = t_reshape(INDICES(3, 0, 3), SHAPE(1, 3));
    ASSERT_VALUES(layer_forward(build.layer, &forward, tokens), 30, 31, 0, 1, 30, 31);
    build_close(&build);
    build_open(&build, "\"mean_tokens\"", FEATURES(2, 2));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 2, 3, 6)), 2, 4);
    build_close(&build);
    build_open(&build, "\"one_hot\"", TOKENS(2, 3));
    ASSERT_VALUES(layer_forward(build.layer, &forward, t_reshape(INDICES(2, 0), SHAPE(1, 2))), 0, 0, 1, 1, 0, 0);
    build_close(&build);
    build_open(&build, "\"transpose\"", FEATURES(2, 3));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 3), VALUES(1, 2, 3, 4, 5, 6)), 1, 4, 2, 5, 3, 6);
    build_close(&build);
}

static const double identity[] = {1, 0, 0, 1};

static void open_identity_attention(Build *build, const char *json)
{
    build_open(build, json, FEATURES(2, 2));
    static const char *const names[] = {"q.weight", "k.weight", "v.weight", "out.weight"};
    for (int i = 0; i < 4; i++)
        build_set(build, names[i], 4, identity);
}

/* Queries, keys and values are the tokens themselves: e1 and 2 e2, scores x.y / sqrt(2). */
static void test_nn_values__attention(void **state)
{
    (void)state;
    Build build;
    double first = exp(1 / sqrt(2)) / (exp(1 / sqrt(2)) + 1), second = exp(4 / sqrt(2)) / (exp(4 / sqrt(2)) + 1);
    open_identity_attention(&build, "{\"type\": \"attention\", \"heads\": 1, \"bias\": false}");
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 0, 0, 2)), first, 2 * (1 - first), 1 - second, 2 * second);
    build_close(&build);
    open_identity_attention(&build, "{\"type\": \"attention\", \"heads\": 1, \"bias\": false, \"causal\": true}");
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 0, 0, 2)), 1, 0, 1 - second, 2 * second);
    build_close(&build);
    /* Two heads of size 1: each sees a coordinate of its own. */
    double head = exp(4) / (exp(4) + 1);
    open_identity_attention(&build, "{\"type\": \"attention\", \"heads\": 2, \"bias\": false, \"causal\": true}");
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 0, 0, 2)), 1, 0, 0.5, 2 * head);
    build_close(&build);
    /* A slope of 2^-8 for the only head: the token before counts so much less. */
    double bias = exp2(-8), slope = exp(4 / sqrt(2)) / (exp(4 / sqrt(2)) + exp(-bias));
    open_identity_attention(&build, "{\"type\": \"attention\", \"heads\": 1, \"bias\": false, \"causal\": true, "
                                    "\"positions\": \"alibi\"}");
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 0, 0, 2)), 1, 0, 1 - slope, 2 * slope);
    build_close(&build);
    /* Rotated by one radian a position: the second query's product with the first key is cos 1 of what it was. */
    double turned = exp(cos(1) / sqrt(2)) / (exp(cos(1) / sqrt(2)) + exp(1 / sqrt(2)));
    open_identity_attention(&build, "{\"type\": \"attention\", \"heads\": 1, \"bias\": false, \"causal\": true, "
                                    "\"positions\": \"rope\"}");
    build_set(&build, "v.weight", NUMBERS(0, 0, 0, 1));
    build_set(&build, "q.weight", NUMBERS(1, 0, 0, 0));
    build_set(&build, "k.weight", NUMBERS(1, 0, 0, 0));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2, 2), VALUES(1, 3, 1, 5)), 0, 3, 0, 3 * turned + 5 * (1 - turned));
    build_close(&build);
}

static void test_nn_values__residual_and_feed_forward(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"residual\", \"layers\": [{\"type\": \"linear\", \"units\": 2}, \"activation\"]}",
               FEATURES(2));
    build_set(&build, "0.weight", NUMBERS(1, 1, -1, 0));
    build_set(&build, "0.bias", NUMBERS(0, 1));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2), VALUES(2, 3)), 7, 3);
    build_close(&build);
    build_open(&build, "{\"type\": \"residual\", \"layers\": [{\"type\": \"linear\", \"units\": 1}]}", FEATURES(2));
    build_set(&build, "0.weight", NUMBERS(1, 1));
    build_set(&build, "shortcut.weight", NUMBERS(10, 100));
    ASSERT_NEAR(run(&build, false, SHAPE(1, 2), VALUES(2, 3)), 325);
    build_close(&build);
    build_open(&build, "{\"type\": \"feed_forward\", \"width\": 2, \"activation\": \"relu\"}", FEATURES(1));
    build_set(&build, "up.weight", NUMBERS(1, -1));
    build_set(&build, "up.bias", NUMBERS(1, 1));
    build_set(&build, "down.weight", NUMBERS(10, 100));
    ASSERT_NEAR(run(&build, false, SHAPE(3, 1), VALUES(0, 2, -3)), 110, 30, 400);
    build_close(&build);
}

/* The last map of attention and of feed_forward begins smaller, and nothing else does. */
static void test_nn_values__output_scale(void **state)
{
    (void)state;
    static const char *const kinds[] = {"attention", "feed_forward"};
    for (int bias = 0; bias < 2; bias++)
        for (int k = 0; k < 2; k++) {
            Build builds[2];
            for (int i = 0; i < 2; i++) {
                char json[128];
                snprintf(json, sizeof json, "{\"type\": \"%s\", \"output_scale\": %s, \"bias\": %s}", kinds[k],
                         i ? "0.5" : "1", bias ? "true" : "false");
                build_open(&builds[i], json, FEATURES(3, 4));
            }
            const ParameterSet *one = builds[0].builder.parameters, *half = builds[1].builder.parameters;
            for (int64_t p = 0; p < one->count; p++) {
                const char *name = one->items[p].name;
                bool last = strstr(name, "out.weight") || strstr(name, "down.weight");
                const Tensor *a = one->items[p].value, *b = half->items[p].value;
                for (int64_t i = 0; i < a->count; i++)
                    assert_true(tensor_value(b, i) == (last ? 0.5 : 1) * tensor_value(a, i));
            }
            build_close(&builds[0]);
            build_close(&builds[1]);
        }
}

static void test_nn_values__activations(void **state)
{
    (void)state;
    static const struct { const char *json; double expected[4]; } cases[] = {
        {"\"identity\"", {-2, -0.5, 0.5, 8}},
        {"\"relu\"", {0, 0, 0.5, 8}},
        {"\"relu6\"", {0, 0, 0.5, 6}},
        {"\"squared_relu\"", {0, 0, 0.25, 64}},
        {"\"leaky_relu\"", {-0.02, -0.005, 0.5, 8}},
        {"{\"type\": \"leaky_relu\", \"slope\": 0.5}", {-1, -0.25, 0.5, 8}},
        {"\"elu\"", {-0.86466472, -0.39346934, 0.5, 8}},
        {"{\"type\": \"elu\", \"alpha\": 2}", {-1.72932943, -0.78693868, 0.5, 8}},
        {"\"selu\"", {-1.52016652, -0.69175819, 0.52535049, 8.40560789}},
        {"\"gelu\"", {-0.0455002639, -0.154268770, 0.345731230, 8}},
        {"\"gelu_tanh\"", {-0.0454023059, -0.154285989, 0.345714010, 8}},
        {"\"silu\"", {-0.238405844, -0.188770335, 0.311229665, 7.99731720}},
        {"\"mish\"", {-0.252501483, -0.220743775, 0.375245211, 7.99999820}},
        {"\"hard_swish\"", {-0.333333333, -0.208333333, 0.291666667, 8}},
        {"\"hard_sigmoid\"", {0.166666667, 0.416666667, 0.583333333, 1}},
        {"\"tanh\"", {-0.964027580, -0.462117157, 0.462117157, 0.999999775}},
        {"\"sigmoid\"", {0.119202922, 0.377540669, 0.622459331, 0.999664650}},
        {"\"softplus\"", {0.126928011, 0.474076984, 0.974076984, 8.00033541}},
        {"\"swiglu\"", {-0.119202922, -1.51016268}},
        {"\"geglu\"", {-0.0227501319, -1.23415016}},
    };
    Texts texts = texts_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance activation = instance_of(&texts, "activation", cases[i].json);
        int count = activation_is_gated(&activation) ? 2 : 4;
        Tensor *y = activation_apply(&activation, LEAF(-2, -0.5, 0.5, 8));
        assert_near(y, count, cases[i].expected);
    }
    texts_close(&texts);
}

static int64_t zeros_in(const Tensor *x)
{
    int64_t zeros = 0;
    for (int64_t i = 0; i < x->count; i++)
        zeros += tensor_value(x, i) == 0;
    return zeros;
}

/* A function of seed, step and place in the pass; the rest is scaled up; nothing happens in evaluation. */
static void test_nn_values__dropout(void **state)
{
    (void)state;
    Build build;
    enum { SAMPLES = 100, SIZE = 100 };
    build_open(&build, "{\"type\": \"dropout\", \"rate\": 0.2}", FEATURES(SIZE));
    Tensor *x = t_full(ARRAY_F32, SHAPE(SAMPLES, SIZE), 1);
    Forward evaluation = {0}, forward = {.training = true, .seed = 1, .step = 3};
    Forward again = forward, later = forward, other = forward;
    later.step = 4;
    other.seed = 2;
    assert_same_bits(layer_forward(build.layer, &evaluation, x), x);
    Tensor *y = layer_forward(build.layer, &forward, x);
    double share = (double)zeros_in(y) / (SAMPLES * SIZE);
    assert_true(share > 0.18 && share < 0.22);
    for (int64_t i = 0; i < y->count; i++)
        assert_true(tensor_value(y, i) == 0 || fabs(tensor_value(y, i) - 1.25) < 1e-6);
    assert_same_bits(y, layer_forward(build.layer, &again, x));
    Tensor *different[] = {layer_forward(build.layer, &forward, x), layer_forward(build.layer, &later, x),
                           layer_forward(build.layer, &other, x)};
    for (int i = 0; i < 3; i++)
        assert_memory_not_equal(y->data, different[i]->data, (size_t)y->count * sizeof(float));
    build_close(&build);
}

static void test_nn_values__drop_path(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"drop_path\", \"rate\": 0.5}", FEATURES(2, 3));
    Tensor *x = t_full(ARRAY_F32, SHAPE(64, 2, 3), 1);
    Forward forward = {.training = true};
    Tensor *y = layer_forward(build.layer, &forward, x);
    int64_t dropped = zeros_in(y) / 6;
    assert_true(dropped > 16 && dropped < 48);
    for (int64_t i = 0; i < y->count; i++)
        assert_true(tensor_value(y, i) == tensor_value(y, i / 6 * 6)
                    && (tensor_value(y, i) == 0 || tensor_value(y, i) == 2));
    build_close(&build);
}

/* Of nested layers, the first that gave an infinity or NaN, not the one around it. */
static void test_nn_values__the_first_layer_that_is_not_finite(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"chain\", \"layers\": [\"activation\", {\"type\": \"linear\", \"units\": 2}, "
                       "\"activation\"]}", FEATURES(2));
    build_set(&build, "1.weight", NUMBERS(1, 1, 1, INFINITY));
    for (int look = 0; look < 2; look++) {
        Forward forward = {.find_not_finite = look};
        layer_forward(build.layer, &forward, values_of(SHAPE(1, 2), VALUES(1, 1)));
        if (look)
            assert_string_equal(forward.not_finite->name, "layers.2.1");
        else
            assert_null(forward.not_finite);
    }
    build_close(&build);
}

static void test_nn_values__penalties_add_up(void **state)
{
    (void)state;
    Forward forward = {0};
    forward_add_penalty(&forward, t_scalar(ARRAY_F32, 2));
    forward_add_penalty(&forward, t_scalar(ARRAY_F32, 3));
    ASSERT_VALUES(forward.penalty, 5);
}

/* relu behind the pooling gives what relu before it gives, ties and zeros included; tanh stays where it is. */
static void test_nn_values__activation_behind_max_pooling(void **state)
{
    (void)state;
    Build build;
    build_open(&build, "{\"type\": \"chain\", \"layers\": [\"activation\", {\"type\": \"max_pool\", \"kernel\": [3], "
                       "\"stride\": [2], \"padding\": [1]}]}", FEATURES(2, 7, 5));
    Random random = random_start(3, "values", 0);
    Tensor *x = t_new(ARRAY_F32, SHAPE(4, 2, 7, 5));
    for (int64_t i = 0; i < x->count; i++)
        tensor_set(x, i, (double)random_below(&random, 9) / 4 - 1.5);
    x->requires_gradient = true;
    Forward forward = {.training = true};
    Tensor *got = layer_forward(build.layer, &forward, x), *got_gradient, *gradient;
    Tensor *expected = t_max_pool(t_relu(x), &(PoolingOptions){.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    assert_string_equal(got->node->operation->component.name, "relu");
    Tensor *seed = t_new(ARRAY_F32, got->rank, got->shape);
    for (int64_t i = 0; i < seed->count; i++)
        tensor_set(seed, i, random_uniform(&random) - 0.5);
    t_gradients(got, seed, 1, &x, &got_gradient, false);
    t_gradients(expected, seed, 1, &x, &gradient, false);
    for (int64_t i = 0; i < got->count; i++)
        assert_true(tensor_value(got, i) == tensor_value(expected, i));
    for (int64_t i = 0; i < x->count; i++)
        assert_true(tensor_value(got_gradient, i) == tensor_value(gradient, i));
    build_close(&build);
    build_open(&build, "{\"type\": \"chain\", \"layers\": [{\"type\": \"activation\", \"activation\": \"tanh\"}, "
                       "{\"type\": \"max_pool\", \"kernel\": [2]}]}", FEATURES(2, 7, 5));
    got = layer_forward(build.layer, &forward, x);
    assert_string_equal(got->node->operation->component.name, "max_pool");
    build_close(&build);
}

/* A loss that looks at a layer sees what it gives in the order that the model was written in. */
static void test_nn_values__a_tapped_layer_keeps_its_place(void **state)
{
    (void)state;
    Build activation, pool;
    build_open(&activation, "\"activation\"", FEATURES(1, 2, 2));
    build_open(&pool, "{\"type\": \"max_pool\", \"kernel\": [2]}", FEATURES(1, 2, 2));
    Layer *const layers[] = {activation.layer, pool.layer};
    Tensor *x = t_full(ARRAY_F32, SHAPE(1, 1, 2, 2), -1);
    for (int i = 0; i < 2; i++) {
        Forward forward = {.tap = layers[i]};
        layers_forward(layers, 2, &forward, x);
        assert_int_equal(forward.tapped->count, i == 0 ? 4 : 1);
        for (int64_t k = 0; k < forward.tapped->count; k++)
            assert_true(tensor_value(forward.tapped, k) == 0);
    }
    build_close(&pool);
    build_close(&activation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_nn_values__linear),
        TAPE_TEST(test_nn_values__convolution),
        TAPE_TEST(test_nn_values__pooling),
        TAPE_TEST(test_nn_values__norms),
        TAPE_TEST(test_nn_values__batch_norm),
        TAPE_TEST(test_nn_values__embedding_and_mean),
        TAPE_TEST(test_nn_values__attention),
        TAPE_TEST(test_nn_values__residual_and_feed_forward),
        TAPE_TEST(test_nn_values__output_scale),
        TAPE_TEST(test_nn_values__activations),
        TAPE_TEST(test_nn_values__activation_behind_max_pooling),
        TAPE_TEST(test_nn_values__a_tapped_layer_keeps_its_place),
        TAPE_TEST(test_nn_values__dropout),
        TAPE_TEST(test_nn_values__drop_path),
        TAPE_TEST(test_nn_values__the_first_layer_that_is_not_finite),
        TAPE_TEST(test_nn_values__penalties_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
