/* Products large enough for threads to share what they pack, for every instruction set: elements against sums in double
   precision, and the same bits for any number of threads. */
#include "tests/instruction_sets.h"

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 400, SPARE = 3 };

typedef struct Case {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    float beta;
} Case;

/* Several parts of k; blocks of columns; many rows; rows a page apart; both turned; edges everywhere. The last are of
   few values of k, and much C. */
static const Case cases[] = {
    {431, 343, 2065, false, false, 0},
    {401, 1450, 523, true, false, 0.5F},
    {1030, 515, 571, false, true, 1},
    {707, 421, 1024, false, false, 0},
    {391, 2111, 513, true, true, 0},
    {1501, 701, 130, false, false, 0.5F},
    {335, 1709, 50, true, true, 0},
    {2055, 333, 7, false, true, 1},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static float *new_values(Random *random, int64_t n)
{
    float *x = memory_array((size_t)n, sizeof(float));
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(2 * random_uniform(random) - 1);
    return x;
}

static void check_element(const Case *t, const float *a, const float *b, const float *bias, float before, int64_t i,
                          int64_t j, float value)
{
    double sum = (double)bias[j] + (double)t->beta * (double)before;
    for (int64_t p = 0; p < t->k; p++)
        sum += (double)a[t->transpose_a ? p * t->m + i : i * t->k + p] *
               (double)b[t->transpose_b ? j * t->k + p : p * t->n + j];
    if (!(fabs((double)value - sum) <= 1e-6 * (4 + 4 * sqrt((double)t->k))))
        fail_msg("%lld x %lld x %lld: [%lld, %lld] is %.9g, not %.9g", (long long)t->m, (long long)t->n,
                 (long long)t->k, (long long)i, (long long)j, (double)value, sum);
}

static void check_case(const Case *t, Random *random)
{
    const int64_t ldc = t->n + SPARE, size = t->m * ldc;
    const size_t bytes = (size_t)size * sizeof(float);
    float *a = new_values(random, t->m * t->k), *b = new_values(random, t->k * t->n), *bias = new_values(random, t->n);
    float *before = new_values(random, size), *c = memory_new(bytes), *first = memory_new(bytes);
    for (int threads = 1; threads <= 3; threads++) {
        threads_set(threads);
        memcpy(c, before, bytes);
        sgemm_finish(t->transpose_a, t->transpose_b, t->m, t->n, t->k, a, t->transpose_a ? t->m : t->k, b,
                     t->transpose_b ? t->k : t->n, t->beta, &(GemmFinish){.bias = bias}, c, ldc);
        if (threads == 1)
            memcpy(first, c, bytes);
        else
            assert_memory_equal(first, c, bytes);
    }
    for (int64_t i = 0; i < t->m; i++) /* what lies beyond the width is not ours */
        assert_memory_equal(c + i * ldc + t->n, before + i * ldc + t->n, SPARE * sizeof(float));
    for (int s = 0; s < SAMPLES; s++) {
        const int64_t i = s == 0 ? t->m - 1 : random_below(random, (uint32_t)t->m);
        const int64_t j = s == 0 ? t->n - 1 : random_below(random, (uint32_t)t->n);
        check_element(t, a, b, bias, before[i * ldc + j], i, j, c[i * ldc + j]);
    }
    float *all[] = {a, b, bias, before, c, first};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        memory_free(all[i]);
}

static void test_kernels_gemm_large__products(void **state)
{
    (void)state;
    Random random = random_start(1, "large", 0);
    for (int i = 0; i < CASES; i++)
        check_case(&cases[i], &random);
    threads_set(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels_gemm_large__products)};
    int failures = RUN_ON_EACH_ISA(tests, NULL, NULL);
    threads_stop();
    return failures;
}
