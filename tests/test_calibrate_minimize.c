#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/calibrate/minimize.h"

/* Rosenbrock's valley in 6 dimensions, minimum at 1. */
static double valley(void *context, const double *x, double *gradient)
{
    double value = 0;
    ++*(int *)context;
    memset(gradient, 0, 6 * sizeof *gradient);
    for (int i = 0; i < 5; i++) {
        double up = x[i + 1] - x[i] * x[i], side = 1 - x[i];
        value += 100 * up * up + side * side;
        gradient[i] += -400 * x[i] * up - 2 * side;
        gradient[i + 1] += 200 * up;
    }
    return value;
}

static double slope(void *context, const double *x, double *gradient)
{
    (void)context;
    *gradient = -1;
    return -*x;
}

static void square_root(void *context, double x, double *first, double *second)
{
    (void)context;
    *first = x * x * x - 2; /* of x^4 / 4 - 2 x */
    *second = 3 * x * x;
}

static void test_calibrate_minimize__known_minima(void **state)
{
    (void)state;
    double x[6] = {-1.2, 1, -1.2, 1, -1.2, 1}, y = 0, z = 1000;
    int calls = 0;
    Minimum minimum;
    assert_true(minimize_lbfgs(valley, &calls, 6, x, 1e-10, 500, &minimum));
    for (int i = 0; i < 6; i++)
        assert_true(fabs(x[i] - 1) < 1e-9);
    assert_true(calls < 200);
    assert_false(minimize_lbfgs(slope, NULL, 1, &y, 1e-6, 50, &minimum)); /* has no minimum */
    assert_true(minimize_newton(square_root, NULL, &z, 1e-14, 100, &minimum));
    assert_true(fabs(z - cbrt(2)) < 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibrate_minimize__known_minima),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
