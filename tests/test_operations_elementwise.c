/* What differences of small samples cannot see: broadcasting of tensors large enough to be cut, every kernel on
   every instruction set over the whole range of numbers, edges, and gradients that are not derivatives. */
#include "tests/instruction_sets.h"
#include "tests/tensors.h"

#include <math.h>
#include <string.h>

static Tensor *uniform(ArrayType type, int rank, const int64_t *shape, uint32_t step)
{
    Tensor *x = t_random_uniform(type, rank, shape, random_start(5, "elementwise", step));
    return t_add_scalar(x, -0.5);
}

/* ---- Broadcasting ---- */

static double element(const Tensor *x, int rank, const int64_t *index)
{
    int64_t at = 0;
    for (int i = 0; i < x->rank; i++)
        at = at * x->shape[i] + (x->shape[i] == 1 ? 0 : index[rank - x->rank + i]);
    return tensor_value(x, at);
}

/* a - b, where(a < b, a, b) and the sum of the gradient back to b. */
static void check_broadcast(Tensor *a, Tensor *b)
{
    b->requires_gradient = true;
    Tensor *difference = t_sub(a, b), *smaller = t_where(t_less(a, b), a, b);
    int64_t index[TENSOR_MAX_RANK] = {0};
    for (int64_t at = 0; at < difference->count; at++) {
        int64_t rest = at;
        for (int i = difference->rank - 1; i >= 0; i--) {
            index[i] = rest % difference->shape[i];
            rest /= difference->shape[i];
        }
        float x = (float)element(a, difference->rank, index), y = (float)element(b, difference->rank, index);
        if (tensor_f32(difference)[at] != x - y || tensor_f32(smaller)[at] != (x < y ? x : y))
            fail_msg("element %lld of %lld", (long long)at, (long long)difference->count);
    }
    Tensor *gradient = gradient_of(difference, b);
    for (int64_t at = 0; at < b->count; at++)
        assert_true(tensor_value(gradient, at) == -(double)difference->count / (double)b->count);
}

