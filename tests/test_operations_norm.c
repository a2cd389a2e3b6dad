/* Normalisation beyond the small samples of test_operations.c: known values, sizes that are cut into tasks,
   large means. */
#include "tests/instruction_sets.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/tensor/operations.h"

static Tape *tape;

static int setup(void **state)
{
    (void)state;
    tape = tape_new();
    tape_use(tape);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tape_free(tape);
    return 0;
}

static Tensor *leaf(ArrayType type, int rank, const int64_t *shape, double centre, double width, uint32_t seed)
{
    Random random = random_start(5, "leaf", seed);
    Tensor *tensor = t_new(type, rank, shape);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_set(tensor, i, (double)(float)(centre + width * random_normal(&random)));
    tensor->requires_gradient = true;
    return tensor;
}

static void check_near(const Tensor *got, const Tensor *expected, double tolerance)
{
    assert_true(tensor_same_shape(got, expected));
    for (int64_t i = 0; i < got->count; i++) {
        double a = tensor_value(got, i), b = tensor_value(expected, i);
        if (!(fabs(a - b) <= tolerance * fmax(1, fabs(b))))
            fail_msg("[%lld] is %.9g, expected %.9g", (long long)i, a, b);
    }
}

typedef enum Kind { LAYER, RMS, GROUP, BATCH, KINDS } Kind;

static Tensor *apply(Kind kind, Tensor *x, Tensor *scale, Tensor *shift)
{
    switch (kind) {
    case LAYER: return t_layer_norm(x, scale, shift, 1e-5);
    case RMS: return t_rms_norm(x, scale, 1e-5);
    case GROUP: return t_group_norm(x, 4, scale, shift, 1e-5);
    default: return t_batch_norm(x, scale, shift, 1e-5, NULL, NULL);
    }
}

/* results: the output, then the gradients by x, scale and shift. */
static void run(Kind kind, ArrayType type, int rank, const int64_t *shape, Tensor **results)
{
    int64_t channels = kind == LAYER || kind == RMS ? shape[rank - 1] : shape[1];
    Tensor *inputs[3] = {leaf(type, rank, shape, 0.5, 2, 0), leaf(type, 1, &channels, 1, 0.5, 1),
                         leaf(type, 1, &channels, 0, 1, 2)};
    results[0] = apply(kind, inputs[0], inputs[1], inputs[2]);
    Tensor *seed = leaf(type, results[0]->rank, results[0]->shape, 0, 1, 3);
    seed->requires_gradient = false;
    t_gradients(results[0], seed, 3, inputs, results + 1, false);
}

typedef struct Case { Kind kind; int rank; int64_t shape[4]; } Case;
static const Case cases[] = {
    {LAYER, 2, {700, 130}}, {LAYER, 3, {3, 1, 9001}}, {RMS, 2, {1500, 65}},       {GROUP, 4, {3, 8, 70, 61}},
    {GROUP, 2, {50, 64}},   {BATCH, 2, {1100, 150}},  {BATCH, 4, {9, 7, 33, 31}}, {BATCH, 3, {5000, 3, 2}},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void test_operations_norm__single_agrees_with_double_on_large_shapes(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *single[4], *twice[4];
        run(cases[k].kind, ARRAY_F32, cases[k].rank, cases[k].shape, single);
        run(cases[k].kind, ARRAY_F64, cases[k].rank, cases[k].shape, twice);
        for (int i = 0; i < 4; i++)
            check_near(single[i], twice[i], 3e-5);
        tape_reset();
    }
}

static void test_operations_norm__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *one[4], *four[4];
        run(cases[k].kind, ARRAY_F32, cases[k].rank, cases[k].shape, one);
        threads_set(4);
        run(cases[k].kind, ARRAY_F32, cases[k].rank, cases[k].shape, four);
        threads_set(1);
        for (int i = 0; i < 4; i++)
            assert_memory_equal(one[i]->data, four[i]->data, (size_t)one[i]->count * sizeof(float));
        tape_reset();
    }
}

static void test_operations_norm__known_values(void **state)
{
    (void)state;
    Tensor *x = t_wrap(ARRAY_F32, SHAPE(2, 2), (float[]){1, 3, 5, 9}), *mean, *variance;
    check_near(t_layer_norm(x, NULL, NULL, 0), t_wrap(ARRAY_F32, SHAPE(2, 2), (float[]){-1, 1, -1, 1}), 1e-6);
    Tensor *scale = t_wrap(ARRAY_F32, SHAPE(2), (float[]){2, 10}),
           *shift = t_wrap(ARRAY_F32, SHAPE(2), (float[]){0.5F, 0});
    check_near(t_batch_norm(x, scale, shift, 0, &mean, &variance),
               t_wrap(ARRAY_F32, SHAPE(2, 2), (float[]){-1.5F, -10, 2.5F, 10}), 1e-6);
    check_near(mean, t_wrap(ARRAY_F32, SHAPE(2), (float[]){3, 6}), 1e-7);
    check_near(variance, t_wrap(ARRAY_F32, SHAPE(2), (float[]){4, 9}), 1e-7);
    assert_false(mean->requires_gradient);
    check_near(t_batch_norm_fixed(x, scale, shift, mean, variance, 0), t_batch_norm(x, scale, shift, 0, NULL, NULL),
               1e-6);
    check_near(t_rms_norm(x, NULL, 4),
               t_wrap(ARRAY_F32, SHAPE(2, 2), (float[]){1.0F / 3, 1, 5 / sqrtf(57), 9 / sqrtf(57)}), 1e-6);
    tape_reset();
}

/* At 1e4 a float is rounded by up to 5e-4, here about a thousandth of a deviation. */
static void test_operations_norm__large_mean(void **state)
{
    (void)state;
    for (Kind kind = LAYER; kind < KINDS; kind++) {
        if (kind == RMS)
            continue;
        Tensor *single = leaf(ARRAY_F32, SHAPE(64, 64), 1e4, 1, 0), *twice = leaf(ARRAY_F64, SHAPE(64, 64), 1e4, 1, 0);
        check_near(apply(kind, single, NULL, NULL), apply(kind, twice, NULL, NULL), 2e-3);
    }
    Tensor *constant = t_full(ARRAY_F32, SHAPE(3, 100), -1e4); /* no deviation: zero, not NaN */
    check_near(t_layer_norm(constant, NULL, NULL, 1e-5), t_zeros(ARRAY_F32, SHAPE(3, 100)), 1e-6);
    tape_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_norm__single_agrees_with_double_on_large_shapes),
        cmocka_unit_test(test_operations_norm__same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_operations_norm__known_values),
        cmocka_unit_test(test_operations_norm__large_mean),
    };
    return RUN_ON_EACH_ISA(tests, setup, teardown);
}
