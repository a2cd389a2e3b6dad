/* Attention by tiles against the definition: products and a softmax over the whole matrix of scores. */
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

typedef struct Case {
    int64_t n, heads, key_heads, t, s, d;
    int mask;               /* rank; 3: [N, 1, T, S] */
    bool causal, alibi, rope;
} Case;

static const Case cases[] = {
    {1, 1, 1, 1, 1, 1, 0, false, false, false},    {2, 3, 3, 1, 77, 5, 0, true, false, false},
    {1, 2, 1, 5, 300, 16, 0, true, true, false},   {2, 4, 2, 64, 128, 8, 0, false, false, false},
    {1, 2, 2, 65, 129, 7, 2, false, false, false}, {1, 1, 1, 130, 130, 33, 0, true, false, false},
    {2, 2, 1, 67, 131, 4, 3, true, true, false},   {2, 2, 2, 70, 140, 3, 4, false, false, false},
    {1, 1, 1, 140, 70, 6, 0, true, false, false},  {5, 4, 4, 66, 66, 8, 2, true, false, false},
    {3, 6, 6, 3, 2, 2, 0, false, true, false},     {1, 8, 2, 200, 200, 16, 0, true, true, false},
    {2, 2, 1, 67, 131, 4, 3, true, false, true}, {1, 17, 17, 66, 66, 8, 0, true, false, true},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static const float slopes[] = {0.5F, 0.25F, 0.125F, 0.0625F, 0.03F, 0.01F, 0, -0.02F};

/* inputs: query, key, value and where wanted mask; returns how many. The values are floats in either type. */
static int make_inputs(const Case *one, ArrayType type, Tensor **inputs)
{
    int64_t shapes[4][4] = {{one->n, one->t, one->heads, one->d},
                            {one->n, one->s, one->key_heads, one->d},
                            {one->n, one->s, one->key_heads, one->d},
                            {one->n, one->mask == 3 ? 1 : one->heads, one->t, one->s}};
    int count = one->mask ? 4 : 3;
    for (int i = 0; i < count; i++) {
        Random random = random_start(9, "attention", (uint32_t)i);
        bool flat = i == 3 && one->mask == 2;
        inputs[i] = t_new(type, flat ? 2 : 4, flat ? shapes[i] + 2 : shapes[i]);
        for (int64_t k = 0; k < inputs[i]->count; k++)
            tensor_set(inputs[i], k, (double)(float)random_normal(&random));
        inputs[i]->requires_gradient = true;
    }
    return count;
}

static AttentionOptions options_of(const Case *one)
{
    return (AttentionOptions){.scale = 1 / sqrt((double)one->d),
                              .causal = one->causal,
                              .alibi_slopes = one->alibi ? slopes : NULL,
                              .rope_base = one->rope ? 50 : 0};
}

/* [heads, T, S]: what is added to the scores. Hidden: so low that nothing is left, but no infinity. */
static Tensor *biases(const Case *one)
{
    Tensor *bias = t_new(ARRAY_F64, SHAPE(one->heads, one->t, one->s));
    for (int64_t k = 0; k < bias->count; k++) {
        int64_t j = k % one->s, i = k / one->s % one->t, head = k / one->s / one->t,
                distance = j - i - (one->s - one->t);
        bool hidden = one->causal && distance > 0;
        tensor_f64(bias)[k] = hidden ? -1e9 : one->alibi ? (double)slopes[head] * (double)distance : 0;
    }
    return bias;
}

/* 0 for rows that see nothing. */
static Tensor *seeing(const Case *one)
{
    Tensor *sees = t_new(ARRAY_F64, SHAPE(one->t, 1));
    for (int64_t i = 0; i < one->t; i++)
        tensor_f64(sees)[i] = one->causal && i + one->s - one->t < 0 ? 0 : 1;
    return sees;
}

static Tensor *heads_first(Tensor *x)
{
    return t_permute(x, (int[]){0, 2, 1, 3});
}

static Tensor *repeat_heads(const Case *one, Tensor *x)
{
    x = heads_first(x);
    Tensor *spread = t_reshape(x, SHAPE(one->n, one->key_heads, 1, one->s, one->d));
    spread = t_broadcast_to(spread, SHAPE(one->n, one->key_heads, one->heads / one->key_heads, one->s, one->d));
    return t_reshape(spread, SHAPE(one->n, one->heads, one->s, one->d));
}

static Tensor *reference(const Case *one, Tensor **inputs)
{
    Tensor *query = one->rope ? t_rotate_positions(inputs[0], one->s - one->t, 50) : inputs[0];
    Tensor *key = repeat_heads(one, one->rope ? t_rotate_positions(inputs[1], 0, 50) : inputs[1]);
    Tensor *value = repeat_heads(one, inputs[2]);
    Tensor *scores = t_scale(t_matmul(heads_first(query), key, false, true), 1 / sqrt((double)one->d));
    scores = t_add(scores, biases(one));
    if (one->mask)
        scores = t_add(scores, inputs[3]);
    return heads_first(t_mul(t_matmul(t_softmax(scores), value, false, false), seeing(one)));
}

static Tensor *seed_like(const Tensor *like)
{
    Random random = random_start(9, "seed", 0);
    Tensor *seed = t_like(like);
    for (int64_t k = 0; k < seed->count; k++)
        tensor_set(seed, k, (double)(float)random_normal(&random));
    return seed;
}

/* results: the output, then the gradients; returns how many. */
static int run(const Case *one, ArrayType type, bool naive, Tensor **results)
{
    Tensor *inputs[4];
    int count = make_inputs(one, type, inputs);
    AttentionOptions options = options_of(one);
    results[0] = naive ? reference(one, inputs)
                       : t_attention(inputs[0], inputs[1], inputs[2], one->mask ? inputs[3] : NULL, &options);
    t_gradients(results[0], seed_like(results[0]), count, inputs, results + 1, false);
    return count + 1;
}

static void check_near(int number, int which, const Tensor *got, const Tensor *expected, double tolerance)
{
    assert_true(tensor_same_shape(got, expected));
    for (int64_t i = 0; i < got->count; i++) {
        double a = tensor_value(got, i), b = tensor_value(expected, i);
        if (!(fabs(a - b) <= tolerance * fmax(1, fabs(b))))
            fail_msg("case %d result %d [%lld] is %.12g, expected %.12g", number, which, (long long)i, a, b);
    }
}

static void check_value(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%.12g, expected %.12g", got, expected);
}

static void test_operations_attention__agrees_with_its_definition(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *naive[5], *twice[5], *single[5];
        int count = run(&cases[k], ARRAY_F64, true, naive);
        run(&cases[k], ARRAY_F64, false, twice);
        run(&cases[k], ARRAY_F32, false, single);
        for (int i = 0; i < count; i++) {
            check_near(k, i, twice[i], naive[i], 1e-11);
            check_near(k, i, single[i], naive[i], 2e-5);
        }
        tape_reset();
    }
}

