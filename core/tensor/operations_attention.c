/* Scaled dot-product attention (Vaswani et al. 2017) without the matrix of scores. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/attention.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* inputs: query, key, value, mask; saved: parts. Rotary positions turn copies of query and key that are not kept. */
typedef struct Attributes {
    Attention shape;
    double rope_base;       /* 0: positions are not turned */
} Attributes;

/* Of the first query: the last one stands at the last key. */
static int64_t first_position(const Attention *shape)
{
    return shape->keys - shape->queries;
}

/* ---- Gradients that are to be differentiated again: over the whole matrix of scores ---- */

/* [N, T, H, D] -> [N, H, T, D] and back. */
static Tensor *swap_heads(Tensor *x)
{
    return t_permute(x, (int[]){0, 2, 1, 3});
}

/* [N, H_kv, S, D] -> [N, H, S, D] */
static Tensor *repeat_heads(const Attention *shape, Tensor *x)
{
    const int64_t group = shape->heads / shape->key_heads;
    Tensor *spread = t_reshape(x, SHAPE(shape->batch, shape->key_heads, 1, shape->keys, shape->width));
    spread = t_broadcast_to(spread, SHAPE(shape->batch, shape->key_heads, group, shape->keys, shape->width));
    return t_reshape(spread, SHAPE(shape->batch, shape->heads, shape->keys, shape->width));
}

/* Its transpose. */
static Tensor *sum_heads(const Attention *shape, Tensor *x)
{
    const int64_t group = shape->heads / shape->key_heads;
    return t_sum(t_reshape(x, SHAPE(shape->batch, shape->key_heads, group, shape->keys, shape->width)), 2, false);
}

/* [H, T, S]: distances times slopes, -inf for keys to come. */
static Tensor *biases(const Attention *shape, ArrayType type)
{
    Tensor *bias = t_new(type, SHAPE(shape->heads, shape->queries, shape->keys));
    for (int64_t k = 0; k < bias->count; k++) {
        const int64_t j = k % shape->keys, i = k / shape->keys % shape->queries;
        const int64_t head = k / shape->keys / shape->queries, distance = j - i - (shape->keys - shape->queries);
        const bool hidden = j >= attention_visible(shape, i);
        tensor_set(bias, k, hidden ? -INFINITY : attention_slope(shape, head) * (double)distance);
    }
    return bias;
}

/* I32 [N, H, T, 1]: 0 for rows that see nothing. */
static Tensor *seeing_rows(const Attention *shape, const Tensor *parts)
{
    Tensor *sees = t_new(ARRAY_I32, SHAPE(shape->batch, shape->heads, shape->queries, 1));
    for (int64_t row = 0; row < sees->count; row++)
        tensor_i32(sees)[row] = tensor_value(parts, 2 * row) != (double)INFINITY;
    return sees;
}

static Tensor *turned(const Attributes *attributes, Tensor *x, int64_t first)
{
    return attributes->rope_base > 0 ? t_rotate_positions(x, first, attributes->rope_base) : x;
}

/* The gradient of x from that of what turned() and swap_heads() made of it. */
static Tensor *turned_back(const Attributes *attributes, Tensor *gradient, int64_t first)
{
    gradient = swap_heads(gradient);
    return attributes->rope_base > 0 ? t_rotate_positions_back(gradient, first, attributes->rope_base) : gradient;
}

