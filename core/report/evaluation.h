/* evaluation.json: what an evaluation found, in the detail that a report shows. The commands that evaluate write
   it with evaluation_write; evaluation_read reads it back. One JSON object of at most JSON_MAX_BYTES; all but
   split and n may be absent:

     {"split": "test", "n": 10000, "classes": ["cat", ...],
      "metrics": {"accuracy": 0.91, ...}, "ci": {"accuracy": [0.904, 0.916], ...},
      "confusion": [[counts of the predictions of the samples of class 0], ...],
      "reliability": [{"count": 12, "confidence": 0.31, "accuracy": 0.25}, ...],   equal-width bins on (0, 1]
      "per_class": [{"precision": 0.9, "recall": 0.8, "f1": 0.847, "support": 1000}, ...],
      "hardest": [{"index": 17, "label": 3, "predicted": 5, "loss": 7.2, "confidence": 0.99,
                   "image": {"width": 28, "height": 28, "channels": 1, "png_base64": "..."}}, ...],
      "layers": [{"name": "layers.0", "type": "linear", "output": [128], "parameters": 100480, "flops": 200704}, ...]}

   Figures are fractions and nats; one that is not finite is null. An empty bin has count 0 and null means.
   Layers are those of Model.layers of depth 0: parameters trained elements, flops of a forward, a sample. */
#ifndef XENT_REPORT_EVALUATION_H
#define XENT_REPORT_EVALUATION_H

#include "core/base/json.h"
#include "core/metrics/tables.h"
#include "core/report/chart.h"

enum {
    EVALUATION_CLASSES_MAX = 1000,
    EVALUATION_BINS_MAX = 200,
    EVALUATION_HARDEST_MAX = 64,
    EVALUATION_LAYERS_MAX = 10000,
    EVALUATION_METRICS_MAX = 256,
    EVALUATION_SIDE_MAX = 1024
};

/* Low and high are NAN where there is no interval (95%). */
typedef struct EvaluationMetric {
    const char *name;
    double value, low, high;
} EvaluationMetric;

/* width 0: no image. Writing takes `pixels` [channels, height, width]; reading gives the PNG in base64. */
typedef struct ExampleImage {
    int width, height, channels;        /* channels 1 (grey) or 3 (RGB) */
    const uint8_t *pixels;
    const char *png_base64;
} ExampleImage;

/* Of the samples with the largest losses, largest first. */
typedef struct HardExample {
    int64_t index, label, predicted;    /* sample of the split, classes */
    double loss, confidence;
    ExampleImage image;
} HardExample;

typedef struct LayerRow {
    const char *name, *type;
    int rank;                           /* at most 8 */
    int64_t output[8], parameters;      /* output shape of one sample */
    double flops;
} LayerRow;

/* Counts of 0 mean absent. All arrays and strings are borrowed when writing and the arena's after reading. */
typedef struct Evaluation {
    const char *split;
    int64_t n;
    int class_count, metric_count, bin_count, hardest_count, layer_count;
    const char *const *classes;         /* [class_count]; NULL: not named */
    const EvaluationMetric *metrics;
    const double *confusion;            /* [class_count, class_count], rows are the true classes; NULL: absent */
    const ReliabilityBin *bins;
    const ClassFigures *per_class;      /* [class_count]; NULL: absent */
    const HardExample *hardest;
    const LayerRow *layers;
} Evaluation;

/* Atomic. The same evaluation gives the same bytes. */
bool evaluation_write(const char *path, const Evaluation *evaluation, Error *error);
/* Trusts nothing: every value's type, range and count is checked; an error (exit 1) names file and line. Classes
   that are not named get their numbers as names. */
bool evaluation_read(const char *path, Arena *arena, Evaluation *evaluation, Error *error);

#endif