static void test_operations_elementwise__broadcasting(void **state)
{
    (void)state;
    static const struct { int rank_a, rank_b; int64_t a[5], b[5]; } cases[] = {
        {1, 1, {70001}, {70001}}, {1, 1, {70001}, {1}}, {2, 1, {300, 257}, {257}}, {2, 2, {300, 257}, {300, 1}},
        {2, 2, {3, 40000}, {3, 1}}, {3, 2, {20, 30, 100}, {30, 1}}, {4, 4, {5, 1, 70, 9}, {1, 13, 1, 9}},
        {5, 3, {3, 4, 5, 6, 70}, {5, 1, 70}}, {0, 2, {0}, {200, 200}}, {2, 2, {40000, 1}, {1, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int threads = 1; threads <= 4; threads += 3) {
            threads_set(threads);
            check_broadcast(uniform(ARRAY_F32, cases[i].rank_a, cases[i].a, 1),
                            uniform(ARRAY_F32, cases[i].rank_b, cases[i].b, 2));
            tape_reset();
        }
}

/* ---- Kernels ---- */

typedef Tensor *(*UnaryOperation)(Tensor *x);

static Tensor *leaky(Tensor *x)
{
    return t_leaky_relu(x, 0.25);
}

static Tensor *elu(Tensor *x)
{
    return t_elu(x, 0.75);
}

static Tensor *clamped(Tensor *x)
{
    return t_clamp(x, -1.5, 40);
}

static const struct { const char *name; UnaryOperation apply; double low; } unaries[] = {
    {"neg", t_neg, -1e4}, {"square", t_square, -1e4}, {"sqrt", t_sqrt, 0}, {"rsqrt", t_rsqrt, 1e-4},
    {"reciprocal", t_reciprocal, 1e-3}, {"abs", t_abs, -1e4}, {"sign", t_sign, -1e4}, {"exp", t_exp, -1e4},
    {"expm1", t_expm1, -1e4}, {"log", t_log, 1e-6}, {"log1p", t_log1p, -0.9}, {"xlogx", t_xlogx, 0},
    {"tanh", t_tanh, -1e4}, {"erf", t_erf, -1e4}, {"sigmoid", t_sigmoid, -1e4}, {"log_sigmoid", t_log_sigmoid, -1e4},
    {"softplus", t_softplus, -1e4}, {"relu", t_relu, -1e4}, {"leaky_relu", leaky, -1e4}, {"elu", elu, -1e4},
    {"gelu", t_gelu, -1e4}, {"gelu_tanh", t_gelu_tanh, -1e4}, {"silu", t_silu, -1e4},
    {"hard_sigmoid", t_hard_sigmoid, -1e4}, {"clamp", clamped, -1e4}, {"round", t_round, -1e4},
    {"softplus_inverse", t_softplus_inverse, 1e-3}, {"sin", t_sin, -1e4}, {"cos", t_cos, -1e4},
};

/* Numbers of every size from 1e-6 to 1e4 and of both signs, from `low` on and below 80 for what grows like exp. */
static Tensor *numbers(ArrayType type, double low, const char *name)
{
    static const double edges[] = {0, -0.0, 1e4, -1e4, 0.5, 1.5, 2.5, -2.5, 1, -1, 88, -88, -104};
    enum { EDGES = sizeof edges / sizeof *edges, COUNT = 1003 };
    bool grows = strncmp(name, "exp", 3) == 0;
    Tensor *x = t_new(type, SHAPE(COUNT));
    for (int i = 0; i < COUNT; i++) {
        double value = i < EDGES ? edges[i] : pow(10, -6 + 10.0 * (i / 2) / (COUNT / 2)) * (i % 2 ? 1 : -1);
        value = value < low ? low + fabs(value) : value;
        value = grows && value > 80 ? 1 : value;
        tensor_set(x, i, (double)(float)value);
    }
    x->requires_gradient = true;
    return x;
}

static void check_near(const char *isa, const char *name, const char *what, const Tensor *x, const Tensor *got,
                       const Tensor *expected)
{
    for (int64_t i = 0; i < x->count; i++) {
        double a = tensor_value(got, i), b = tensor_value(expected, i);
        if (!(a == b || fabs(a - b) <= 3e-6 * (fabs(b) + 0.1)))
            fail_msg("%s %s %s at %.9g: %.9g, in double %.9g", isa, name, what, tensor_value(x, i), a, b);
    }
}

static void test_operations_elementwise__kernels_agree_with_double(void **state)
{
    (void)state;
    for (int k = 0; k < ISAS; k++) {
        Error error;
        if (!kernels_select(isas[k], &error))
            continue;
        for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++) {
            Tensor *single = numbers(ARRAY_F32, unaries[i].low, unaries[i].name);
            Tensor *twice = numbers(ARRAY_F64, unaries[i].low, unaries[i].name);
            Tensor *y = unaries[i].apply(single), *expected = unaries[i].apply(twice);
            check_near(isas[k], unaries[i].name, "value", single, y, expected);
            check_near(isas[k], unaries[i].name, "gradient", single, gradient_of(y, single),
                       gradient_of(expected, twice));
            tape_reset();
        }
    }
}

/* Large enough to be cut. */
static void test_operations_elementwise__pieces_of_large_tensors(void **state)
{
    (void)state;
    Tensor *single = uniform(ARRAY_F32, SHAPE(70001), 3);
    Tensor *twice = t_cast(single, ARRAY_F64);
    single->requires_gradient = twice->requires_gradient = true;
    static const UnaryOperation both[] = {t_silu, t_sin};
    for (int i = 0; i < 2; i++) {
        threads_set(1);
        Tensor *y = both[i](single), *expected = both[i](twice), *gradient = gradient_of(y, single);
        check_near("best", "large", "value", single, y, expected);
        check_near("best", "large", "gradient", single, gradient, gradient_of(expected, twice));
        threads_set(3);
        assert_memory_equal(both[i](single)->data, y->data, 70001 * sizeof(float));
        assert_memory_equal(gradient_of(both[i](single), single)->data, gradient->data, 70001 * sizeof(float));
    }
}

/* Where a difference would cancel. */
static void test_operations_elementwise__small_numbers(void **state)
{
    (void)state;
    static const UnaryOperation same[] = {t_expm1, t_log1p, t_tanh, elu, t_sin};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double x = sign * 1e-5, y = tensor_value(same[i](LEAF(x)), 0);
            double expected = tensor_value(same[i](t_scalar(ARRAY_F64, x)), 0);
            assert_true(fabs(y - expected) <= 3e-7 * fabs(expected));
        }
    double far = tensor_value(t_softplus(LEAF(-30)), 0);
    assert_true(fabs(far - exp(-30)) <= 1e-6 * exp(-30));
}