static void backward_composed(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Attributes *attributes = node->attributes;
    const Attention *shape = &attributes->shape;
    Tensor *mask = node->inputs[3], *sees = seeing_rows(shape, node->saved[0]), *zero = t_scalar(gradient->type, 0);
    Tensor *query = swap_heads(turned(attributes, node->inputs[0], first_position(shape)));
    Tensor *key = repeat_heads(shape, swap_heads(turned(attributes, node->inputs[1], 0)));
    Tensor *value = repeat_heads(shape, swap_heads(node->inputs[2]));
    Tensor *scores = t_scale(t_matmul(query, key, false, true), shape->scale);
    gradient = swap_heads(gradient);
    scores = t_add(scores, biases(shape, query->type));
    scores = mask ? t_add(scores, mask) : scores;
    Tensor *p = t_where(sees, t_softmax(t_where(sees, scores, zero)), zero);
    if (op_wants(node, 2))
        gradients[2] = swap_heads(sum_heads(shape, t_matmul(p, gradient, true, false)));
    Tensor *dp = t_matmul(gradient, value, false, true);
    Tensor *ds = t_mul(p, t_sub(dp, t_sum(t_mul(p, dp), -1, true)));
    if (op_wants(node, 0))
        gradients[0] = turned_back(attributes, t_scale(t_matmul(ds, key, false, false), shape->scale),
                                   first_position(shape));
    if (op_wants(node, 1))
        gradients[1] = turned_back(attributes,
                                   sum_heads(shape, t_scale(t_matmul(ds, query, true, false), shape->scale)), 0);
    if (op_wants(node, 3))
        gradients[3] = t_sum_to(ds, mask->rank, mask->shape);
}

/* ---- The operation ---- */

static size_t bytes_of(const Tensor *x)
{
    return (size_t)x->count * array_type_size(x->type);
}

/* What the kernels read of a query or key: itself, or a turned copy, which is to be recycled. */
static Tensor *turned_copy(const Attributes *attributes, Tensor *x, int64_t first)
{
    if (attributes->rope_base == 0)
        return x;
    Tensor *copy = t_wrap(x->type, x->rank, x->shape, arena_alloc(tape_arena(), bytes_of(x)));
    rotate_positions(x, first, attributes->rope_base, false, copy);
    return copy;
}

static void recycle_copy(Tensor *copy, const Tensor *x)
{
    if (copy != x)
        arena_recycle(tape_arena(), copy->data, bytes_of(copy));
}

static void backward_attention(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Attributes *attributes = node->attributes;
    const int64_t first = first_position(&attributes->shape);
    if (tape_recording()) {
        backward_composed(node, gradient, gradients);
        return;
    }
    for (int i = 0; i < 4; i++)
        if (op_wants(node, i))
            gradients[i] = t_like(node->inputs[i]);
    Tensor *query = turned_copy(attributes, node->inputs[0], first), *key = turned_copy(attributes, node->inputs[1], 0);
    const AttentionGradient work = {.query = query, .key = key, .value = node->inputs[2],
                                    .mask = node->inputs[3], .output = node->output, .parts = node->saved[0],
                                    .gradient = gradient, .dquery = gradients[0], .dkey = gradients[1],
                                    .dvalue = gradients[2], .dmask = gradients[3]};
    (gradient->type == ARRAY_F32 ? attention_gradient_single : attention_gradient_double)(&attributes->shape, &work);
    recycle_copy(query, node->inputs[0]);
    recycle_copy(key, node->inputs[1]);
    if (attributes->rope_base > 0 && gradients[0])
        rotate_positions(gradients[0], first, attributes->rope_base, true, gradients[0]);
    if (attributes->rope_base > 0 && gradients[1])
        rotate_positions(gradients[1], 0, attributes->rope_base, true, gradients[1]);
}

typedef struct Sample { int64_t n, h, h_key, t, s, d; int mask; bool causal, alibi, rope; } Sample;
static const Sample samples[] = {
    {2, 2, 2, 3, 3, 4, 0, false, false, false},
    {1, 4, 2, 3, 5, 2, 0, true, false, false},     /* grouped heads, keys kept from before */
    {2, 2, 1, 4, 3, 2, 2, false, false, false},    /* mask [T, S] */
    {2, 2, 2, 2, 3, 2, 4, false, true, false},     /* [N, H, T, S] */
    {2, 2, 2, 3, 4, 3, 3, true, true, false},      /* [N, 1, T, S] */
    {1, 1, 1, 1, 1, 1, 0, false, false, false},
    {0, 2, 1, 3, 3, 2, 0, true, false, false},
    {2, 1, 1, 4, 2, 3, 0, true, false, false},     /* the first two rows see nothing */
    {4, 4, 4, 2, 3, 2, 0, true, false, false},     /* each head a task */
    {2, 4, 2, 3, 5, 4, 2, true, false, true},
};

