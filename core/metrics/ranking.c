/* One class against the rest, by probability. */
#include "core/metrics/metric.h"

static double gather(const double *row_weights, const int32_t *rows, int32_t count)
{
    double sum = 0;
    for (int32_t j = 0; j < count; j++)
        sum += row_weights[rows[j]];
    return sum;
}

/* The probability that a positive is ranked above a negative, ties 1/2. */
static double class_auroc(const ClassOrder *order, const double *row_weights)
{
    const int32_t *rows = order->rows;
    double above = 0, negatives = 0, positives = 0;
    for (int64_t g = 0; g < order->group_count; g++) {
        double negative = gather(row_weights, rows, order->groups[g].negatives);
        rows += order->groups[g].negatives;
        double positive = gather(row_weights, rows, order->groups[g].positives);
        rows += order->groups[g].positives;
        above += positive * (negatives + negative / 2);
        negatives += negative;
        positives += positive;
    }
    return positives > 0 && negatives > 0 ? above / (positives * negatives) : NAN;
}

/* sum over thresholds of (recall_j - recall_{j-1}) precision_j, from the highest score down. */
static double class_average_precision(const ClassOrder *order, const double *row_weights, int64_t count)
{
    const int32_t *rows = order->rows + count;
    double sum = 0, negatives = 0, positives = 0;
    for (int64_t g = order->group_count - 1; g >= 0; g--) {
        rows -= order->groups[g].positives;
        double positive = gather(row_weights, rows, order->groups[g].positives);
        rows -= order->groups[g].negatives;
        negatives += gather(row_weights, rows, order->groups[g].negatives);
        positives += positive;
        if (positive > 0)
            sum += positive * positives / (positives + negatives);
    }
    return positives > 0 ? sum / positives : NAN;
}

/* The mean over the classes for which the figure is defined. */
static double class_mean(const Predictions *p, const double *row_weights, bool precision)
{
    double sum = 0, defined = 0;
    for (int64_t k = 0; k < p->input.classes; k++) {
        const ClassOrder *order = &p->by_class[k];
        double value = precision ? class_average_precision(order, row_weights, p->input.count)
                                 : class_auroc(order, row_weights);
        if (!isnan(value)) {
            sum += value;
            defined++;
        }
    }
    return defined > 0 ? sum / defined : NAN;
}

static double auroc(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    return class_mean(p, row_weights, false);
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

static double aupr(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    return class_mean(p, row_weights, true);
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
