/* From a batch to the gradients of all parameters: accumulation and clipping. */
#ifndef XENT_TRAIN_GRADIENTS_H
#define XENT_TRAIN_GRADIENTS_H

#include "core/train/run.h"

typedef struct StepGradients {
    float **gradients; /* one for each parameter, NULL where there is none; in the tape's arena or the run's sums */
    double loss;                /* mean over the step's batches */
    const Layer *not_finite;    /* the first layer that gave an infinity or NaN, when the loss is not finite */
    int64_t samples;
} StepGradients;

/* Forward and backward of batches [first, first + count) of the epoch. The tape holds the result until its reset. */
StepGradients step_gradients(Run *run, int64_t epoch, int64_t first, int64_t count);

#endif
