/* PA-RiskRanker (Li and Ma 2025), as their code has it: a trader is embedded by self-attention over his own features,
   then the traders of a group attend to each other.

   Unlike it, dropout in attention is of the output, not of the weights, and one-hot categories are numbers. */
#include <math.h>
#include <stdio.h>

#include "core/models/model.h"
#include "core/nn/initializer.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct pa_riskranker {
    int64_t token_dim, self_depth, self_heads, self_head_dim, cross_layers, cross_heads, cross_ff;
    double self_dropout, dropout;
    bool tanh;
};

static const Param params[] = {
    PARAM_INT(struct pa_riskranker, token_dim, 32, .min = 1, .max = 1e5, .help = "width of tokens and embeddings"),
    PARAM_INT(struct pa_riskranker, self_depth, 2, .min = 0, .max = 1000,
              .help = "blocks over the features of one trader; 0: a linear map of them instead"),
    PARAM_INT(struct pa_riskranker, self_heads, 8, .min = 1, .max = 1e4, .help = "attention heads of these blocks"),
    PARAM_INT(struct pa_riskranker, self_head_dim, 16, .min = 1, .max = 1e4, .help = "width of each of these heads"),
    PARAM_FLOAT(struct pa_riskranker, self_dropout, 0.1, .min = 0, .max = 0.999, .help = "in these blocks"),
    PARAM_INT(struct pa_riskranker, cross_layers, 4, .min = 0, .max = 1000,
              .help = "blocks over the traders of a group; 0: each is scored alone"),
    PARAM_INT(struct pa_riskranker, cross_heads, 4, .min = 1, .max = 1e4,
              .help = "attention heads of these blocks; divide token_dim"),
    PARAM_INT(struct pa_riskranker, cross_ff, 128, .min = 1, .max = 1e6, .help = "hidden units of these blocks"),
    PARAM_FLOAT(struct pa_riskranker, dropout, 0.25, .min = 0, .max = 0.999, .help = "in these blocks and the head"),
    PARAM_BOOL(struct pa_riskranker, tanh, true, .help = "scores are bounded to -1..1; false: for losses of logits"),
    PARAM_END
};

/* A pre-norm block: x + attention(norm(x)), then x + feed_forward(norm(x)). */
typedef struct Block {
    Layer *attention_norm, *query, *key, *value, *output, *feed_norm, *widen, *narrow;
    int64_t heads, head_dim;
    bool gated;                 /* GEGLU */
    double dropout;
} Block;

struct ranker_state {
    Tensor *weight, *bias, *cls;    /* of features as tokens: [F, d], [F, d], [1, d] */
    Layer *embedding;               /* in their place, where there are no blocks over features */
    Block *self, *cross;
    Layer *hidden, *head;
};

static bool build_block(Builder *builder, const char *path, int64_t width, int64_t hidden, bool bias, Block *block)
{
    struct norm norm = {1e-5};
    struct linear inner = {block->heads * block->head_dim, bias}, outer = {width, bias},
                  widen = {block->gated ? 2 * hidden : hidden, true}, narrow = {width, true};
    Shape shape = shape_of(1, &width), heads = shape_of(1, &inner.units), wide = shape_of(1, &hidden);
    const struct { const char *name, *type; const void *values; Shape shape; Layer **layer; } parts[] = {
        {"attention_norm", "layer_norm", &norm, shape, &block->attention_norm},
        {"attention.q", "linear", &inner, shape, &block->query},
        {"attention.k", "linear", &inner, shape, &block->key},
        {"attention.v", "linear", &inner, shape, &block->value},
        {"attention.out", "linear", &outer, heads, &block->output},
        {"feed_forward_norm", "layer_norm", &norm, shape, &block->feed_norm},
        {"feed_forward.up", "linear", &widen, shape, &block->widen},
        {"feed_forward.down", "linear", &narrow, wide, &block->narrow},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.%s", path, parts[i].name);
        *parts[i].layer = layer_build_with(builder, name, parts[i].type, parts[i].values, parts[i].shape);
        if (!*parts[i].layer)
            return false;
    }
    return true;
}

static Block *build_blocks(Builder *builder, const char *path, int64_t count, int64_t width, int64_t hidden,
                           const Block *like)
{
    Block *blocks = arena_zero(builder->arena, (size_t)count + 1, sizeof *blocks);
    for (int64_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%lld", path, (long long)i);
        blocks[i] = *like;
        if (!build_block(builder, name, width, hidden, !like->gated, &blocks[i]))
            return NULL;
    }
    return blocks;
}

