/* Moments, ranges and orthogonality of initial values, and that they are a function of seed and name alone. */
#include "tests/instances.h"

#include "core/nn/initializer.h"
#include "core/nn/layers.h"

enum { ROWS = 64, COLUMNS = 256, COUNT = ROWS * COLUMNS };
static float values[COUNT];

/* A [64, 64, 2, 2] filter: fan_in 256, fan_out 256 in a layer of 64 outputs. */
static void fill(const char *json, double fan_in, double fan_out)
{
    Texts texts = texts_open();
    Instance instance = instance_of(&texts, "initializer", json);
    Random random = random_start(3, "test", 0);
    initializer_fill(&instance, &random, ROWS, COLUMNS, fan_in, fan_out, values);
    texts_close(&texts);
}

typedef struct Moments { double mean, deviation, least, most; } Moments;

static Moments moments(void)
{
    Moments m = {.least = values[0], .most = values[0]};
    double squares = 0;
    for (int i = 0; i < COUNT; i++) {
        double value = values[i];
        m.mean += value / COUNT;
        squares += value * value / COUNT;
        m.least = value < m.least ? value : m.least;
        m.most = value > m.most ? value : m.most;
    }
    m.deviation = sqrt(squares - m.mean * m.mean);
    return m;
}

/* Five standard errors of 16384 draws are 4 % of the deviation for the mean, less for the deviation. */
static void check(const char *json, double fan_in, double fan_out, double mean, double deviation, bool uniform)
{
    fill(json, fan_in, fan_out);
    Moments m = moments();
    if (fabs(m.mean - mean) > 0.04 * deviation || fabs(m.deviation / deviation - 1) > 0.03)
        fail_msg("%s: mean %g, deviation %g, not %g, %g", json, m.mean, m.deviation, mean, deviation);
    double bound = sqrt(3) * deviation * (1 + 1e-6), reach = 0.99 * sqrt(3) * deviation;
    bool bounded = m.most - mean <= bound && m.least - mean >= -bound;
    if (bounded != uniform || (uniform && (m.most - mean < reach || m.least - mean > -reach)))
        fail_msg("%s: values from %g to %g", json, m.least, m.most);
}

static void test_initializers__moments(void **state)
{
    (void)state;
    check("\"normal\"", 1, 1, 0, 0.02, false);
    check("{\"type\": \"normal\", \"mean\": 3, \"deviation\": 0.5}", 1, 1, 3, 0.5, false);
    check("{\"type\": \"uniform\", \"low\": 1, \"high\": 2}", 1, 1, 1.5, 1 / sqrt(12), true);
    check("\"xavier_normal\"", 30, 70, 0, sqrt(2.0 / 100), false);
    check("\"xavier_uniform\"", 30, 70, 0, sqrt(2.0 / 100), true);
    check("{\"type\": \"xavier_uniform\", \"gain\": 2}", 30, 70, 0, 2 * sqrt(2.0 / 100), true);
    check("\"kaiming_normal\"", 50, 1, 0, sqrt(2.0 / 50), false);
    check("\"kaiming_normal_out\"", 30, 70, 0, sqrt(2.0 / 70), false);
    check("\"kaiming_uniform\"", 50, 1, 0, sqrt(2.0 / 50), true);
    check("\"lecun_normal\"", 50, 1, 0, sqrt(1.0 / 50), false);
    check("\"lecun_uniform\"", 50, 1, 0, sqrt(1.0 / 50), true);
}

/* Cut at two deviations, a normal keeps 0.8796 of its deviation. */
static void test_initializers__truncated_normal(void **state)
{
    (void)state;
    fill("{\"type\": \"truncated_normal\", \"mean\": 1, \"deviation\": 0.1}", 1, 1);
    Moments m = moments();
    assert_true(m.least >= 0.8 - 1e-6 && m.least < 0.805 && m.most <= 1.2 + 1e-6 && m.most > 1.195);
    assert_true(fabs(m.mean - 1) < 0.004 && fabs(m.deviation / 0.08796 - 1) < 0.03);
}

static void test_initializers__constant(void **state)
{
    (void)state;
    fill("{\"type\": \"constant\", \"value\": 0.25}", 1, 1);
    for (int i = 0; i < COUNT; i++)
        assert_true(values[i] == 0.25f);
}

static double product(const float *a, const float *b, int64_t count, int64_t stride)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i * stride] * (double)b[i * stride];
    return sum;
}

