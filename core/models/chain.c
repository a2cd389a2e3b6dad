#include "core/models/chain.h"

#include <string.h>

Chain *chain_new(Builder *builder, Shape input)
{
    Chain *chain = arena_zero(builder->arena, 1, sizeof *chain);
    chain->builder = builder;
    chain->shape = input;
    return chain;
}

bool chain_append(Chain *chain, Layer *layer)
{
    if (!layer)
        return false;
    if (chain->count == chain->room) {
        int room = chain->room ? 2 * chain->room : 16;
        Layer **larger = arena_zero(chain->builder->arena, (size_t)room, sizeof *larger);
        if (chain->layers)
            memcpy(larger, chain->layers, (size_t)chain->count * sizeof *larger);
        chain->layers = larger;
        chain->room = room;
    }
    chain->layers[chain->count++] = layer;
    chain->shape = layer->output;
    return true;
}

bool chain_add(Chain *chain, const char *name, const char *component, const void *values)
{
    return chain_append(chain, layer_build_with(chain->builder, name, component, values, chain->shape));
}

bool chain_add_instance(Chain *chain, const char *name, const Instance *instance)
{
    return chain_append(chain, layer_build(chain->builder, name, instance, chain->shape));
}

bool chain_add_head(Chain *chain, ModelInput input)
{
    struct linear linear = {input.outputs, true};
    struct cosine_linear cosine = {input.outputs, input.unit_directions ? WEIGHT_NORM_PROJECT : WEIGHT_NORM_REPARAM};
    return input.cosines ? chain_add(chain, "head", "cosine_linear", &cosine)
                         : chain_add(chain, "head", "linear", &linear);
}

Tensor *chain_features(const Chain *chain, Forward *forward, Tensor *x)
{
    return forward->features = layers_in_segments(chain->layers, chain->count - 1, 0, forward, x);
}

Tensor *chain_forward(const Chain *chain, Forward *forward, Tensor *x)
{
    return layer_forward(chain->layers[chain->count - 1], forward, chain_features(chain, forward, x));
}
