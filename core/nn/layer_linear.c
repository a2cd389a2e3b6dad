/* Fully connected, over the last axis. */
#include "core/nn/layers.h"
#include "core/nn/quantized.h"
#include "core/tensor/operations.h"

struct linear_state { Tensor *weight, *bias; };

static const Param params[] = {
    PARAM_REQUIRED(INT, struct linear, units, .min = 1, .max = 1e8, .help = "number of outputs"),
    PARAM_BOOL(struct linear, bias, true, .help = "add a vector"),
    PARAM_END
};

static bool build(Builder *builder, Layer *layer)
{
    const struct linear *self = layer->values;
    struct linear_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    if (layer->input.vocabulary || layer->input.rank < 1)
        return builder_fail(builder, "linear needs features [..., n], got %s",
                            layer->input.vocabulary ? "tokens" : "a scalar");
    int last = layer->input.rank - 1;
    int64_t inputs = layer->input.sizes[last];
    state->weight = builder_weight(builder, "weight", ROLE_WEIGHT, "kaiming_uniform", SHAPE(self->units, inputs));
    if (self->bias)
        state->bias = builder_constant(builder, "bias", ROLE_BIAS, 0, SHAPE(self->units));
    layer->output.sizes[last] = self->units;
    layer->flops = 2.0 * (double)inputs * (double)shape_count(layer->output);
    return state->weight && (state->bias || !self->bias);
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    const struct linear_state *state = layer->state;
    if (quantized_runs(layer))
        return quantized_linear(layer->quantized, x, state->bias);
    return t_linear(x, state->weight, state->bias);
}

static Tensor *forward_activated(const Layer *layer, Tensor *x, UnaryKernel activation)
{
    const struct linear_state *state = layer->state;
    return quantized_runs(layer) ? NULL : t_linear_activated(x, state->weight, state->bias, activation);
}

const LayerDef layer_linear = {
    .component = {.name = "linear",
                  .summary = "fully connected, over the last axis",
                  .params = params,
                  .size = sizeof(struct linear),
                  .formula = "y = x W^T + b, W [out, in]"},
    .build = build,
    .forward = forward,
    .forward_activated = forward_activated,
    .quantizable = true,
};
