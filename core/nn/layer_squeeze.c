/* Squeeze and excitation: channels are scaled by what two small linear maps make of all channels' means. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct squeeze_excite_state { Layer *down, *up; };

static const Param params[] = {
    PARAM_INT(struct squeeze_excite, units, 0, .min = 0, .max = 1e6,
              .help = "between the two maps; 0: a quarter of the channels"),
    PARAM_END
};

static bool build(Builder *builder, Layer *layer)
{
    const struct squeeze_excite *self = layer->values;
    struct squeeze_excite_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    if (layer->input.vocabulary || layer->input.rank < 2 || layer->input.rank > 4)
        return builder_fail(builder, "squeeze_excite needs [channels, 1 to 3 sizes], got %s",
                            shape_text(builder->arena, layer->input));
    int64_t channels = layer->input.sizes[0], quarter = channels < 4 ? 1 : channels / 4;
    struct linear down = {self->units ? self->units : quarter, true}, up = {channels, true};
    if (!(state->down = layer_build_with(builder, "down", "linear", &down, shape_of(1, &channels))) ||
        !(state->up = layer_build_with(builder, "up", "linear", &up, state->down->output)))
        return false;
    layer->flops = state->down->flops + state->up->flops;
    return true;
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    const struct squeeze_excite_state *state = layer->state;
    int64_t shape[TENSOR_MAX_RANK] = {x->shape[0], x->shape[1], 1, 1, 1, 1};
    Tensor *means = t_mean(t_reshape(x, SHAPE(x->shape[0], x->shape[1], -1)), -1, false);
    Tensor *hidden = t_relu(layer_forward(state->down, forward_, means));
    Tensor *scale = t_hard_sigmoid(layer_forward(state->up, forward_, hidden));
    return t_mul(x, t_reshape(scale, x->rank, shape));
}

const LayerDef layer_squeeze_excite = {
    .component = {.name = "squeeze_excite",
                  .summary = "scales each channel by a function of all channels' means",
                  .params = params,
                  .size = sizeof(struct squeeze_excite),
                  .source = "arXiv:1709.01507",
                  .formula = "y_c = x_c hard_sigmoid(W2 relu(W1 mean(x) + b1) + b2)_c"},
    .build = build,
    .forward = forward,
};
