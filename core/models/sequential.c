/* A model written as a list of layers. */
#include <stdio.h>

#include <string.h>

#include "core/models/chain.h"

struct sequential { InstanceList layers; Instance init; bool head; };

static const Param params[] = {
    PARAM_COMPONENTS(struct sequential, layers, NULL, "layer", .min_count = 1, .help = "applied in order"),
    PARAM_BOOL(struct sequential, head, true,
               .help = "end with flatten and a linear layer that gives the data's classes"),
    PARAM_COMPONENT(struct sequential, init, "null", "initializer", .help = "of the weights; null: each layer's own"),
    PARAM_END};

static bool build(Builder *builder, Model *model)
{
    const struct sequential *self = model->values;
    Chain *chain = model->state = chain_new(builder, model->input.shape);
    builder->initializer = self->init;
    for (int64_t i = 0; i < self->layers.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "layers.%lld", (long long)i);
        if (!chain_add_instance(chain, name, &self->layers.items[i]))
            return false;
    }
    int expected = model->input.per_position ? 2 : 1;
    if (self->head) {
        if (!model->input.per_position && chain->shape.rank != 1 && !chain_add(chain, "flatten", "flatten", NULL))
            return false;
        if (!chain_add_head(chain, model->input))
            return false;
    }
    if (!self->head && model->input.cosines &&
        strcmp(chain->layers[chain->count - 1]->def->component.name, "cosine_linear") != 0)
        return builder_fail(builder, "this loss wants cosines: end with cosine_linear, or leave \"head\" true");
    Shape out = chain->shape;
    if (out.rank != expected || out.vocabulary || out.sizes[out.rank - 1] != model->input.outputs
        || (model->input.per_position && out.sizes[0] != model->input.shape.sizes[0])) {
        const char *where = "";
        if (model->input.per_position)
            where = arena_format(builder->arena, " at each of %lld positions", (long long)model->input.shape.sizes[0]);
        return builder_fail(builder, "the last layer gives %s, the data needs %lld outputs%s",
                            shape_text(builder->arena, out), (long long)model->input.outputs, where);
    }
    return true;
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    return chain_forward(model->state, forward_, x);
}

const ModelDef model_sequential = {
    .component = {.name = "sequential",
                  .summary = "a list of layers",
                  .params = params,
                  .size = sizeof(struct sequential)},
    .build = build,
    .forward = forward,
};
