/* Every instruction set the machine has, against double precision. */
#include "tests/instruction_sets.h"

#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


static uint64_t random_state;

static int64_t random_below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(random_state >> 33) % n;
}

static void fill(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(random_below(2001) - 1000) / 1000.0F;
}

static float *new_floats(int64_t n)
{
    return memory_array((size_t)n + 1, sizeof(float));
}

/* ---- Matrix products ---- */

typedef struct Case {
    bool transpose_a, transpose_b;
    int64_t m, n, k, lda, ldb, ldc;
    int64_t size_a, size_b, size_c;
    float beta;
    float *a, *b, *before, *c;
} Case;

static int64_t random_size(void)
{
    static const int64_t special[] = {0, 1, 2, 3, 4, 7, 8, 14, 15, 31, 32, 33, 64, 65};
    const int64_t choice = random_below(20);
    return choice < 14 ? special[choice] : 1 + random_below(choice == 19 ? 600 : 150);
}

static Case new_case(int64_t m, int64_t n, int64_t k)
{
    static const float betas[] = {0.0F, 1.0F, 0.5F};
    Case t = {.transpose_a = random_below(2) == 1, .transpose_b = random_below(2) == 1, .m = m, .n = n, .k = k};
    t.beta = betas[random_below(3)];
    t.lda = (t.transpose_a ? m : k) + random_below(3);
    t.ldb = (t.transpose_b ? k : n) + random_below(3);
    t.ldc = n + random_below(3);
    t.size_a = (t.transpose_a ? k : m) * t.lda;
    t.size_b = (t.transpose_b ? n : k) * t.ldb;
    t.size_c = m * t.ldc;
    t.a = new_floats(t.size_a);
    t.b = new_floats(t.size_b);
    t.before = new_floats(t.size_c);
    t.c = new_floats(t.size_c);
    fill(t.size_a, t.a);
    fill(t.size_b, t.b);
    fill(t.size_c, t.before);
    if (t.beta == 0.0F) /* must not be read where it is to be written */
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++)
                t.before[i * t.ldc + j] = NAN;
    return t;
}

static void free_case(Case *t)
{
    memory_free(t->a);
    memory_free(t->b);
    memory_free(t->before);
    memory_free(t->c);
}

static void run_case(Case *t)
{
    memcpy(t->c, t->before, (size_t)t->size_c * sizeof(float));
    sgemm(t->transpose_a, t->transpose_b, t->m, t->n, t->k, t->a, t->lda, t->b, t->ldb, t->beta,
          t->c, t->ldc);
}

static double *to_double(int64_t n, const float *x)
{
    double *y = memory_array((size_t)n + 1, sizeof(double));
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)x[i];
    return y;
}

static void check_case(const Case *t)
{
    for (int64_t i = 0; i < t->m; i++) {
        for (int64_t j = 0; j < t->n; j++) {
            double sum = t->beta == 0.0F ? 0 : (double)t->beta * (double)t->before[i * t->ldc + j];
            for (int64_t p = 0; p < t->k; p++)
                sum += (double)t->a[t->transpose_a ? p * t->lda + i : i * t->lda + p] *
                       (double)t->b[t->transpose_b ? j * t->ldb + p : p * t->ldb + j];
            const double error = fabs((double)t->c[i * t->ldc + j] - sum);
            assert_true(error <= 1e-6 * (2.0 + sqrt((double)t->k) * 4.0));
        }
        /* What lies beyond the width is not ours. */
        assert_memory_equal(&t->c[i * t->ldc + t->n], &t->before[i * t->ldc + t->n],
                            (size_t)(t->ldc - t->n) * sizeof(float));
    }
}

static void check_double(const Case *t)
{
    double *a = to_double(t->size_a, t->a), *b = to_double(t->size_b, t->b);
    double *c = to_double(t->size_c, t->before);
    dgemm(t->transpose_a, t->transpose_b, t->m, t->n, t->k, a, t->lda, b, t->ldb, (double)t->beta,
          c, t->ldc);
    for (int64_t i = 0; i < t->m; i++)
        for (int64_t j = 0; j < t->n; j++)
            assert_true(fabs(c[i * t->ldc + j] - (double)t->c[i * t->ldc + j]) <
                        1e-6 * (2.0 + sqrt((double)t->k) * 4.0));
    memory_free(a);
    memory_free(b);
    memory_free(c);
}