static void test_operations_attention__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *one[5], *other[5];
        int count = run(&cases[k], ARRAY_F32, false, one);
        for (int threads = 2; threads <= 4; threads++) {
            threads_set(threads);
            run(&cases[k], ARRAY_F32, false, other);
            for (int i = 0; i < count; i++)
                assert_memory_equal(one[i]->data, other[i]->data, (size_t)one[i]->count * sizeof(float));
        }
        threads_set(1);
        tape_reset();
    }
}

/* Keys seen earlier and handed in again give the last rows of the whole. */
static void test_operations_attention__continues_from_kept_keys(void **state)
{
    (void)state;
    Case whole = {1, 2, 1, 90, 90, 8, 0, true, true, false};
    AttentionOptions options = options_of(&whole);
    Tensor *inputs[4];
    make_inputs(&whole, ARRAY_F32, inputs);
    Tensor *all = t_attention(inputs[0], inputs[1], inputs[2], NULL, &options);
    Tensor *last = t_attention(t_slice(inputs[0], 1, 87, 90), inputs[1], inputs[2], NULL, &options);
    check_near(0, 0, last, t_slice(all, 1, 87, 90), 2e-6);
    tape_reset();
}

static void test_operations_attention__extreme_scores(void **state)
{
    (void)state;
    AttentionOptions options = {.scale = 1};
    for (ArrayType type = ARRAY_F32; type <= ARRAY_F64; type++) {
        /* Scores of +-1e4: one key takes all. */
        Tensor *query = t_full(type, SHAPE(1, 1, 1, 1), 100), *key = t_full(type, SHAPE(1, 3, 1, 1), -100),
               *value = t_like(key);
        tensor_set(key, 1, 100);
        for (int i = 0; i < 3; i++)
            tensor_set(value, i, i + 1);
        Tensor *inputs[] = {query, key, value}, *gradients[3];
        for (int i = 0; i < 3; i++)
            inputs[i]->requires_gradient = true;
        Tensor *output = t_attention(query, key, value, NULL, &options);
        check_value(tensor_value(output, 0), 2, 0);
        t_gradients(output, NULL, 3, inputs, gradients, false);
        check_value(tensor_value(gradients[0], 0), 0, 0);
        check_value(tensor_value(gradients[2], 1), 1, 0);
        /* Equal scores of 1e4 share. */
        tensor_set(key, 0, 100), tensor_set(key, 2, 100);
        check_value(tensor_value(t_attention(query, key, value, NULL, &options), 0), 2, 1e-6);
        /* Masked by -inf: one, then all. */
        Tensor *mask = t_full(type, SHAPE(1, 3), 0);
        tensor_set(mask, 0, -INFINITY);
        check_value(tensor_value(t_attention(query, key, value, mask, &options), 0), 2.5, 1e-6);
        output = t_attention(query, key, value, t_full(type, SHAPE(1, 3), -INFINITY), &options);
        check_value(tensor_value(output, 0), 0, 0);
        t_gradients(output, NULL, 3, inputs, gradients, false);
        for (int i = 0; i < 3; i++)
            for (int64_t k = 0; k < gradients[i]->count; k++)
                check_value(tensor_value(gradients[i], k), 0, 0);
        /* What is not a number stays visible. */
        assert_true(
            isnan(tensor_value(t_attention(t_full(type, SHAPE(1, 1, 1, 1), NAN), key, value, NULL, &options), 0)));
        tape_reset();
    }
}

