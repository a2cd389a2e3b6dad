/* Metrics of order, inside groups and among labels, by hand. */
#include <math.h>

#include "tests/testing.h"

#include "core/metrics/metric.h"

static Arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const MetricDef *metric_named(const char *name)
{
    const MetricDef *metric = (const MetricDef *)component_find("metric", name);
    assert_non_null(metric);
    return metric;
}

static void check(const char *name, const PredictionInput *input, double expected)
{
    Predictions *p = predictions_new(arena, input);
    const MetricDef *metric = metric_named(name);
    assert_true(metric_applies(metric, p));
    double value = metric_value(metric, p);
    bool same = isnan(expected) ? isnan(value) : fabs(value - expected) <= 1e-12;
    if (!same)
        fail_msg("%s: %.15g, expected %.15g", name, value, expected);
}

/* ---- Groups: the second ties, the third is worth nothing ---- */

static const double scores[] = {3, 1, 2, 0, 0, 1, 2}, worth[] = {5, -2, 1, 4, 0, -1, -3};
static const int32_t groups[] = {4, 4, 4, 7, 7, 9, 9};

static PredictionInput grouped(void)
{
    return (PredictionInput){.kind = PREDICTION_RANKING, .count = 7, .classes = 1, .logits = scores,
                             .soft_targets = worth, .groups = groups};
}

static void test_metrics_ranking__groups_by_hand(void **state)
{
    (void)state;
    const PredictionInput input = grouped();
    double second = 1 / log2(3), shared = (1 + second) / 2;
    check("ndcg@1", &input, (1 + 0.5) / 2);
    check("ndcg@3", &input, (1 + shared) / 2);
    check("ndcg@10", &input, (1 + shared) / 2);
    check("mrr", &input, (1 + 1 / 1.5 + 1.0 / 2) / 3);
    /* one member of each is flagged: 5, (4 + 0) / 2, -3 of 5, 4, -1 */
    check("captured_pnl@1%", &input, (5 + 2 - 3) / (5.0 + 4 - 1));
    check("captured_pnl@5%", &input, 0.5);
    check("financial_loss", &input, (0 + 2 + 4) / 3.0);
}

static void test_metrics_ranking__order_decides(void **state)
{
    (void)state;
    PredictionInput input = grouped();
    double reversed[7];
    for (int i = 0; i < 7; i++)
        reversed[i] = -scores[i];
    input.logits = reversed;
    double second = 1 / log2(3), gained = 1 * second + 5 * 0.5, ideal = 5 + 1 * second;
    check("ndcg@1", &input, (0 + 0.5) / 2);
    check("ndcg@3", &input, (gained / ideal + (1 + second) / 2) / 2);
    check("mrr", &input, (1.0 / 3 + 1 / 1.5 + 1) / 3);
}

static void test_metrics_ranking__profits_go_before_targets(void **state)
{
    (void)state;
    PredictionInput input = grouped();
    const double labels[] = {0, 1, 0, 0, 1, 1, 0};
    input.kind = PREDICTION_MULTI_LABEL;
    input.soft_targets = labels;
    assert_false(metric_applies(metric_named("ndcg@1"), predictions_new(arena, &input)));
    input.profits = worth;
    check("ndcg@1", &input, (1 + 0.5) / 2);
    /* two classes have a score, too: the difference of their logits */
    double two[14];
    int64_t classes[7] = {0};
    for (int i = 0; i < 7; i++) {
        two[2 * i] = 5;
        two[2 * i + 1] = 5 + scores[i];
    }
    input.kind = PREDICTION_CLASSIFICATION;
    input.classes = 2;
    input.logits = two;
    input.targets = classes;
    input.soft_targets = NULL;
    check("captured_pnl@5%", &input, 0.5);
    input.groups = NULL;
    assert_false(metric_applies(metric_named("mrr"), predictions_new(arena, &input)));
}

static void test_metrics_ranking__a_group_weighs_as_its_first_row(void **state)
{
    (void)state;
    PredictionInput input = grouped();
    const double weights[] = {1, 1, 1, 3, 3, 0, 0};
    input.weights = weights;
    check("ndcg@1", &input, (1 + 3 * 0.5) / 4);
    check("captured_pnl@1%", &input, (5 + 3 * 2) / (5.0 + 3 * 4));
    const double none[7] = {0, 0, 0, 0, 0, 1, 1};
    input.weights = none;
    check("ndcg@1", &input, NAN);
    check("captured_pnl@1%", &input, NAN);
}

/* Every resample takes whole groups: the first or the second value, or what lies between by counts. */
static void test_metrics_ranking__resamples_draw_groups(void **state)
{
    (void)state;
    PredictionInput input = grouped();
    input.count = 5;
    Predictions *p = predictions_new(arena, &input);
    const MetricDef *const metrics[] = {metric_named("ndcg@1"), NULL};
    double interval[1][2];
    bootstrap_intervals(metrics, p, 3, 400, interval);
    assert_true(interval[0][0] == 0.5 && interval[0][1] == 1);
    input.groups = NULL;
    assert_false(metric_applies(metrics[0], predictions_new(arena, &input)));
}

/* ---- Labels ---- */