static void test_operations_elementwise__not_a_number_comes_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++) {
        Tensor *y = unaries[i].apply(LEAF(NAN, 1));
        if (!isnan(tensor_value(y, 0)) && strcmp(unaries[i].name, "sign") != 0)
            fail_msg("%s of NaN is %g", unaries[i].name, tensor_value(y, 0));
    }
    ASSERT_VALUES(t_maximum(LEAF(NAN, 1, 2), LEAF(1, NAN, 1)), NAN, NAN, 2);
    ASSERT_VALUES(t_minimum(LEAF(NAN, 1, 2), LEAF(1, NAN, 1)), NAN, NAN, 1);
    ASSERT_VALUES(t_maximum(t_cast(LEAF(NAN, 1, 2), ARRAY_F64), t_cast(LEAF(1, NAN, 1), ARRAY_F64)), NAN, NAN, 2);
}

/* ---- Edges ---- */

static void test_operations_elementwise__kinks(void **state)
{
    (void)state;
    Tensor *x = LEAF(-1, 0, 1);
    ASSERT_VALUES(gradient_of(t_relu(x), x), 0, 0, 1);
    ASSERT_VALUES(gradient_of(t_abs(x), x), -1, 0, 1);
    ASSERT_VALUES(gradient_of(t_clamp(x, 0, 1), x), 0, 1, 1);
    ASSERT_VALUES(gradient_of(t_clamp(x, -INFINITY, 0), x), 1, 1, 0);
    ASSERT_VALUES(gradient_of(t_maximum(x, t_scalar(ARRAY_F32, 0)), x), 0, 0.5, 1);
    ASSERT_VALUES(gradient_of(t_minimum(x, t_scalar(ARRAY_F32, 0)), x), 1, 0.5, 0);
    ASSERT_VALUES(t_sign(x), -1, 0, 1);
    ASSERT_VALUES(gradient_of(t_sign(x), x), 0, 0, 0);
    ASSERT_VALUES(t_round(LEAF(0.5, 1.5, 2.5, -0.5, 8388609)), 0, 2, 2, -0.0, 8388609);
    Tensor *p = LEAF(0, 1);
    ASSERT_VALUES(t_xlogx(p), 0, 0);
    ASSERT_VALUES(gradient_of(t_xlogx(p), p), 0, 1);
    ASSERT_VALUES(gradient_of(t_norm(p, 0, false), p), 0, 1);
    Tensor *zeros = LEAF(0, 0);
    ASSERT_VALUES(gradient_of(t_norm(zeros, 0, false), zeros), 0, 0);
    ASSERT_VALUES(t_pow_scalar(p, 0), 1, 1);
    ASSERT_VALUES(gradient_of(t_pow_scalar(p, 2), p), 0, 2);
    Tensor *exponent = LEAF(2, 2);
    ASSERT_VALUES(gradient_of(t_pow(p, exponent), exponent), 0, 0);
}

/* What was not chosen sends no NaN back. */
static void test_operations_elementwise__where(void **state)
{
    (void)state;
    Tensor *x = LEAF(-1, 0, 4);
    Tensor *positive = t_less(t_scalar(ARRAY_F32, 0), x);
    Tensor *y = t_where(positive, t_sqrt(t_where(positive, x, t_scalar(ARRAY_F32, 1))), t_scalar(ARRAY_F32, 7));
    ASSERT_VALUES(y, 7, 7, 2);
    ASSERT_VALUES(gradient_of(y, x), 0, 0, 0.25);
    ASSERT_VALUES(t_less_equal(x, t_scalar(ARRAY_F32, 0)), 1, 1, 0);
    ASSERT_VALUES(t_equal(x, LEAF(0, 0, 4)), 0, 1, 1);
    ASSERT_VALUES(t_less(LEAF(NAN, 1), LEAF(1, NAN)), 0, 0);
    ASSERT_VALUES(t_equal(t_cast(x, ARRAY_I32), t_cast(LEAF(-1, 1, 4), ARRAY_I32)), 1, 0, 1);
}

/* ---- Gradients that are not derivatives ---- */

static void test_operations_elementwise__gradients_as_told(void **state)
{
    (void)state;
    Tensor *x = LEAF(-2, 0.4, 3);
    ASSERT_VALUES(t_round_straight_through(x), -2, 0, 3);
    ASSERT_VALUES(gradient_of(t_square(t_round_straight_through(x)), x), -4, 0, 6);
    Tensor *other = LEAF(1, 1, 1);
    ASSERT_VALUES(gradient_of(t_straight_through(other, x), other), 0, 0, 0);
    ASSERT_VALUES(gradient_of(t_square(t_reverse_gradient(x, 0.5)), x), 2, -0.5F * 0.8F, -3);
    ASSERT_VALUES(gradient_of(t_square(t_clamp_gradient(x, 3)), x), -3, 0.8F, 3);
    ASSERT_VALUES(gradient_of(t_mul(x, t_detach(x)), x), -2, 0.4F, 3);
    assert_false(t_detach(t_square(x))->requires_gradient);
}

