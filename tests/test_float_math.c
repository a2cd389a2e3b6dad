/* Functions of core/kernels/float_math.h against double precision. */
#include "tests/testing.h"

#include <math.h>

#include "core/kernels/float_math.h"

typedef struct Function {
    const char *name;
    float (*single)(float);
    double (*twice)(double);
    float low, high, ulp;
} Function;

static double softplus_tail(double x)
{
    return log1p(exp(-fabs(x)));
}

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static void test_float_math__errors_are_small(void **state)
{
    (void)state;
    static const Function functions[] = {
        {"exp", float_exp, exp, -87, 88, 2},          {"log", float_log, log, 1e-38F, 1e38F, 2},
        {"log1p", float_log1p, log1p, -0.999F, 1e4F, 3}, {"expm1", float_expm1, expm1, -10, 80, 3},
        {"sigmoid", float_sigmoid, sigmoid, -80, 80, 3}, {"softplus", float_softplus_tail, softplus_tail, -80, 80, 4},
    };
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (int i = 0; i <= 20000; i++) {
            const Function *each = functions + f;
            double share = (double)i / 20000;
            /* evenly, and evenly in the logarithm of the distance from the lower end */
            for (int way = 0; way < 2; way++) {
                float x = (float)(way ? each->low + (each->high - each->low) * exp(-40 * share)
                                      : each->low + (each->high - each->low) * share);
                x = x > each->high ? each->high : x;
                double expected = each->twice((double)x), got = (double)each->single(x);
                double unit = fmax(fabs(expected) * 0x1p-24, 0x1p-149);
                if (!(fabs(got - expected) <= 2 * (double)each->ulp * unit))
                    fail_msg("%s(%.9g) is %.9g, expected %.9g", each->name, (double)x, got, expected);
            }
        }
    assert_true(isnan(float_exp(NAN)) && isnan(float_log(NAN)) && isnan(float_sigmoid(NAN)) && isnan(float_log(-1)));
    assert_true(float_log(0) == -INFINITY && float_log1p(-1) == -INFINITY && float_exp(-INFINITY) == 0);
    assert_true(isinf(float_exp(100)) && float_log(INFINITY) == INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_float_math__errors_are_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