/* U(-1, 1) / sqrt(fan_in), as in their code: wider, the tanh of the scores is flat before training begins. */
static Instance narrow_initializer(Builder *builder)
{
    struct gain *gain = arena_zero(builder->arena, 1, sizeof *gain);
    gain->gain = 1 / sqrt(3);
    return (Instance){component_find("initializer", "kaiming_uniform"), gain};
}

/* Weights and biases of tokens are N(0, 1). */
static bool build_self(Builder *builder, Model *model)
{
    const struct pa_riskranker *self = model->values;
    struct ranker_state *state = model->state;
    int64_t width = self->token_dim, features = shape_count(model->input.shape);
    if (self->self_depth == 0) {
        struct linear linear = {width, true};
        state->embedding = layer_build_with(builder, "embedding", "linear", &linear, shape_of(1, &features));
        return state->embedding != NULL;
    }
    struct normal *normal = arena_zero(builder->arena, 1, sizeof *normal);
    normal->deviation = 1;
    builder->initializer = (Instance){component_find("initializer", "normal"), normal};
    state->weight = builder_weight(builder, "tokens.weight", ROLE_EMBEDDING, "normal", SHAPE(features, width));
    state->bias = builder_weight(builder, "tokens.bias", ROLE_EMBEDDING, "normal", SHAPE(features, width));
    state->cls = builder_weight(builder, "tokens.cls", ROLE_EMBEDDING, "normal", SHAPE(1, width));
    builder->initializer = narrow_initializer(builder);
    Block like = {.heads = self->self_heads, .head_dim = self->self_head_dim, .gated = true,
                  .dropout = self->self_dropout};
    return (state->self = build_blocks(builder, "self", self->self_depth, width, 4 * width, &like)) != NULL;
}

static bool build(Builder *builder, Model *model)
{
    const struct pa_riskranker *self = model->values;
    struct ranker_state *state = model->state = arena_zero(builder->arena, 1, sizeof *state);
    int64_t width = self->token_dim;
    if (model->input.shape.vocabulary || model->input.outputs != 1)
        return builder_fail(builder, "pa_riskranker gives one score to a vector of features; the data asks for %lld "
                            "outputs", (long long)model->input.outputs);
    if (self->cross_layers && !model->input.groups)
        return builder_fail(builder, "pa_riskranker compares the members of a group, and the data has no groups; name "
                            "their column in data.group, or set model.cross_layers to 0");
    if (self->cross_layers && width % self->cross_heads)
        return builder_fail(builder, "cross_heads %lld does not divide token_dim %lld", (long long)self->cross_heads,
                            (long long)width);
    builder->initializer = narrow_initializer(builder);
    if (!build_self(builder, model))
        return false;
    Block like = {.heads = self->cross_heads, .head_dim = width / self->cross_heads, .dropout = self->dropout};
    if (!(state->cross = build_blocks(builder, "cross", self->cross_layers, width, self->cross_ff, &like)))
        return false;
    struct linear hidden = {width, true}, head = {1, true};
    state->hidden = layer_build_with(builder, "hidden", "linear", &hidden, shape_of(1, &width));
    state->head = layer_build_with(builder, "head", "linear", &head, shape_of(1, &width));
    return state->hidden && state->head;
}

static Tensor *drop(Forward *forward, Tensor *x, double rate)
{
    return forward->training && rate > 0 ? t_dropout(x, rate, TENSOR_MAX_RANK, forward_random(forward)) : x;
}

/* [N, T, heads size] -> [N, T, heads, size] */
static Tensor *split_heads(const Block *block, Tensor *x)
{
    return t_reshape(x, SHAPE(x->shape[0], x->shape[1], block->heads, block->head_dim));
}

/* x [N, T, d]; mask [N, 1, T, T] or NULL. */
static Tensor *run_block(const Block *block, Forward *forward, Tensor *x, Tensor *mask)
{
    Tensor *normed = layer_forward(block->attention_norm, forward, x);
    Tensor *query = split_heads(block, layer_forward(block->query, forward, normed));
    Tensor *key = split_heads(block, layer_forward(block->key, forward, normed));
    Tensor *value = split_heads(block, layer_forward(block->value, forward, normed));
    AttentionOptions options = {.scale = 1 / sqrt((double)block->head_dim)};
    Tensor *mixed = t_attention(query, key, value, mask, &options);
    mixed = t_reshape(mixed, SHAPE(x->shape[0], x->shape[1], block->heads * block->head_dim));
    x = t_add(x, drop(forward, layer_forward(block->output, forward, mixed), block->dropout));
    Tensor *hidden = layer_forward(block->widen, forward, layer_forward(block->feed_norm, forward, x));
    if (block->gated) {
        int64_t half = hidden->shape[2] / 2;
        hidden = t_mul(t_slice(hidden, 2, 0, half), t_gelu(t_slice(hidden, 2, half, 2 * half)));
    } else {
        hidden = t_gelu(hidden);
    }
    hidden = drop(forward, hidden, block->dropout);
    Tensor *narrow = layer_forward(block->narrow, forward, hidden);
    return t_add(x, block->gated ? narrow : drop(forward, narrow, block->dropout));
}

