/* Batches as tensors. */
#include <assert.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

BatchTensors batch_tensors(const Model *model, const Dataset *dataset, const Batch *batch)
{
    BatchTensors result = {.batch = batch};
    int64_t shape[TENSOR_MAX_RANK] = {batch->count};
    Shape sample = model->input.shape;
    for (int i = 0; i < sample.rank; i++)
        shape[i + 1] = sample.sizes[i];
    if (batch->tokens)
        result.x = t_wrap(ARRAY_I32, sample.rank + 1, shape, batch->tokens);
    else
        result.x = t_wrap(ARRAY_F32, sample.rank + 1, shape, batch->features);
    if (batch->values)
        result.targets = t_wrap(ARRAY_F32, SHAPE(batch->count, dataset->classes), batch->values);
    else if (dataset->target_kind == TARGET_TOKENS)
        result.targets = t_wrap(ARRAY_I32, SHAPE(batch->count, sample.sizes[0]), batch->labels);
    else
        result.targets = t_wrap(ARRAY_I32, SHAPE(batch->count), batch->labels);
    if (batch->weights)
        result.weights = t_wrap(ARRAY_F32, SHAPE(batch->count), batch->weights);
    return result;
}

LossInput objective_loss_input(const ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               Tensor *logits)
{
    Tensor *targets = batch->targets, *features = forward->features, *weights = batch->weights;
    if (context->model->input.per_position) {
        int64_t tokens = logits->shape[1];
        logits = t_reshape(logits, SHAPE(-1, logits->shape[2]));
        targets = t_reshape(targets, SHAPE(-1));
        features = features ? t_reshape(features, SHAPE(-1, features->shape[features->rank - 1])) : NULL;
        if (weights)
            weights = t_reshape(t_broadcast_to(t_reshape(weights, SHAPE(-1, 1)), SHAPE(weights->shape[0], tokens)),
                                SHAPE(-1));
    }
    LossInput input = {
        .logits = logits,
        .targets = targets,
        .features = forward->tapped ? forward->tapped : features,
        .weights = weights,
        .ids = batch->batch->ids,
        .state = context->loss_state,
        .random = random_start(context->seed, "loss", (uint32_t)forward->step),
        .progress = context->progress,
    };
    if (loss_takes_extra((const LossDef *)context->loss.component, "x"))
        loss_set_extra(&input, "x", batch->x);
    return input;
}
