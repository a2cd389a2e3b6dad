/* Figures of predictions, in double, nats, fractions (not percent). To add one: a
   `const MetricDef metric_NAME` at the start of a line in a file of this folder; nothing else is edited. */
#ifndef XENT_METRICS_METRIC_H
#define XENT_METRICS_METRIC_H

#include "core/base/component.h"
#include "core/metrics/lanes.h"
#include "core/metrics/predictions.h"

typedef enum MetricBetter { METRIC_NEITHER, METRIC_HIGHER, METRIC_LOWER } MetricBetter;

typedef struct MetricDef {
    Component component;
    const char *title;                              /* in reports: "Macro F1" */
    MetricBetter better;
    unsigned kinds;                                 /* of PredictionKind, joined by | */
    /* Sorts what `measure` reads; NULL: nothing. Called once, before any thread. */
    void (*prepare)(Predictions *predictions);
    /* In each lane, over rows with weights [count] >= 0: the sample weights, times the multiplicity of the row in a
       resample. NAN where undefined, as where no row has a weight. */
    void (*measure)(const Predictions *predictions, const Lanes *row_weights, Arena *scratch, Lanes *values);
    /* Whether the predictions hold what it needs beyond their kind; NULL: always. */
    bool (*available)(const Predictions *predictions);
} MetricDef;

bool metric_applies(const MetricDef *metric, const Predictions *predictions);

/* The registered metrics that apply, ending with NULL; in the arena. */
const MetricDef *const *metrics_that_apply(Arena *arena, const Predictions *predictions);

/* With the sample weights; NAN where undefined. */
double metric_value(const MetricDef *metric, Predictions *predictions);

/* The values of metrics that end with NULL; in the arena. */
double *metric_values(Arena *arena, const MetricDef *const *metrics, Predictions *predictions);

/* Percentile bootstrap, 95%: low and high of each of the metrics (ending with NULL), NAN where no resample
   is defined. Resample r draws `count` rows, or as many groups as there are, from (seed, "bootstrap", r), the same for
   all metrics. */
void bootstrap_intervals(const MetricDef *const *metrics, Predictions *predictions, uint64_t seed, int resamples,
                         double (*intervals)[2]);

/* The sample weights in all lanes; in the arena. */
const Lanes *sample_weights(const Predictions *predictions, Arena *arena);

/* sum_i w_i values_i / sum_i w_i; NAN when no row has a weight. Values of rows without weight do not matter. */
void weighted_mean(int64_t count, const double *values, const Lanes *row_weights, Lanes *mean);

#endif
