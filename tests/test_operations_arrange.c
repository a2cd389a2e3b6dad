/* Reductions, shapes and indices: sizes at which they are cut, ties, edges, deterministic scatter. */
#include "tests/instruction_sets.h"
#include "tests/tensors.h"

#include <math.h>
#include <string.h>

static Tensor *uniform(ArrayType type, int rank, const int64_t *shape, uint32_t step)
{
    return t_random_uniform(type, rank, shape, random_start(5, "arrange", step));
}

/* ---- Reductions ---- */

static const int64_t reduced[][3] = {
    {1, 100003, 1}, {70001, 3, 1}, {1, 5000, 10}, {1, 3000, 65}, {1, 200, 3001}, {3, 40000, 2}, {400, 7, 33},
    {2, 90, 1030}, {1, 1, 70000}, {65, 17, 1}, {1, 63, 31},
};
enum { REDUCED = sizeof reduced / sizeof *reduced };

static void check_reduction(Tensor *(*reduce)(Tensor *, int, bool), Tensor *x, double tolerance)
{
    Tensor *expected = reduce(t_cast(x, ARRAY_F64), 1, false);
    threads_set(1);
    Tensor *got = reduce(x, 1, false);
    threads_set(3);
    assert_same_bits(reduce(x, 1, false), got);
    for (int64_t i = 0; i < got->count; i++) {
        double a = tensor_value(got, i), b = tensor_value(expected, i);
        if (!(fabs(a - b) <= tolerance * (fabs(b) + 0.01)))
            fail_msg("[%lld] of %lld: %.9g, in double %.9g", (long long)i, (long long)got->count, a, b);
    }
}

static void test_operations_arrange__reductions(void **state)
{
    (void)state;
    for (int k = 0; k < ISAS; k++) {
        Error error;
        if (!kernels_select(isas[k], &error))
            continue;
        for (int i = 0; i < REDUCED; i++) {
            Tensor *x = uniform(ARRAY_F32, 3, reduced[i], (uint32_t)i);
            check_reduction(t_sum, x, 3e-6);
            check_reduction(t_max, x, 0);
            check_reduction(t_min, x, 0);
            check_reduction(t_log_sum_exp, x, 1e-6);
            tape_reset();
        }
    }
}

static void test_operations_arrange__sum_to(void **state)
{
    (void)state;
    Tensor *x = t_full(ARRAY_F32, SHAPE(2, 3, 4, 5), 1);
    Tensor *y = t_sum_to(x, SHAPE(3, 1, 5));
    assert_true(y->rank == 3 && y->shape[0] == 3 && y->shape[1] == 1 && y->shape[2] == 5);
    for (int64_t i = 0; i < y->count; i++)
        assert_true(tensor_value(y, i) == 8);
    y = t_sum_to(x, SHAPE(1, 1, 1));
    assert_true(y->rank == 3 && tensor_value(y, 0) == 120);
    assert_true(t_sum_to(x, 0, NULL)->rank == 0);
    assert_ptr_equal(t_sum_to(x, SHAPE(2, 3, 4, 5)), x);
}

static void test_operations_arrange__extrema(void **state)
{
    (void)state;
    Tensor *x = LEAF(1, 3, 3, -2, -2);
    ASSERT_VALUES(gradient_of(t_max(x, 0, false), x), 0, 1, 0, 0, 0);
    ASSERT_VALUES(gradient_of(t_min(x, ALL_AXES, false), x), 0, 0, 0, 1, 0);
    ASSERT_VALUES(t_argmax(x, 0), 1);
    ASSERT_VALUES(t_max(LEAF(1, NAN, 3), 0, true), NAN);
    ASSERT_VALUES(t_min(LEAF(1, NAN, 3), 0, true), NAN);
    ASSERT_VALUES(t_max(LEAF(-INFINITY, -INFINITY), 0, true), -INFINITY);
    /* The place of the first of equals, wherever the vectors of a row begin and end. */
    for (int64_t n = 1; n < 70; n++)
        for (int64_t place = 0; place < n; place++) {
            Tensor *row = t_full(ARRAY_F32, SHAPE(1, n), -1);
            for (int64_t i = place; i < n; i += 7)
                tensor_set(row, i, 2);
            ASSERT_VALUES(t_argmax(row, -1), (double)place);
            assert_int_equal(tensor_i32(t_argmax(t_reshape(row, SHAPE(n, 1)), 0))[0], place);
            tensor_set(row, place, NAN);
            tensor_set(row, n - 1, NAN);
            ASSERT_VALUES(t_argmax(row, -1), (double)place);
            tape_reset();
        }
}

