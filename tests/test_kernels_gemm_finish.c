/* What is fused to products, in every combination, for every instruction set, against double precision. */
#include "tests/instruction_sets.h"

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"

#include <math.h>
#include <string.h>

enum { CASES = 300, SPARE = 2 };

typedef struct Function {
    UnaryKernel kernel;
    double (*value)(double x);
    double (*slope)(double x);
} Function;

static double relu(double x)
{
    return x < 0 ? 0 : x;
}

static double relu_slope(double x)
{
    return x > 0;
}

static double gelu(double x)
{
    return x * 0.5 * (1 + erf(x / sqrt(2)));
}

static double gelu_slope(double x)
{
    return 0.5 * (1 + erf(x / sqrt(2))) + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
}

static double tanh_slope(double x)
{
    return 1 - tanh(x) * tanh(x);
}

static const Function functions[] = {
    {UNARY_relu, relu, relu_slope}, {UNARY_gelu, gelu, gelu_slope}, {UNARY_tanh, tanh, tanh_slope}};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static Random random_numbers;

static float *new_values(int64_t n)
{
    float *x = memory_array((size_t)n + 1, sizeof(float));
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(2 * random_uniform(&random_numbers) - 1);
    return x;
}

static int64_t new_size(void)
{
    static const int64_t special[] = {0, 1, 2, 3, 4, 12, 13, 31, 32, 33, 64, 65, 100};
    const int64_t choice = random_below(&random_numbers, 16);
    return choice < 13 ? special[choice] : 1 + random_below(&random_numbers, choice == 15 ? 500 : 130);
}

typedef struct Case {
    bool transpose_a, transpose_b;
    int64_t m, n, k, lda, ldb, ldc;
    float beta, *a, *b, *before, *c, *bias, *row_bias, *argument, *x, *y, *residual;
    GemmFinish finish;
    const Function *activation, *slope; /* NULL: none */
} Case;

static bool coin(void)
{
    return random_below(&random_numbers, 2) == 1;
}

static Case new_case(void)
{
    Case t = {.transpose_a = coin(), .transpose_b = coin(), .m = new_size(), .n = new_size(), .k = new_size()};
    t.lda = t.transpose_a ? t.m : t.k;
    t.ldb = t.transpose_b ? t.k : t.n;
    t.ldc = t.n + random_below(&random_numbers, SPARE + 1);
    t.beta = coin() ? 0 : 0.5F;
    const int64_t size = t.m * t.ldc;
    t.a = new_values(t.m * t.k);
    t.b = new_values(t.k * t.n);
    t.before = new_values(size);
    t.c = new_values(size);
    memcpy(t.c, t.before, (size_t)size * sizeof(float));
    t.bias = new_values(t.n);
    t.row_bias = new_values(t.m);
    t.argument = new_values(size);
    t.x = new_values(size);
    t.y = new_values(size);
    t.residual = new_values(size);
    t.activation = coin() ? &functions[random_below(&random_numbers, FUNCTIONS)] : NULL;
    t.slope = coin() ? &functions[random_below(&random_numbers, FUNCTIONS)] : NULL;
    for (int64_t i = 0; t.slope && i < size; i++)
        t.y[i] = (float)t.slope->value((double)t.x[i]);
    t.finish = (GemmFinish){.bias = coin() ? t.bias : NULL, .row_bias = coin() ? t.row_bias : NULL,
                            .scale = coin() ? 0.25F : 0, .argument = coin() ? t.argument : NULL,
                            .activation = t.activation ? t.activation->kernel : UNARY_none,
                            .slope = t.slope ? t.slope->kernel : UNARY_none, .slope_argument = t.x, .slope_value = t.y,
                            .residual = coin() ? t.residual : NULL};
    return t;
}

static void free_case(Case *t)
{
    float *all[] = {t->a, t->b, t->before, t->c, t->bias, t->row_bias, t->argument, t->x, t->y, t->residual};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        memory_free(all[i]);
}

