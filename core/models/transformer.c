/* Transformers: a decoder for language modelling, an encoder for classification of token sequences, or
   of images cut into patches (Vaswani et al. 2017; Dosovitskiy et al. 2021). */
#include <math.h>
#include <stdio.h>

#include "core/models/model.h"
#include "core/nn/attention_cache.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

enum { POSITION_LEARNED, POSITION_SINUSOIDAL, POSITION_ROPE, POSITION_ALIBI, POSITION_NONE };
static const char *const positions[] = {"learned", "sinusoidal", "rope", "alibi", "none", NULL};
enum { CAUSAL_AUTO, CAUSAL_YES, CAUSAL_NO };
static const char *const causalities[] = {"auto", "yes", "no", NULL};
enum { POOL_MEAN, POOL_FIRST };
static const char *const poolings[] = {"mean", "cls", NULL};

struct transformer {
    int64_t layers, width, heads, kv_heads, feed_forward, patch;
    int positions, norm, causal, pooling;
    double dropout;
    bool tie, bias;
    Instance activation, init;
};

struct transformer_state {
    Layer *embedding, *norm, *head, **blocks;
    Tensor *position, *cls;     /* [tokens, width], [1, width] */
    int64_t tokens;             /* of an input sample, the class token included */
    bool causal;
};

static const Param params[] = {
    PARAM_INT(struct transformer, layers, 4, .min = 1, .max = 1000, .help = "blocks"),
    PARAM_INT(struct transformer, width, 128, .min = 1, .max = 1e6, .help = "size of a token's vector"),
    PARAM_INT(struct transformer, heads, 4, .min = 1, .max = 1e4, .help = "attention heads"),
    PARAM_INT(struct transformer, kv_heads, 0, .min = 0, .max = 1e4,
              .help = "heads of keys and values; 0: as many as heads"),
    PARAM_INT(struct transformer, feed_forward, 0, .min = 0, .max = 1e7,
              .help = "hidden units of the feed-forward part; 0: four times the width"),
    PARAM_INT(struct transformer, patch, 4, .min = 1, .max = 1e4, .help = "side of the patches an image is cut into"),
    PARAM_ENUM(struct transformer, positions, "learned", .choices = positions, .help = "how positions are known"),
    PARAM_ENUM(struct transformer, norm, "layer_norm", .choices = transformer_norms,
               .help = "before each part of a block, and at the end"),
    PARAM_ENUM(struct transformer, causal, "auto", .choices = causalities,
               .help = "whether a position sees only the past; auto: for language models"),
    PARAM_ENUM(struct transformer, pooling, "mean", .choices = poolings,
               .help = "what classification reads: the mean of the tokens, or a class token put in front"),
    PARAM_FLOAT(struct transformer, dropout, 0, .min = 0, .max = 0.999,
                .help = "of the output of each part of a block"),
    PARAM_BOOL(struct transformer, tie, true, .help = "language models: the head is the embedding"),
    PARAM_BOOL(struct transformer, bias, true, .help = "add vectors in linear maps"),
    PARAM_COMPONENT(struct transformer, activation, "\"gelu\"", "activation", .help = "of the feed-forward part"),
    PARAM_COMPONENT(struct transformer, init, "{\"type\": \"normal\", \"deviation\": 0.02}", "initializer",
                    .help = "of the weights; the last map of each part is divided by sqrt(2 layers)"),
    PARAM_END};

/* An image [channels, height, width] is cut by a convolution whose stride is its kernel. */
static bool build_embedding(Builder *builder, Model *model, Shape *shape)
{
    const struct transformer *self = model->values;
    struct transformer_state *state = model->state;
    Shape input = model->input.shape;
    if (input.vocabulary) {
        struct embedding embedding = {self->width};
        if (!(state->embedding = layer_build_with(builder, "embedding", "embedding", &embedding, input)))
            return false;
        *shape = state->embedding->output;
        return true;
    }
    if (input.rank == 2) { /* [tokens, features] */
        struct linear linear = {self->width, true};
        if (!(state->embedding = layer_build_with(builder, "embedding", "linear", &linear, input)))
            return false;
        *shape = state->embedding->output;
        return true;
    }
    if (input.rank != 3)
        return builder_fail(
            builder, "transformer needs tokens, [tokens, features] or an image [channels, height, width], got %s",
            shape_text(builder->arena, input));
    if (input.sizes[1] % self->patch || input.sizes[2] % self->patch)
        return builder_fail(builder, "patch %lld does not divide the image %s", (long long)self->patch,
                            shape_text(builder->arena, input));
    static const int64_t one = 1, zero = 0;
    int64_t *side = arena_zero(builder->arena, 1, sizeof *side);
    *side = self->patch;
    struct convolution cut = {self->width, {1, side}, {1, side}, {1, &zero}, {1, &one}, 1, true, false};
    if (!(state->embedding = layer_build_with(builder, "embedding", "convolution", &cut, input)))
        return false;
    *shape = shape_of(2, (int64_t[]){(input.sizes[1] / self->patch) * (input.sizes[2] / self->patch), self->width});
    return true;
}

static void sinusoidal(Tensor *position)
{
    int64_t width = position->shape[1];
    for (int64_t t = 0; t < position->shape[0]; t++)
        for (int64_t i = 0; i < width; i++) {
            double angle = (double)t / pow(10000, (double)(i / 2 * 2) / (double)width);
            tensor_f32(position)[t * width + i] = (float)(i % 2 ? cos(angle) : sin(angle));
        }
}

