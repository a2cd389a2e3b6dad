#include "core/models/model.h"

#include <string.h>

Model *model_new(const Instance *instance, ModelInput input, uint64_t seed, Error *error)
{
    Model *model = memory_new(sizeof *model);
    model->def = (const ModelDef *)instance->component;
    model->values = instance->values;
    model->instance = *instance;
    model->input = input;
    model->arena = arena_new();
    model->parameters = parameters_new();
    Builder builder = {.arena = model->arena, .parameters = model->parameters, .seed = seed, .error = error};
    if (!model->def->build(&builder, model)) {
        model_free(model);
        return NULL;
    }
    model->layers = builder.layers;
    model->layer_count = builder.layer_count;
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->depth == 0)
            model->flops += model->layers[i]->flops;
    return model;
}

void model_free(Model *model)
{
    if (!model)
        return;
    parameters_free(model->parameters);
    arena_free(model->arena);
    memory_free(model);
}

Tensor *model_forward(const Model *model, Forward *forward, Tensor *x)
{
    return model->def->forward(model, forward, x);
}

double model_activation_bytes(const Model *model)
{
    double bytes = 0;
    for (int i = 0; i < model->layer_count; i++) {
        bool inner = i + 1 < model->layer_count && model->layers[i + 1]->depth > model->layers[i]->depth;
        if (!inner)
            bytes += 4.0 * (double)shape_count(model->layers[i]->output);
    }
    return bytes;
}