static int sample_attention(Random *random, int variant, Tensor **inputs)
{
    const Sample *sample = &samples[variant];
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->t, sample->h, sample->d));
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->s, sample->h_key, sample->d));
    inputs[2] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->s, sample->h_key, sample->d));
    switch (sample->mask) {
    case 0: return 3;
    case 2: inputs[3] = sample_leaf(random, -2, 2, SHAPE(sample->t, sample->s)); break;
    case 3: inputs[3] = sample_leaf(random, -2, 2, SHAPE(sample->n, 1, sample->t, sample->s)); break;
    default: inputs[3] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->h, sample->t, sample->s)); break;
    }
    return 4;
}

static Tensor *apply_attention(Tensor **inputs, int variant)
{
    const Sample *sample = &samples[variant];
    const AttentionOptions options = {.scale = 0.7, .causal = sample->causal, .rope_base = sample->rope ? 100 : 0,
                                      .alibi_slopes = sample->alibi ? (float[]){0.5F, 0.125F} : NULL};
    return t_attention(inputs[0], inputs[1], inputs[2], sample->mask ? inputs[3] : NULL, &options);
}

const OperationDef operation_attention = {
    .component = {.name = "attention",
                  .summary = "softmax(scale q k^T + biases) v by tiles",
                  .source = "arXiv:2205.14135"},
    .backward = backward_attention,
    .variants = sizeof samples / sizeof samples[0],
    .inputs = sample_attention,
    .apply = apply_attention,
};

static void set_mask(Attention *shape, const Tensor *mask)
{
    if (mask->rank == 2) {
        assert(mask->shape[0] == shape->queries && mask->shape[1] == shape->keys);
        return;
    }
    assert(mask->rank == 4 && mask->shape[0] == shape->batch && mask->shape[2] == shape->queries &&
           mask->shape[3] == shape->keys);
    assert(mask->shape[1] == 1 || mask->shape[1] == shape->heads);
    shape->mask_head_stride = mask->shape[1] == 1 ? 0 : shape->queries * shape->keys;
    shape->mask_batch_stride = mask->shape[1] * shape->queries * shape->keys;
}

Tensor *t_attention(Tensor *query, Tensor *key, Tensor *value, Tensor *mask, const AttentionOptions *options)
{
    assert(query->rank == 4 && key->rank == 4 && tensor_same_shape(key, value) && query->shape[0] == key->shape[0]);
    assert(query->shape[3] == key->shape[3] && key->shape[2] > 0 && query->shape[2] % key->shape[2] == 0);
    assert(query->type == key->type && query->type == value->type && (!mask || mask->type == query->type));
    assert(options->rope_base == 0 || (options->rope_base > 0 && query->shape[3] % 2 == 0));
    Attributes attributes = {.rope_base = options->rope_base};
    Attention *shape = &attributes.shape;
    *shape = (Attention){.batch = query->shape[0], .heads = query->shape[2], .key_heads = key->shape[2],
                         .queries = query->shape[1], .keys = key->shape[1], .width = query->shape[3],
                         .scale = options->scale, .causal = options->causal};
    if (mask)
        set_mask(shape, mask);
    if (options->alibi_slopes) {
        const size_t bytes = (size_t)shape->heads * sizeof(float);
        shape->slopes = memcpy(arena_alloc(tape_arena(), bytes), options->alibi_slopes, bytes);
    }
    Tensor *output = t_like(query), *parts = t_new(query->type, SHAPE(shape->batch, shape->heads, shape->queries, 2));
    Tensor *turned_query = turned_copy(&attributes, query, first_position(shape));
    Tensor *turned_key = turned_copy(&attributes, key, 0);
    (query->type == ARRAY_F32 ? attention_single : attention_double)(shape, turned_query, turned_key, value, mask,
                                                                     output, parts);
    recycle_copy(turned_query, query);
    recycle_copy(turned_key, key);
    Node *node = op_record(&operation_attention, output, 4, (Tensor *[]){query, key, value, mask}, &attributes,
                           sizeof attributes);
    if (node)
        node->saved[0] = parts;
    return output;
}
