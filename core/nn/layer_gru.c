/* Gated recurrent units over [steps, width]. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

enum { RESET_BEFORE, RESET_AFTER };
const char *const gru_resets[] = {"before", "after", NULL};

struct gru_state { Tensor *input, *hidden, *bias, *hidden_bias; };

static const Param params[] = {
    PARAM_REQUIRED(INT, struct gru, units, .min = 1, .max = 1e6, .help = "size of the state"),
    PARAM_BOOL(struct gru, sequence, false, .help = "give the state of every step, [steps, units], not the last alone"),
    PARAM_ENUM(struct gru, reset, "before", .choices = gru_resets,
               .help = "the reset gate acts before or after the recurrent product"),
    PARAM_END
};

/* Gates are open at first, so that the state of one step reaches the next (Jozefowicz et al. 2015). */
static bool build(Builder *builder, Layer *layer)
{
    const struct gru *self = layer->values;
    struct gru_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    const bool after = self->reset == RESET_AFTER;
    if (layer->input.vocabulary || layer->input.rank != 2)
        return builder_fail(builder, "gru needs [steps, width], got %s", shape_text(builder->arena, layer->input));
    const int64_t units = self->units, steps = layer->input.sizes[0], inputs = layer->input.sizes[1];
    state->input = builder_weight(builder, "weight_input", ROLE_WEIGHT, "xavier_uniform", SHAPE(3 * units, inputs));
    state->hidden = builder_weight(builder, "weight_hidden", ROLE_WEIGHT, "xavier_uniform", SHAPE(3 * units, units));
    state->bias = builder_constant(builder, "bias", ROLE_BIAS, 0, SHAPE(3 * units));
    if (after)
        state->hidden_bias = builder_constant(builder, "bias_hidden", ROLE_BIAS, 0, SHAPE(units));
    if (!state->input || !state->hidden || !state->bias || (after && !state->hidden_bias))
        return false;
    for (int64_t i = 0; i < 2 * units; i++)
        tensor_f32(state->bias)[i] = 1;
    layer->output = self->sequence ? shape_of(SHAPE(steps, units)) : shape_of(SHAPE(units));
    layer->flops = 6.0 * (double)steps * (double)units * (double)(inputs + units);
    return true;
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    const struct gru *self = layer->values;
    const struct gru_state *state = layer->state;
    Tensor *projected = t_linear(t_permute(x, (int[]){1, 0, 2}), state->input, state->bias);
    Tensor *states = t_gru(projected, state->hidden, state->hidden_bias, self->reset == RESET_AFTER);
    if (self->sequence)
        return t_permute(states, (int[]){1, 0, 2});
    const int64_t steps = states->shape[0];
    return t_reshape(t_slice(states, 0, steps - 1, steps), SHAPE(states->shape[1], states->shape[2]));
}

const LayerDef layer_gru = {
    .component = {.name = "gru",
                  .summary = "gated recurrent units over [steps, width]",
                  .params = params,
                  .size = sizeof(struct gru),
                  .source = "arXiv:1406.1078",
                  .formula = "r = sigmoid(W_r x + U_r h + b_r), u = sigmoid(W_u x + U_u h + b_u), "
                             "c = tanh(W_c x + U_c (r h) + b_c), h <- u h + (1 - u) c",
                  .notes = "The state begins with zeros. weight_input [3 units, width] and weight_hidden [3 units, "
                           "units] hold r, u and c in this order; bias is 1 for r and u at first. reset after: c = "
                           "tanh(W_c x + b_c + r (U_c h + bias_hidden)), as in other frameworks, whose two biases of a "
                           "gate are one here."},
    .build = build,
    .forward = forward,
};
