#include "core/metrics/metric.h"

static void coverage(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->covered, row_weights, values);
}

static bool has_sets(const Predictions *p)
{
    return p->covered != NULL;
}

const MetricDef metric_coverage = {
    .component = {.name = "coverage", .summary = "share of samples whose target lies in the predicted set or interval",
                  .notes = "Only where sets or intervals are predicted; an interval holds its ends."},
    .title = "Coverage",
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_REGRESSION,
    .measure = coverage, .available = has_sets,
};
