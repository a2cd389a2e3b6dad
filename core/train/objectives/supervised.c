/* Supervised learning: the loss of the model's logits. */
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

/* From so many words on, the logits of a language model are never formed (cut cross-entropy); differences of
   probabilities that the gradients may leave out: below what a float resolves beside 1. */
enum { CUT_FROM_WORDS = 4096 };
static const double CUT_FILTER = 0x1p-28;

static bool is_plain_cross_entropy(const Instance *loss)
{
    cJSON *written = instance_to_json(loss);
    Arena *arena = arena_new();
    Instance plain = instance_default(arena, "loss", "ce");
    cJSON *expected = instance_to_json(&plain);
    bool same = cJSON_Compare(written, expected, true);
    cJSON_Delete(written);
    cJSON_Delete(expected);
    arena_free(arena);
    return same;
}

struct supervised_state { bool cut; };

static bool prepare(ObjectiveContext *context, Error *error)
{
    (void)error;
    struct supervised_state *state = context->state = memory_new(sizeof *state);
    const Model *model = context->model;
    state->cut = model->input.per_position && model->def->head && model->input.outputs >= CUT_FROM_WORDS &&
                 is_plain_cross_entropy(&context->loss);
    return true;
}

static void release(ObjectiveContext *context)
{
    memory_free(context->state);
}

static Tensor *cut_loss(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const Model *model = context->model;
    Tensor *features = model->def->features(model, forward, batch->x), *weight, *bias;
    model->def->head(model, &weight, &bias);
    features = t_reshape(features, SHAPE(-1, features->shape[features->rank - 1]));
    Tensor *targets = t_reshape(batch->targets, SHAPE(-1));
    return t_mean(t_linear_cross_entropy(features, weight, bias, targets, 0, CUT_FILTER), ALL_AXES, false);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    if (((const struct supervised_state *)context->state)->cut && !batch->weights)
        return cut_loss(context, forward, batch);
    LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
    return loss_evaluate(&context->loss, &input).loss;
}

const ObjectiveDef objective_supervised = {
    .component = {.name = "supervised", .summary = "the loss of the model's logits"},
    .prepare = prepare, .release = release, .loss = loss,
};