static void test_operations_arrange__log_sum_exp_edges(void **state)
{
    (void)state;
    static const ArrayType types[] = {ARRAY_F32, ARRAY_F64};
    for (int k = 0; k < 2; k++) {
        double none = -INFINITY;
        Tensor *x = tensor_of(types[k], 4, (double[]){none, none, none, none}), *gradients[2];
        ASSERT_VALUES(t_log_sum_exp(x, 0, false), none);
        ASSERT_VALUES(gradient_of(t_log_sum_exp(x, 0, false), x), 0, 0, 0, 0);
        x = tensor_of(types[k], 3, (double[]){none, 1e4, none});
        ASSERT_VALUES(t_log_sum_exp(x, 0, false), 1e4);
        ASSERT_VALUES(gradient_of(t_log_sum_exp(x, 0, false), x), 0, 1, 0);
        t_gradients(t_log_sum_exp(x, 0, false), NULL, 1, &x, gradients, true);
        ASSERT_VALUES(gradients[0], 0, 1, 0);
        double both = log(2) - 1e4;
        ASSERT_VALUES(t_log_sum_exp(tensor_of(types[k], NUMBERS(-1e4, -1e4)), 0, true), k ? both : (double)(float)both);
        ASSERT_VALUES(t_log_sum_exp(t_zeros(types[k], SHAPE(2, 0)), 1, false), none, none);
    }
}

/* ---- Shapes ---- */

static void check_permute(Tensor *x, const int *order)
{
    threads_set(1);
    Tensor *y = t_permute(x, order);
    threads_set(3);
    assert_same_bits(t_permute(x, order), y);
    int64_t index[TENSOR_MAX_RANK];
    for (int64_t at = 0; at < y->count; at++) {
        int64_t rest = at, from = 0;
        for (int i = y->rank - 1; i >= 0; i--) {
            index[order[i]] = rest % y->shape[i];
            rest /= y->shape[i];
        }
        for (int i = 0; i < x->rank; i++)
            from = from * x->shape[i] + index[i];
        if (tensor_value(y, at) != tensor_value(x, from))
            fail_msg("element %lld", (long long)at);
    }
}

