/* Of the objective noisy: which blocks have noise. */
#ifndef XENT_TRAIN_OBJECTIVES_NOISY_H
#define XENT_TRAIN_OBJECTIVES_NOISY_H

#include "core/nn/layer_noise.h"
#include "core/train/objective.h"

typedef enum NoisePlace { BLOCKS, EMBEDDINGS, DROPOUT } NoisePlace;
typedef enum NoiseOrder { LARGEST, LOWEST } NoiseOrder;

struct noisy {
    int noise, snr;
    const cJSON *layers;        /* a number or "auto" */
    int64_t snr_passes;
    double deviation, std_power, scale, gate, beta, factor_max, radius;
    bool detach_scale;
};

typedef struct NoisyState {
    const Layer **blocks, **chosen;
    int block_count;
    ParameterSet *kept;         /* "chosen": the scale of each block that was chosen, all 0 before the first batch */
    Tensor *is_chosen;
    double *scales, *rms;       /* of the chosen ones */
    LayerNoise noise;
} NoisyState;

bool noisy_is_auto(const struct noisy *self);
double noisy_deviation(const struct noisy *self);
/* Fills is_chosen from the batch, and gives the figures that decided. */
void noisy_choose_blocks(ObjectiveContext *context, const BatchTensors *batch);

#endif