static bool build_blocks(Builder *builder, Model *model, Shape shape)
{
    const struct transformer *self = model->values;
    struct transformer_state *state = model->state;
    struct transformer_block block = {
        .heads = self->heads,
        .kv_heads = self->kv_heads,
        .feed_forward = self->feed_forward,
        .causal = state->causal,
        .bias = self->bias,
        .norm = self->norm,
        .dropout = self->dropout,
        .activation = self->activation,
        .positions = self->positions == POSITION_ROPE    ? POSITIONS_ROPE
                     : self->positions == POSITION_ALIBI ? POSITIONS_ALIBI
                                                         : POSITIONS_NONE,
        .output_scale = 1 / sqrt(2.0 * (double)self->layers),
    };
    state->blocks = arena_zero(builder->arena, (size_t)self->layers, sizeof *state->blocks);
    for (int64_t i = 0; i < self->layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%lld", (long long)i);
        if (!(state->blocks[i] = layer_build_with(builder, name, "transformer_block", &block, shape)))
            return false;
    }
    struct norm norm = {1e-5};
    return (state->norm = layer_build_with(builder, "norm", transformer_norms[self->norm], &norm, shape)) != NULL;
}

static bool build(Builder *builder, Model *model)
{
    const struct transformer *self = model->values;
    struct transformer_state *state = model->state = arena_zero(builder->arena, 1, sizeof *state);
    builder->initializer = self->init;
    Shape shape;
    if (!build_embedding(builder, model, &shape))
        return false;
    bool first = !model->input.per_position && self->pooling == POOL_FIRST;
    if (first) {
        state->cls = builder_weight(builder, "cls", ROLE_EMBEDDING, "normal", SHAPE(1, self->width));
        if (!state->cls)
            return false;
        shape.sizes[0]++;
    }
    state->tokens = shape.sizes[0];
    state->causal = self->causal == CAUSAL_AUTO ? model->input.per_position : self->causal == CAUSAL_YES;
    if (self->positions == POSITION_LEARNED) {
        state->position =
            builder_weight(builder, "position", ROLE_EMBEDDING, "normal", SHAPE(state->tokens, self->width));
        if (!state->position)
            return false;
    }
    if (self->positions == POSITION_SINUSOIDAL) {
        state->position = tensor_new(builder->arena, ARRAY_F32, SHAPE(state->tokens, self->width));
        sinusoidal(state->position);
    }
    if (!build_blocks(builder, model, shape))
        return false;
    if (model->input.per_position && self->tie && model->input.shape.vocabulary == model->input.outputs)
        return true;
    struct linear head = {model->input.outputs, !model->input.per_position};
    struct cosine_linear cosine = {model->input.outputs,
                                   model->input.unit_directions ? WEIGHT_NORM_PROJECT : WEIGHT_NORM_REPARAM};
    Shape read = model->input.per_position ? shape : shape_of(1, &self->width);
    state->head = model->input.cosines ? layer_build_with(builder, "head", "cosine_linear", &cosine, read)
                                       : layer_build_with(builder, "head", "linear", &head, read);
    return state->head != NULL;
}

static Tensor *embed(const Model *model, Forward *forward, Tensor *x)
{
    const struct transformer *self = model->values;
    const struct transformer_state *state = model->state;
    Tensor *tokens = layer_forward(state->embedding, forward, x);
    if (!model->input.shape.vocabulary && model->input.shape.rank == 3)
        tokens = t_permute(t_reshape(tokens, SHAPE(x->shape[0], self->width, -1)), (int[]){0, 2, 1});
    if (state->cls) {
        Tensor *cls = t_broadcast_to(state->cls, SHAPE(x->shape[0], 1, self->width));
        tokens = t_concat(2, (Tensor *[]){cls, tokens}, 1);
    }
    if (!state->position)
        return tokens;
    /* A prompt may be shorter than the window, and begin behind what the cache holds. */
    int64_t first = forward->cache ? forward->cache->past : 0, count = tokens->shape[1];
    Tensor *position = count == state->tokens ? state->position : t_slice(state->position, 0, first, first + count);
    return t_add(tokens, position);
}

static Tensor *features(const Model *model, Forward *forward, Tensor *x)
{
    const struct transformer *self = model->values;
    const struct transformer_state *state = model->state;
    x = embed(model, forward, x);
    x = layers_in_segments(state->blocks, self->layers, 1, forward, x);
    x = layer_forward(state->norm, forward, x);
    if (!model->input.per_position)
        x = state->cls ? t_reshape(t_slice(x, 1, 0, 1), SHAPE(x->shape[0], self->width)) : t_mean(x, 1, false);
    return forward->features = x;
}

static void head(const Model *model, Tensor **weight, Tensor **bias)
{
    const struct transformer_state *state = model->state;
    const char *prefix = state->head ? "head" : "embedding";
    char name[64];
    snprintf(name, sizeof name, "%s.weight", prefix);
    *weight = parameters_find(model->parameters, name)->value;
    Parameter *found = parameters_find(model->parameters, "head.bias");
    *bias = found ? found->value : NULL;
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const struct transformer_state *state = model->state;
    Tensor *last = features(model, forward_, x), *weight, *bias;
    if (state->head)
        return layer_forward(state->head, forward_, last);
    head(model, &weight, &bias);
    return t_linear(last, weight, bias);
}

const ModelDef model_transformer = {
    .component = {.name = "transformer",
                  .summary = "decoder language model; encoder for tokens or image patches",
                  .params = params,
                  .size = sizeof(struct transformer),
                  .source = "arXiv:1706.03762"},
    .build = build,
    .forward = forward,
    .head = head,
    .features = features,
};
