/* Products of packed blocks against sums in double, over random shapes. */
#include "tests/instruction_sets.h"

#include <math.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/kernels/gemm_block.h"

static void draw(Random *random, int64_t count, float *values)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)random_normal(random);
}

static float *drawn(Arena *arena, Random *random, int64_t count)
{
    float *values = arena_zero(arena, (size_t)count + KERNEL_MAX_NR, sizeof *values);
    draw(random, count, values);
    return values;
}

typedef struct Product {
    int64_t m, n, k, ldc;
    const float *a, *b, *before;    /* [m, k], [k, n], [m, ldc] */
} Product;

static void check(const Product *x, bool adds, const float *c)
{
    for (int64_t i = 0; i < x->m; i++)
        for (int64_t j = 0; j < x->ldc; j++) {
            double sum = j < x->n && !adds ? 0 : (double)x->before[i * x->ldc + j], size = 1;
            for (int64_t p = 0; p < x->k && j < x->n; p++) {
                const double term = (double)x->a[i * x->k + p] * (double)x->b[p * x->n + j];
                sum += term;
                size += fabs(term);
            }
            if (!(fabs((double)c[i * x->ldc + j] - sum) <= 1e-6 * size)) /* behind n: nothing is written */
                fail_msg("%lld x %lld x %lld: [%lld, %lld] is %.9g, not %.9g", (long long)x->m, (long long)x->n,
                         (long long)x->k, (long long)i, (long long)j, (double)c[i * x->ldc + j], sum);
        }
}

static void run(const Product *x, GemmLeft a, GemmRight b, float *c)
{
    for (int adds = 0; adds < 2; adds++) {
        memcpy(c, x->before, (size_t)(x->m * x->ldc) * sizeof *c);
        gemm_block(x->m, x->n, x->k, a, b, adds, c, x->ldc);
        check(x, adds, c);
    }
}

/* A as it lies and by panels; B by panels, as it lies, and turned from panels of its transpose. */
static void check_shape(Random *random, int64_t m, int64_t n, int64_t k)
{
    Arena *arena = arena_new();
    const int64_t mr = kernels()->mr, nr = kernels()->nr, whole = gemm_whole_panels(n), ldc = n + 3;
    assert_true(whole >= n && whole < n + nr && whole % nr == 0);
    const Product x = {m, n, k, ldc, drawn(arena, random, m * k), drawn(arena, random, k * n),
                       drawn(arena, random, m * ldc)};
    float *c = drawn(arena, random, m * ldc), *panels = drawn(arena, random, k * whole);
    float *left = drawn(arena, random, (m + mr) * k);
    for (int64_t i = 0; i < m; i++)
        for (int64_t p = 0; p < k; p++)
            left[(i / mr * k + p) * mr + i % mr] = x.a[i * k + p];
    gemm_block_put_rows(k, n, x.b, n, k * nr, panels);
    const GemmLeft rows = gemm_left_rows(x.a, k), packed = {left, k * mr, 1, mr};
    run(&x, rows, gemm_right_panels(panels, k), c);
    run(&x, packed, gemm_right_panels(panels, k), c);
    run(&x, rows, (GemmRight){x.b, nr, n}, c);

    float *transposed = drawn(arena, random, n * k), *put = drawn(arena, random, n * gemm_whole_panels(k));
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++)
            transposed[j * k + p] = x.b[p * n + j];
    gemm_block_put_rows(n, k, transposed, k, n * nr, put);
    draw(random, k * whole, panels);
    for (int64_t j = 0; j < n; j += nr)
        gemm_block_turn(k, j, n - j < nr ? n - j : nr, gemm_right_panels(put, n), panels + j * k);
    run(&x, packed, gemm_right_panels(panels, k), c);
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = n; j < whole; j++)
            assert_true(panels[(whole - nr) * k + p * nr + j % nr] == 0);
    arena_free(arena);
}

static void test_kernels_gemm_block__agrees_with_sums(void **state)
{
    (void)state;
    Random random = random_start(6, "shapes", 0);
    check_shape(&random, 1, 1, 1);
    check_shape(&random, 24, 64, 32);
    for (int i = 0; i < 40; i++) {
        const int64_t m = 1 + random_below(&random, 40), n = 1 + random_below(&random, 90);
        check_shape(&random, m, n, 1 + random_below(&random, 70));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels_gemm_block__agrees_with_sums)};
    return RUN_ON_EACH_ISA(tests, NULL, NULL);
}
