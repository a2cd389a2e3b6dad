/* Risk-coverage: the error among the most confident samples, as their share grows. */
#include "core/metrics/metric.h"

/* The mean over j of the error among the j most confident; a group of equal confidence enters as a whole. */
LANES_CLONED
static void aurc(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    const ConfidenceOrder *order = &p->by_confidence;
    Lanes weight = {0}, wrong = {0}, group = {0}, sum = {0}, divisor;
    for (int64_t j = p->input.count - 1; j >= 0; j--) {
        const Lanes *w = &row_weights[order->rows[j]];
        weight += *w;
        group += *w;
        wrong += *w * (double)order->wrong[j];
        if (j > 0 && !order->last[j - 1])
            continue; /* the next one down has the same confidence */
        lanes_or_one(&weight, &divisor);
        sum += group * wrong / divisor;
        group = (Lanes){0};
    }
    lanes_ratio(&sum, &weight, values);
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
LANES_CLONED
static void best_aurc(const Predictions *p, const Lanes *row_weights, Lanes *values)
{
    const ConfidenceOrder *order = &p->by_confidence;
    Lanes right = {0}, wrong = {0}, past = {0}, sum = {0};
    for (int64_t j = 0; j < p->input.count; j++) {
        wrong += row_weights[order->rows[j]] * (double)order->wrong[j];
        right += row_weights[order->rows[j]];
    }
    right -= wrong;
    Lanes weight = right + wrong;
    if (p->weights_are_counts) {
        for (int l = 0; l < LANES; l++)
            sum[l] = weight[l] > 0 ? wrong[l] - right[l] * (harmonic(weight[l]) - harmonic(right[l])) : 0;
        lanes_ratio(&sum, &weight, values);
        return;
    }
    for (int64_t j = p->input.count - 1; j >= 0; j--) {
        Lanes step = row_weights[order->rows[j]] * (double)order->wrong[j];
        past += step;
        for (int l = 0; l < LANES; l++)
            sum[l] += step[l] > 0 ? step[l] * past[l] / (right[l] + past[l]) : 0;
    }
    lanes_ratio(&sum, &weight, values);
}

static void eaurc(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    Lanes best;
    best_aurc(p, row_weights, &best);
    aurc(p, row_weights, scratch, values);
    *values -= best;
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
