/* Metrics against values computed by hand, limiting cases, and what must not change them. */
#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

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

static double value_of(const char *name, Predictions *p)
{
    const MetricDef *metric = (const MetricDef *)component_find("metric", name);
    assert_non_null(metric);
    assert_true(metric_applies(metric, p));
    return metric_value(metric, p);
}

static void check(const char *name, Predictions *p, double expected)
{
    double value = value_of(name, p);
    bool same = isnan(expected) ? isnan(value) : value == expected || fabs(value - expected) <= 1e-12;
    if (!same)
        fail_msg("%s: %.15g, expected %.15g", name, value, expected);
}

static Predictions *classified(int64_t count, int64_t classes, const double *logits, const int64_t *targets)
{
    PredictionInput input = {PREDICTION_CLASSIFICATION, count, classes, .logits = logits, .targets = targets};
    return predictions_new(arena, &input);
}

/* Logits are logarithms of the probabilities. */
static Predictions *of_probabilities(int64_t count, int64_t classes, const double *p, const int64_t *targets)
{
    double *logits = arena_zero(arena, (size_t)(count * classes), sizeof *logits);
    for (int64_t at = 0; at < count * classes; at++)
        logits[at] = log(p[at]);
    return classified(count, classes, logits, targets);
}

/* Five classes; the first has the confidence, the others share the rest; right where a is 1. */
static Predictions *of_confidences(int64_t count, const double *c, const int *a)
{
    double *p = arena_zero(arena, (size_t)count * 5, sizeof *p);
    int64_t *targets = arena_zero(arena, (size_t)count, sizeof *targets);
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < 5; k++)
            p[i * 5 + k] = k == 0 ? c[i] : (1 - c[i]) / 4;
        targets[i] = a[i] ? 0 : 1;
    }
    return of_probabilities(count, 5, p, targets);
}

static void test_metrics__classification_by_hand(void **state)
{
    (void)state;
    const double p[] = {0.9, 0.1, 0.6, 0.4, 0.3, 0.7, 0.8, 0.2};
    const int64_t targets[] = {0, 1, 1, 0};
    Predictions *e = of_probabilities(4, 2, p, targets);
    check("accuracy", e, 0.75);
    check("top5", e, 1);
    check("balanced_accuracy", e, 0.75);
    check("precision_macro", e, (2.0 / 3 + 1) / 2);
    check("recall_macro", e, 0.75);
    check("f1_macro", e, (0.8 + 2.0 / 3) / 2);
    check("f1_micro", e, 0.75);
    check("nll", e, -(log(0.9) + log(0.4) + log(0.7) + log(0.8)) / 4);
    check("brier", e, 2 * (0.01 + 0.36 + 0.09 + 0.04) / 4);
    check("brier_top1", e, (0.01 + 0.36 + 0.09 + 0.04) / 4);
    check("ece", e, (0.1 + 0.6 + 0.3 + 0.2) / 4); /* each in a bin of its own */
    check("ece_mass", e, (0.1 + 0.6 + 0.3 + 0.2) / 4);
    check("mce", e, 0.6);
    check("classwise_ece", e, (0.1 + 0.6 + 0.3 + 0.2) / 4);
    check("auroc", e, 1);
    check("aupr", e, 1);
}

static void test_metrics__sorted_by_confidence_by_hand(void **state)
{
    (void)state;
    const double c[] = {0.95, 0.90, 0.85, 0.62, 0.55, 0.30};
    const int a[] = {1, 1, 0, 1, 0, 0};
    Predictions *e = of_confidences(6, c, a);
    check("ece", e, 2.23 / 6);
    check("ks", e, 0.22);
    check("brier_top1", e, (0.0025 + 0.01 + 0.7225 + 0.1444 + 0.3025 + 0.09) / 6);
    check("aurc", e, (1.0 / 3 + 1.0 / 4 + 2.0 / 5 + 3.0 / 6) / 6);
    check("eaurc", e, (1.0 / 3 + 1.0 / 4 + 2.0 / 5 + 3.0 / 6 - 1.0 / 4 - 2.0 / 5 - 3.0 / 6) / 6);
}