static void test_operations_elementwise__cast(void **state)
{
    (void)state;
    Tensor *x = LEAF(-2.7, 2.7);
    ASSERT_VALUES(t_cast(x, ARRAY_I32), -2, 2);
    assert_false(t_cast(x, ARRAY_I32)->requires_gradient);
    ASSERT_VALUES(t_cast(t_cast(x, ARRAY_I32), ARRAY_F64), -2, 2);
    Tensor *gradient = gradient_of(t_square(t_cast(x, ARRAY_F64)), x);
    assert_int_equal(gradient->type, ARRAY_F32);
    ASSERT_VALUES(gradient, 2 * -2.7F, 2 * 2.7F);
}

/* ---- Random tensors ---- */

static void test_operations_elementwise__random_words_are_philox(void **state)
{
    (void)state;
    for (int k = 0; k < ISAS; k++) {
        Error error;
        if (!kernels_select(isas[k], &error))
            continue;
        uint32_t words[4 * 37], expected[4];
        kernels()->elementwise.random_words(9, 8, 7, 0xfffffff0u, 37, words);
        for (uint64_t i = 0; i < 37; i++) {
            random_block(9, 8, 7, 0xfffffff0u + i, expected);
            assert_memory_equal(expected, words + 4 * i, sizeof expected);
        }
    }
}

static void test_operations_elementwise__dropout(void **state)
{
    (void)state;
    Random random = random_start(1, "dropout", 0);
    Tensor *x = t_full(ARRAY_F32, SHAPE(300, 20, 10), 1);
    x->requires_gradient = true;
    for (int axes = 1; axes <= 3; axes++) {
        threads_set(1);
        Tensor *y = t_dropout(x, 0.25, axes, random);
        threads_set(3);
        assert_memory_equal(t_dropout(x, 0.25, axes, random)->data, y->data, (size_t)y->count * sizeof(float));
        assert_memory_equal(gradient_of(y, x)->data, y->data, (size_t)y->count * sizeof(float));
        Tensor *twice = t_dropout(t_cast(x, ARRAY_F64), 0.25, axes, random);
        int64_t kept = 0, group = axes == 1 ? 200 : axes == 2 ? 10 : 1, groups = y->count / group;
        for (int64_t i = 0; i < y->count; i++) {
            double value = tensor_value(y, i), first = tensor_value(y, i / group * group);
            assert_true((value == 0 || value == (double)(float)(1 / 0.75)) && value == first);
            assert_true((tensor_value(twice, i) == 0) == (value == 0));
            kept += value != 0;
        }
        double share = (double)kept / (double)y->count;
        assert_true(fabs(share - 0.75) < 5 * sqrt(0.75 * 0.25 / (double)groups));
    }
    assert_ptr_equal(t_dropout(x, 0, 6, random), x);
}

static void test_operations_elementwise__random_tensors(void **state)
{
    (void)state;
    Random random = random_start(1, "noise", 4);
    enum { N = 40001 };
    Tensor *normal = t_random_normal(ARRAY_F64, SHAPE(N), random);
    Tensor *flat = t_random_uniform(ARRAY_F32, SHAPE(N), random);
    threads_set(3);
    assert_memory_equal(t_random_normal(ARRAY_F64, SHAPE(N), random)->data, normal->data, N * sizeof(double));
    Tensor *shorter = t_random_normal(ARRAY_F64, SHAPE(77), random); /* element i does not depend on the size */
    assert_memory_equal(shorter->data, normal->data, 77 * sizeof(double));
    double mean = tensor_value(t_mean(normal, ALL_AXES, false), 0);
    double variance = tensor_value(t_variance(normal, 0, false), 0);
    assert_true(fabs(mean) < 5 / sqrt(N) && fabs(variance - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(tensor_value(t_mean(flat, 0, false), 0) - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(tensor_value(t_min(flat, 0, false), 0) >= 0 && tensor_value(t_max(flat, 0, false), 0) < 1);
}

#define TEST(name) TAPE_TEST(test_operations_elementwise__##name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(broadcasting), TEST(kernels_agree_with_double), TEST(pieces_of_large_tensors), TEST(small_numbers),
        TEST(not_a_number_comes_through), TEST(kinks), TEST(where),
        TEST(gradients_as_told), TEST(cast), TEST(random_words_are_philox), TEST(dropout), TEST(random_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