/* Whole tiles hidden by -inf, before and between others, are as if they were not there. */
static void test_operations_attention__hidden_tiles(void **state)
{
    (void)state;
    enum { S = 700, FIRST = 300, SECOND = 600 };
    Case all = {1, 2, 1, 3, S, 4, 0, false, false, false};
    AttentionOptions options = options_of(&all);
    Tensor *inputs[4], *gradients[3], *expected[3];
    make_inputs(&all, ARRAY_F32, inputs);
    Tensor *mask = t_full(ARRAY_F32, SHAPE(3, S), -INFINITY);
    for (int64_t k = 0; k < mask->count; k++)
        if ((k % S >= FIRST && k % S < FIRST + 10) || k % S >= SECOND)
            tensor_set(mask, k, 0);
    Tensor *parts[2][2];
    for (int i = 0; i < 2; i++) {
        parts[i][0] = t_slice(inputs[1 + i], 1, FIRST, FIRST + 10);
        parts[i][1] = t_slice(inputs[1 + i], 1, SECOND, S);
    }
    Tensor *masked = t_attention(inputs[0], inputs[1], inputs[2], mask, &options);
    Tensor *few = t_attention(inputs[0], t_concat(2, parts[0], 1), t_concat(2, parts[1], 1), NULL, &options);
    check_near(0, 0, masked, few, 2e-6);
    t_gradients(masked, seed_like(masked), 3, inputs, gradients, false);
    t_gradients(few, seed_like(few), 3, inputs, expected, false);
    for (int i = 0; i < 3; i++)
        check_near(0, 1 + i, gradients[i], expected[i], 5e-6);
    tape_reset();
}

static void test_operations_attention__memory_is_linear(void **state)
{
    (void)state;
    Tape *own = tape_new(), *before = tape_use(own);
    Case large = {1, 1, 1, 2048, 2048, 8, 0, true, false, false};
    Tensor *results[5];
    run(&large, ARRAY_F32, false, results);
    assert_true(tape_peak() < 2048 * 2048 * sizeof(float) / 4);
    tape_use(before);
    tape_free(own);
}

static void test_operations_attention__rotation_depends_on_the_distance_alone(void **state)
{
    (void)state;
    for (ArrayType type = ARRAY_F32; type <= ARRAY_F64; type++) {
        double tolerance = type == ARRAY_F32 ? 2e-5 : 1e-10;
        Tensor *x = t_new(type, SHAPE(1, 1, 1, 6)), *y = t_like(x);
        for (int i = 0; i < 6; i++) {
            tensor_set(x, i, 0.5 + i);
            tensor_set(y, i, 2 - i * i * 0.3);
        }
        double products[3];
        for (int k = 0; k < 3; k++) {
            Tensor *a = t_rotate_positions(x, 1000 * k + 7, 10000), *b = t_rotate_positions(y, 1000 * k + 4, 10000);
            products[k] = tensor_value(t_sum(t_mul(a, b), ALL_AXES, false), 0);
        }
        check_value(products[0], products[1], tolerance * 20);
        check_value(products[0], products[2], tolerance * 20);
        /* Pair (0, D/2) turns by the position itself. */
        Tensor *turned = t_rotate_positions(x, 3, 10000);
        check_value(tensor_value(turned, 0), 0.5 * cos(3) - 3.5 * sin(3), tolerance);
        check_value(tensor_value(turned, 3), 0.5 * sin(3) + 3.5 * cos(3), tolerance);
        check_near(0, 0, t_rotate_positions_back(turned, 3, 10000), x, tolerance);
        /* A sequence turned whole is turned like its parts. */
        Tensor *sequence = t_broadcast_to(x, SHAPE(2, 500, 3, 6)), *all = t_rotate_positions(sequence, 5, 100);
        Tensor *tail = t_rotate_positions(t_slice(sequence, 1, 400, 500), 405, 100);
        check_near(0, 0, tail, t_slice(all, 1, 400, 500), tolerance);
        tape_reset();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_attention__agrees_with_its_definition),
        cmocka_unit_test(test_operations_attention__same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_operations_attention__continues_from_kept_keys),
        cmocka_unit_test(test_operations_attention__extreme_scores),
        cmocka_unit_test(test_operations_attention__hidden_tiles),
        cmocka_unit_test(test_operations_attention__memory_is_linear),
        cmocka_unit_test(test_operations_attention__rotation_depends_on_the_distance_alone),
    };
    return RUN_ON_EACH_ISA(tests, setup, teardown);
}