/* The six rows of three classes of the checks in the paper's notes, and its figures. */
static void test_metrics__three_classes_by_hand(void **state)
{
    (void)state;
    const double p[] = {.72, .18, .10, .13, .61, .26, .30, .31, .39, .48, .45, .07, .90, .06, .04, .05, .10, .85};
    const int64_t targets[] = {0, 1, 2, 1, 0, 1};
    Predictions *e = of_probabilities(6, 3, p, targets);
    check("brier", e, 0.5006);
    assert_true(fabs(value_of("nll", e) - 0.828477) < 5e-7);
    assert_true(fabs(value_of("ks", e) - 0.4 / 3) < 1e-12);
    check("auroc", e, (1.0 + 7.0 / 9 + 4.0 / 5) / 3);
    check("aupr", e, (1.0 + (1 + 1 + 3.0 / 5) / 3 + 1.0 / 2) / 3);
}

static void test_metrics__bins_are_right_closed(void **state)
{
    (void)state;
    assert_int_equal(calibration_bin(0), 0);
    assert_int_equal(calibration_bin(1.0 / 15), 0);
    assert_int_equal(calibration_bin(1.0 / 15 + 1e-13), 0); /* on the edge, within rounding */
    assert_int_equal(calibration_bin(1.0 / 15 + 1e-9), 1);
    assert_int_equal(calibration_bin(0.6), 8);
    assert_int_equal(calibration_bin(1), 14);
}

static void test_metrics__ties(void **state)
{
    (void)state;
    const double c[] = {0.7, 0.7, 0.7, 0.7};
    const int a[] = {1, 0, 0, 1};
    Predictions *e = of_confidences(4, c, a);
    check("aurc", e, 0.5);                        /* one group: the error rate */
    check("eaurc", e, 0.5 - (1.0 / 3 + 2.0 / 4) / 4);
    check("ks", e, 0.2);
    check("auroc", e, 0.5);
    check("aupr", e, 0.5);
    const double z[] = {1, 1, 0, 2, 2, 2}; /* the first of equal logits is predicted */
    const int64_t targets[] = {0, 1};
    Predictions *first = classified(2, 3, z, targets);
    check("accuracy", first, 0.5);
    /* Permuted classes tie although their exponentials are added in another order. */
    const double rows[] = {0.1, 0.2, 0.3, 0.4, 0.3, 0.4, 0.1, 0.2, 0.4, 0.3, 0.2, 0.1};
    const int64_t any[] = {0, 1, 2};
    Predictions *same = classified(3, 4, rows, any);
    assert_true(same->confidence[0] == same->confidence[1] && same->confidence[1] == same->confidence[2]);
}

static void test_metrics__top5_counts_equal_logits_in_order(void **state)
{
    (void)state;
    const double z[] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 6, 5, 4, 3, 2, 1};
    const int64_t targets[] = {4, 5, 4};
    Predictions *e = classified(3, 6, z, targets);
    check("top5", e, 2.0 / 3);
}

static void test_metrics__limits(void **state)
{
    (void)state;
    const double z[] = {1e4, -1e4, 0, -1e4, 0, 1e4};
    const int64_t right[] = {0, 2}, wrong[] = {1, 0}, same[] = {0, 0};
    Predictions *e = classified(2, 3, z, right);
    static const char *const zeros[] = {"nll",           "brier", "brier_top1", "ece",  "ece_mass",
                                        "classwise_ece", "mce",   "ks",         "aurc", "eaurc"};
    static const char *const ones[] = {"accuracy", "balanced_accuracy", "precision_macro", "recall_macro",
                                       "f1_macro", "f1_micro",          "auroc",           "aupr"};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++)
        check(zeros[i], e, 0);
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
        check(ones[i], e, 1);
    e = classified(2, 3, z, wrong);
    check("nll", e, 2e4);
    check("brier", e, 2);
    check("ece", e, 1);
    check("aurc", e, 1);
    check("eaurc", e, 0);
    check("f1_macro", e, 0);
    e = classified(2, 3, z, same);
    check("auroc", e, NAN); /* a class that is every target has no negatives */
    check("aupr", e, 1);
    check("f1_macro", e, (2.0 / 3 + 0) / 2); /* class 1 is neither target nor predicted */
    check("balanced_accuracy", e, 0.5);
    e = classified(1, 1, z, same);
    check("nll", e, 0);
    check("ece_mass", e, 0);
    check("auroc", e, NAN);
}

