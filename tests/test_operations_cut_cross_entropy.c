/* Cut cross-entropy against the dense one, beyond one block of tokens and one strip of words. */
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

static Tensor *leaf(ArrayType type, int rank, const int64_t *shape, uint32_t seed)
{
    Random random = random_start(5, "leaf", seed);
    Tensor *tensor = t_new(type, rank, shape);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_set(tensor, i, (double)(float)random_normal(&random));
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

typedef struct Case {
    int64_t tokens, words, width;
    bool bias;
    enum { NONE, SOME, ALL } ignored;
    CutCrossEntropyOptions options;
} Case;

#define CASE(tokens_, words_, width_, bias_, ignored_, ...)                                                  \
    {                                                                                                        \
        .tokens = tokens_, .words = words_, .width = width_, .bias = bias_, .ignored = ignored_,             \
        .options = { __VA_ARGS__ }                                                                           \
    }
#define EXACT .filter = 0

static const Case cases[] = {
    CASE(1, 1, 1, true, NONE, EXACT),
    CASE(700, 300, 20, true, SOME, EXACT),
    CASE(700, 300, 20, false, SOME, .softcap = 2.5),
    CASE(513, 129, 5, true, NONE, .softcap = 1),
    CASE(30, 1000, 64, false, SOME, EXACT),
    CASE(1030, 130, 7, true, NONE, EXACT),
    CASE(40, 30, 3, true, ALL, .softcap = 2),
    CASE(300, 700, 20, true, SOME, .filter = 0x1p-28),
    CASE(600, 2000, 20, true, SOME, .filter = 0x1p-28, .sorted = true),
    CASE(250, 400, 500, true, SOME, .softcap = 30),             /* a sum in two pieces, blocks of the least size */
    CASE(600, 500, 33, true, SOME, .z_loss = 0.01, .softcap = 3, .filter = 0x1p-28, .sorted = true),
    CASE(300, 700, 20, true, SOME, .softcap = 3, .compensated = true),
    CASE(250, 500, 33, true, NONE, .filter = 0x1p-28, .sorted = true, .compensated = true),
    CASE(100, 500, 8, false, NONE, .z_loss = 0.01, .filter = 2, .full_embeddings = true, .full_weight = true,
         .sorted = true),
};
enum { CASES = sizeof cases / sizeof cases[0] };

static Tensor *dense(Tensor **inputs, Tensor *targets, const CutCrossEntropyOptions *options)
{
    Tensor *z = t_linear(inputs[0], inputs[1], inputs[2]), *kept = t_new(inputs[0]->type, SHAPE(targets->count));
    if (options->softcap > 0)
        z = t_scale(t_tanh(t_scale(z, 1 / options->softcap)), options->softcap);
    for (int64_t i = 0; i < kept->count; i++)
        tensor_set(kept, i, tensor_i32(targets)[i] >= 0 && tensor_i32(targets)[i] < z->shape[1]);
    Tensor *square = t_mul(kept, t_square(t_log_sum_exp(z, 1, false)));
    return t_add(t_softmax_cross_entropy(z, targets), t_scale(square, options->z_loss));
}

/* results: losses, then the gradients; returns how many. */
static int run(const Case *one, ArrayType type, bool cut, Tensor **results)
{
    Tensor *inputs[3] = {leaf(type, SHAPE(one->tokens, one->width), 0), leaf(type, SHAPE(one->words, one->width), 1),
                         NULL};
    int count = one->bias ? 3 : 2;
    if (one->bias)
        inputs[2] = leaf(type, SHAPE(one->words), 2);
    Random random = random_start(5, "targets", 0);
    Tensor *targets = t_new(ARRAY_I32, SHAPE(one->tokens));
    for (int64_t i = 0; i < one->tokens; i++) {
        bool ignored = one->ignored == ALL || (one->ignored == SOME && i % 7 == 3);
        tensor_i32(targets)[i] = (int32_t)random_below(&random, one->words);
        if (ignored) /* on either side of what is valid */
            tensor_i32(targets)[i] = i % 2 ? -100 : (int32_t)one->words;
    }
    results[0] = cut ? t_linear_cross_entropy(inputs[0], inputs[1], inputs[2], targets, &one->options)
                     : dense(inputs, targets, &one->options);
    Tensor *seed = leaf(type, SHAPE(one->tokens), 3);
    seed->requires_gradient = false;
    t_gradients(results[0], seed, count, inputs, results + 1, false);
    return count + 1;
}

static void test_operations_cut_cross_entropy__agrees_with_dense(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *whole[4], *twice[4], *single[4];
        int count = run(&cases[k], ARRAY_F64, false, whole);
        run(&cases[k], ARRAY_F64, true, twice);
        run(&cases[k], ARRAY_F32, true, single);
        for (int i = 0; i < count; i++) {
            check_near(twice[i], whole[i], cases[k].options.filter > 0 ? 1e-6 : 1e-11);
            check_near(single[i], whole[i], i ? 3e-5 : 5e-6); /* gradients sum up to 1030 terms */
        }
        tape_reset();
    }
}