static void test_operations_arrange__permute(void **state)
{
    (void)state;
    static const struct { int rank; int64_t shape[5]; int order[5]; } cases[] = {
        {2, {201, 305}, {1, 0}}, {3, {7, 33, 50}, {0, 2, 1}}, {3, {33, 7, 50}, {2, 1, 0}}, {3, {33, 40, 50}, {1, 2, 0}},
        {4, {3, 17, 5, 64}, {0, 2, 1, 3}}, {4, {2, 3, 19, 23}, {0, 2, 3, 1}}, {5, {3, 4, 5, 6, 7}, {4, 2, 0, 3, 1}},
        {3, {1, 9, 1}, {2, 0, 1}}, {3, {4, 1, 9}, {2, 1, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 3; k++) {
            Tensor *x = uniform(k == 1 ? ARRAY_F64 : ARRAY_F32, cases[i].rank, cases[i].shape, (uint32_t)i);
            check_permute(k == 2 ? t_cast(t_scale(x, 1e6), ARRAY_I32) : x, cases[i].order);
            tape_reset();
        }
}

static void test_operations_arrange__pieces(void **state)
{
    (void)state;
    Tensor *x = LEAF(1, 2, 3, 4, 5);
    ASSERT_VALUES(t_roll(x, 0, 2), 4, 5, 1, 2, 3);
    ASSERT_VALUES(t_roll(x, 0, -6), 2, 3, 4, 5, 1);
    ASSERT_VALUES(t_flip(x, 0), 5, 4, 3, 2, 1);
    ASSERT_VALUES(t_pad(t_slice(x, 0, 1, 3), -1, 1, 2, 9), 9, 2, 3, 9, 9);
    ASSERT_VALUES(t_cumulative_sum(x, 0), 1, 3, 6, 10, 15);
    assert_int_equal(t_slice(t_reshape(x, SHAPE(1, 5)), 1, 2, 2)->count, 0);
    Tensor *big = uniform(ARRAY_F32, SHAPE(300, 70, 11), 3);
    threads_set(3);
    Tensor *parts[] = {t_slice(big, 1, 0, 13), t_slice(big, 1, 13, 14), t_slice(big, 1, 14, 70)};
    assert_same_bits(t_concat(3, parts, 1), big);
    assert_same_bits(t_flip(t_flip(big, 2), 2), big);
    assert_same_bits(t_roll(t_roll(big, 1, 33), 1, -33), big);
}

/* ---- Indices ---- */

/* The same bits with any number of threads, and those of adding row after row. */
static void test_operations_arrange__rows_are_added_in_order(void **state)
{
    (void)state;
    enum { N = 4000, D = 37, V = 500 };
    Random random = random_start(2, "tokens", 0);
    Tensor *index = t_new(ARRAY_I32, SHAPE(N));
    Tensor *x = uniform(ARRAY_F32, SHAPE(V, D), 1), *seed = uniform(ARRAY_F32, SHAPE(N, D), 2);
    for (int i = 0; i < N; i++) /* half of them one row: a frequent token */
        tensor_i32(index)[i] = random_uniform(&random) < 0.5 ? 3 : (int32_t)random_below(&random, V - 1);
    x->requires_gradient = true;
    Tensor *expected = t_zeros(ARRAY_F32, SHAPE(V, D));
    for (int64_t i = 0; i < N; i++)
        for (int64_t k = 0; k < D; k++)
            tensor_f32(expected)[tensor_i32(index)[i] * D + k] += tensor_f32(seed)[i * D + k];
    for (int threads = 1; threads <= 4; threads++) {
        threads_set(threads);
        Tensor *gradient, *rows = t_index_select(x, index);
        t_gradients(rows, seed, 1, &x, &gradient, false);
        assert_same_bits(gradient, expected);
        assert_same_bits(t_segment_sum(seed, index, V), expected);
        for (int64_t i = 0; i < N; i += 97)
            assert_memory_equal(tensor_f32(rows) + i * D, tensor_f32(x) + tensor_i32(index)[i] * D, D * sizeof(float));
    }
}

static void test_operations_arrange__indices(void **state)
{
    (void)state;
    Tensor *x = t_reshape(LEAF(1, 2, 3, 4, 5, 6), SHAPE(2, 3));
    ASSERT_VALUES(t_pick(x, INDICES(2, 0)), 3, 4);
    ASSERT_VALUES(gradient_of(t_pick(x, INDICES(2, 0)), x), 0, 0, 1, 1, 0, 0);
    ASSERT_VALUES(t_scatter_add(LEAF(1, 1, 1), 0, INDICES(2, 2, 0), LEAF(3, 4, 5)), 6, 1, 8);
    ASSERT_VALUES(t_scatter(LEAF(3, 4, 5), 0, INDICES(2, 2, 0), 4), 5, 0, 7, 0);
    ASSERT_VALUES(t_one_hot(INDICES(1, -1, 3, 2), 3, ARRAY_F32), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    Tensor *rows = LEAF(1, 2, 6);
    ASSERT_VALUES(t_segment_mean(rows, INDICES(2, 0, 2), 4), 2, 0, 3.5, 0);
    ASSERT_VALUES(gradient_of(t_segment_mean(rows, INDICES(2, 0, 2), 4), rows), 0.5, 1, 0.5);
}

/* ---- Order ---- */

static void test_operations_arrange__sort(void **state)
{
    (void)state;
    Tensor *order, *x = LEAF(2, -1, 0, 2, -0.0, -3, NAN, INFINITY);
    ASSERT_VALUES(t_sort(x, false, &order), -3, -1, 0, -0.0, 2, 2, INFINITY, NAN);
    ASSERT_VALUES(order, 5, 1, 2, 4, 0, 3, 7, 6);
    ASSERT_VALUES(t_sort(x, true, &order), NAN, INFINITY, 2, 2, 0, -0.0, -1, -3);
    ASSERT_VALUES(order, 6, 7, 0, 3, 2, 4, 1, 5);
    ASSERT_VALUES(t_top_k(x, 3, &order), NAN, INFINITY, 2);
    Tensor *small = LEAF(1, 5, 3);
    ASSERT_VALUES(gradient_of(t_mul(t_top_k(small, 2, NULL), LEAF(10, 20)), small), 0, 10, 20);
}

/* Rows long enough for the radix sort, with many ties: in order, and equal numbers in the order of places. */
static void test_operations_arrange__sort_is_stable(void **state)
{
    (void)state;
    enum { ROWS = 30, N = 1000 };
    for (int k = 0; k < 4; k++) {
        Tensor *x = t_round(t_scale(uniform(k % 2 ? ARRAY_F64 : ARRAY_F32, SHAPE(ROWS, N), 8), 300)), *order;
        x = t_add_scalar(x, -150);
        bool descending = k >= 2;
        threads_set(1);
        Tensor *one = t_sort(x, descending, &order);
        threads_set(3);
        assert_same_bits(t_sort(x, descending, NULL), one);
        for (int64_t i = 0; i < ROWS * N; i++) {
            assert_true(tensor_value(one, i) == tensor_value(x, i / N * N + tensor_i32(order)[i]));
            if (i % N == 0)
                continue;
            double before = tensor_value(one, i - 1), now = tensor_value(one, i);
            assert_true(before == now ? tensor_i32(order)[i - 1] < tensor_i32(order)[i] : descending == (before > now));
        }
    }
}

#define TEST(name) TAPE_TEST(test_operations_arrange__##name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reductions), TEST(sum_to), TEST(extrema), TEST(log_sum_exp_edges), TEST(permute), TEST(pieces),
        TEST(rows_are_added_in_order), TEST(indices), TEST(sort), TEST(sort_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
