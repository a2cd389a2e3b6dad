/* Layers made of layers: a chain, a residual block, the transformer's feed-forward part. */
#include <stdio.h>

#include "core/nn/activation.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct chain_state { int64_t count; Layer **layers; Layer *shortcut; };

static const Param chain_params[] = {
    PARAM_COMPONENTS(struct layer_list, layers, NULL, "layer", .min_count = 1, .help = "applied in order"), PARAM_END};

static bool build_chain(Builder *builder, Layer *layer)
{
    const struct layer_list *self = layer->values;
    struct chain_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    state->count = self->layers.count;
    state->layers = arena_zero(builder->arena, (size_t)state->count, sizeof *state->layers);
    Shape shape = layer->input;
    for (int64_t i = 0; i < state->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%lld", (long long)i);
        Layer *part = state->layers[i] = layer_build(builder, name, &self->layers.items[i], shape);
        if (!part)
            return false;
        shape = part->output;
        layer->flops += part->flops;
    }
    layer->output = shape;
    return true;
}

static Tensor *forward_chain(const Layer *layer, Forward *forward, Tensor *x)
{
    const struct chain_state *state = layer->state;
    return layers_forward(state->layers, state->count, forward, x);
}

const LayerDef layer_chain = {.component = {.name = "chain",
                                            .summary = "layers one after the other",
                                            .params = chain_params,
                                            .size = sizeof(struct layer_list)},
                              .build = build_chain,
                              .forward = forward_chain};

static bool same_shape(Shape a, Shape b)
{
    bool same = a.rank == b.rank;
    for (int i = 0; same && i < a.rank; i++)
        same = a.sizes[i] == b.sizes[i];
    return same;
}

/* A shortcut of another width or resolution is a convolution of size 1 with a batch norm's place left to
   the branch (He et al. 2016, option B), or a linear map for vectors. */
static bool build_residual(Builder *builder, Layer *layer)
{
    if (!build_chain(builder, layer))
        return false;
    struct chain_state *state = layer->state;
    Shape in = layer->input, out = layer->output;
    if (same_shape(in, out))
        return true;
    if (in.rank != out.rank || in.vocabulary)
        return builder_fail(builder, "the layers turn %s into %s, to which the input cannot be added",
                            shape_text(builder->arena, in), shape_text(builder->arena, out));
    if (in.rank == 1) {
        struct linear linear = {out.sizes[0], false};
        state->shortcut = layer_build_with(builder, "shortcut", "linear", &linear, in);
    } else {
        int64_t *stride = arena_zero(builder->arena, 3, sizeof *stride);
        static const int64_t one = 1, zero = 0;
        for (int i = 1; i < in.rank; i++)
            stride[i - 1] = (in.sizes[i] + out.sizes[i] - 1) / out.sizes[i];
        struct convolution convolution = {out.sizes[0], {1, &one}, {in.rank - 1, stride}, {1, &zero}, {1, &one}, 1,
                                          false,        true};
        state->shortcut = layer_build_with(builder, "shortcut", "convolution", &convolution, in);
    }
    if (!state->shortcut)
        return false;
    if (!same_shape(state->shortcut->output, out))
        return builder_fail(builder, "no stride takes the shortcut from %s to %s", shape_text(builder->arena, in),
                            shape_text(builder->arena, out));
    layer->flops += state->shortcut->flops;
    return true;
}

static Tensor *forward_residual(const Layer *layer, Forward *forward, Tensor *x)
{
    const struct chain_state *state = layer->state;
    return t_add(state->shortcut ? layer_forward(state->shortcut, forward, x) : x, forward_chain(layer, forward, x));
}

const LayerDef layer_residual = {
    .component = {.name = "residual",
                  .summary = "x + layers(x), with a linear shortcut where the shape changes",
                  .params = chain_params,
                  .size = sizeof(struct layer_list),
                  .source = "arXiv:1512.03385"},
    .build = build_residual,
    .forward = forward_residual};

struct feed_forward_state { Layer *up, *down; };

static const Param feed_forward_params[] = {
    PARAM_INT(struct feed_forward, width, 0, .min = 0, .max = 1e7, .help = "hidden units; 0: four times the input"),
    PARAM_COMPONENT(struct feed_forward, activation, "\"gelu\"", "activation",
                    .help = "between the two maps; gated ones halve"),
    PARAM_FLOAT(struct feed_forward, dropout, 0, .min = 0, .max = 0.999, .help = "of the output"),
    PARAM_FLOAT(struct feed_forward, output_scale, 1, .min = 0, .help = "factor of the initial second map"),
    PARAM_BOOL(struct feed_forward, bias, true, .help = "add vectors"),
    PARAM_END};

static bool build_feed_forward(Builder *builder, Layer *layer)
{
    const struct feed_forward *self = layer->values;
    struct feed_forward_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    if (layer->input.vocabulary || layer->input.rank < 1)
        return builder_fail(builder, "feed_forward needs features, got tokens");
    int64_t inputs = layer->input.sizes[layer->input.rank - 1], hidden = self->width ? self->width : 4 * inputs;
    struct linear up = {activation_is_gated(&self->activation) ? 2 * hidden : hidden, self->bias},
                  down = {inputs, self->bias};
    if (!(state->up = layer_build_with(builder, "up", "linear", &up, layer->input)))
        return false;
    Shape middle = layer->input;
    middle.sizes[middle.rank - 1] = hidden;
    if (!(state->down = layer_build_with(builder, "down", "linear", &down, middle)))
        return false;
    Tensor *weight = builder->parameters->items[builder->parameters->count - (self->bias ? 2 : 1)].value;
    for (int64_t i = 0; i < weight->count; i++)
        tensor_f32(weight)[i] *= (float)self->output_scale;
    layer->flops = state->up->flops + state->down->flops;
    return true;
}

static Tensor *forward_feed_forward(const Layer *layer, Forward *forward, Tensor *x)
{
    const struct feed_forward *self = layer->values;
    const struct feed_forward_state *state = layer->state;
    Tensor *output = layer_forward(state->down, forward,
                                   layer_forward_activated(state->up, forward, &self->activation, x));
    if (forward->training && self->dropout > 0)
        output = t_dropout(output, self->dropout, TENSOR_MAX_RANK, forward_random(forward));
    return output;
}

const LayerDef layer_feed_forward = {.component = {.name = "feed_forward",
                                                   .summary = "two linear maps with an activation between",
                                                   .params = feed_forward_params,
                                                   .size = sizeof(struct feed_forward),
                                                   .source = "arXiv:1706.03762"},
                                     .build = build_feed_forward,
                                     .forward = forward_feed_forward};
