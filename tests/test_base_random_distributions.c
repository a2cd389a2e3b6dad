/* Gamma and beta draws, by their moments. */
#include <math.h>

#include "tests/testing.h"

#include "core/base/random_distributions.h"

enum { DRAWS = 100000 };

/* Six deviations of the estimated mean are allowed; the variance within 5%. */
static void check_moments(double mean, double square, double expected_mean, double expected_variance)
{
    double variance = square - mean * mean;
    if (fabs(mean - expected_mean) > 6 * sqrt(expected_variance / DRAWS))
        fail_msg("mean %g, expected %g", mean, expected_mean);
    if (fabs(variance / expected_variance - 1) > 0.05)
        fail_msg("variance %g, expected %g", variance, expected_variance);
}

static void test_base_random_distributions__gamma_moments(void **state)
{
    (void)state;
    static const double shapes[] = {0.5, 1, 2.5, 40};
    for (int i = 0; i < 4; i++) {
        Random random = random_start(11, "gamma", (uint32_t)i);
        double mean = 0, square = 0;
        for (int k = 0; k < DRAWS; k++) {
            double x = random_gamma(&random, shapes[i]);
            assert_true(x >= 0 && isfinite(x));
            mean += x / DRAWS;
            square += x * x / DRAWS;
        }
        check_moments(mean, square, shapes[i], shapes[i]);
    }
}

/* Shape 1 is the exponential distribution: its share below the median log 2 is a half. */
static void test_base_random_distributions__gamma_one_is_exponential(void **state)
{
    (void)state;
    Random random = random_start(12, "gamma", 0);
    int below = 0;
    for (int k = 0; k < DRAWS; k++)
        below += random_gamma(&random, 1) < log(2);
    assert_in_range(below, DRAWS / 2 - 800, DRAWS / 2 + 800);
}

static void test_base_random_distributions__beta_moments(void **state)
{
    (void)state;
    static const double parameters[][2] = {{1, 1}, {0.2, 0.2}, {2, 5}, {0.5, 3}};
    for (int i = 0; i < 4; i++) {
        double a = parameters[i][0], b = parameters[i][1], sum = a + b, mean = 0, square = 0;
        Random random = random_start(13, "beta", (uint32_t)i);
        for (int k = 0; k < DRAWS; k++) {
            double x = random_beta(&random, a, b);
            assert_true(x >= 0 && x <= 1);
            mean += x / DRAWS;
            square += x * x / DRAWS;
        }
        check_moments(mean, square, a / sum, a * b / (sum * sum * (sum + 1)));
    }
}

/* Where both gamma draws underflow the share is still a number, nearly always 0 or 1, each half of the time. */
static void test_base_random_distributions__beta_of_tiny_parameters_is_a_coin(void **state)
{
    (void)state;
    Random random = random_start(14, "beta", 0);
    int ones = 0, between = 0;
    for (int k = 0; k < 2000; k++) {
        double x = random_beta(&random, 1e-6, 1e-6);
        assert_true(x >= 0 && x <= 1);
        ones += x > 0.5;
        between += x > 1e-9 && x < 1 - 1e-9;
    }
    assert_in_range(ones, 850, 1150);
    assert_in_range(between, 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_random_distributions__gamma_moments),
        cmocka_unit_test(test_base_random_distributions__gamma_one_is_exponential),
        cmocka_unit_test(test_base_random_distributions__beta_moments),
        cmocka_unit_test(test_base_random_distributions__beta_of_tiny_parameters_is_a_coin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
