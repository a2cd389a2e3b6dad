/* The softmax family where numbers are extreme, and against what defines it; with the products that losses
   are made of. Derivatives against differences are test_operations.c's. */
#include "tests/instruction_sets.h"

#include <math.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

static int set_up(void **state)
{
    *state = tape_new();
    tape_use(*state);
    return 0;
}

static int tear_down(void **state)
{
    tape_free(*state);
    return 0;
}

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%.9g, not %.9g", got, expected);
}

static Tensor *row_of(ArrayType type, int64_t n, const double *values)
{
    Tensor *x = t_new(type, SHAPE(1, n));
    for (int64_t i = 0; i < n; i++)
        tensor_set(x, i, values[i]);
    x->requires_gradient = true;
    return x;
}

static const ArrayType types[] = {ARRAY_F32, ARRAY_F64};

static void test_operations_softmax__extreme_logits(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++) {
        Tensor *x = row_of(types[t], 4, (double[]){1e4, -1e4, 1e4 - 1, -INFINITY}), *gradient;
        double p = 1 / (1 + exp(-1));
        Tensor *y = t_softmax(x), *logarithm = t_log_softmax(x);
        assert_near(tensor_value(y, 0), p, 1e-6);
        assert_true(tensor_value(y, 1) == 0 && tensor_value(y, 3) == 0);
        assert_near(tensor_value(logarithm, 2), log(1 - p), 1e-6);
        assert_near(tensor_value(logarithm, 1), log(p) - 2e4, 1e-6);
        assert_true(tensor_value(logarithm, 3) == -INFINITY);
        t_gradients(logarithm, row_of(types[t], 4, (double[]){1, 0, 0, 0}), 1, &x, &gradient, false);
        assert_near(tensor_value(gradient, 0), 1 - p, 1e-6);
        assert_true(tensor_value(gradient, 3) == 0);
        t_gradients(y, row_of(types[t], 4, (double[]){1, 5, 0, 5}), 1, &x, &gradient, false);
        assert_near(tensor_value(gradient, 0), p * (1 - p), 1e-6);
        assert_true(tensor_value(gradient, 3) == 0);
    }
}

static void test_operations_softmax__cross_entropy_of_extreme_logits(void **state)
{
    (void)state;
    double p = 1 / (1 + exp(-1)), expected[5] = {-log(p), 2e4 - log(p), INFINITY, 0, 0};
    int32_t targets[5] = {0, 1, 3, -1, 4};
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 5; i++) {
            Tensor *x = row_of(types[t], 4, (double[]){1e4, -1e4, 1e4 - 1, -INFINITY}), *gradient;
            Tensor *loss = t_softmax_cross_entropy(x, t_wrap(ARRAY_I32, SHAPE(1), &targets[i]));
            if (isinf(expected[i]))
                assert_true(tensor_value(loss, 0) == expected[i]);
            else
                assert_near(tensor_value(loss, 0), expected[i], 1e-6);
            t_gradients(loss, NULL, 1, &x, &gradient, false);
            bool counted = targets[i] >= 0 && targets[i] < 4;
            assert_near(tensor_value(gradient, 0), counted * (p - (i == 0)), 1e-6);
            assert_near(tensor_value(gradient, 3), -(double)(i == 2), 1e-6);
        }
}

static Tensor *member(int which, Tensor *x, Tensor *index)
{
    return which == 0 ? t_softmax(x) : which == 1 ? t_log_softmax(x) : t_softmax_cross_entropy(x, index);
}

/* Rows of every length up to some vectors, with every instruction set. */
static void test_operations_softmax__single_agrees_with_double(void **state)
{
    (void)state;
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        for (int64_t n = 1; n < 70; n++)
            for (int which = 0; which < 3; which++) {
                Random random = random_start(9, "agree", (uint32_t)n);
                Tensor *x[2] = {t_new(ARRAY_F32, SHAPE(3, n)), t_new(ARRAY_F64, SHAPE(3, n))}, *y[2], *gradient[2];
                Tensor *index = sample_indices(&random, n, SHAPE(3));
                for (int64_t i = 0; i < 3 * n; i++) {
                    float value = (float)(4 * random_normal(&random));
                    tensor_set(x[0], i, (double)value);
                    tensor_set(x[1], i, (double)value);
                }
                for (int t = 0; t < 2; t++) {
                    x[t]->requires_gradient = true;
                    y[t] = member(which, x[t], index);
                    Tensor *seed = t_like(y[t]);
                    for (int64_t i = 0; i < seed->count; i++)
                        tensor_set(seed, i, (double)(i * 7 % 5) - 1.5);
                    t_gradients(y[t], seed, 1, &x[t], &gradient[t], false);
                }
                for (int64_t i = 0; i < y[0]->count; i++)
                    assert_near(tensor_value(y[0], i), tensor_value(y[1], i), 2e-6);
                for (int64_t i = 0; i < x[0]->count; i++)
                    assert_near(tensor_value(gradient[0], i), tensor_value(gradient[1], i), 2e-5);
            }
    }
    assert_true(kernels_select(NULL, NULL));
}

/* The point of the simplex that maximises p z + entropy: with a threshold, and a sum of 1. */
static void check_thresholded(const Tensor *x, const Tensor *y, double scale, double power)
{
    int64_t n = x->shape[1];
    for (int64_t at = 0; at < x->count; at += n) {
        double sum = 0, threshold = NAN;
        for (int64_t j = at; j < at + n; j++) {
            sum += tensor_value(y, j);
            if (tensor_value(y, j) > 0)
                threshold = scale * tensor_value(x, j) - pow(tensor_value(y, j), power);
        }
        assert_near(sum, 1, 1e-5);
        for (int64_t j = at; j < at + n; j++)
            assert_near(pow(tensor_value(y, j), power), fmax(scale * tensor_value(x, j) - threshold, 0), 2e-5);
    }
}

