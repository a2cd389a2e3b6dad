/* Attention of floats by tiles of queries x keys with an online softmax (Milakov and Gimelshein 2018; Dao et al.
   2022): what is kept is linear in the lengths. Every row of every result has one owner, which goes over its
   tiles in order, so that the bits do not depend on threads. */
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"
#include "core/tensor/attention.h"

/* Size of a tile; multiplications worth a task; with so many heads, each head is a task in backward. */
enum { QUERIES = 128, KEYS = 128, TASK = 256 * 1024, MANY_HEADS = 16 };

typedef struct Work {
    const Attention *shape;
    const float *query, *key, *value, *mask;
    float *output, *parts;
    const float *gradient;
    float *delta;                           /* [batch, heads, queries] */
    float *dquery, *dkey, *dvalue, *dmask;  /* NULL: not wanted */
} Work;

/* Of batch and head: rows from first_query, keys from first_key. */
typedef struct Tile {
    int64_t n, head, first_query, rows, first_key, columns;
} Tile;

static int64_t blocks(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

static int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static int64_t grain(int64_t multiplications)
{
    return multiplications >= TASK ? 1 : TASK / (multiplications > 0 ? multiplications : 1);
}

/* Row i of the tile among all heads' rows of queries. */
static int64_t head_row(const Attention *shape, const Tile *tile, int64_t i)
{
    return (tile->n * shape->heads + tile->head) * shape->queries + tile->first_query + i;
}

static int64_t query_at(const Attention *shape, const Tile *tile, int64_t i)
{
    return attention_query_at(shape, tile->n, tile->head, tile->first_query + i);
}

static int64_t key_at(const Attention *shape, const Tile *tile)
{
    return attention_key_at(shape, tile->n, tile->head, tile->first_key);
}

/* From a row of a head to its next, of queries and of keys. */
static int64_t query_stride(const Attention *shape)
{
    return shape->heads * shape->width;
}

static int64_t key_stride(const Attention *shape)
{
    return shape->key_heads * shape->width;
}

/* How many columns of the tile its row i sees. */
static int64_t visible(const Attention *shape, const Tile *tile, int64_t i)
{
    const int64_t end = attention_visible(shape, tile->first_query + i) - tile->first_key;
    return end < 0 ? 0 : smaller(end, tile->columns);
}

static int64_t mask_row(const Attention *shape, const Tile *tile, int64_t i)
{
    return tile->n * shape->mask_batch_stride + tile->head * shape->mask_head_stride +
           (tile->first_query + i) * shape->keys + tile->first_key;
}

static Tile query_tile(const Attention *shape, int64_t n, int64_t head, int64_t block)
{
    const int64_t first = block * QUERIES;
    return (Tile){.n = n, .head = head, .first_query = first, .rows = smaller(QUERIES, shape->queries - first)};
}

static void move_to_keys(const Attention *shape, Tile *tile, int64_t block)
{
    tile->first_key = block * KEYS;
    tile->columns = smaller(KEYS, shape->keys - tile->first_key);
}

/* How many blocks of keys the last row sees; the others are skipped. */
static int64_t visible_blocks(const Attention *shape, const Tile *tile)
{
    return blocks(attention_visible(shape, tile->first_query + tile->rows - 1), KEYS);
}

static void compute_scores(const Work *work, const Tile *tile, float *s)
{
    const Attention *shape = work->shape;
    const float slope = (float)attention_slope(shape, tile->head);
    sgemm(false, true, tile->rows, tile->columns, shape->width, work->query + query_at(shape, tile, 0),
          query_stride(shape), work->key + key_at(shape, tile), key_stride(shape), 0, s, KEYS);
    for (int64_t i = 0; i < tile->rows; i++) {
        const int64_t distance = tile->first_key - (tile->first_query + i) - (shape->keys - shape->queries);
        kernels()->rows.score_row(visible(shape, tile, i), s + i * KEYS, (float)shape->scale,
                             work->mask ? work->mask + mask_row(shape, tile, i) : NULL, slope, (float)distance);
    }
}

static void clear_hidden(const Attention *shape, const Tile *tile, int64_t i, float *row)
{
    const int64_t seen = visible(shape, tile, i);
    memset(row + seen, 0, (size_t)(tile->columns - seen) * sizeof *row);
}

/* ---- Forward ---- */

/* The output so far is the sum of exp(score - largest) value; turns scores into their exponentials. */
static void update_row(const Work *work, const Tile *tile, int64_t i, float *s, float *output, float *largest,
                       float *sum)
{
    const int64_t seen = visible(work->shape, tile, i);
    const float before = *largest, tile_largest = kernels()->rows.max_row(seen, s);
    clear_hidden(work->shape, tile, i, s);
    if (tile_largest > before)
        *largest = tile_largest;
    else if (before == -INFINITY && seen > 0 && isnan(kernels()->rows.centred_sum_row(seen, s, 0)))
        *largest = NAN; /* is never larger, and must not pass for a row that sees nothing */
    if (*largest == -INFINITY) {
        memset(s, 0, (size_t)tile->columns * sizeof *s);
        return;
    }
    if (*largest != before) {
        const float factor = expf(before - *largest);
        kernels()->rows.scale_row(work->shape->width, factor, output);
        *sum *= factor;
    }
    *sum += kernels()->rows.exp_row(seen, s, *largest, s);
}

static void forward_block(const Work *work, Tile tile)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, stride = query_stride(shape), end = visible_blocks(shape, &tile);
    float s[QUERIES * KEYS] __attribute__((aligned(64))), largest[QUERIES], sum[QUERIES];
    float *output = work->output + query_at(shape, &tile, 0);
    for (int64_t i = 0; i < tile.rows; i++) {
        memset(output + i * stride, 0, (size_t)d * sizeof *output);
        largest[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t block = 0; block < end; block++) {
        move_to_keys(shape, &tile, block);
        compute_scores(work, &tile, s);
        for (int64_t i = 0; i < tile.rows; i++)
            update_row(work, &tile, i, s + i * KEYS, output + i * stride, &largest[i], &sum[i]);
        sgemm(false, false, tile.rows, d, tile.columns, s, KEYS, work->value + key_at(shape, &tile), key_stride(shape),
              1, output, stride);
    }
    for (int64_t i = 0; i < tile.rows; i++) {
        const bool nothing = largest[i] == -INFINITY;
        float *parts = work->parts + 2 * head_row(shape, &tile, i);
        kernels()->rows.scale_row(d, nothing ? 0 : 1 / sum[i], output + i * stride);
        parts[0] = nothing ? INFINITY : largest[i];
        parts[1] = nothing ? 0 : logf(sum[i]);
    }
}

static void forward_blocks(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const int64_t each = blocks(work->shape->queries, QUERIES), heads = work->shape->heads;
    for (int64_t k = begin; k < end; k++)
        forward_block(work, query_tile(work->shape, k / each / heads, k / each % heads, k % each));
}

static const float *floats(const Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

void attention_single(const Attention *shape, const Tensor *query, const Tensor *key, const Tensor *value,
                      const Tensor *mask, Tensor *output, Tensor *parts)
{
    Work work = {.shape = shape,
                 .query = floats(query),
                 .key = floats(key),
                 .value = floats(value),
                 .mask = floats(mask),
                 .output = tensor_f32(output),
                 .parts = tensor_f32(parts)};
    const int64_t rows = smaller(shape->queries, QUERIES);
    parallel_for(shape->batch * shape->heads * blocks(shape->queries, QUERIES),
                 grain(2 * rows * shape->keys * shape->width), forward_blocks, &work);
}

/* ---- Backward ---- */

static void delta_rows(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const Attention *shape = work->shape;
    for (int64_t row = begin; row < end; row++) {
        const int64_t i = row % shape->queries, head = row / shape->queries % shape->heads;
        const int64_t at = attention_query_at(shape, row / shape->queries / shape->heads, head, i);
        work->delta[row] = kernels()->dot(shape->width, work->gradient + at, work->output + at);
    }
}

/* Adds what the tile contributes to the gradients that are not NULL. */
static void backward_tile(const Work *work, const Tile *tile)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, row = head_row(shape, tile, 0), query = query_at(shape, tile, 0);
    const int64_t key = key_at(shape, tile), rows = query_stride(shape), keys = key_stride(shape);
    const float *gradient = work->gradient + query;
    float p[QUERIES * KEYS] __attribute__((aligned(64))), ds[QUERIES * KEYS] __attribute__((aligned(64)));
    compute_scores(work, tile, p);
    for (int64_t i = 0; i < tile->rows; i++) {
        float *s = p + i * KEYS;
        kernels()->scaled_softmax_row(visible(shape, tile, i), s, work->parts + 2 * (row + i), 1, s);
        clear_hidden(shape, tile, i, s);
    }
    if (work->dvalue)
        sgemm(true, false, tile->columns, d, tile->rows, p, KEYS, gradient, rows, 1, work->dvalue + key, keys);
    if (!work->dquery && !work->dkey && !work->dmask)
        return;
    sgemm(false, true, tile->rows, tile->columns, d, gradient, rows, work->value + key, keys, 0, ds, KEYS);
    for (int64_t i = 0; i < tile->rows; i++) {
        kernels()->rows.attention_gradient_row(visible(shape, tile, i), p + i * KEYS, ds + i * KEYS,
                                               work->delta[row + i], work->dmask ? 1 : (float)shape->scale);
        clear_hidden(shape, tile, i, ds + i * KEYS);
    }
    if (work->dquery)
        sgemm(false, false, tile->rows, d, tile->columns, ds, KEYS, work->key + key, keys, 1, work->dquery + query,
              rows);
    if (work->dkey)
        sgemm(true, false, tile->columns, d, tile->rows, ds, KEYS, work->query + query, rows, 1, work->dkey + key,
              keys);
    for (int64_t i = 0; i < tile->rows && work->dmask; i++)
        kernels()->axpy(visible(shape, tile, i), 1, ds + i * KEYS, work->dmask + mask_row(shape, tile, i));
}

static void backward_query_block(const Work *work, Tile tile)
{
    const int64_t end = visible_blocks(work->shape, &tile);
    for (int64_t block = 0; block < end; block++) {
        move_to_keys(work->shape, &tile, block);
        backward_tile(work, &tile);
    }
}

/* A task is a head of keys with all heads of queries that read it: everything in one go. */
static void backward_heads(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const Attention *shape = work->shape;
    const int64_t group = shape->heads / shape->key_heads;
    for (int64_t k = begin; k < end; k++)
        for (int64_t head = k % shape->key_heads * group; head < (k % shape->key_heads + 1) * group; head++)
            for (int64_t block = 0; block < blocks(shape->queries, QUERIES); block++)
                backward_query_block(work, query_tile(shape, k / shape->key_heads, head, block));
}

/* A task is a block of queries (dkey and dvalue are NULL). */
static void backward_queries(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const int64_t each = blocks(work->shape->queries, QUERIES), heads = work->shape->heads;
    for (int64_t k = begin; k < end; k++)
        backward_query_block(work, query_tile(work->shape, k / each / heads, k / each % heads, k % each));
}

/* A task is a block of keys (dquery is NULL). */
static void backward_keys(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const Attention *shape = work->shape;
    const int64_t each = blocks(shape->keys, KEYS), group = shape->heads / shape->key_heads;
    for (int64_t k = begin; k < end; k++) {
        const int64_t n = k / each / shape->key_heads, key_head = k / each % shape->key_heads;
        for (int64_t head = key_head * group; head < (key_head + 1) * group; head++)
            for (int64_t block = 0; block < blocks(shape->queries, QUERIES); block++) {
                Tile tile = query_tile(shape, n, head, block);
                if (k % each >= visible_blocks(shape, &tile))
                    continue;
                move_to_keys(shape, &tile, k % each);
                backward_tile(work, &tile);
            }
    }
}

/* A task is a block of rows of the mask, with all heads and examples that share it. */
static void backward_mask(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const Attention *shape = work->shape;
    const int64_t each = blocks(shape->queries, QUERIES), own_heads = shape->mask_head_stride ? shape->heads : 1;
    const int64_t sharing = shape->heads / own_heads, batches = shape->mask_batch_stride ? 1 : shape->batch;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first_head = k / each % own_heads, first = shape->mask_batch_stride ? k / each / own_heads : 0;
        for (int64_t n = first; n < first + batches; n++)
            for (int64_t head = first_head; head < first_head + sharing; head++)
                backward_query_block(work, query_tile(shape, n, head, k % each));
    }
}