/* [N, F] -> [N, d] */
static Tensor *embed(const Model *model, Forward *forward, Tensor *x)
{
    const struct pa_riskranker *self = model->values;
    const struct ranker_state *state = model->state;
    int64_t n = x->shape[0], width = self->token_dim;
    if (state->embedding)
        return layer_forward(state->embedding, forward, x);
    Tensor *tokens = t_add(t_mul(t_reshape(x, SHAPE(n, x->shape[1], 1)), state->weight), state->bias);
    tokens = t_concat(2, (Tensor *[]){t_broadcast_to(state->cls, SHAPE(n, 1, width)), tokens}, 1);
    for (int64_t i = 0; i < self->self_depth; i++)
        tokens = run_block(&state->self[i], forward, tokens, NULL);
    return t_reshape(t_slice(tokens, 1, 0, 1), SHAPE(n, width));
}

/* Where the samples of a batch stand in groups that are padded to one length. */
typedef struct Padding {
    Tensor *rows;               /* I32 [groups, longest]: the sample at each place; of padding the first */
    Tensor *places;             /* I32 [N]: where each sample stands in the above */
    Tensor *mask;               /* [groups, 1, longest, longest]: -infinity at keys of padding; NULL: there is none */
} Padding;

static Padding pad_groups(const Tensor *groups)
{
    const int32_t *group = tensor_i32(groups);
    int64_t n = groups->count, count = 0, longest = 0;
    for (int64_t i = 0, length = 0; i < n; i++) {
        bool first = i == 0 || group[i] != group[i - 1];
        count += first;
        length = first ? 1 : length + 1;
        longest = length > longest ? length : longest;
    }
    Padding padding = {t_zeros(ARRAY_I32, SHAPE(count, longest)), t_new(ARRAY_I32, SHAPE(n)), NULL};
    int64_t *lengths = arena_zero(tape_arena(), (size_t)count, sizeof *lengths);
    for (int64_t i = 0, g = -1; i < n; i++) {
        g += i == 0 || group[i] != group[i - 1];
        int64_t place = g * longest + lengths[g]++;
        tensor_i32(padding.rows)[place] = (int32_t)i;
        tensor_i32(padding.places)[i] = (int32_t)place;
    }
    if (count * longest == n)
        return padding;
    padding.mask = t_zeros(ARRAY_F32, SHAPE(count, 1, longest, longest));
    for (int64_t i = 0; i < padding.mask->count; i++)
        if (i % longest >= lengths[i / (longest * longest)])
            tensor_f32(padding.mask)[i] = -INFINITY;
    return padding;
}

/* [N, d] -> [N, d] */
static Tensor *compare(const Model *model, Forward *forward, Tensor *traders)
{
    const struct pa_riskranker *self = model->values;
    const struct ranker_state *state = model->state;
    if (self->cross_layers == 0)
        return traders;
    Padding padding = pad_groups(forward->groups);
    Tensor *sets = t_index_select(traders, padding.rows); /* [groups, longest, d] */
    for (int64_t i = 0; i < self->cross_layers; i++)
        sets = run_block(&state->cross[i], forward, sets, padding.mask);
    return t_index_select(t_reshape(sets, SHAPE(-1, self->token_dim)), padding.places);
}

static Tensor *forward(const Model *model, Forward *forward_, Tensor *x)
{
    const struct pa_riskranker *self = model->values;
    const struct ranker_state *state = model->state;
    Tensor *traders = compare(model, forward_, embed(model, forward_, t_reshape(x, SHAPE(x->shape[0], -1))));
    Tensor *hidden = t_relu(layer_forward(state->hidden, forward_, traders));
    forward_->features = drop(forward_, hidden, self->dropout);
    Tensor *scores = layer_forward(state->head, forward_, forward_->features);
    return self->tanh ? t_tanh(scores) : scores;
}

const ModelDef model_pa_riskranker = {
    .component = {.name = "pa_riskranker", .summary = "ranker of groups: attention over features, then over members",
                  .params = params, .size = sizeof(struct pa_riskranker), .source = "arXiv:2509.16616",
                  .notes = "One score a sample, for data with groups. With self_depth 0 it is the rankformer that the "
                           "paper compares with; with cross_layers 0 members are scored alone, and no groups are "
                           "needed. What embeds a trader (tokens.*, self.*) is frozen by optimizer.groups, and brought "
                           "in by train.init_from."},
    .build = build, .forward = forward,
};