static void test_operations_cut_cross_entropy__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        Tensor *one[4], *other[4];
        int count = run(&cases[k], ARRAY_F32, true, one);
        for (int threads = 2; threads <= 4; threads++) {
            threads_set(threads);
            run(&cases[k], ARRAY_F32, true, other);
            for (int i = 0; i < count; i++)
                assert_memory_equal(one[i]->data, other[i]->data, (size_t)one[i]->count * sizeof(float));
        }
        threads_set(1);
        tape_reset();
    }
}

/* One gradient at a time has the bits that it has among the others. */
static void test_operations_cut_cross_entropy__gradients_alone(void **state)
{
    (void)state;
    const CutCrossEntropyOptions options[] = {{.filter = 0}, {.filter = 0x1p-20, .sorted = true}};
    for (int k = 0; k < 4; k++) {
        Tensor *inputs[] = {leaf(ARRAY_F32, SHAPE(300, 20), 0), leaf(ARRAY_F32, SHAPE(400, 20), 1),
                            leaf(ARRAY_F32, SHAPE(400), 2)};
        Tensor *targets = t_zeros(ARRAY_I32, SHAPE(300)), *together[3], *alone;
        tensor_i32(targets)[7] = k < 2 ? 0 : -1;
        t_gradients(t_linear_cross_entropy(inputs[0], inputs[1], inputs[2], targets, &options[k % 2]),
                    t_full(ARRAY_F32, SHAPE(300), 1), 3, inputs, together, false);
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++)
                inputs[j]->requires_gradient = j == i;
            t_gradients(t_linear_cross_entropy(inputs[0], inputs[1], inputs[2], targets, &options[k % 2]),
                        t_full(ARRAY_F32, SHAPE(300), 1), 1, &inputs[i], &alone, false);
            assert_memory_equal(alone->data, together[i]->data, (size_t)alone->count * sizeof(float));
        }
        tape_reset();
    }
}

/* The gradient by one of two equal words, of a token that gives 1 and many that give 1e-4: how far from the sum. */
static double error_of_sum(bool compensated)
{
    enum { TOKENS = 100001 };
    Tensor *embeddings = t_full(ARRAY_F32, SHAPE(TOKENS, 1), 1), *weight = t_zeros(ARRAY_F32, SHAPE(2, 1)), *gradient;
    Tensor *seed = t_full(ARRAY_F32, SHAPE(TOKENS), 2e-4), *targets = t_zeros(ARRAY_I32, SHAPE(TOKENS));
    tensor_set(seed, 0, 2);
    weight->requires_gradient = true;
    const CutCrossEntropyOptions options = {.compensated = compensated};
    t_gradients(t_linear_cross_entropy(embeddings, weight, NULL, targets, &options), seed, 1, &weight, &gradient,
                false);
    const double error = fabs(tensor_value(gradient, 1) - (1 + (TOKENS - 1) * (double)1e-4F));
    tape_reset();
    return error;
}

static void test_operations_cut_cross_entropy__compensated_sums_are_closer(void **state)
{
    (void)state;
    const double plain = error_of_sum(false), compensated = error_of_sum(true);
    print_message("of 11: plain %.3g, compensated %.3g\n", plain, compensated);
    assert_true(compensated < 1e-5 && compensated < plain / 2);
}

