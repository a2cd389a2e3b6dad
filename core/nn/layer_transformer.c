/* The pre-norm transformer block: x + attention(norm(x)), then x + feed_forward(norm(x)). */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct block_state { Layer *attention_norm, *attention, *feed_forward_norm, *feed_forward; };

const char *const transformer_norms[] = {"layer_norm", "rms_norm", NULL};

static const Param params[] = {
    PARAM_INT(struct transformer_block, heads, 4, .min = 1, .max = 1e4, .help = "attention heads"),
    PARAM_INT(struct transformer_block, kv_heads, 0, .min = 0, .max = 1e4,
              .help = "heads of keys and values; 0: as many as heads"),
    PARAM_INT(struct transformer_block, feed_forward, 0, .min = 0, .max = 1e7,
              .help = "hidden units of the feed-forward part; 0: four times the width"),
    PARAM_BOOL(struct transformer_block, causal, false, .help = "a position sees only itself and those before it"),
    PARAM_BOOL(struct transformer_block, bias, true, .help = "add vectors in linear maps"),
    PARAM_ENUM(struct transformer_block, positions, "none", .choices = attention_positions,
               .help = "relative positions"),
    PARAM_ENUM(struct transformer_block, norm, "layer_norm", .choices = transformer_norms, .help = "before each part"),
    PARAM_FLOAT(struct transformer_block, dropout, 0, .min = 0, .max = 0.999, .help = "of the output of each part"),
    PARAM_FLOAT(struct transformer_block, output_scale, 1, .min = 0,
                .help = "factor of the initial last map of each part"),
    PARAM_COMPONENT(struct transformer_block, activation, "\"gelu\"", "activation", .help = "of the feed-forward part"),
    PARAM_END};

static bool build(Builder *builder, Layer *layer)
{
    const struct transformer_block *self = layer->values;
    struct block_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    struct norm norm = {1e-5};
    struct attention attention = {.heads = self->heads,
                                  .kv_heads = self->kv_heads,
                                  .causal = self->causal,
                                  .bias = self->bias,
                                  .positions = self->positions,
                                  .rope_base = 10000,
                                  .dropout = self->dropout,
                                  .output_scale = self->output_scale};
    struct feed_forward feed_forward = {self->feed_forward, self->activation, self->dropout, self->output_scale,
                                        self->bias};
    const char *norm_name = transformer_norms[self->norm];
    if (!(state->attention_norm = layer_build_with(builder, "attention_norm", norm_name, &norm, layer->input)) ||
        !(state->attention = layer_build_with(builder, "attention", "attention", &attention, layer->input)) ||
        !(state->feed_forward_norm = layer_build_with(builder, "feed_forward_norm", norm_name, &norm, layer->input)) ||
        !(state->feed_forward = layer_build_with(builder, "feed_forward", "feed_forward", &feed_forward, layer->input)))
        return false;
    layer->flops = state->attention->flops + state->feed_forward->flops;
    return true;
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    const struct block_state *state = layer->state;
    x = t_add(x, layer_forward(state->attention, forward_, layer_forward(state->attention_norm, forward_, x)));
    return t_add(x, layer_forward(state->feed_forward, forward_, layer_forward(state->feed_forward_norm, forward_, x)));
}

const LayerDef layer_transformer_block = {
    .component = {.name = "transformer_block",
                  .summary = "pre-norm attention and feed-forward, each with a residual",
                  .params = params,
                  .size = sizeof(struct transformer_block),
                  .source = "arXiv:1706.03762, arXiv:2002.04745"},
    .build = build,
    .forward = forward};
