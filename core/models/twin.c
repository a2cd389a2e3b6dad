#include "core/models/twin.h"

#include <stdio.h>

#include "core/tensor/operations.h"

struct twin { Instance model; };

static const Param params[] = {
    PARAM_COMPONENT(struct twin, model, "\"mlp\"", "model", .help = "what both are"),
    PARAM_END
};

static bool build(Builder *builder, Model *model)
{
    static const char *const names[TWINS] = {"first", "second"};
    const struct twin *self = model->values;
    Model *networks = model->state = arena_zero(builder->arena, TWINS, sizeof *networks);
    if (model->input.heads)
        return builder_fail(builder, "twin averages logits, and the loss has a column for each head; choose fcn, or "
                            "another loss");
    if (self->model.component == &model->def->component)
        return builder_fail(builder, "a twin of twins; give one network");
    for (int i = 0; i < TWINS; i++) {
        networks[i] = (Model){.def = (const ModelDef *)self->model.component, .values = self->model.values,
                              .instance = self->model, .input = model->input, .arena = model->arena,
                              .parameters = model->parameters};
        builder->initializer = (Instance){0};
        snprintf(builder->path, sizeof builder->path, "%s", names[i]);
        if (!networks[i].def->build(builder, &networks[i]))
            return false;
        builder->path[0] = '\0';
    }
    return true;
}

/* The mean of the logits; features are the first network's. */
static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const Model *networks = model->state;
    Tensor *second = model_forward(&networks[1], forward_, x), *first = model_forward(&networks[0], forward_, x);
    return t_scale(t_add(first, second), 0.5);
}

const ModelDef model_twin = {
    .component = {.name = "twin", .summary = "two networks of one architecture and different initial values",
                  .params = params, .size = sizeof(struct twin), .formula = "z = (z_1 + z_2) / 2",
                  .notes = "With the objective cross_teaching the two teach each other; with any other they are an "
                           "ensemble trained as one. Names begin with \"first\" and \"second\"."},
    .build = build, .forward = forward,
};

const Model *twin_networks(const Model *model)
{
    return model->def == &model_twin ? model->state : NULL;
}
