/* Batches as tensors. */
#include <string.h>

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
    if (batch->groups)
        result.groups = t_wrap(ARRAY_I32, SHAPE(batch->count), batch->groups);
    result.column_count = dataset->column_count;
    for (int i = 0; i < dataset->column_count; i++) {
        const DatasetColumn *column = &dataset->columns[i];
        Tensor *values = t_wrap(ARRAY_F32, SHAPE(batch->count, column->width), batch->columns[i]);
        result.columns[i] = (LossExtra){column->name,
                                        column->width == 1 ? t_reshape(values, SHAPE(batch->count)) : values};
    }
    return result;
}

Tensor *batch_extra(const BatchTensors *batch, const char *name)
{
    if (strcmp(name, "x") == 0)
        return batch->x->type == ARRAY_I32 ? NULL : batch->x;
    if (strcmp(name, "group") == 0)
        return batch->groups;
    for (int i = 0; i < batch->column_count; i++)
        if (strcmp(batch->columns[i].name, name) == 0)
            return batch->columns[i].value;
    return NULL;
}

static void give_extras(const LossDef *def, const BatchTensors *batch, LossInput *input)
{
    static const char *const own[] = {"x", "group"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (loss_takes_extra(def, own[i]) && batch_extra(batch, own[i]))
            loss_set_extra(input, own[i], batch_extra(batch, own[i]));
    for (int i = 0; i < batch->column_count; i++)
        if (loss_takes_extra(def, batch->columns[i].name))
            loss_set_extra(input, batch->columns[i].name, batch->columns[i].value);
}

LossInput objective_loss_input(const ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               Tensor *logits)
{
    Tensor *targets = batch->targets, *features = forward->features, *weights = batch->weights;
    const LossDef *def = (const LossDef *)context->loss.component;
    if (context->model->input.per_position) {
        int64_t tokens = logits->shape[1];
        logits = t_reshape(logits, SHAPE(-1, logits->shape[2]));
        targets = t_reshape(targets, SHAPE(-1));
        features = features ? t_reshape(features, SHAPE(-1, features->shape[features->rank - 1])) : NULL;
        if (weights)
            weights = t_reshape(t_broadcast_to(t_reshape(weights, SHAPE(-1, 1)), SHAPE(weights->shape[0], tokens)),
                                SHAPE(-1));
    }
    if (def->most_rank == 1) {
        logits = t_reshape(logits, SHAPE(-1));
        targets = targets->rank == 2 ? t_reshape(targets, SHAPE(-1)) : targets;
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
    give_extras(def, batch, &input);
    if (def->measure && context->figures)
        def->measure(context->loss.values, &input, context->figures);
    return input;
}
