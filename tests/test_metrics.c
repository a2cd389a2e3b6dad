#include <math.h>

#include "tests/testing.h"

#include "core/metrics/metric.h"

extern const MetricDef metric_accuracy, metric_balanced_accuracy, metric_nll, metric_brier, metric_ece, metric_ece_mass, metric_mce;

/* Two classes; p of the first class: 0.9, 0.6, 0.3, 0.8. Targets 0 1 1 0: three right. */
static Predictions example(Arena *arena)
{
    static const double logits[] = {2.1972245773362196, 0, 0.4054651081081644, 0, -0.8472978603872037, 0, 1.3862943611198906, 0};
    static const int64_t targets[] = {0, 1, 1, 0};
    return predictions_from_logits(arena, 4, 2, logits, targets);
}

static void check(const MetricDef *metric, double expected)
{
    Arena *arena = arena_new();
    Predictions p = example(arena);
    const int64_t rows[] = {0, 1, 2, 3};
    double value = metric->measure(&p, rows, 4, arena);
    if (fabs(value - expected) > 1e-12)
        fail_msg("%s: %.15g, expected %.15g", metric->component.name, value, expected);
    assert_true(isnan(metric->measure(&p, rows, 0, arena)));
    double interval[2], again[2];
    bootstrap_interval(metric, &p, 3, 200, interval);
    bootstrap_interval(metric, &p, 3, 200, again);
    assert_memory_equal(interval, again, sizeof interval);
    assert_true(interval[0] <= interval[1]);
    arena_free(arena);
}

static void test_metrics__hand_computed_values(void **state)
{
    (void)state;
    check(&metric_accuracy, 0.75);
    check(&metric_balanced_accuracy, 0.75);
    check(&metric_nll, -(log(0.9) + log(0.4) + log(0.7) + log(0.8)) / 4);
    check(&metric_brier, 2 * (0.01 + 0.36 + 0.09 + 0.04) / 4);
    check(&metric_ece, (0.1 + 0.6 + 0.3 + 0.2) / 4);      /* each in a bin of its own */
    check(&metric_ece_mass, (0.1 + 0.6 + 0.3 + 0.2) / 4);
    check(&metric_mce, 0.6);
}

static void test_metrics__extreme_logits_stay_finite(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const double logits[] = {1e4, -1e4, 0};
    const int64_t targets[] = {1}, rows[] = {0};
    Predictions p = predictions_from_logits(arena, 1, 3, logits, targets);
    assert_true(metric_nll.measure(&p, rows, 1, arena) == 2e4);
    assert_true(metric_ece.measure(&p, rows, 1, arena) == 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__hand_computed_values),
        cmocka_unit_test(test_metrics__extreme_logits_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
