/* Scaled dot-product attention (Vaswani et al. 2017) without the matrix of scores, and rotary positions. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/attention.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* inputs: query, key, value, mask; saved: parts. */

/* ---- Gradients that are to be differentiated again: over the whole matrix of scores ---- */

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

static void backward_composed(const Attention *shape, const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *query = node->inputs[0], *mask = node->inputs[3], *sees = seeing_rows(shape, node->saved[0]);
    Tensor *key = repeat_heads(shape, node->inputs[1]), *value = repeat_heads(shape, node->inputs[2]);
    Tensor *scores = t_scale(t_matmul(query, key, false, true), shape->scale), *zero = t_scalar(query->type, 0);
    scores = t_add(scores, biases(shape, query->type));
    scores = mask ? t_add(scores, mask) : scores;
    Tensor *p = t_where(sees, t_softmax(t_where(sees, scores, zero)), zero);
    if (op_wants(node, 2))
        gradients[2] = sum_heads(shape, t_matmul(p, gradient, true, false));
    Tensor *dp = t_matmul(gradient, value, false, true);
    Tensor *ds = t_mul(p, t_sub(dp, t_sum(t_mul(p, dp), -1, true)));
    if (op_wants(node, 0))
        gradients[0] = t_scale(t_matmul(ds, key, false, false), shape->scale);
    if (op_wants(node, 1))
        gradients[1] = sum_heads(shape, t_scale(t_matmul(ds, query, true, false), shape->scale));
    if (op_wants(node, 3))
        gradients[3] = t_sum_to(ds, mask->rank, mask->shape);
}

/* ---- The operation ---- */

static void backward_attention(const Node *node, Tensor *gradient, Tensor **gradients)
{
    if (tape_recording()) {
        backward_composed(node->attributes, node, gradient, gradients);
        return;
    }
    for (int i = 0; i < 4; i++)
        if (op_wants(node, i))
            gradients[i] = t_like(node->inputs[i]);
    const AttentionGradient work = {.query = node->inputs[0], .key = node->inputs[1], .value = node->inputs[2],
                                    .mask = node->inputs[3], .output = node->output, .parts = node->saved[0],
                                    .gradient = gradient, .dquery = gradients[0], .dkey = gradients[1],
                                    .dvalue = gradients[2], .dmask = gradients[3]};
    (gradient->type == ARRAY_F32 ? attention_gradient_single : attention_gradient_double)(node->attributes, &work);
}

typedef struct Sample { int64_t n, h, h_key, t, s, d; int mask; bool causal, alibi; } Sample;
static const Sample samples[] = {
    {2, 2, 2, 3, 3, 4, 0, false, false},
    {1, 4, 2, 3, 5, 2, 0, true, false},     /* grouped heads, keys kept from before */
    {2, 2, 1, 4, 3, 2, 2, false, false},    /* mask [T, S] */
    {2, 2, 2, 2, 3, 2, 4, false, true},     /* [N, H, T, S] */
    {2, 2, 2, 3, 4, 3, 3, true, true},      /* [N, 1, T, S] */
    {1, 1, 1, 1, 1, 1, 0, false, false},
    {0, 2, 1, 3, 3, 2, 0, true, false},
    {2, 1, 1, 4, 2, 3, 0, true, false},     /* the first two rows see nothing */
    {4, 4, 4, 2, 3, 2, 0, true, false},     /* each head a task */
};

static int sample_attention(Random *random, int variant, Tensor **inputs)
{
    const Sample *sample = &samples[variant];
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->h, sample->t, sample->d));
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->h_key, sample->s, sample->d));
    inputs[2] = sample_leaf(random, -2, 2, SHAPE(sample->n, sample->h_key, sample->s, sample->d));
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
    const AttentionOptions options = {.scale = 0.7, .causal = sample->causal,
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
    assert(query->shape[3] == key->shape[3] && key->shape[1] > 0 && query->shape[1] % key->shape[1] == 0);
    assert(query->type == key->type && query->type == value->type && (!mask || mask->type == query->type));
    Attention shape = {.batch = query->shape[0], .heads = query->shape[1], .key_heads = key->shape[1],
                       .queries = query->shape[2], .keys = key->shape[2], .width = query->shape[3],
                       .scale = options->scale, .causal = options->causal};
    if (mask)
        set_mask(&shape, mask);
    if (options->alibi_slopes) {
        const size_t bytes = (size_t)shape.heads * sizeof(float);
        shape.slopes = memcpy(arena_alloc(tape_arena(), bytes), options->alibi_slopes, bytes);
    }
    Tensor *output = t_like(query), *parts = t_new(query->type, SHAPE(shape.batch, shape.heads, shape.queries, 2));
    (query->type == ARRAY_F32 ? attention_single : attention_double)(&shape, query, key, value, mask, output, parts);
    Node *node = op_record(&operation_attention, output, 4, (Tensor *[]){query, key, value, mask}, &shape,
                           sizeof shape);
    if (node)
        node->saved[0] = parts;
    return output;
}