/* A million times 1e-4 and 1 is 101. */
static void test_operations_cut_cross_entropy__compensated_addition(void **state)
{
    (void)state;
    enum { N = 19 };
    float sum[N], lost[N] = {0}, term[N], plain = 1;
    for (int i = 0; i < N; i++) {
        sum[i] = 1;
        term[i] = 1e-4F;
    }
    for (int k = 0; k < 1000000; k++) {
        kernels()->rows.add_compensated(N, term, sum, lost);
        plain += 1e-4F;
    }
    assert_true(fabs((double)plain - 101) > 1e-5 * 101);
    for (int i = 0; i < N; i++)
        assert_true(fabs((double)sum[i] - 101) <= 1e-5);
}

/* Gradients that wait since forward are handed over: a second request has the same bits, and the first keeps its own.
   */
static void test_operations_cut_cross_entropy__gradients_twice(void **state)
{
    (void)state;
    for (int ignored = 0; ignored < 2; ignored++) {
        const CutCrossEntropyOptions options = {.filter = 1e-3, .sorted = true};
        Tensor *inputs[] = {leaf(ARRAY_F32, SHAPE(70, 20), 0), leaf(ARRAY_F32, SHAPE(300, 20), 1)};
        Tensor *targets = t_zeros(ARRAY_I32, SHAPE(70)), *first[2], *second[2], *seed = leaf(ARRAY_F32, SHAPE(70), 3);
        tensor_i32(targets)[7] = ignored ? -1 : 1;
        seed->requires_gradient = false;
        Tensor *loss = t_linear_cross_entropy(inputs[0], inputs[1], NULL, targets, &options);
        t_gradients(loss, seed, 2, inputs, first, false);
        Tensor *kept = t_like(first[0]);
        memcpy(kept->data, first[0]->data, (size_t)kept->count * sizeof(float));
        t_gradients(loss, seed, 2, inputs, second, false);
        for (int i = 0; i < 2; i++)
            assert_memory_equal(first[i]->data, second[i]->data, (size_t)first[i]->count * sizeof(float));
        assert_memory_equal(first[0]->data, kept->data, (size_t)kept->count * sizeof(float));
        assert_true(first[0]->data != second[0]->data);
        tape_reset();
    }
}

/* Worked by hand: mean over three tokens. */
static void test_operations_cut_cross_entropy__known_values(void **state)
{
    (void)state;
    Tensor *embeddings = t_wrap(ARRAY_F32, SHAPE(3, 2), (float[]){1, 2, -0.5F, 0.5F, 0, 1});
    Tensor *weight = t_wrap(ARRAY_F32, SHAPE(5, 2), (float[]){0.5F, -1, 1, 1, -1, 0.25F, 0, 0, 2, -0.5F});
    Tensor *targets = t_wrap(ARRAY_I32, SHAPE(3), (int32_t[]){1, 3, 4}), *inputs[] = {embeddings, weight},
           *gradients[2];
    embeddings->requires_gradient = weight->requires_gradient = true;
    Tensor *loss = t_linear_cross_entropy(embeddings, weight, NULL, targets, NULL);
    check_near(loss, t_wrap(ARRAY_F32, SHAPE(3), (float[]){0.204107F, 1.531934F, 2.287871F}), 1e-6);
    t_gradients(t_mean(loss, 0, false), NULL, 2, inputs, gradients, false);
    check_near(
        gradients[0],
        t_wrap(ARRAY_F32, SHAPE(3, 2), (float[]){0.005327F, -0.080901F, -0.004254F, 0.061337F, -0.508762F, 0.298743F}),
        1e-6);
    check_near(gradients[1],
               t_wrap(ARRAY_F32, SHAPE(5, 2),
                      (float[]){-0.013995F, 0.043571F, -0.097561F, 0.064541F, -0.059086F, 0.155321F, 0.144179F,
                                -0.047812F, 0.026463F, -0.215620F}),
               1e-6);
    loss = t_linear_cross_entropy(embeddings, weight, NULL, targets, &(CutCrossEntropyOptions){.softcap = 2});
    check_near(loss, t_wrap(ARRAY_F32, SHAPE(3), (float[]){0.543521F, 1.536910F, 2.249739F}), 1e-6);
    tape_reset();
}