static void test_metrics_ranking__labels_by_hand(void **state)
{
    (void)state;
    const double logits[] = {4, 3, 2, 1, 0, -1, 5, 5, 5, 5, 5, 5}, targets[] = {1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    const double propensities[] = {0.5, 0.25, 0.5, 1, 1, 1};
    PredictionInput input = {.kind = PREDICTION_MULTI_LABEL, .count = 2, .classes = 6, .logits = logits,
                             .soft_targets = targets};
    double second = 1 / log2(3);
    check("P@1", &input, 0.5);
    check("P@3", &input, (2.0 / 3 + 1.0 / 3) / 2);
    check("P@5", &input, (2.0 / 5 + 1.0 / 5) / 2);
    check("nDCG@1", &input, 0.5);
    check("nDCG@3", &input, (1.5 / (1 + second) + second) / 2);
    assert_false(metric_applies(metric_named("PSP@1"), predictions_new(arena, &input)));
    assert_false(metric_applies(metric_named("MRR@10"), predictions_new(arena, &input)));
    input.propensities = propensities;
    check("PSP@1", &input, 2 / (2.0 + 4));
    check("PSP@3", &input, (2 + 2 + 4) / (4.0 + 4));
}

static void test_metrics_ranking__labels_beyond_ten(void **state)
{
    (void)state;
    double logits[36], targets[36] = {0};
    for (int i = 0; i < 36; i++)
        logits[i] = -(i % 12);
    targets[10] = 1;                            /* at place 11 */
    targets[12 + 2] = targets[12 + 11] = 1;     /* at 3 and 12; the third row has no label */
    PredictionInput input = {.kind = PREDICTION_MULTI_LABEL, .count = 3, .classes = 12, .logits = logits,
                             .soft_targets = targets};
    check("MRR@10", &input, (0 + 1.0 / 3) / 2);
    check("R@10", &input, (0 + 0.5) / 2);
    check("P@3", &input, (0 + 1.0 / 3 + 0) / 3);
    double all[12] = {0};
    input.soft_targets = all;
    input.count = 1;
    check("R@10", &input, NAN);
    check("P@1", &input, 0);
}

/* ---- Scores of all rows together ---- */

enum { ITEMS = 60 };

/* The figures of mw-loss: of 3 x 6 pairs of these scores 1 is wrong, with the offsets 3; 44 more wrong ones a row are
   far below. */
static void test_metrics_ranking__pooled_scores(void **state)
{
    (void)state;
    static const double scores_of[3][3] = {{.9, .2, .4}, {.1, .5, .3}, {.6, 0, .8}}, offsets[] = {0, .55, -.5};
    const int64_t targets[] = {0, 1, 2};
    double logits[3 * ITEMS], labels[3 * ITEMS] = {0};
    for (int shifted = 0; shifted < 2; shifted++) {
        for (int i = 0; i < 3 * ITEMS; i++) {
            int row = i / ITEMS, k = i % ITEMS;
            logits[i] = k < 3 ? scores_of[row][k] + (shifted ? offsets[row] : 0) : -9 - k;
            labels[i] = k == row;
        }
        PredictionInput input = {.kind = PREDICTION_CLASSIFICATION, .count = 3, .classes = ITEMS, .logits = logits,
                                 .targets = targets};
        assert_false(metric_applies(metric_named("AUC@50"), predictions_new(arena, &input)));
        assert_false(metric_applies(metric_named("MRR@10"), predictions_new(arena, &input)));
        input.classes_are_items = true;
        assert_false(metric_applies(metric_named("AUC@500"), predictions_new(arena, &input)));
        check("AUC@50", &input, 1 - (shifted ? 3 : 1) / 450.0);
        check("MRR@10", &input, 1);
        check("nDCG@10", &input, 1);
        PredictionInput labelled = {.kind = PREDICTION_MULTI_LABEL, .count = 3, .classes = ITEMS, .logits = logits,
                                    .soft_targets = labels};
        check("AUC@50", &labelled, 1 - (shifted ? 3 : 1) / 450.0);
        const double weights[] = {1, 0, 2}; /* .5 + .55 and its row do not count */
        input.weights = weights;
        check("AUC@50", &input, 1 - (shifted ? 2.0 / 9 / 50 : 0));
    }
    for (int i = 0; i < 3 * ITEMS; i++)
        logits[i] = 1;
    PredictionInput equal = {.kind = PREDICTION_CLASSIFICATION, .count = 3, .classes = ITEMS, .logits = logits,
                             .targets = targets, .classes_are_items = true};
    check("AUC@50", &equal, 0.5);
    check("MRR@10", &equal, (1 + 1.0 / 2 + 1.0 / 3) / 3);
    check("nDCG@10", &equal, (1 + 1 / log2(3) + 0.5) / 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_metrics_ranking__groups_by_hand),
        TEST(test_metrics_ranking__order_decides),
        TEST(test_metrics_ranking__profits_go_before_targets),
        TEST(test_metrics_ranking__a_group_weighs_as_its_first_row),
        TEST(test_metrics_ranking__resamples_draw_groups),
        TEST(test_metrics_ranking__labels_by_hand),
        TEST(test_metrics_ranking__labels_beyond_ten),
        TEST(test_metrics_ranking__pooled_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
