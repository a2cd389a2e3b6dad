/* One class against the rest, by probability. */
#include "core/metrics/metric.h"

/* The probability that a positive is ranked above a negative, ties 1/2. */
LANES_CLONED
static void class_auroc(const ClassOrder *order, const Lanes *row_weights, Lanes *values)
{
    const int32_t *row = order->rows;
    Lanes above = {0}, negatives = {0}, positives = {0};
    for (int64_t g = 0; g < order->group_count; g++) {
        Lanes negative = {0}, positive = {0};
        for (const int32_t *end = row + order->groups[g].negatives; row < end; row++)
            negative += row_weights[*row];
        for (const int32_t *end = row + order->groups[g].positives; row < end; row++)
            positive += row_weights[*row];
        above += positive * (negatives + negative / 2);
        negatives += negative;
        positives += positive;
    }
    Lanes pairs = positives * negatives;
    lanes_ratio(&above, &pairs, values);
}

/* sum over thresholds of (recall_j - recall_{j-1}) precision_j, from the highest score down. */
LANES_CLONED
static void class_average_precision(const ClassOrder *order, const Lanes *row_weights, int64_t count, Lanes *values)
{
    const int32_t *row = order->rows + count;
    Lanes sum = {0}, negatives = {0}, positives = {0}, divisor;
    for (int64_t g = order->group_count - 1; g >= 0; g--) {
        Lanes positive = {0};
        for (const int32_t *end = row - order->groups[g].positives; row > end;)
            positive += row_weights[*--row];
        for (const int32_t *end = row - order->groups[g].negatives; row > end;)
            negatives += row_weights[*--row];
        positives += positive;
        Lanes step = positive * positives, all = positives + negatives; /* step is 0 where all is */
        lanes_or_one(&all, &divisor);
        sum += step / divisor;
    }
    lanes_ratio(&sum, &positives, values);
}

/* The mean over the classes for which the figure is defined. */
static void class_mean(const Predictions *p, const Lanes *row_weights, bool precision, Lanes *values)
{
    Lanes sum = {0}, defined = {0}, value;
    for (int64_t k = 0; k < p->input.classes; k++) {
        if (precision)
            class_average_precision(&p->by_class[k], row_weights, p->input.count, &value);
        else
            class_auroc(&p->by_class[k], row_weights, &value);
        for (int l = 0; l < LANES; l++)
            if (!isnan(value[l])) {
                sum[l] += value[l];
                defined[l]++;
            }
    }
    lanes_ratio(&sum, &defined, values);
}

static void auroc(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    class_mean(p, row_weights, false, values);
}

const MetricDef metric_auroc = {
    .component = {.name = "auroc", .summary = "area under the ROC curve, one class against the rest, mean over classes",
                  .source = "Fawcett 2006", .formula = "mean_k P(p_k of a positive > p_k of a negative) + P(equal) / 2",
                  .notes = "Classes that are the target of no sample or of every sample are left out of the mean."},
    .title = "AUROC",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .prepare = predictions_sort_by_class, .measure = auroc,
};

static void aupr(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    class_mean(p, row_weights, true, values);
}

const MetricDef metric_aupr = {
    .component = {.name = "aupr",
                  .summary = "average precision, one class against the rest, mean over the classes that occur",
                  .formula = "mean_k sum_j (R_j - R_{j-1}) P_j, a threshold at each distinct probability"},
    .title = "AUPR",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .prepare = predictions_sort_by_class,
    .measure = aupr,
};