static void test_metrics__impossible_classes(void **state)
{
    (void)state;
    const double z[] = {0, -INFINITY, 0, 1, 2, -INFINITY}, none[] = {-INFINITY, -INFINITY}, nan[] = {0, 1, 2, NAN},
                 inf[] = {INFINITY, 0};
    assert_int_equal(logits_first_bad_row(2, 3, z, true), -1);
    assert_int_equal(logits_first_bad_row(2, 3, z, false), 0);
    assert_int_equal(logits_first_bad_row(1, 2, none, true), 0);
    assert_int_equal(logits_first_bad_row(2, 2, nan, true), 1);
    assert_int_equal(logits_first_bad_row(1, 2, inf, true), 0);
    const int64_t possible[] = {0, 1}, impossible[] = {1, 1};
    Predictions *e = classified(2, 3, z, possible);
    check("nll", e, (log(2) + log1p(exp(-1))) / 2);
    check("brier", e, (0.5 + 2 * pow(1 / (1 + exp(1)), 2)) / 2);
    const double soft[] = {0.5, 0, 0.5, 0, 1, 0}, weights[] = {0, 1};
    e = predictions_new(arena, &(PredictionInput){PREDICTION_CLASSIFICATION, 2, 3, .logits = z, .soft_targets = soft});
    check("nll", e, (log(2) + log1p(exp(-1))) / 2);
    e = classified(2, 3, z, impossible);
    check("nll", e, INFINITY);
    e = predictions_new(arena, &(PredictionInput){PREDICTION_CLASSIFICATION, 2, 3, .logits = z, .targets = impossible,
                                                  .weights = weights});
    check("nll", e, log1p(exp(-1))); /* the row without weight does not matter */
    e = predictions_new(arena, &(PredictionInput){PREDICTION_CLASSIFICATION, 2, 3, .logits = z, .targets = impossible,
                                                  .probabilities_only = true});
    check("nll", e, (-log(1e-12) + log1p(exp(-1))) / 2);
}

static void test_metrics__soft_targets(void **state)
{
    (void)state;
    const double z[] = {0, 0, 1, 0}, soft[] = {0.3, 0.7, 0.5, 0.5};
    Predictions *e =
        predictions_new(arena, &(PredictionInput){PREDICTION_CLASSIFICATION, 2, 2, .logits = z, .soft_targets = soft});
    double q = 1 / (1 + exp(-1));
    check("nll", e, (log(2) - 0.5 * log(q) - 0.5 * log(1 - q)) / 2);
    check("brier", e, (2 * 0.04 + 2 * (q - 0.5) * (q - 0.5)) / 2);
    check("accuracy", e, 0.5); /* targets 1 and, the first of equal ones, 0 */
}

static void test_metrics__multi_label(void **state)
{
    (void)state;
    double z[] = {log(3), -log(3), 0, log(9), -log(9), log(3)}, t[] = {1, 0, 1, 1, 1, 0};
    Predictions *e =
        predictions_new(arena, &(PredictionInput){PREDICTION_MULTI_LABEL, 2, 3, .logits = z, .soft_targets = t});
    check("accuracy", e, (2.0 / 3 + 1.0 / 3) / 2);
    check("nll", e, -(log(0.75) + log(0.75) + log(0.5) + log(0.9) + log(0.1) + log(0.25)) / 6);
    check("brier", e, (0.0625 + 0.0625 + 0.25 + 0.01 + 0.81 + 0.5625) / 6);
    check("precision_macro", e, 1.0 / 3);
    check("recall_macro", e, 1.0 / 3);
    check("f1_macro", e, 1.0 / 3);
    check("precision_micro", e, 2.0 / 3);
    check("recall_micro", e, 2.0 / 4);
    check("f1_micro", e, 2.0 * 2 / (4 + 3));
    check("auroc", e, 0); /* label 0 has no negatives; the others rank their positive below */
    check("aupr", e, (1 + 0.5 + 0.5) / 3);
    const Component *ece = component_find("metric", "ece");
    assert_false(metric_applies((const MetricDef *)ece, e));
}