static void test_operations_cut_cross_entropy__extreme_logits(void **state)
{
    (void)state;
    enum { WORDS = 200 };
    Tensor *embedding = t_full(ARRAY_F32, SHAPE(1, 1), 1e4), *weight = t_full(ARRAY_F32, SHAPE(WORDS, 1), 1);
    Tensor *target = t_full(ARRAY_I32, SHAPE(1), 150), *inputs[] = {embedding, weight}, *gradients[2];
    embedding->requires_gradient = weight->requires_gradient = true;
    Tensor *loss = t_linear_cross_entropy(embedding, weight, NULL, target, NULL);
    check_near(loss, t_full(ARRAY_F32, SHAPE(1), log(WORDS)), 1e-6); /* all alike */
    for (int i = 0; i < WORDS; i++)
        tensor_set(weight, i, i == 150 ? 1 : -1);
    loss = t_linear_cross_entropy(embedding, weight, NULL, target, NULL);
    assert_true(tensor_value(loss, 0) == 0);
    t_gradients(loss, NULL, 2, inputs, gradients, false);
    check_near(gradients[1], t_zeros(ARRAY_F32, SHAPE(WORDS, 1)), 0);
    tensor_set(target, 0, 0);
    check_near(t_linear_cross_entropy(embedding, weight, NULL, target, NULL), t_full(ARRAY_F32, SHAPE(1), 2e4), 1e-6);
    /* Words that a bias of -inf forbids, a whole strip of them first. */
    Tensor *bias = t_zeros(ARRAY_F32, SHAPE(WORDS)), *plain = t_zeros(ARRAY_F32, SHAPE(WORDS, 1));
    for (int i = 0; i < 140; i++)
        tensor_set(bias, i, -INFINITY);
    tensor_set(target, 0, 150);
    plain->requires_gradient = true;
    loss = t_linear_cross_entropy(embedding, plain, bias, target, NULL);
    check_near(loss, t_full(ARRAY_F32, SHAPE(1), log(60)), 1e-6);
    t_gradients(loss, NULL, 1, &plain, gradients, false);
    assert_true(tensor_value(gradients[0], 0) == 0);
    check_near(t_sum(gradients[0], ALL_AXES, false), t_zeros(ARRAY_F32, 0, NULL), 1e-2); /* of terms up to 1e4 */
    /* What is not a number stays visible. */
    Tensor *broken = t_full(ARRAY_F32, SHAPE(1, 1), NAN);
    assert_true(isnan(tensor_value(t_linear_cross_entropy(broken, weight, NULL, target, NULL), 0)));
    tape_reset();
}

/* |difference| <= |g| filter sum |x| over what was left out, here over everything; and something was left out. */
static void check_bound(const Case *one, ArrayType type)
{
    Case exact = *one;
    exact.options.filter = 0;
    Tensor *whole[4], *some[4];
    const int count = run(&exact, type, true, whole);
    run(one, type, true, some);
    if (one->options.sorted) /* sums come in another order */
        check_near(some[0], whole[0], type == ARRAY_F32 ? 2e-6 : 0);
    else
        assert_memory_equal(whole[0]->data, some[0]->data, (size_t)whole[0]->count * (type == ARRAY_F32 ? 4 : 8));
    Tensor *inputs[] = {leaf(type, SHAPE(one->tokens, one->width), 0), leaf(type, SHAPE(one->words, one->width), 1)};
    Tensor *seed = leaf(type, SHAPE(one->tokens), 3);
    double difference = 0;
    for (int which = 1; which < count; which++)
        for (int64_t i = 0; i < some[which]->count; i += 37) {
            double bound = 0;
            for (int64_t j = 0; which == 1 && j < one->words; j++)
                bound += fabs(tensor_value(seed, i / one->width) *
                              tensor_value(inputs[1], j * one->width + i % one->width));
            for (int64_t j = 0; which > 1 && j < one->tokens; j++)
                bound += fabs(tensor_value(seed, j)) *
                         (which == 2 ? fabs(tensor_value(inputs[0], j * one->width + i % one->width)) : 1);
            const double error = fabs(tensor_value(some[which], i) - tensor_value(whole[which], i));
            if (!(error <= bound * one->options.filter + 1e-5))
                fail_msg("gradient %d [%lld] is off by %.9g of %.9g", which, (long long)i, error, bound);
            difference = fmax(difference, error);
        }
    assert_true(difference > 0);
}