static double sum_of(const Case *t, int64_t i, int64_t j)
{
    double sum = t->beta == 0 ? 0 : (double)t->beta * (double)t->before[i * t->ldc + j];
    for (int64_t p = 0; p < t->k; p++)
        sum += (double)t->a[t->transpose_a ? p * t->lda + i : i * t->lda + p] *
               (double)t->b[t->transpose_b ? j * t->ldb + p : p * t->ldb + j];
    return sum;
}

static void check_element(const Case *t, int64_t i, int64_t j)
{
    const GemmFinish *f = &t->finish;
    const int64_t at = i * t->ldc + j;
    const double tolerance = 1e-6 * (4 + 4 * sqrt((double)t->k));
    double value = sum_of(t, i, j);
    value += f->bias ? (double)f->bias[j] : 0;
    value += f->row_bias ? (double)f->row_bias[i] : 0;
    value *= f->scale != 0 ? (double)f->scale : 1;
    if (f->argument)
        assert_true(fabs((double)f->argument[at] - value) <= tolerance);
    value = t->activation ? t->activation->value(value) : value;
    value *= t->slope ? t->slope->slope((double)t->x[at]) : 1;
    value += f->residual ? (double)f->residual[at] : 0;
    assert_true(fabs((double)t->c[at] - value) <= 2 * tolerance);
}

static void test_kernels_gemm_finish__random(void **state)
{
    (void)state;
    random_numbers = random_start(1, "finish", 0);
    for (int number = 0; number < CASES; number++) {
        Case t = new_case();
        sgemm_finish(t.transpose_a, t.transpose_b, t.m, t.n, t.k, t.a, t.lda, t.b, t.ldb, t.beta, &t.finish, t.c,
                     t.ldc);
        for (int64_t i = 0; i < t.m; i++) {
            for (int64_t j = 0; j < t.n; j++)
                check_element(&t, i, j);
            for (int64_t j = t.n; j < t.ldc; j++) /* what lies beyond the width is not ours */
                assert_true(t.c[i * t.ldc + j] == t.before[i * t.ldc + j]);
        }
        free_case(&t);
    }
}

/* The bits of one thread for any number of them, and those of what is fused done by itself. */
static void check_threads(int64_t m, int64_t n, int64_t k)
{
    float *a = new_values(m * k), *b = new_values(n * k), *bias = new_values(n), *residual = new_values(m * n);
    float *c = new_values(m * n), *argument = new_values(m * n), *plain = new_values(m * n);
    const size_t bytes = (size_t)(m * n) * sizeof(float);
    threads_set(1);
    sgemm_finish(false, true, m, n, k, a, k, b, k, 0, &(GemmFinish){.bias = bias}, plain, n);
    for (int threads = 1; threads <= 4; threads++) {
        float *expected = new_values(m * n);
        memcpy(expected, plain, bytes);
        threads_set(threads);
        const GemmFinish finish = {.bias = bias, .argument = argument, .activation = UNARY_gelu, .residual = residual};
        sgemm_finish(false, true, m, n, k, a, k, b, k, 0, &finish, c, n);
        assert_memory_equal(argument, expected, bytes);
        kernels()->elementwise.unary[UNARY_gelu](m * n, expected, expected, 0, 0);
        kernels()->axpy(m * n, 1, residual, expected);
        assert_memory_equal(c, expected, bytes);
        memory_free(expected);
    }
    threads_set(1);
    float *all[] = {a, b, bias, residual, c, argument, plain};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        memory_free(all[i]);
}

/* Large enough for several tasks; for as many pieces of k as there are threads; both; near. */
static void test_kernels_gemm_finish__threads(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{300, 200, 900}, {64, 64, 1568}, {64, 64, 4096}, {10, 128, 8192},
                                        {96, 80, 3000}, {500, 64, 64}};
    random_numbers = random_start(2, "finish", 0);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_threads(shapes[i][0], shapes[i][1], shapes[i][2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_gemm_finish__random),
        cmocka_unit_test(test_kernels_gemm_finish__threads),
    };
    int failures = RUN_ON_EACH_ISA(tests, NULL, NULL);
    threads_stop();
    return failures;
}