static void test_metrics__regression(void **state)
{
    (void)state;
    const double z[] = {1, 2, 3, 5}, y[] = {1, 3, 2, 4}, low[] = {0, 2, 2.5, 4}, high[] = {2, 3, 4, 9},
                 flat[] = {0.1, 0.1, 0.1, 0.1};
    PredictionInput input = {PREDICTION_REGRESSION, 4, 1, .logits = z, .soft_targets = y};
    Predictions *e = predictions_new(arena, &input);
    check("rmse", e, sqrt(0.75));
    check("mae", e, 0.75);
    check("r2", e, 1 - 3 / 5.0);
    assert_false(metric_applies((const MetricDef *)component_find("metric", "coverage"), e));
    input.lower = low;
    input.upper = high;
    check("coverage", predictions_new(arena, &input), 0.75);
    input.soft_targets = flat;
    check("r2", predictions_new(arena, &input), NAN);
    e = predictions_new(arena, &(PredictionInput){PREDICTION_REGRESSION, 2, 2, .logits = z, .soft_targets = y});
    check("rmse", e, sqrt(0.75));
    check("r2", e, (1 - 1 / 0.5 + 1 - 2 / 0.5) / 2);
}

static void test_metrics__tokens(void **state)
{
    (void)state;
    const double z[] = {0, 0, 0, 0, log(2), 0, 0, 0};
    const int64_t targets[] = {3, 0};
    PredictionInput input = {PREDICTION_TOKENS, 2, 4, .logits = z, .targets = targets};
    Predictions *e = predictions_new(arena, &input);
    double nll = (log(4) + log(2.5)) / 2;
    check("nll", e, nll);
    check("perplexity", e, sqrt(10));
    check("accuracy", e, 0.5);
    assert_false(metric_applies((const MetricDef *)component_find("metric", "bits_per_byte"), e));
    input.bytes_per_token = 2;
    check("bits_per_byte", predictions_new(arena, &input), nll / log(2) / 2);
}

static void test_metrics__coverage_of_sets(void **state)
{
    (void)state;
    const double z[] = {0, 1, 2, 0, 1, 2};
    const int64_t targets[] = {0, 2};
    const unsigned char sets[] = {0, 1, 1, 0, 0, 1};
    Predictions *e = predictions_new(
        arena, &(PredictionInput){PREDICTION_CLASSIFICATION, 2, 3, .logits = z, .targets = targets, .sets = sets});
    check("coverage", e, 0.5);
}

static void test_metrics__tables(void **state)
{
    (void)state;
    const double p[] = {.8, .1, .1, .6, .3, .1, .2, .7, .1, .1, .2, .7};
    const int64_t targets[] = {0, 1, 1, 0};
    Predictions *e = of_probabilities(4, 3, p, targets);
    double matrix[9];
    const double expected[] = {1, 0, 1, 1, 1, 0, 0, 0, 0};
    confusion_matrix(e, matrix);
    assert_memory_equal(matrix, expected, sizeof expected);
    ClassFigures figures[3];
    class_figures(e, figures);
    assert_true(figures[0].precision == 0.5 && figures[0].recall == 0.5 && figures[0].f1 == 0.5);
    assert_true(figures[1].precision == 1 && figures[1].recall == 0.5 && fabs(figures[1].f1 - 2.0 / 3) < 1e-15);
    assert_true(figures[2].precision == 0 && figures[2].recall == 0 && figures[2].predicted == 1);
    ReliabilityBin bins[CALIBRATION_BINS];
    PredictionInput twice = e->input;
    twice.weights = (const double[]){2, 1, 1, 0};
    reliability_bins(predictions_new(arena, &twice), bins);
    assert_true(bins[11].count == 2 && bins[11].accuracy == 1 && fabs(bins[11].confidence - 0.8) < 1e-15);
    assert_true(bins[8].count == 1 && bins[8].accuracy == 0 && isnan(bins[0].confidence));
    assert_true(bins[10].count == 1 && bins[10].high == 11.0 / 15);
}