static void test_operations_cut_cross_entropy__filter_keeps_its_bound(void **state)
{
    (void)state;
    const Case peaked[] = {CASE(4, 1300, 40, true, NONE, .filter = 0.3),
                           CASE(600, 3000, 20, true, SOME, .filter = 0.5, .sorted = true),
                           CASE(4, 1300, 40, true, SOME, .softcap = 4, .filter = 0.01),
                           CASE(300, 700, 40, false, SOME, .filter = 0.1, .sorted = true, .softcap = 8)};
    for (int k = 0; k < 4; k++) {
        check_bound(&peaked[k], ARRAY_F32);
        check_bound(&peaked[k], ARRAY_F64);
        tape_reset();
    }
}

static void test_operations_cut_cross_entropy__filter_above_everything_leaves_nothing(void **state)
{
    (void)state;
    const Case one = CASE(70, 300, 4, true, SOME, .softcap = 3, .filter = 2);
    for (int type = 0; type < 2; type++) {
        Tensor *results[4];
        const int count = run(&one, type ? ARRAY_F64 : ARRAY_F32, true, results);
        assert_true(tensor_value(results[0], 0) > 0);
        for (int k = 1; k < count; k++)
            for (int64_t i = 0; i < results[k]->count; i++)
                assert_true(tensor_value(results[k], i) == 0);
        tape_reset();
    }
}

/* The targets' own column is tested as probability - 1: a token that is sure of its word has no gradient either. */
static void test_operations_cut_cross_entropy__filter_drops_what_is_learned(void **state)
{
    (void)state;
    Tensor *embeddings = t_wrap(ARRAY_F32, SHAPE(2, 1), (float[]){20, 1});
    Tensor *weight = t_wrap(ARRAY_F32, SHAPE(2, 1), (float[]){1, 0}), *targets = t_zeros(ARRAY_I32, SHAPE(2));
    Tensor *inputs[] = {embeddings, weight}, *both[2], *first[2];
    embeddings->requires_gradient = weight->requires_gradient = true;
    const CutCrossEntropyOptions tenth = {.filter = 0.1};
    t_gradients(t_linear_cross_entropy(embeddings, weight, NULL, targets, &tenth), NULL, 2, inputs, both, false);
    assert_true(tensor_value(both[0], 1) < -0.2);               /* in one tile with it, both are kept */
    embeddings = inputs[0] = t_wrap(ARRAY_F32, SHAPE(1, 1), (float[]){20});
    embeddings->requires_gradient = true;
    targets = t_zeros(ARRAY_I32, SHAPE(1));
    t_gradients(t_linear_cross_entropy(embeddings, weight, NULL, targets, &tenth), NULL, 2, inputs, first, false);
    assert_true(tensor_value(first[0], 0) == 0 && tensor_value(first[1], 0) == 0);
}

/* Bytes that loss and gradients take beside the gradients themselves, packed operands included; `counted` tokens have
   a class, the others are ignored. */