/* Rows that threads share: the same bits for any number of them, against double; the second row holds what pairs of
   mantissa and exponent do not. */
static void test_operations_softmax__wide_rows(void **state)
{
    (void)state;
    const int64_t n = 200003;
    Tensor *x = t_new(ARRAY_F32, SHAPE(2, n)), *first = NULL;
    for (int64_t i = 0; i < x->count; i++)
        tensor_f32(x)[i] = (float)((i * 7919) % 1009) * 0.02F - (i >= n ? 5e6F : 0);
    Tensor *truth = t_softmax(t_cast(x, ARRAY_F64));
    for (int threads = 1; threads <= 3; threads++) {
        threads_set(threads);
        Tensor *y = t_softmax(x);
        for (int64_t i = 0; i < y->count; i++)
            if (!(fabs(tensor_value(y, i) - tensor_value(truth, i)) <= 4e-6 * tensor_value(truth, i)))
                fail_msg("%lld: %.9g, not %.9g", (long long)i, tensor_value(y, i), tensor_value(truth, i));
        first = first ? first : y;
        assert_memory_equal(y->data, first->data, (size_t)y->count * sizeof(float));
    }
    threads_set(1);
}

static void test_operations_softmax__sparsemax_and_entmax(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++)
        for (int64_t n = 1; n < 300; n = 3 * n + 1) {
            Random random = random_start(8, "rows", (uint32_t)n);
            Tensor *x = t_new(types[t], SHAPE(40, n));
            for (int64_t i = 0; i < x->count; i++)
                tensor_set(x, i, random_normal(&random) * (i % 3 ? 0.2 : 2));
            check_thresholded(x, t_sparsemax(x), 1, 1);
            check_thresholded(x, t_entmax15(x), 0.5, 0.5);
        }
}

static void test_operations_softmax__thresholds_of_extreme_logits(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++) {
        Tensor *x = row_of(types[t], 4, (double[]){1e4, -INFINITY, 1e4, -1e4}), *gradient;
        Tensor *both[2] = {t_sparsemax(x), t_entmax15(x)};
        for (int i = 0; i < 2; i++) {
            assert_near(tensor_value(both[i], 0), 0.5, 1e-6);
            assert_near(tensor_value(both[i], 2), 0.5, 1e-6);
            assert_true(tensor_value(both[i], 1) == 0 && tensor_value(both[i], 3) == 0);
            t_gradients(both[i], row_of(types[t], 4, (double[]){1, 7, 0, 7}), 1, &x, &gradient, false);
            assert_true(tensor_value(gradient, 1) == 0 && tensor_value(gradient, 3) == 0);
            assert_near(tensor_value(gradient, 0), i == 0 ? 0.5 : sqrt(0.5) / 2, 1e-6);
        }
        tensor_set(x, 3, NAN);
        assert_true(isnan(tensor_value(t_sparsemax(x), 0)) && isnan(tensor_value(t_entmax15(x), 0)));
    }
}

/* Close rows far from the origin: the difference of large squares would lose all digits. */
static void test_operations_softmax__distances_of_close_rows(void **state)
{
    (void)state;
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        for (int64_t width = 1; width < 80; width += 13) {
            Tensor *a = t_full(ARRAY_F32, SHAPE(7, width), 1000), *b = t_full(ARRAY_F32, SHAPE(6, width), 1000);
            for (int64_t i = 0; i < 6; i++)
                tensor_set(b, i * width + width - 1, 1000 + (double)i / 16);
            Tensor *distances = t_pairwise_squared_distances(a, b);
            for (int64_t i = 0; i < distances->count; i++)
                assert_true(tensor_value(distances, i) == (double)(i % 6 * (i % 6)) / 256);
        }
    }
    assert_true(kernels_select(NULL, NULL));
}

/* Of floats as of the same doubles: to other rows and among themselves, in slices and parts of vectors. */
static void test_operations_softmax__distances_of_floats_are_doubles(void **state)
{
    (void)state;
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        for (int i = 0; i < 8; i++) {
            const int64_t width = (const int64_t[]){1, 13, 600, 3001}[i / 2];
            Tensor *a[2], *b[2], *distances[2], *gradients[2];
            for (int t = 0; t < 2; t++) {
                a[t] = t_cast(t_random_normal(ARRAY_F32, SHAPE(19, width), random_start(3, "a", 0)), types[t]);
                b[t] = t_cast(t_random_normal(ARRAY_F32, SHAPE(6, width), random_start(3, "b", 0)), types[t]);
                a[t]->requires_gradient = true;
                distances[t] = t_pairwise_squared_distances(a[t], i % 2 ? a[t] : b[t]);
                Tensor *slopes = t_random_normal(ARRAY_F64, SHAPE(19, i % 2 ? 19 : 6), random_start(3, "slopes", 0));
                t_gradients(distances[t], slopes, 1, &a[t], &gradients[t], false);
            }
            for (int64_t k = 0; k < distances[0]->count; k++)
                assert_near(tensor_value(distances[0], k), tensor_value(distances[1], k), 1e-11);
            for (int64_t k = 0; k < gradients[0]->count; k++)
                assert_near(tensor_value(gradients[0], k), tensor_value(gradients[1], k), 1e-5);
        }
    }
    assert_true(kernels_select(NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_operations_softmax__extreme_logits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__cross_entropy_of_extreme_logits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__single_agrees_with_double, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__wide_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__sparsemax_and_entmax, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__thresholds_of_extreme_logits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__distances_of_close_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_operations_softmax__distances_of_floats_are_doubles, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