/* Random predictions whose logits are whole numbers, so that there are ties. */
enum { ROWS = 203, CLASSES = 4 };
static double random_logits[ROWS * CLASSES];
static int64_t random_targets[ROWS];

static PredictionInput random_input(void)
{
    Random random = random_start(5, "test", 0);
    for (int i = 0; i < ROWS * CLASSES; i++)
        random_logits[i] = (double)random_below(&random, 4);
    for (int i = 0; i < ROWS; i++)
        random_targets[i] = random_below(&random, CLASSES);
    return (PredictionInput){PREDICTION_CLASSIFICATION, ROWS, CLASSES, .logits = random_logits,
                             .targets = random_targets};
}

static PredictionInput pick_rows(const PredictionInput *from, int64_t count, const int64_t *rows)
{
    double *logits = arena_zero(arena, (size_t)count * CLASSES, sizeof *logits);
    int64_t *targets = arena_zero(arena, (size_t)count, sizeof *targets);
    for (int64_t i = 0; i < count; i++) {
        memcpy(logits + i * CLASSES, from->logits + rows[i] * CLASSES, CLASSES * sizeof *logits);
        targets[i] = from->targets[rows[i]];
    }
    return (PredictionInput){PREDICTION_CLASSIFICATION, count, CLASSES, .logits = logits, .targets = targets};
}

static void compare_all(const PredictionInput *a, const PredictionInput *b, const char *but)
{
    Predictions *first = predictions_new(arena, a), *second = predictions_new(arena, b);
    const MetricDef *const *metrics = metrics_that_apply(arena, first);
    int compared = 0;
    for (int i = 0; metrics[i]; i++) {
        if (but && strcmp(metrics[i]->component.name, but) == 0)
            continue;
        check(metrics[i]->component.name, first, metric_value(metrics[i], second));
        compared++;
    }
    assert_true(compared >= 18);
}

static void test_metrics__whole_weights_are_copies(void **state)
{
    (void)state;
    PredictionInput input = random_input();
    Random random = random_start(6, "test", 0);
    double weights[ROWS];
    int64_t rows[3 * ROWS], count = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t copies = random_below(&random, 4);
        weights[i] = (double)copies;
        for (int64_t c = 0; c < copies; c++)
            rows[count++] = i;
    }
    PredictionInput copied = pick_rows(&input, count, rows);
    input.weights = weights;
    compare_all(&input, &copied, NULL);
}

static void test_metrics__scale_of_weights_does_not_matter(void **state)
{
    (void)state;
    PredictionInput input = random_input(), scaled = input;
    double weights[ROWS], more[ROWS];
    for (int i = 0; i < ROWS; i++) {
        weights[i] = 0.3 + 0.01 * i;
        more[i] = 7.7 * weights[i];
    }
    input.weights = weights;
    scaled.weights = more;
    compare_all(&input, &scaled, NULL);
}

static void test_metrics__order_of_rows_does_not_matter(void **state)
{
    (void)state;
    PredictionInput input = random_input();
    int64_t rows[ROWS];
    Random random = random_start(7, "test", 0);
    random_permutation(&random, ROWS, rows);
    PredictionInput shuffled = pick_rows(&input, ROWS, rows);
    compare_all(&input, &shuffled, "ece_mass"); /* equal confidences keep the order of the input */
}

