/* Self-attention over [tokens, width]: projections, heads, positions. */
#include <assert.h>
#include <math.h>

#include "core/nn/attention_cache.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct attention_state { Layer *query, *key, *value, *output; float *slopes; };

const char *const attention_positions[] = {"none", "rope", "alibi", NULL};

static const Param params[] = {
    PARAM_INT(struct attention, heads, 4, .min = 1, .max = 1e4, .help = "number of heads"),
    PARAM_INT(struct attention, kv_heads, 0, .min = 0, .max = 1e4,
              .help = "heads of keys and values, shared by groups of heads; 0: as many as heads"),
    PARAM_BOOL(struct attention, causal, false, .help = "a position sees only itself and those before it"),
    PARAM_BOOL(struct attention, bias, true, .help = "add vectors in the projections"),
    PARAM_ENUM(struct attention, positions, "none", .choices = attention_positions,
               .help = "relative positions: rope rotates queries and keys, alibi adds a slope"),
    PARAM_FLOAT(struct attention, rope_base, 10000, .min = 1, .help = "base of the rotary angles"),
    PARAM_FLOAT(struct attention, dropout, 0, .min = 0, .max = 0.999, .help = "of the output"),
    PARAM_FLOAT(struct attention, output_scale, 1, .min = 0, .help = "factor of the initial output projection"),
    PARAM_END};

/* Slopes 2^(-8 i / heads), Press et al. 2022. */
static float *alibi_slopes(Arena *arena, int64_t heads)
{
    float *slopes = arena_zero(arena, (size_t)heads, sizeof *slopes);
    for (int64_t i = 0; i < heads; i++)
        slopes[i] = (float)exp2(-8.0 * (double)(i + 1) / (double)heads);
    return slopes;
}

static bool build(Builder *builder, Layer *layer)
{
    const struct attention *self = layer->values;
    struct attention_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    if (layer->input.vocabulary || layer->input.rank != 2)
        return builder_fail(builder, "attention needs [tokens, width], got %s",
                            shape_text(builder->arena, layer->input));
    int64_t tokens = layer->input.sizes[0], width = layer->input.sizes[1],
            kv_heads = self->kv_heads ? self->kv_heads : self->heads;
    if (width % self->heads)
        return builder_fail(builder, "heads %lld does not divide the width %lld", (long long)self->heads,
                            (long long)width);
    if (self->heads % kv_heads)
        return builder_fail(builder, "kv_heads %lld does not divide heads %lld", (long long)kv_heads,
                            (long long)self->heads);
    int64_t size = width / self->heads;
    if (self->positions == POSITIONS_ROPE && size % 2)
        return builder_fail(builder, "rope needs an even head size, got %lld", (long long)size);
    struct linear full = {width, self->bias}, shared = {size * kv_heads, self->bias};
    if (!(state->query = layer_build_with(builder, "q", "linear", &full, layer->input))
        || !(state->key = layer_build_with(builder, "k", "linear", &shared, layer->input))
        || !(state->value = layer_build_with(builder, "v", "linear", &shared, layer->input))
        || !(state->output = layer_build_with(builder, "out", "linear", &full, layer->input)))
        return false;
    Tensor *weight = builder->parameters->items[builder->parameters->count - (self->bias ? 2 : 1)].value;
    for (int64_t i = 0; i < weight->count; i++)
        tensor_f32(weight)[i] *= (float)self->output_scale;
    if (self->positions == POSITIONS_ALIBI)
        state->slopes = alibi_slopes(builder->arena, self->heads);
    layer->flops = state->query->flops + state->key->flops + state->value->flops + state->output->flops
                   + 4.0 * (double)tokens * (double)tokens * (double)width;
    return true;
}

/* [N, T, heads size] -> [N, T, heads, size] */
static Tensor *split_heads(Tensor *x, int64_t heads)
{
    return t_reshape(x, SHAPE(x->shape[0], x->shape[1], heads, x->shape[2] / heads));
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    const struct attention *self = layer->values;
    const struct attention_state *state = layer->state;
    int64_t kv_heads = self->kv_heads ? self->kv_heads : self->heads;
    Tensor *query = split_heads(layer_forward(state->query, forward_, x), self->heads);
    Tensor *key = split_heads(layer_forward(state->key, forward_, x), kv_heads);
    Tensor *value = split_heads(layer_forward(state->value, forward_, x), kv_heads);
    if (forward_->cache)
        attention_cache_extend(forward_->cache, &key, &value);
    const AttentionOptions options = {.scale = 1 / sqrt((double)query->shape[3]),
                                      .causal = self->causal,
                                      .alibi_slopes = state->slopes,
                                      .rope_base = self->positions == POSITIONS_ROPE ? self->rope_base : 0};
    Tensor *mixed = t_attention(query, key, value, NULL, &options);
    Tensor *output = layer_forward(state->output, forward_, t_reshape(mixed, x->rank, x->shape));
    if (forward_->training && self->dropout > 0)
        output = t_dropout(output, self->dropout, TENSOR_MAX_RANK, forward_random(forward_));
    return output;
}

const LayerDef layer_attention = {.component = {.name = "attention",
                                                .summary = "multi-head self-attention over [tokens, width]",
                                                .params = params,
                                                .size = sizeof(struct attention),
                                                .formula = "softmax(q k^T / sqrt(d)) v",
                                                .source = "arXiv:1706.03762"},
                                  .build = build,
                                  .forward = forward};
