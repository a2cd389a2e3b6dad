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
        wrong += w * order->wrong[j];
        if (weight == 0 || (j > 0 && !order->last[j - 1]))
            continue; /* the next one down has the same confidence */
        sum += group * wrong / weight;
        group = 0;
    }
    return weight > 0 ? sum / weight : NAN;
}

const MetricDef metric_aurc = {
    .component = {.name = "aurc",
                  .summary = "area under the risk-coverage curve of the top label's confidence",
                  .source = "arXiv:1805.08206",
                  .formula = "mean_j error among the j most confident; samples of equal confidence at the end of their "
                             "group"},
    .title = "Area under the risk-coverage curve",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence,
    .measure = aurc,
};

/* sum_{j=1}^n 1/j less Euler's constant, by the asymptotic series; its next term is below 1e-15. */
static double harmonic(double n)
{
    double less = 0;
    for (; n < 32; n++)
        less += 1 / (n + 1);
    double square = 1 / (n * n);
    return log(n) + 1 / (2 * n) - square * (1.0 / 12 - square * (1.0 / 120 - square / 252)) - less;
}

/* The same when every right sample comes before every wrong one. Where weights are counts the j-th of E
   wrong ones after R right ones adds j / (R + j); the sum is E - R (H(R+E) - H(R)). Other weights are steps. */
static double best_aurc(const Predictions *p, const double *row_weights)
{
    const ConfidenceOrder *order = &p->by_confidence;
    double right = 0, wrong = 0, sum = 0;
    for (int64_t j = 0; j < p->input.count; j++) {
        wrong += order->wrong[j] * row_weights[order->rows[j]];
        right += row_weights[order->rows[j]];
    }
    right -= wrong;
    double weight = right + wrong;
    if (p->weights_are_counts)
        return weight > 0 ? (wrong - right * (harmonic(weight) - harmonic(right))) / weight : NAN;
    double past = 0;
    for (int64_t j = p->input.count - 1; j >= 0; j--) {
        double step = order->wrong[j] * row_weights[order->rows[j]];
        past += step;
        sum += step > 0 ? step * past / (right + past) : 0;
    }
    return weight > 0 ? sum / weight : NAN;
}

static double eaurc(const Predictions *p, const double *row_weights, Arena *scratch)
{
    return aurc(p, row_weights, scratch) - best_aurc(p, row_weights);
}

const MetricDef metric_eaurc = {
    .component = {.name = "eaurc",
                  .summary = "aurc minus that of the best order of the same errors",
                  .source = "arXiv:1805.08206"},
    .title = "Excess area under the risk-coverage curve",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence,
    .measure = eaurc,
};
