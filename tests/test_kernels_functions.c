/* Elementary functions and rows of softmax, for every instruction set the machine has, against double precision. */
#include "tests/instruction_sets.h"

#include "core/base/memory.h"
#include "core/base/random.h"

#include <math.h>
#include <string.h>


/* ---- Elementary functions ---- */

/* The distance in units of the last place of the true value. */
static double ulps(float value, double truth)
{
    int exponent;
    if (isnan(truth))
        return isnan(value) ? 0 : INFINITY;
    if (fabs(truth) >= 3.4028235677973366e38) /* rounds to infinity */
        return isinf(value) && (value > 0) == (truth > 0) ? 0 : INFINITY;
    frexp(truth, &exponent);
    const double unit = ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)value - truth) / unit;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Goes through the bit patterns of both signs in steps, so that every size of number occurs. */
static void check_function(VectorFunction function, double (*truth)(double), double allowed)
{
    enum { N = 1003 }; /* leaves a rest for every width */
    static float x[N], y[N];
    uint32_t bits = 0;
    for (int round = 0; round < 1200; round++) {
        for (int i = 0; i < N; i++, bits += 3571)
            memcpy(&x[i], &bits, sizeof bits);
        function(N, x, y);
        for (int i = 0; i < N; i++)
            if (!(ulps(y[i], truth((double)x[i])) <= allowed))
                fail_msg("f(%.9g) = %.9g, not %.9g", (double)x[i], (double)y[i], truth((double)x[i]));
    }
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < N; i++)
            x[i] = (float)(round * N + i) * (220.0F / (400 * N)) - 110.0F;
        function(N, x, y);
        for (int i = 0; i < N; i++)
            if (!(ulps(y[i], truth((double)x[i])) <= allowed))
                fail_msg("f(%.9g) = %.9g, not %.9g", (double)x[i], (double)y[i], truth((double)x[i]));
    }
}

static void test_kernels_functions__ulps(void **state)
{
    (void)state;
    check_function(kernels()->exp, exp, 2);
    check_function(kernels()->log, log, 4);
    check_function(kernels()->tanh, tanh, 4);
    check_function(kernels()->sigmoid, sigmoid, 4);
    check_function(kernels()->erf, erf, 4);
}

static void test_kernels_functions__special_values(void **state)
{
    (void)state;
    const float x[] = {-INFINITY, INFINITY, NAN, 0.0F, -0.0F, 1e-45F, 3e38F, -3e38F};
    float y[8];
    static double (*const truths[])(double) = {exp, log, tanh, sigmoid, erf};
    const VectorFunction functions[] = {kernels()->exp, kernels()->log, kernels()->tanh,
                                        kernels()->sigmoid, kernels()->erf};
    for (int f = 0; f < 5; f++) {
        functions[f](8, x, y);
        for (int i = 0; i < 8; i++)
            assert_true(ulps(y[i], truths[f]((double)x[i])) <= 2);
    }
    kernels()->tanh(8, x, y);
    assert_true(signbit(y[4]) && !signbit(y[3]));
}

/* ---- Rows ---- */

static void check_row(int64_t n, const float *x, float *y)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, (double)x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - largest);
    const double log_sum = largest + log(sum);
    assert_true(fabs((double)kernels()->log_sum_exp_row(n, x) - log_sum) <= 1e-6 * (1 + fabs(log_sum)));
    kernels()->log_softmax_row(n, x, y);
    for (int64_t i = 0; i < n; i++) {
        const double truth = (double)x[i] - log_sum;
        assert_true(fabs((double)y[i] - truth) <= 1e-6 * (1 + fabs(truth)));
    }
    for (SoftmaxPasses passes = SOFTMAX_BY_SHAPE; passes <= SOFTMAX_THREE_PASS; passes++) {
        softmax_rows(passes, 1, n, x, y);
        for (int64_t i = 0; i < n; i++) {
            const double truth = exp((double)x[i] - log_sum);
            assert_true(fabs((double)y[i] - truth) <= 4e-6 * truth + 2e-45);
        }
    }
}

static void test_kernels_functions__rows(void **state)
{
    (void)state;
    static float x[1100], y[1100];
    Random random = random_start(3, "test", 0);
    for (int64_t n = 1; n < 1100; n += n < 140 ? 1 : 137) {
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)(440 + 120 * random_uniform(&random));
        check_row(n, x, y);
    }
}

static void test_kernels_functions__infinite_rows(void **state)
{
    (void)state;
    float x[40], y[40];
    for (int i = 0; i < 40; i++)
        x[i] = -INFINITY;
    assert_true(kernels()->log_sum_exp_row(40, x) == -INFINITY);
    assert_true(kernels()->log_sum_exp_row(0, x) == -INFINITY);
    x[35] = 2.0F;
    kernels()->softmax.three_pass_row(40, x, y);
    assert_true(y[35] == 1.0F && y[0] == 0.0F);
    assert_true(kernels()->log_sum_exp_row(40, x) == 2.0F);
    x[3] = NAN;
    assert_true(isnan(kernels()->log_sum_exp_row(40, x)));
    x[3] = INFINITY;
    assert_true(kernels()->log_sum_exp_row(40, x) == INFINITY);
}

