#include "core/metrics/metric.h"

static void brier(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->brier, row_weights, values);
}

const MetricDef metric_brier = {
    .component = {.name = "brier",
                  .summary = "Brier score, a sum over classes",
                  .source = "Brier 1950",
                  .formula = "mean sum_k (p_k - t_k)^2",
                  .notes = "t is the one-hot or soft target. Multi-label: the mean over labels."},
    .title = "Brier score",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = brier,
};

static void brier_top1(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    double *squares = arena_alloc(scratch, (size_t)p->input.count * sizeof *squares);
    for (int64_t i = 0; i < p->input.count; i++)
        squares[i] = (p->confidence[i] - p->correct[i]) * (p->confidence[i] - p->correct[i]);
    weighted_mean(p->input.count, squares, row_weights, values);
}

const MetricDef metric_brier_top1 = {
    .component = {.name = "brier_top1",
                  .summary = "Brier score of the event that the top label is right",
                  .formula = "mean (c - a)^2"},
    .title = "Brier score of the top label",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .measure = brier_top1,
};
