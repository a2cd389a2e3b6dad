/* Figures of a classifier's predictions, in double, nats, fractions (not percent). To add one: a
   `const MetricDef metric_NAME` at the start of a line in a file of this folder. */
#ifndef XENT_METRICS_METRIC_H
#define XENT_METRICS_METRIC_H

#include "core/base/component.h"
#include "core/base/memory.h"

typedef struct Predictions {
    int64_t count, classes;
    const double *log_probabilities;    /* [count, classes], log-softmax of the logits */
    const double *confidence;           /* [count], largest probability */
    const int64_t *predicted;           /* [count], first class of the largest logit */
    const int64_t *targets;             /* [count], 0..classes-1 */
} Predictions;

/* Of logits [count, classes]; every row must be finite. The result belongs to the arena and borrows `targets`. */
Predictions predictions_from_logits(Arena *arena, int64_t count, int64_t classes, const double *logits, const int64_t *targets);

typedef struct MetricDef {
    Component component;
    /* Over the rows listed (a bootstrap sample repeats some); NAN where undefined. */
    double (*measure)(const Predictions *predictions, const int64_t *rows, int64_t row_count, Arena *scratch);
} MetricDef;

/* Percentile bootstrap, 95%: low and high, NAN where no resample is defined. Resample r draws from
   (seed, "bootstrap", r). */
void bootstrap_interval(const MetricDef *metric, const Predictions *predictions, uint64_t seed, int resamples, double interval[2]);

#endif
