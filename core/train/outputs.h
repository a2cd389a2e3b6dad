/* A model's outputs on a split, as metrics take them. */
#ifndef XENT_TRAIN_OUTPUTS_H
#define XENT_TRAIN_OUTPUTS_H

#include "core/metrics/predictions.h"
#include "core/models/model.h"
#include "data/loader.h"
#include "losses/loss.h"

/* In evaluation mode, batch by batch; logits are decoded by the loss (losses/loss.h), and outputs of a standardised
   regression are turned back. Arrays live in the arena. A tape must be in use; it is reset. An error where they would
   take more than 2 GB. */
bool split_outputs(const Model *model, const Instance *loss, const DataSplit *split, int64_t batch_size, Arena *arena,
                   PredictionInput *outputs, Error *error);

#endif
