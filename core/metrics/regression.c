#include "core/metrics/metric.h"

static void rmse(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->squared_error, row_weights, values);
    for (int l = 0; l < LANES; l++)
        (*values)[l] = sqrt((*values)[l]);
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

static void mae(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->absolute_error, row_weights, values);
}

const MetricDef metric_mae = {
    .component = {.name = "mae", .summary = "mean absolute error, over samples and outputs", .formula = "mean |z - y|"},
    .title = "Mean absolute error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_REGRESSION,
    .measure = mae,
};

LANES_CLONED
static void output_r2(const Predictions *p, const Lanes *row_weights, int64_t output, Lanes *values)
{
    int64_t n = p->input.count, outputs = p->input.classes;
    const double *y = p->input.soft_targets + output, *z = p->input.logits + output;
    Lanes weight = {0}, mean = {0}, residual = {0}, total = {0};
    for (int64_t i = 0; i < n; i++) {
        weight += row_weights[i];
        mean += row_weights[i] * y[i * outputs];
    }
    mean /= weight;
    bool varies[LANES] = {false}; /* a rounded mean differs from equal targets, so total > 0 would not say it */
    int64_t first[LANES];
    for (int l = 0; l < LANES; l++)
        first[l] = -1;
    for (int64_t i = 0; i < n; i++) {
        residual += row_weights[i] * (z[i * outputs] - y[i * outputs]) * (z[i * outputs] - y[i * outputs]);
        total += row_weights[i] * (y[i * outputs] - mean) * (y[i * outputs] - mean);
        for (int l = 0; l < LANES; l++)
            if (row_weights[i][l] > 0) {
                first[l] = first[l] < 0 ? i : first[l];
                varies[l] |= y[i * outputs] != y[first[l] * outputs];
            }
    }
    for (int l = 0; l < LANES; l++)
        (*values)[l] = varies[l] ? 1 - residual[l] / total[l] : NAN;
}

static void r2(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    Lanes sum = {0}, value;
    for (int64_t k = 0; k < p->input.classes; k++) {
        output_r2(p, row_weights, k, &value);
        sum += value;
    }
    *values = sum / (double)p->input.classes;
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

LANES_CLONED
static void greedy_value(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    Lanes chosen = {0}, best = {0};
    for (int64_t i = 0; i < p->input.count; i++) {
        const double *predicted = p->input.logits + i * p->input.classes;
        const double *worth = p->input.soft_targets + i * p->input.classes;
        int64_t choice = 0, most = 0;
        for (int64_t k = 1; k < p->input.classes; k++) {
            choice = predicted[k] > predicted[choice] ? k : choice;
            most = worth[k] > worth[most] ? k : most;
        }
        chosen += row_weights[i] * worth[choice];
        best += row_weights[i] * worth[most];
    }
    lanes_ratio(&chosen, &best, values);
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