static float *cleared(Tensor *tensor)
{
    return tensor ? memset(tensor->data, 0, (size_t)tensor->count * sizeof(float)) : NULL;
}

void attention_gradient_single(const Attention *shape, const AttentionGradient *gradient)
{
    const int64_t heads = shape->batch * shape->heads, key_heads = shape->batch * shape->key_heads;
    const int64_t query_blocks = blocks(shape->queries, QUERIES), key_blocks = blocks(shape->keys, KEYS);
    const int64_t cost = 5 * smaller(shape->queries, QUERIES) * shape->width;
    const size_t bytes = (size_t)(heads * shape->queries) * sizeof(float);
    float *delta = arena_alloc(tape_arena(), bytes);
    Work base = {.shape = shape, .query = floats(gradient->query), .key = floats(gradient->key),
                       .value = floats(gradient->value), .mask = floats(gradient->mask),
                       .output = tensor_f32(gradient->output), .parts = tensor_f32(gradient->parts),
                       .gradient = floats(gradient->gradient), .delta = delta};
    Work whole = base, queries = base, keys = base, mask = base;
    parallel_for(heads * shape->queries, grain(shape->width), delta_rows, &base);
    whole.dquery = queries.dquery = cleared(gradient->dquery);
    whole.dkey = keys.dkey = cleared(gradient->dkey);
    whole.dvalue = keys.dvalue = cleared(gradient->dvalue);
    mask.dmask = cleared(gradient->dmask);
    if (key_heads >= MANY_HEADS && (whole.dquery || whole.dkey || whole.dvalue)) {
        parallel_for(key_heads, grain(cost * shape->keys * query_blocks * (heads / key_heads)), backward_heads, &whole);
    } else {
        if (queries.dquery)
            parallel_for(heads * query_blocks, grain(cost * shape->keys), backward_queries, &queries);
        if (keys.dkey || keys.dvalue)
            parallel_for(key_heads * key_blocks, grain(cost * KEYS * query_blocks), backward_keys, &keys);
    }
    if (mask.dmask) {
        const int64_t masks = (shape->mask_batch_stride ? shape->batch : 1) *
                              (shape->mask_head_stride ? shape->heads : 1);
        parallel_for(masks * query_blocks, grain(cost * shape->keys), backward_mask, &mask);
    }
    arena_recycle(tape_arena(), delta, bytes);
}
