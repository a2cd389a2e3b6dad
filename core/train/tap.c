/* The layer whose output a loss takes as features. */
#include <stdio.h>
#include <string.h>

#include "core/train/objective.h"

static bool has_map(const Layer *layer)
{
    return layer->output.rank >= 2 && !layer->output.vocabulary;
}

static const Layer *find(const Model *model, const char *name)
{
    const Layer *found = NULL;
    bool last = strcmp(name, "last_conv") == 0;
    for (int i = 0; i < model->layer_count; i++) {
        const Layer *layer = model->layers[i];
        bool named = strcmp(layer->name, name) == 0 && shape_count(layer->output) >= 2;
        if (last ? layer->depth == 0 && has_map(layer) : named)
            found = layer;
    }
    return found;
}

/* The outermost layers, for messages; in `text`. */
static const char *list_layers(const Model *model, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < model->layer_count; i++) {
        const Layer *layer = model->layers[i];
        size_t needed = strlen(layer->name) + 2;
        if (layer->depth > 0 || length + needed + 4 > size)
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", layer->name);
    }
    return text;
}

bool objective_tap(const Model *model, const Instance *loss, const Layer **layer, Error *error)
{
    *layer = NULL;
    const Instance *leaf;
    for (int64_t i = 0; (leaf = loss_leaf(loss, i)); i++) {
        const LossDef *def = (const LossDef *)leaf->component;
        if (!def->tap)
            continue;
        const char *name = def->tap(leaf->values);
        const Layer *found = find(model, name);
        char layers[512];
        if (!found)
            return fail_usage(error, "loss.tap: the model has no feature map \"%s\"; its layers are %s", name,
                              list_layers(model, layers, sizeof layers));
        if (*layer && *layer != found)
            return fail_usage(error, "loss: term %lld, %s, looks at the layer %s, a term before it at %s; name one",
                              (long long)i, leaf->component->name, found->name, (*layer)->name);
        *layer = found;
    }
    return true;
}

Tensor *objective_logits(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    forward->tap = context->tap;
    forward->groups = batch->groups;
    return model_forward(context->model, forward, batch->x);
}