static void test_sgemm(void **state)
{
    (void)state;
    random_state = 1;
    for (int i = 0; i < 300; i++) {
        Case t = new_case(random_size(), random_size(), random_size());
        run_case(&t);
        check_case(&t);
        check_double(&t);
        free_case(&t);
    }
}

static void test_bias(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        Case with = new_case(random_size(), random_size(), random_size()), without = with;
        float *bias = new_floats(with.n);
        fill(with.n, bias);
        without.c = new_floats(with.size_c);
        run_case(&without);
        memcpy(with.c, with.before, (size_t)with.size_c * sizeof(float));
        sgemm_finish(with.transpose_a, with.transpose_b, with.m, with.n, with.k, with.a, with.lda, with.b, with.ldb,
                     with.beta, &(GemmFinish){.bias = bias}, with.c, with.ldc);
        for (int64_t i = 0; i < with.m; i++)
            for (int64_t j = 0; j < with.n; j++)
                assert_float_equal(with.c[i * with.ldc + j], without.c[i * with.ldc + j] + bias[j], 1e-4F);
        memory_free(without.c);
        memory_free(bias);
        free_case(&with);
    }
}

static void test_thread_count_keeps_bits(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{300, 200, 900}, {65, 1000, 130}, {1000, 33, 64}, {129, 257, 33},
                                        {64, 64, 64},    {97, 75, 301},   {13, 70, 1024}, {500, 130, 70}};
    static const int counts[] = {1, 2, 4};
    random_state = 2;
    for (int i = 0; i < 8; i++) {
        Case t = new_case(shapes[i][0], shapes[i][1], shapes[i][2]);
        const size_t bytes = (size_t)t.size_c * sizeof(float);
        float *first = new_floats(t.size_c);
        for (int j = 0; j < 3; j++) {
            threads_set(counts[j]);
            run_case(&t);
            if (j == 0)
                memcpy(first, t.c, bytes);
            else
                assert_memory_equal(first, t.c, bytes);
        }
        check_case(&t);
        memory_free(first);
        free_case(&t);
    }
    threads_set(1);
}

static void test_batch(void **state)
{
    (void)state;
    enum { BATCH = 7 };
    static const int64_t shapes[][3] = {{5, 6, 7}, {40, 50, 60}, {0, 3, 4}, {70, 90, 110}};
    threads_set(2);
    for (int s = 0; s < 4; s++) {
        const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        float *a = new_floats(BATCH * m * k), *b = new_floats(n * k);
        float *c = new_floats(BATCH * m * n), *expected = new_floats(BATCH * m * n);
        fill(BATCH * m * k, a);
        fill(n * k, b);
        sgemm_batch(false, true, m, n, k, a, k, m * k, b, k, 0, 0.0F, c, n, m * n, BATCH);
        for (int64_t i = 0; i < BATCH; i++)
            sgemm(false, true, m, n, k, a + i * m * k, k, b, k, 0.0F, expected + i * m * n, n);
        assert_memory_equal(c, expected, (size_t)(BATCH * m * n) * sizeof(float));
        memory_free(a);
        memory_free(b);
        memory_free(c);
        memory_free(expected);
    }
    threads_set(1);
}

static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    Case t = new_case(200, 150, 300);
    run_case(&t);
    const uint64_t before = memory_allocation_count();
    run_case(&t);
    assert_int_equal(memory_allocation_count(), before);
    free_case(&t);
}

/* ---- Choice ---- */

static void test_choice(void **state)
{
    (void)state;
    Error error;
    assert_false(kernels_select("mmx", &error));
    assert_non_null(strstr(error.message, "mmx"));
    assert_int_equal(setenv("XENT_ISA", "baseline", 1), 0);
    assert_true(kernels_select(NULL, &error));
    assert_string_equal(kernels()->isa, "baseline");
    assert_int_equal(setenv("XENT_ISA", "nothing", 1), 0);
    assert_false(kernels_select(NULL, &error));
    assert_non_null(strstr(error.message, "XENT_ISA"));
    assert_string_equal(kernels()->isa, "baseline");
    unsetenv("XENT_ISA");
    assert_true(kernels_select(NULL, &error));
}

int main(void)
{
    const struct CMUnitTest once[] = {cmocka_unit_test(test_choice)};
    const struct CMUnitTest each[] = {
        cmocka_unit_test(test_sgemm),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_thread_count_keeps_bits),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_steady_state_allocates_nothing),
    };
    int failures = cmocka_run_group_tests_name("kernels: choice", once, NULL, NULL) + RUN_ON_EACH_ISA(each, NULL, NULL);
    threads_stop();
    return failures;
}
