/* Measuring a model on a split: what train, eval and distill print and write. */
#ifndef XENT_CLI_EVALUATION_H
#define XENT_CLI_EVALUATION_H

#include <cjson/cJSON.h>

#include "core/metrics/metric.h"
#include "core/train/saved.h"

enum { EVALUATION_RESAMPLES = 1000 };   /* of the bootstrap, where no option says another number */

typedef struct MeasuredSplit {
    const char *split;
    PredictionInput outputs;
    Predictions *predictions;
    const MetricDef *const *metrics;    /* those that apply and were asked for; ends with NULL */
    const double *values;
    double (*intervals)[2];             /* NULL: none were asked for */
    int resamples;
    double loss;                        /* mean; NAN: unknown */
    SplitFigures figures;               /* what the objective measures besides; its first is the loss */
} MeasuredSplit;

/* `names` is the config's list of metrics, or NULL for all that apply. resamples 0: no intervals. */
MeasuredSplit measure_outputs(Arena *arena, const char *split, const PredictionInput *outputs, const cJSON *names,
                              uint64_t seed, int resamples);
/* Adds robust_accuracy and smooth_term under the attack, of the model before any calibration. */
bool measured_add_attack(MeasuredSplit *measured, const SavedModel *saved, const Instance *attack,
                         const DataSplit *split, uint64_t seed, Arena *arena, Error *error);
/* {"split", "n", "metrics", "ci"}; the caller's. */
cJSON *measured_json(const MeasuredSplit *measured);
void measured_print(const MeasuredSplit *measured);
/* evaluation.json as reports read it (core/report/evaluation.h), atomically: the metrics, tables, the hardest
   samples of `split` as pictures, the layers of the model. */
bool measured_write(const MeasuredSplit *measured, const Model *model, const DataSplit *split, const char *path,
                    Error *error);
/* Of a classifier: figures of each class and the confusion matrix, as tables; nothing for other kinds. `names` are the
   classes', or NULL. */
void measured_print_tables(const MeasuredSplit *measured, const char *const *names);
/* The same under the keys "per_class" and "confusion" of an object of measured_json. */
void measured_add_tables(const MeasuredSplit *measured, const char *const *names, cJSON *object);
/* A line on standard error for each metric that is undefined or infinite. */
void measured_warn(const MeasuredSplit *measured);
/* Applies the calibration that a checkpoint carries; `text` NULL: there is none. `name` is what messages call it. */
bool outputs_calibrate(const char *name, const char *text, Arena *arena, PredictionInput *outputs, Error *error);

#endif
