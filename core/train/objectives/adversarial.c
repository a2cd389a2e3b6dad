#include "core/train/objectives/adversarial.h"

#include "core/tensor/operations.h"

bool adversarial_prepare(ObjectiveContext *context, Error *error)
{
    const Dataset *dataset = context->splits->train.dataset;
    if (!attack_check(context->model, dataset, &context->loss, error))
        return fail_at(error, "objective.attack");
    context->state = attack_new(context->values, context->model, dataset);
    return true;
}

void adversarial_release(ObjectiveContext *context)
{
    attack_free(context->state);
}

bool adversarial_starts_elsewhere(const Instance *attack, Error *error)
{
    if (!((const AttackDef *)attack->component)->starts_at_sample(attack->values))
        return true;
    return fail_usage(error, "attack: random_start must be true: at the sample itself the gradient is 0");
}

BatchTensors adversarial_batch(ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               AttackGoal goal)
{
    Attack *attack = context->state;
    BatchTensors moved = *batch;
    AttackInput input = {.x = batch->x,
                         .classes = batch->batch->labels,
                         .goal = goal,
                         .seed = forward->seed,
                         .step = (uint32_t)forward->step,
                         .first = (uint64_t)(forward->draws >> 16) << 24}; /* batches of one step draw apart */
    if (attack_moves(attack))
        moved.x = attack_strongest(attack, &input, NULL);
    return moved;
}

Tensor *adversarial_classes(const BatchTensors *batch)
{
    return t_wrap(ARRAY_I32, SHAPE(batch->batch->count), batch->batch->labels);
}

Tensor *adversarial_mean(Tensor *values, const BatchTensors *batch)
{
    if (!batch->weights)
        return t_mean(values, ALL_AXES, false);
    double sum = 0;
    for (int64_t i = 0; i < batch->weights->count; i++)
        sum += tensor_value(batch->weights, i);
    return t_scale(t_sum(t_mul(values, batch->weights), ALL_AXES, false), sum > 0 ? 1 / sum : 0);
}