/* Wide: rows; tall: columns. */
static void test_initializers__orthogonal(void **state)
{
    (void)state;
    Texts texts = texts_open();
    Instance instance = instance_of(&texts, "initializer", "{\"type\": \"orthogonal\", \"gain\": 3}");
    static const int64_t shapes[][2] = {{6, 20}, {20, 6}, {8, 8}, {1, 5}, {5, 1}, {1, 1}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int64_t rows = shapes[s][0], columns = shapes[s][1];
        float matrix[160];
        Random random = random_start(1, "orthogonal", (uint32_t)s);
        initializer_fill(&instance, &random, rows, columns, 1, 1, matrix);
        bool wide = rows <= columns;
        int64_t vectors = wide ? rows : columns, size = wide ? columns : rows;
        for (int64_t i = 0; i < vectors; i++)
            for (int64_t j = 0; j <= i; j++) {
                int64_t next = wide ? columns : 1, stride = wide ? 1 : columns;
                double got = product(matrix + i * next, matrix + j * next, size, stride);
                assert_true(fabs(got - (i == j ? 9 : 0)) < 1e-5);
            }
    }
    texts_close(&texts);
}

/* The weight of a linear layer NAME in a builder with that seed; `before` others are built first. */
static void weight_of(uint64_t seed, const char *name, int before, float out[12])
{
    Error error;
    Builder builder = {.arena = arena_new(), .parameters = parameters_new(), .seed = seed, .error = &error};
    Shape input = shape_of(1, (int64_t[]){4});
    for (int i = 0; i < before; i++) {
        char other[16];
        snprintf(other, sizeof other, "other%d", i);
        assert_non_null(layer_build_with(&builder, other, "linear", &(struct linear){7, true}, input));
    }
    assert_non_null(layer_build_with(&builder, name, "linear", &(struct linear){3, true}, input));
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    memcpy(out, parameters_find(builder.parameters, full)->value->data, 12 * sizeof *out);
    parameters_free(builder.parameters);
    arena_free(builder.arena);
}

static void test_initializers__a_function_of_seed_and_name(void **state)
{
    (void)state;
    float first[12], other[12];
    weight_of(1, "a", 0, first);
    weight_of(1, "a", 3, other);
    assert_memory_equal(first, other, sizeof first);
    weight_of(2, "a", 0, other);
    assert_memory_not_equal(first, other, sizeof first);
    weight_of(1, "b", 0, other);
    assert_memory_not_equal(first, other, sizeof first);
}

/* Fans of the weights that layers make: the bound of kaiming_uniform is sqrt(6 / fan_in). */
static void test_initializers__fans_of_linear_and_convolution(void **state)
{
    (void)state;
    Error error;
    static const int64_t three = 3, one = 1, zero = 0;
    Builder builder = {.arena = arena_new(), .parameters = parameters_new(), .error = &error};
    struct convolution convolution = {64, {1, &three}, {1, &one}, {1, &zero}, {1, &one}, 1, true, true};
    assert_non_null(layer_build_with(&builder, "conv", "convolution", &convolution,
                                     shape_of(3, (int64_t[]){16, 8, 8})));
    assert_non_null(layer_build_with(&builder, "linear", "linear", &(struct linear){128, true},
                                     shape_of(1, (int64_t[]){144})));
    static const char *const names[] = {"conv.weight", "linear.weight"};
    for (int n = 0; n < 2; n++) {
        const Tensor *weight = parameters_find(builder.parameters, names[n])->value;
        double most = 0, bound = sqrt(6.0 / 144);
        for (int64_t i = 0; i < weight->count; i++)
            most = fabs(tensor_value(weight, i)) > most ? fabs(tensor_value(weight, i)) : most;
        assert_true(most <= bound * (1 + 1e-6) && most > 0.99 * bound);
    }
    for (int64_t i = 0; i < 64; i++)
        assert_true(tensor_value(parameters_find(builder.parameters, "conv.bias")->value, i) == 0);
    parameters_free(builder.parameters);
    arena_free(builder.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initializers__moments),
        cmocka_unit_test(test_initializers__truncated_normal),
        cmocka_unit_test(test_initializers__constant),
        cmocka_unit_test(test_initializers__orthogonal),
        cmocka_unit_test(test_initializers__a_function_of_seed_and_name),
        cmocka_unit_test(test_initializers__fans_of_linear_and_convolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
