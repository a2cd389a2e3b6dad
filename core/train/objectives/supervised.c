/* Supervised learning: the loss of the model's logits, or, of a language model's many words, of what they are made from
   (losses/cce.c), so that they are never formed. */
#include <assert.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objective.h"

/* From so many words on, plain cross-entropy takes that road too. */
enum { CUT_FROM_WORDS = 4096 };

struct supervised_state {
    Arena *arena;
    JsonSource *source;         /* what `cut` was read from */
    Instance cut;               /* the loss of features, weight and bias; component NULL: logits are formed */
};

static void make_cut(struct supervised_state *state, int64_t ignored)
{
    const char *text = ignored == PARAM_UNSET ? "\"cce\""
                                              : arena_format(state->arena, "{\"type\": \"cce\", \"ignore_index\": "
                                                                           "%lld}",
                                                             (long long)ignored);
    Error error;
    ParamContext context = {.source = state->source, .arena = state->arena, .error = &error};
    cJSON *tree = json_parse(state->source, "cce", text, strlen(text), &error);
    bool good = tree && instance_parse(&context, "loss", tree, &state->cut);
    assert(good);
    (void)good;
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const Model *model = context->model;
    const LossDef *def = (const LossDef *)context->loss.component;
    const Instance *leaf;
    const bool head = model->input.per_position && model->def->head != NULL;
    for (int64_t i = 0; (leaf = loss_leaf(&context->loss, i)); i++) {
        const LossDef *own = (const LossDef *)leaf->component;
        if (own->shift && own->shift(leaf->values) > 0)
            return fail_usage(error, "loss: shift: the targets of training are shifted already; leave it at 0");
    }
    struct supervised_state *state = context->state = memory_new(sizeof *state);
    state->arena = arena_new();
    state->source = json_source_new();
    const void *loss = context->loss.values;
    if (head && loss_every_leaf(&context->loss, loss_is_of_head))
        state->cut = context->loss;
    else if (head && model->input.outputs >= CUT_FROM_WORDS && def->plain && def->plain(loss))
        make_cut(state, def->ignore_index ? def->ignore_index(loss) : PARAM_UNSET);
    return true;
}

static void release(ObjectiveContext *context)
{
    struct supervised_state *state = context->state;
    arena_free(state->arena);
    json_source_free(state->source);
    memory_free(state);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct supervised_state *state = context->state;
    const Model *model = context->model;
    if (!state->cut.component) {
        LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
        return loss_evaluate(&context->loss, &input).loss;
    }
    Tensor *weight, *bias;
    LossInput input = objective_loss_input(context, forward, batch, model->def->features(model, forward, batch->x));
    model->def->head(model, &weight, &bias);
    loss_set_extra(&input, "weight", weight);
    if (bias)
        loss_set_extra(&input, "bias", bias);
    return loss_evaluate(&state->cut, &input).loss;
}

const ObjectiveDef objective_supervised = {
    .component = {.name = "supervised", .summary = "the loss of the model's logits"},
    .prepare = prepare, .release = release, .loss = loss,
};
