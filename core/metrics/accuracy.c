#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

static void accuracy(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->correct, row_weights, values);
}

const MetricDef metric_accuracy = {
    .component = {.name = "accuracy",
                  .summary = "share of samples whose largest logit is the target's",
                  .formula = "mean [argmax z = y]",
                  .notes = "The first of equal logits counts as the largest; of soft targets y is the first of the "
                           "largest. Multi-label: the share of labels on the right side of z = 0."},
    .title = "Accuracy",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL | PREDICTION_TOKENS,
    .measure = accuracy,
};

static void top5(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->in_top5, row_weights, values);
}

const MetricDef metric_top5 = {
    .component = {.name = "top5", .summary = "share of samples whose target is among the five largest logits",
                  .notes = "Of equal logits the first class comes first. 1 with five classes or fewer."},
    .title = "Top-5 accuracy",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_TOKENS,
    .measure = top5,
};

static void balanced_accuracy(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    ClassCounts *counts = arena_alloc(scratch, (size_t)p->input.classes * sizeof *counts);
    class_counts(p, row_weights, counts);
    Lanes sum = {0}, present = {0};
    for (int64_t k = 0; k < p->input.classes; k++)
        for (int l = 0; l < LANES; l++) {
            sum[l] += class_figures_of(&counts[k], l).recall;
            present[l] += counts[k].targets[l] > 0;
        }
    lanes_ratio(&sum, &present, values);
}

const MetricDef metric_balanced_accuracy = {
    .component = {.name = "balanced_accuracy", .summary = "mean recall over the classes that occur in the targets"},
    .title = "Balanced accuracy",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION,
    .measure = balanced_accuracy,
};
