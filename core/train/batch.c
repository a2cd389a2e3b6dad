/* From data to batches, as tensors. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

/* Positions without a target get the target 0, and 0 in the mask. */
static void mask_targets(BatchTensors *tensors)
{
    const Tensor *labels = tensors->targets;
    tensors->targets = t_new(ARRAY_I32, SHAPE(labels->shape[0], labels->shape[1]));
    tensors->mask = t_new(ARRAY_F32, SHAPE(labels->shape[0], labels->shape[1]));
    for (int64_t i = 0; i < labels->count; i++) {
        int32_t label = tensor_i32(labels)[i];
        tensor_i32(tensors->targets)[i] = label < 0 ? 0 : label;
        tensor_f32(tensors->mask)[i] = label < 0 ? 0 : 1;
    }
}

bool objective_load_data(const ObjectiveDef *objective, const Config *config, DataSplits *splits, Error *error)
{
    if (!data_load(&config->data, (uint64_t)config->seed, splits, error))
        return false;
    for (int i = 0; i < 3; i++)
        if (objective->adapt && splits->datasets[i] && !objective->adapt(splits->datasets[i], error)) {
            data_free(splits);
            return false;
        }
    return true;
}

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
    if (dataset->masks_targets)
        mask_targets(&result);
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

void objective_figure(ObjectiveContext *context, const char *name, double value)
{
    int at = 0;
    while (at < context->figure_count && strcmp(context->figures[at].name, name) != 0)
        at++;
    if (at == OBJECTIVE_MOST_STEP_FIGURES)
        return;
    snprintf(context->figures[at].name, sizeof context->figures[at].name, "%s", name);
    context->figures[at].value = value;
    context->figure_count += at == context->figure_count;
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

static void give_extras(const Instance *loss, const BatchTensors *batch, LossInput *input)
{
    static const char *const own[] = {"x", "group"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (loss_takes_extra(loss, own[i]) && batch_extra(batch, own[i]))
            loss_set_extra(input, own[i], batch_extra(batch, own[i]));
    for (int i = 0; i < batch->column_count; i++)
        if (loss_takes_extra(loss, batch->columns[i].name))
            loss_set_extra(input, batch->columns[i].name, batch->columns[i].value);
}

/* A weight for each position, [N * tokens]; NULL: all 1. */
static Tensor *position_weights(const BatchTensors *batch, int64_t tokens)
{
    Tensor *weights = batch->weights, *mask = batch->mask;
    if (weights)
        weights = t_broadcast_to(t_reshape(weights, SHAPE(-1, 1)), SHAPE(weights->shape[0], tokens));
    if (weights && mask)
        weights = t_mul(weights, mask);
    weights = weights ? weights : mask;
    return weights ? t_reshape(weights, SHAPE(-1)) : NULL;
}

/* What the loss tells of a batch beside its value; parts of a composite as "INDEX.NAME". */
static void give_figures(const Instance *loss, const char *prefix, ObjectiveContext *context, const LossInput *input)
{
    const LossDef *def = (const LossDef *)loss->component;
    double values[LOSS_MOST_FIGURES];
    for (int i = 0; i < LOSS_MOST_FIGURES; i++)
        values[i] = NAN;
    if (def->measure)
        def->measure(loss->values, input, values);
    for (int i = 0; def->measure && def->figures[i]; i++)
        if (!isnan(values[i]))
            objective_figure(context, arena_format(tape_arena(), "%s%s", prefix, def->figures[i]), values[i]);
    const Instance *part;
    for (int64_t i = 0; def->part && (part = def->part(loss->values, i)); i++) {
        LossInput own = loss_part_input(loss, i, input);
        give_figures(part, arena_format(tape_arena(), "%s%lld.", prefix, (long long)i), context, &own);
    }
}

LossInput objective_loss_input(ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               Tensor *logits)
{
    Tensor *targets = batch->targets, *features = forward->features, *weights = batch->weights;
    const Instance *loss = &context->loss;
    if (context->model->input.per_position && loss_targets(loss) != LOSS_TOKENS) {
        weights = position_weights(batch, logits->shape[1]);
        logits = t_reshape(logits, SHAPE(-1, logits->shape[2]));
        targets = t_reshape(targets, SHAPE(-1));
        features = features ? t_reshape(features, SHAPE(-1, features->shape[features->rank - 1])) : NULL;
    }
    LossInput input = {
        .logits = logits,
        .targets = targets,
        .features = forward->tapped ? forward->tapped : features,
        .weights = weights,
        .ids = batch->batch->ids,
        .state = context->loss_state,
        .run_state = context->loss_run_state,
        .random = random_start(context->seed, "loss", (uint32_t)forward->step),
        .at = context->at,
    };
    loss_drop_score_axis(loss, &input);
    give_extras(loss, batch, &input);
    if (context->logged)
        give_figures(loss, "", context, &input);
    return input;
}
