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

/* ce with nothing but an ignored class is cce without a filter that a float would feel. */
static bool is_plain_cross_entropy(const Instance *loss, int64_t *ignored)
{
    cJSON *written = instance_to_json(loss);
    Arena *arena = arena_new();
    Instance plain = instance_default(arena, "loss", "ce");
    cJSON *expected = instance_to_json(&plain);
    const cJSON *index = cJSON_GetObjectItem(written, "ignore_index");
    *ignored = cJSON_IsNumber(index) ? (int64_t)index->valuedouble : PARAM_UNSET;
    cJSON_DeleteItemFromObject(written, "ignore_index");
    cJSON_DeleteItemFromObject(expected, "ignore_index");
    bool same = cJSON_Compare(written, expected, true);
    cJSON_Delete(written);
    cJSON_Delete(expected);
    arena_free(arena);
    return same;
}

static void make_cut(struct supervised_state *state, int64_t ignored)
{
    const char *text = ignored == PARAM_UNSET ? "\"cce\""
                                              : arena_format(state->arena, "{\"type\": \"cce\", \"ignore_index\": %lld}",
                                                             (long long)ignored);
    Error error;
    ParamContext context = {.source = state->source, .arena = state->arena, .error = &error};
    cJSON *tree = json_parse(state->source, "cce", text, strlen(text), &error);
    bool good = tree && instance_parse(&context, "loss", tree, &state->cut);
    assert(good);
    (void)good;
}

static bool is_shifted(const Instance *loss)
{
    cJSON *written = instance_to_json(loss);
    const bool shifted = cJSON_GetObjectItem(written, "shift")->valuedouble > 0;
    cJSON_Delete(written);
    return shifted;
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const Model *model = context->model;
    const bool cut = strcmp(context->loss.component->name, "cce") == 0;
    const bool head = model->input.per_position && model->def->head != NULL;
    if (cut && is_shifted(&context->loss))
        return fail_usage(error, "loss: shift: the targets of training are shifted already; leave it at 0");
    struct supervised_state *state = context->state = memory_new(sizeof *state);
    state->arena = arena_new();
    state->source = json_source_new();
    int64_t ignored;
    if (head && cut)
        state->cut = context->loss;
    else if (head && model->input.outputs >= CUT_FROM_WORDS && is_plain_cross_entropy(&context->loss, &ignored))
        make_cut(state, ignored);
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
