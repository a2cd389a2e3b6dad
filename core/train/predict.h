/* A trained model's outputs and probabilities on samples whose targets nobody needs. */
#ifndef XENT_TRAIN_PREDICT_H
#define XENT_TRAIN_PREDICT_H

#include "core/train/saved.h"

typedef struct ModelOutputs {
    int64_t samples, rows, classes; /* rows: samples, or positions of language models, a sample's together */
    double *values;                 /* [rows, classes], in the arena */
} ModelOutputs;

/* Logits of the samples order[0..count-1] of the data set (NULL: of all), in evaluation mode, batch by batch, decoded
   by the loss (losses/loss.h); values of a standardised regression are turned back. A tape must be in use; it is reset.
   An error where they would take more than 2 GB. */
bool model_outputs(const SavedModel *saved, const Dataset *dataset, const int64_t *order, int64_t count, Arena *arena,
                   ModelOutputs *outputs, Error *error);

/* Logits to probabilities, in place: softmax, of labels a sigmoid each; values stay. */
void outputs_to_probabilities(TargetKind kind, ModelOutputs *outputs);

#endif
