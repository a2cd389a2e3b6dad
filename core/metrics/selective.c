/* Risk-coverage: the error among the most confident samples, as their share grows. */
#include "core/metrics/metric.h"

/* The mean over j of the error among the j most confident; a group of equal confidence enters as a whole. */
static double aurc(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    const ConfidenceOrder *order = &p->by_confidence;
    double weight = 0, wrong = 0, group = 0, sum = 0;
    for (int64_t j = p->input.count - 1; j >= 0; j--) {
        double w = row_weights[order->rows[j]];
        weight += w;
        group += w;
        wrong += order->wrong[j] ? w : 0;
        if (j > 0 && !order->last[j - 1])
            continue; /* the next one down has the same confidence */
        sum += group > 0 ? group * wrong / weight : 0;
        group = 0;
    }
    return weight > 0 ? sum / weight : NAN;
}

const MetricDef metric_aurc = {
    .component = {.name = "aurc", .summary = "area under the risk-coverage curve of the top label's confidence", .source = "arXiv:1805.08206",
                  .formula = "mean_j error among the j most confident; samples of equal confidence at the end of their group"},
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence, .measure = aurc,
};

/* The same when every right sample comes before every wrong one. A weight of m counts as m samples where
   weights are counts, else as one step of the curve. */
static double best_aurc(const Predictions *p, const double *row_weights)
{
    const ConfidenceOrder *order = &p->by_confidence;
    double weight = 0, wrong = 0, sum = 0;
    for (int64_t j = 0; j < p->input.count; j++)
        weight += order->wrong[j] ? 0 : row_weights[order->rows[j]];
    for (int64_t j = p->input.count - 1; j >= 0; j--) {
        double w = order->wrong[j] ? row_weights[order->rows[j]] : 0;
        for (double step = p->weights_are_counts ? 1 : w; w > 0; w -= step) {
            weight += step;
            wrong += step;
            sum += step * wrong / weight;
        }
    }
    return weight > 0 ? sum / weight : NAN;
}

static double eaurc(const Predictions *p, const double *row_weights, Arena *scratch)
{
    return aurc(p, row_weights, scratch) - best_aurc(p, row_weights);
}

const MetricDef metric_eaurc = {
    .component = {.name = "eaurc", .summary = "aurc minus that of the best order of the same errors", .source = "arXiv:1805.08206"},
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence, .measure = eaurc,
};