static size_t extra_memory(int64_t tokens, int64_t width, int64_t words, int64_t counted,
                           const CutCrossEntropyOptions *options)
{
    Tape *own = tape_new(), *before = tape_use(own);
    Arena *arena = arena_new();
    float *values = arena_zero(arena, (size_t)((tokens + words) * width), sizeof(float));
    int32_t *classes = arena_zero(arena, (size_t)tokens, sizeof(int32_t));
    for (int64_t i = counted; i < tokens; i++)
        classes[i] = -100;
    Tensor *inputs[] = {t_wrap(ARRAY_F32, SHAPE(tokens, width), values),
                        t_wrap(ARRAY_F32, SHAPE(words, width), values + tokens * width)};
    Tensor *gradients[2];
    inputs[0]->requires_gradient = inputs[1]->requires_gradient = true;
    const size_t start = tape_peak();
    Tensor *targets = t_wrap(ARRAY_I32, SHAPE(tokens), classes);
    Tensor *loss = t_mean(t_linear_cross_entropy(inputs[0], inputs[1], NULL, targets, options), 0, false);
    t_gradients(loss, NULL, 2, inputs, gradients, false);
    const size_t extra = tape_peak() - start - (size_t)(4 * width * (tokens + words));
    tape_use(before);
    tape_free(own);
    arena_free(arena);
    return extra;
}

/* At 2048 tokens, 32768 words and width 256, with two threads, each of which has buffers of its own. Forward depends on
   the number of tokens, backward on that of words, so that one can be few; and only an order has a place for each. */
static void test_operations_cut_cross_entropy__extra_memory_below_a_megabyte(void **state)
{
    (void)state;
    const CutCrossEntropyOptions exact = {.filter = 0}, sorted = {.filter = 0x1p-28, .sorted = true};
    enum { TOKENS = 2048, WIDTH = 256, WORDS = 32768, LIMIT = 1000 * 1000, ORDER = 4 * (TOKENS + WORDS) };
    threads_set(2);
    const size_t forward = extra_memory(TOKENS, WIDTH, 300, TOKENS, &exact);
    const size_t gathers = extra_memory(TOKENS, WIDTH, 300, TOKENS - 1, &sorted) + ORDER;
    const size_t backward = extra_memory(5, WIDTH, WORDS, 5, &exact);
    const size_t twice = extra_memory(5, WIDTH, 2 * WORDS, 5, &exact);
    const size_t with_order = extra_memory(400, WIDTH, WORDS, 5, &sorted); /* as many lend memory for sorting */
    threads_set(1);
    print_message("extra bytes: %zu; with an order and ignored tokens %zu; backward %zu and %zu\n", forward, gathers,
                  backward, with_order);
    assert_true(forward < LIMIT && gathers < LIMIT && backward < LIMIT && with_order < LIMIT);
    assert_true(twice <= backward); /* without an order, words cost nothing */
}

static void test_operations_cut_cross_entropy__memory_does_not_grow_with_tokens_times_words(void **state)
{
    (void)state;
    Tape *own = tape_new(), *before = tape_use(own);
    Case large = CASE(1200, 4000, 2, true, NONE, .filter = 0x1p-28, .sorted = true);
    Tensor *results[4];
    run(&large, ARRAY_F32, true, results);
    assert_true(tape_peak() < 1024 * 1024); /* the logits would take 18 MB */
    tape_use(before);
    tape_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_cut_cross_entropy__agrees_with_dense),
        cmocka_unit_test(test_operations_cut_cross_entropy__same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_operations_cut_cross_entropy__gradients_alone),
        cmocka_unit_test(test_operations_cut_cross_entropy__compensated_sums_are_closer),
        cmocka_unit_test(test_operations_cut_cross_entropy__compensated_addition),
        cmocka_unit_test(test_operations_cut_cross_entropy__gradients_twice),
        cmocka_unit_test(test_operations_cut_cross_entropy__known_values),
        cmocka_unit_test(test_operations_cut_cross_entropy__extreme_logits),
        cmocka_unit_test(test_operations_cut_cross_entropy__filter_keeps_its_bound),
        cmocka_unit_test(test_operations_cut_cross_entropy__filter_above_everything_leaves_nothing),
        cmocka_unit_test(test_operations_cut_cross_entropy__filter_drops_what_is_learned),
        cmocka_unit_test(test_operations_cut_cross_entropy__extra_memory_below_a_megabyte),
        cmocka_unit_test(test_operations_cut_cross_entropy__memory_does_not_grow_with_tokens_times_words),
    };
    return RUN_ON_EACH_ISA(tests, setup, teardown);
}
