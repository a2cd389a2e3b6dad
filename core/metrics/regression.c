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

static bool outputs_are_actions(const Predictions *p)
{
    return p->input.outputs_are_actions;
}

static double greedy_value(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    double chosen = 0, best = 0;
    for (int64_t i = 0; i < p->input.count; i++) {
        const double *predicted = p->input.logits + i * p->input.classes;
        const double *values = p->input.soft_targets + i * p->input.classes;
        int64_t choice = 0, most = 0;
        for (int64_t k = 1; k < p->input.classes && row_weights[i] > 0; k++) {
            choice = predicted[k] > predicted[choice] ? k : choice;
            most = values[k] > values[most] ? k : most;
        }
        chosen += row_weights[i] > 0 ? row_weights[i] * values[choice] : 0;
        best += row_weights[i] > 0 ? row_weights[i] * values[most] : 0;
    }
    return best > 0 ? chosen / best : NAN;
}

const MetricDef metric_greedy_value = {
    .component = {.name = "greedy_value",
                  .summary = "value of the action with the largest prediction, relative to that of the best",
                  .formula = "sum_i y_i,argmax_k z_ik / sum_i max_k y_ik",
                  .notes = "Of data whose outputs are the values of actions: what is left of the value when the first "
                           "action is chosen by the predictions and all later ones as the targets assume. Undefined "
                           "when the best values sum to 0 or less."},
    .title = "Value of the greedy action",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_REGRESSION,
    .measure = greedy_value,
    .available = outputs_are_actions,
};