/* Rows up to 2^24 values: sums keep their accuracy, whichever way. */
static void test_kernels_functions__wide_rows(void **state)
{
    (void)state;
    static const int64_t sizes[] = {SOFTMAX_PIECE, SOFTMAX_PIECE + 1, 100003, 1 << 24};
    const int64_t most = 1 << 24, stride = 97;
    float *x = memory_array((size_t)most, sizeof *x), *y = memory_array((size_t)most, sizeof *y);
    for (int64_t i = 0; i < most; i++)
        x[i] = (float)((i * 7919) % 1009) * 0.02F; /* periods of 1009, so that the truth is a short sum */
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        const int64_t n = sizes[k];
        double sum = 0;
        for (int64_t i = 0; i < 1009; i++)
            sum += exp((double)x[i]) * (double)(n / 1009 + (i < n % 1009));
        for (SoftmaxPasses passes = SOFTMAX_BY_SHAPE; passes <= SOFTMAX_THREE_PASS; passes++) {
            softmax_rows(passes, 1, n, x, y);
            for (int64_t i = 0; i < n; i += stride)
                assert_true(fabs((double)y[i] * sum / exp((double)x[i]) - 1) <= 4e-6);
        }
    }
    memory_free(x);
    memory_free(y);
}

/* Written past the caches or not, wherever y begins: the same bits, and nothing but y. */
static void test_kernels_functions__stores_past_caches(void **state)
{
    (void)state;
    enum { MOST = 70, OFFSETS = 20, ROOM = MOST + OFFSETS + 1 };
    float x[MOST], plain[MOST], y[ROOM];
    for (int i = 0; i < MOST; i++)
        x[i] = (float)(i % 7) - 3;
    const SoftmaxSum whole = kernels()->softmax.sum_piece(MOST, x);
    kernels()->softmax.divide_piece(MOST, x, whole, false, plain);
    for (int offset = 0; offset < OFFSETS; offset++)
        for (int n = 0; n <= MOST; n++) {
            for (int i = 0; i < ROOM; i++)
                y[i] = -1;
            kernels()->softmax.divide_piece(n, x, whole, true, y + offset);
            assert_memory_equal(y + offset, plain, (size_t)n * sizeof *y);
            for (int i = 0; i < ROOM; i++)
                assert_true((i >= offset && i < offset + n) || y[i] == -1);
        }
}

/* The worked figures of the paper's method, and rows beyond what pairs hold, which take the other way. */
static void test_kernels_functions__two_passes(void **state)
{
    (void)state;
    const SoftmaxSum sum = kernels()->softmax.sum_piece(3, (const float[]){1000, 1001, 1002});
    assert_float_equal((float)ldexp(sum.sum, (int)sum.exponent - 1446), 1.123875F, 1e-5F);
    static const float rows[][4] = {{1, 2, 3, 0},       {1000, 1001, 1002, 999}, {-1000, -1001, -1100, -1200},
                                    {1e9F, 1e9F, 0, 0}, {-1e9F, -1e9F, -3e9F, -INFINITY}, {-1e9F, 1, 2, -INFINITY},
                                    {-2097160, -2097150, -2097155, -2097200}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        float two[4], three[4];
        softmax_rows(SOFTMAX_TWO_PASS, 1, 4, rows[k], two);
        kernels()->softmax.three_pass_row(4, rows[k], three);
        for (int i = 0; i < 4; i++)
            assert_float_equal(two[i], three[i], 3e-7F);
        assert_float_equal(two[0] + two[1] + two[2] + two[3], 1, 1e-6F);
    }
    float y[20], x[20] = {0};
    x[17] = NAN;
    softmax_rows(SOFTMAX_TWO_PASS, 1, 20, x, y);
    assert_true(isnan(y[0]) && isnan(y[17]));
    x[17] = INFINITY;
    softmax_rows(SOFTMAX_TWO_PASS, 1, 20, x, y);
    assert_true(y[0] == 0 && isnan(y[17]));
    softmax_rows(SOFTMAX_TWO_PASS, 1, 0, x, y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_functions__ulps),
        cmocka_unit_test(test_kernels_functions__special_values),
        cmocka_unit_test(test_kernels_functions__rows),
        cmocka_unit_test(test_kernels_functions__infinite_rows),
        cmocka_unit_test(test_kernels_functions__wide_rows),
        cmocka_unit_test(test_kernels_functions__stores_past_caches),
        cmocka_unit_test(test_kernels_functions__two_passes),
    };
    return RUN_ON_EACH_ISA(tests, NULL, NULL);
}
