/* A whole model quantized: every linear and convolution weight that is not skipped. */
#ifndef XENT_QUANTIZE_MODEL_H
#define XENT_QUANTIZE_MODEL_H

#include "core/quantize/quantize.h"
#include "core/train/saved.h"

/* One weight that could be quantized. */
typedef struct WeightReport {
    const char *name;               /* of the parameter; the model's */
    int64_t rows, columns;
    bool skipped;
    int bits;                       /* 32 where it was skipped */
    int64_t bytes;
    double weight_mse;
    double relative_error;          /* |W - Wq| / |W|; 0 for a weight of zeros */
} WeightReport;

typedef struct ModelReport {
    WeightReport *weights;          /* in the order of the model; in the arena */
    int64_t count, quantized;
    int64_t bytes_before, bytes_after; /* of all tensors, what stays in f32 included */
    Int8Grid activations;           /* bits 0: they stay in f32 */
} ModelReport;

/* Gives the layers of a loaded model their quantized weights, and its f32 parameters the values that those stand
   for. Activations without a method: per_token, 8 bits. Exit 2 where the method or the model cannot be had. */
bool quantize_model(const Instance *method, const SavedModel *saved, Arena *arena, ModelReport *report, Error *error);
/* The model's file with the quantized weights in place of the others, and the model's config; atomic. */
bool quantize_save(const Instance *method, const SavedModel *saved, const char *path, Error *error);
/* {"method", "weights": [...], bytes}; the caller's. */
cJSON *model_report_json(const Instance *method, const ModelReport *report);

#endif
