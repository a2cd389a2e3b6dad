#include "core/metrics/metric.h"

static double rmse(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    return sqrt(weighted_mean(p->input.count, p->squared_error, row_weights));
}

const MetricDef metric_rmse = {
    .component = {.name = "rmse",
                  .summary = "root of the mean squared error, over samples and outputs",
                  .formula = "sqrt(mean (z - y)^2)"},
    .title = "Root mean squared error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_REGRESSION,
    .measure = rmse,
};

static double mae(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    return weighted_mean(p->input.count, p->absolute_error, row_weights);
}

const MetricDef metric_mae = {
    .component = {.name = "mae", .summary = "mean absolute error, over samples and outputs", .formula = "mean |z - y|"},
    .title = "Mean absolute error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_REGRESSION,
    .measure = mae,
};

static double output_r2(const Predictions *p, const double *row_weights, int64_t output)
{
    int64_t n = p->input.count, outputs = p->input.classes;
    const double *y = p->input.soft_targets + output, *z = p->input.logits + output;
    double weight = 0, mean = 0, residual = 0, total = 0;
    for (int64_t i = 0; i < n; i++) {
        weight += row_weights[i];
        mean += row_weights[i] * y[i * outputs];
    }
    mean /= weight;
    bool varies = false; /* a rounded mean differs from equal targets, so total > 0 would not say it */
    for (int64_t i = 0, first = -1; i < n; i++) {
        if (row_weights[i] == 0)
            continue;
        first = first < 0 ? i : first;
        varies |= y[i * outputs] != y[first * outputs];
        residual += row_weights[i] * (z[i * outputs] - y[i * outputs]) * (z[i * outputs] - y[i * outputs]);
        total += row_weights[i] * (y[i * outputs] - mean) * (y[i * outputs] - mean);
    }
    return varies ? 1 - residual / total : NAN;
}

static double r2(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    double sum = 0;
    for (int64_t k = 0; k < p->input.classes; k++)
        sum += output_r2(p, row_weights, k);
    return sum / (double)p->input.classes;
}

const MetricDef metric_r2 = {
    .component = {.name = "r2",
                  .summary = "coefficient of determination, mean over outputs",
                  .formula = "1 - sum (z - y)^2 / sum (y - mean y)^2",
                  .notes = "Undefined when the targets of an output are all equal."},
    .title = "R squared",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_REGRESSION,
    .measure = r2,
};
