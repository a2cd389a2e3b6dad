/* The figures of an attack, beside the metrics. */
#include <math.h>
#include <string.h>

#include "cli/evaluation.h"
#include "core/train/robustness.h"

static void mean_of_rows(const Predictions *predictions, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(predictions->input.count, predictions->input.logits, row_weights, values);
}

static const MetricDef robust_accuracy = {
    .component = {.name = "robust_accuracy", .summary = "share of the samples that are right under every attack"},
    .kinds = PREDICTION_REGRESSION, .measure = mean_of_rows,
};
static const MetricDef smooth_term = {
    .component = {.name = "smooth_term", .summary = "mean largest change of the margins under attack"},
    .kinds = PREDICTION_REGRESSION, .measure = mean_of_rows,
};

/* The mean of a figure of each sample, with an interval, becomes one more of the measured. */
static void add_mean(MeasuredSplit *measured, Arena *arena, const MetricDef *metric, const double *rows,
                     const double *weights, uint64_t seed)
{
    size_t count = 0;
    while (measured->metrics[count])
        count++;
    PredictionInput input = {.kind = PREDICTION_REGRESSION, .count = measured->outputs.count, .classes = 1,
                             .logits = rows, .soft_targets = rows, .weights = weights};
    Predictions *predictions = predictions_new(arena, &input);
    const MetricDef **metrics = arena_zero(arena, count + 2, sizeof *metrics), *alone[] = {metric, NULL};
    double *values = arena_zero(arena, count + 1, sizeof *values);
    memcpy(metrics, measured->metrics, count * sizeof *metrics);
    memcpy(values, measured->values, count * sizeof *values);
    metrics[count] = metric;
    values[count] = metric_value(metric, predictions);
    if (measured->intervals) {
        double (*intervals)[2] = arena_zero(arena, count + 1, sizeof *intervals);
        memcpy(intervals, measured->intervals, count * sizeof *intervals);
        bootstrap_intervals(alone, predictions, seed, measured->resamples, intervals + count);
        measured->intervals = intervals;
    }
    measured->metrics = metrics;
    measured->values = values;
}

bool measured_add_attack(MeasuredSplit *measured, const SavedModel *saved, const Instance *attack,
                         const DataSplit *split, uint64_t seed, Arena *arena, Error *error)
{
    Robustness robustness = {0};
    if (!split_robustness(saved->model, &saved->config->loss, attack, split, saved->config->train.eval_batch_size, seed,
                          arena, &robustness, error))
        return fail_at(error, "attack");
    add_mean(measured, arena, &robust_accuracy, robustness.robust, robustness.weights, seed);
    if (robustness.margin_change)
        add_mean(measured, arena, &smooth_term, robustness.margin_change, robustness.weights, seed);
    return true;
}