/* ---- Rotary positions ---- */

typedef struct Rotation {
    int64_t first;
    double base;
    bool back;              /* by the opposite angle: the transpose, which is the inverse */
} Rotation;

typedef struct Turn {
    const float *x, *cosine, *sine;
    float *y;
    int64_t positions, pairs;
} Turn;

/* cosine and sine [positions, pairs]. Each position is the one before it turned by the pair's frequency; the
   double's rounding errors stay far below a float's over any length that fits memory. */
static void fill_angles(const Rotation *rotation, int64_t positions, int64_t pairs, double *cosine, double *sine)
{
    for (int64_t i = 0; i < pairs; i++) {
        const double frequency = pow(rotation->base, -(double)i / (double)pairs) * (rotation->back ? -1 : 1);
        const double step_cosine = cos(frequency), step_sine = sin(frequency);
        double c = cos((double)rotation->first * frequency), s = sin((double)rotation->first * frequency);
        for (int64_t t = 0; t < positions; t++) {
            cosine[t * pairs + i] = c;
            sine[t * pairs + i] = s;
            const double before = c;
            c = before * step_cosine - s * step_sine;
            s = before * step_sine + s * step_cosine;
        }
    }
}

static Tensor *rotate(Tensor *x, const Rotation *rotation);

static void backward_rotate(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Rotation opposite = *(const Rotation *)node->attributes;
    opposite.back = !opposite.back;
    gradients[0] = rotate(gradient, &opposite);
}

static int sample_rotate(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(2, 2, 3, 6))
                             : sample_leaf(random, -2, 2, SHAPE(0, 1, 3, 2));
    return 1;
}

static Tensor *apply_rotate(Tensor **inputs, int variant)
{
    return t_rotate_positions(inputs[0], variant == 0 ? 2 : 0, 100);
}

const OperationDef operation_rotate_positions = {
    .component = {.name = "rotate_positions",
                  .summary = "turn pairs of features by an angle that grows with the position",
                  .source = "arXiv:2104.09864"},
    .backward = backward_rotate,
    .variants = 2,
    .inputs = sample_rotate,
    .apply = apply_rotate,
};

#define TURN_ROWS(TYPE, begin, end, x, y, cosine, sine)                                          \
    for (int64_t row = begin; row < end; row++) {                                                \
        const TYPE *left = (x) + row * 2 * pairs, *right = left + pairs;                         \
        TYPE *to = (y) + row * 2 * pairs;                                                        \
        for (int64_t i = 0, at = row % positions * pairs; i < pairs; i++, at++) {                \
            to[i] = left[i] * (cosine)[at] - right[i] * (sine)[at];                              \
            to[pairs + i] = left[i] * (sine)[at] + right[i] * (cosine)[at];                      \
        }                                                                                        \
    }

static void turn_rows(void *context, int64_t begin, int64_t end)
{
    const Turn *turn = context;
    const int64_t pairs = turn->pairs, positions = turn->positions;
    TURN_ROWS(float, begin, end, turn->x, turn->y, turn->cosine, turn->sine)
}

static void rotate_single(const Tensor *x, Tensor *y, int64_t positions, int64_t pairs, const double *angles)
{
    const int64_t count = 2 * positions * pairs, grain = 32 * 1024 / (2 * pairs) + 1;
    float *single = arena_alloc(tape_arena(), (size_t)count * sizeof *single);
    for (int64_t i = 0; i < count; i++)
        single[i] = (float)angles[i];
    Turn turn = {.x = tensor_f32(x), .y = tensor_f32(y), .cosine = single, .sine = single + count / 2,
                 .positions = positions, .pairs = pairs};
    parallel_for(x->count / (2 * pairs), grain, turn_rows, &turn);
    arena_recycle(tape_arena(), single, (size_t)count * sizeof *single);
}

static Tensor *rotate(Tensor *x, const Rotation *rotation)
{
    const int64_t positions = x->shape[2], pairs = x->shape[3] / 2, count = 2 * positions * pairs;
    Tensor *y = t_like(x);
    double *angles = arena_alloc(tape_arena(), (size_t)count * sizeof *angles);
    fill_angles(rotation, positions, pairs, angles, angles + count / 2);
    if (x->type == ARRAY_F32)
        rotate_single(x, y, positions, pairs, angles);
    else
        TURN_ROWS(double, 0, x->count / (2 * pairs), tensor_f64(x), tensor_f64(y), angles, angles + count / 2)
    arena_recycle(tape_arena(), angles, (size_t)count * sizeof *angles);
    op_record(&operation_rotate_positions, y, 1, &x, rotation, sizeof *rotation);
    return y;
}

Tensor *t_rotate_positions(Tensor *x, int64_t first, double base)
{
    assert(x->rank == 4 && x->shape[3] >= 2 && x->shape[3] % 2 == 0 && base > 0);
    return rotate(x, &(Rotation){.first = first, .base = base});
}