static void test_metrics__bootstrap(void **state)
{
    (void)state;
    PredictionInput input = random_input();
    Predictions *p = predictions_new(arena, &input);
    const MetricDef *const *metrics = metrics_that_apply(arena, p);
    double one[32][2] = {{0}}, four[32][2] = {{0}}, other[32][2] = {{0}};
    threads_set(1);
    bootstrap_intervals(metrics, p, 3, 150, one);
    bootstrap_intervals(metrics, p, 4, 150, other);
    threads_set(4);
    bootstrap_intervals(metrics, p, 3, 150, four);
    threads_set(1);
    assert_memory_equal(one, four, sizeof one);
    for (int i = 0; metrics[i]; i++) {
        assert_true(one[i][0] < one[i][1] || strcmp(metrics[i]->component.name, "top5") == 0);
        if (strcmp(metrics[i]->component.name, "accuracy") == 0) {
            double accuracy = metric_value(metrics[i], p), error = sqrt(accuracy * (1 - accuracy) / ROWS);
            assert_true(fabs(one[i][0] - (accuracy - 1.96 * error)) < 0.5 * error &&
                        fabs(one[i][1] - (accuracy + 1.96 * error)) < 0.5 * error);
            assert_true(memcmp(one[i], other[i], sizeof one[i]) != 0);
        }
    }
}

static void test_metrics__bootstrap_of_what_is_undefined(void **state)
{
    (void)state;
    const double z[] = {0, 1, 0, -INFINITY};
    const int64_t targets[] = {1, 1};
    Predictions *p = classified(2, 2, z, targets);
    const MetricDef *const metrics[] = {(const MetricDef *)component_find("metric", "auroc"),
                                        (const MetricDef *)component_find("metric", "nll"), NULL};
    double intervals[2][2];
    bootstrap_intervals(metrics, p, 0, 50, intervals);
    assert_true(isnan(intervals[0][0]) && isnan(intervals[0][1]));
    assert_true(isfinite(intervals[1][0]) && isinf(intervals[1][1]));
    Predictions *none = classified(0, 2, z, targets);
    check("nll", none, NAN);
    check("ece_mass", none, NAN);
    check("aurc", none, NAN);
    check("auroc", none, NAN);
    check("f1_micro", none, NAN);
    double low[] = {-1, -1}, hit[] = {1, 0};
    Predictions *silent =
        predictions_new(arena, &(PredictionInput){PREDICTION_MULTI_LABEL, 1, 2, .logits = low, .soft_targets = hit});
    check("precision_micro", silent, 0);
    check("recall_micro", silent, 0);
}

static void test_metrics__have_titles(void **state)
{
    (void)state;
    for (const Component *const *item = component_kind("metric")->items; *item; item++) {
        const MetricDef *metric = (const MetricDef *)*item;
        if (!metric->title || !(metric->title[0] >= 'A' && metric->title[0] <= 'Z'))
            fail_msg("metric %s has no title", (*item)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics__classification_by_hand),
        cmocka_unit_test(test_metrics__sorted_by_confidence_by_hand),
        cmocka_unit_test(test_metrics__three_classes_by_hand),
        cmocka_unit_test(test_metrics__bins_are_right_closed),
        cmocka_unit_test(test_metrics__ties),
        cmocka_unit_test(test_metrics__top5_counts_equal_logits_in_order),
        cmocka_unit_test(test_metrics__limits),
        cmocka_unit_test(test_metrics__impossible_classes),
        cmocka_unit_test(test_metrics__soft_targets),
        cmocka_unit_test(test_metrics__multi_label),
        cmocka_unit_test(test_metrics__regression),
        cmocka_unit_test(test_metrics__tokens),
        cmocka_unit_test(test_metrics__coverage_of_sets),
        cmocka_unit_test(test_metrics__tables),
        cmocka_unit_test(test_metrics__whole_weights_are_copies),
        cmocka_unit_test(test_metrics__scale_of_weights_does_not_matter),
        cmocka_unit_test(test_metrics__order_of_rows_does_not_matter),
        cmocka_unit_test(test_metrics__bootstrap),
        cmocka_unit_test(test_metrics__bootstrap_of_what_is_undefined),
        cmocka_unit_test(test_metrics__have_titles),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
