/* Attention of floats by tiles of queries x keys with an online softmax (Milakov and Gimelshein 2018; Dao et al.
   2022): what is kept is linear in the lengths. Every row of every result has one owner, which goes over its
   tiles in order, so that the bits do not depend on threads. */
#include <math.h>
#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gemm_block.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"
#include "core/tensor/attention.h"

/* Size of a tile, and of the parts of its rows, which skip the keys that none of them sees, where some see less than
   others (all at once are faster where nothing is skipped); rows that pay for packing; multiplications worth a task;
   with so many heads, each head is a task in backward. */
enum { QUERIES = 128, KEYS = QUERIES, ROWS = 24, PACKING_PAYS = 8, TASK = 256 * 1024, MANY_HEADS = 16 };

typedef struct Work {
    const Attention *shape;
    const float *query, *key, *value, *mask;
    float *output, *parts;
    const float *gradient;
    float *dquery, *dkey, *dvalue, *dmask;  /* NULL: not wanted */
} Work;

/* Of batch and head: rows from first_query, keys from first_key. */
typedef struct Tile {
    int64_t n, head, first_query, rows, first_key, columns;
} Tile;

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
    return ceil_div(attention_visible(shape, tile->first_query + tile->rows - 1), KEYS);
}

/* Rows of queries from i on whose keys in the tile end where those of the last one do. */
static Tile part_of(const Attention *shape, const Tile *tile, int64_t i)
{
    Tile part = *tile;
    part.first_query += i;
    part.rows = smaller(visible(shape, tile, 0) < tile->columns ? ROWS : QUERIES, tile->rows - i);
    part.columns = visible(shape, &part, part.rows - 1);
    return part;
}

/* ---- Products ---- */

/* Rows of a head, and where the tile has packed them as the right side of products: as rows, or as columns. Else NULL:
   where few rows of queries would read them. */
typedef struct Operand {
    const float *data, *rows, *columns;
    int64_t stride;
} Operand;

enum { AS_ROWS = 1, AS_COLUMNS = 2 };

static int64_t packed_size(int64_t width)
{
    return KEYS * gemm_whole_panels(width);
}

/* `room` is moved behind what is packed there, 2 packed_size(width) at most. Columns are made of packed rows. */
static Operand pack(const float *data, int64_t stride, int64_t count, int64_t width, int how, float **room)
{
    Operand operand = {.data = data, .stride = stride};
    if (*room == NULL)
        return operand;
    const int64_t size = packed_size(width), nr = kernels()->nr;
    float *rows = *room, *columns = rows + size;
    gemm_block_put_rows(count, width, data, stride, KEYS * nr, rows);
    for (int64_t i = 0; i < count && how & AS_COLUMNS; i += nr)
        gemm_block_turn(width, i, smaller(nr, count - i), gemm_right_panels(rows, KEYS), columns + i * width);
    operand.rows = rows;
    operand.columns = how & AS_COLUMNS ? columns : NULL;
    *room += how & AS_COLUMNS ? 2 * size : size;
    return operand;
}

/* Of so many operands. */
static float *packing_room(const Attention *shape, const Tile *tile, int operands)
{
    return tile->rows < PACKING_PAYS ? NULL : gemm_scratch(operands * 2 * packed_size(shape->width));
}

static Operand from_row(Operand operand, int64_t i)
{
    operand.data += i * operand.stride;
    operand.rows = operand.rows ? operand.rows + i * kernels()->nr : NULL;
    return operand;
}

/* s [rows, KEYS] = a b^T, where a has rows of queries; behind the part's columns anything. */
static void multiply_turned(const Tile *part, int64_t d, Operand a, Operand b, float *s)
{
    if (b.columns)
        gemm_block(part->rows, gemm_whole_panels(part->columns), d, gemm_left_rows(a.data, a.stride),
                   gemm_right_panels(b.columns, d), false, s, KEYS);
    else
        sgemm(false, true, part->rows, part->columns, d, a.data, a.stride, b.data, b.stride, 0, s, KEYS);
}

/* c += s b, where b has rows of keys, and c, rows of queries. */
static void add_product(const Tile *part, int64_t d, const float *s, Operand b, float *c, int64_t ldc)
{
    if (b.rows)
        gemm_block(part->rows, d, part->columns, gemm_left_rows(s, KEYS), gemm_right_panels(b.rows, KEYS), true, c,
                   ldc);
    else
        sgemm(false, false, part->rows, d, part->columns, s, KEYS, b.data, b.stride, 1, c, ldc);
}

/* c += s^T b, where b has rows of queries, and c, rows of keys. */
static void add_turned_product(const Tile *part, int64_t d, const float *s, Operand b, float *c, int64_t ldc)
{
    const GemmLeft left = {s, kernels()->mr, 1, KEYS};
    if (b.rows)
        gemm_block(part->columns, d, part->rows, left, gemm_right_panels(b.rows, KEYS), true, c, ldc);
    else
        sgemm(true, false, part->columns, d, part->rows, s, KEYS, b.data, b.stride, 1, c, ldc);
}

static void compute_scores(const Work *work, const Tile *part, Operand query, Operand key, float *s)
{
    const Attention *shape = work->shape;
    const float slope = (float)attention_slope(shape, part->head);
    multiply_turned(part, shape->width, query, key, s);
    for (int64_t i = 0; i < part->rows; i++) {
        const int64_t distance = part->first_key - (part->first_query + i) - (shape->keys - shape->queries);
        kernels()->rows.score_row(visible(shape, part, i), s + i * KEYS, (float)shape->scale,
                                  work->mask ? work->mask + mask_row(shape, part, i) : NULL, slope, (float)distance);
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

static void forward_tile(const Work *work, const Tile *tile, float *largest, float *sum)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, stride = query_stride(shape), keys = key_stride(shape), at = key_at(shape, tile);
    float s[QUERIES * KEYS] __attribute__((aligned(64))), *room = packing_room(shape, tile, 2);
    const Operand query = {.data = work->query + query_at(shape, tile, 0), .stride = stride};
    const Operand key = pack(work->key + at, keys, tile->columns, d, AS_COLUMNS, &room);
    const Operand value = pack(work->value + at, keys, tile->columns, d, AS_ROWS, &room);
    for (int64_t first = 0, rows; first < tile->rows; first += rows) {
        const Tile part = part_of(shape, tile, first);
        float *output = work->output + query_at(shape, &part, 0);
        rows = part.rows;
        if (part.columns == 0)
            continue;
        compute_scores(work, &part, from_row(query, first), key, s);
        for (int64_t i = 0; i < part.rows; i++)
            update_row(work, &part, i, s + i * KEYS, output + i * stride, &largest[first + i], &sum[first + i]);
        add_product(&part, d, s, value, output, stride);
    }
}

static void forward_block(const Work *work, Tile tile)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, stride = query_stride(shape), end = visible_blocks(shape, &tile);
    float largest[QUERIES], sum[QUERIES], *output = work->output + query_at(shape, &tile, 0);
    for (int64_t i = 0; i < tile.rows; i++) {
        memset(output + i * stride, 0, (size_t)d * sizeof *output);
        largest[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t block = 0; block < end; block++) {
        move_to_keys(shape, &tile, block);
        forward_tile(work, &tile, largest, sum);
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
    const int64_t each = ceil_div(work->shape->queries, QUERIES), heads = work->shape->heads;
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
    parallel_for(shape->batch * shape->heads * ceil_div(shape->queries, QUERIES),
                 grain(2 * rows * shape->keys * shape->width), forward_blocks, &work);
}

/* ---- Backward ---- */

/* Adds what the part contributes to the gradients that are not NULL. */
static void backward_part(const Work *work, const Tile *part, Operand query, Operand key, Operand value,
                          Operand gradient)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, row = head_row(shape, part, 0), at = query_at(shape, part, 0);
    const int64_t key_from = key_at(shape, part);
    float p[QUERIES * KEYS] __attribute__((aligned(64))), ds[QUERIES * KEYS] __attribute__((aligned(64)));
    compute_scores(work, part, query, key, p);
    for (int64_t i = 0; i < part->rows; i++) {
        float *s = p + i * KEYS;
        kernels()->scaled_softmax_row(visible(shape, part, i), s, work->parts + 2 * (row + i), 1, s);
        clear_hidden(shape, part, i, s);
    }
    if (work->dvalue)
        add_turned_product(part, d, p, gradient, work->dvalue + key_from, key.stride);
    if (!work->dquery && !work->dkey && !work->dmask)
        return;
    multiply_turned(part, d, gradient, value, ds);
    for (int64_t i = 0; i < part->rows; i++) {
        const float *output = work->output + at + i * query.stride;
        kernels()->rows.attention_gradient_row(visible(shape, part, i), p + i * KEYS, ds + i * KEYS,
                                               kernels()->dot(d, gradient.data + i * gradient.stride, output),
                                               work->dmask ? 1 : (float)shape->scale);
        clear_hidden(shape, part, i, ds + i * KEYS);
    }
    if (work->dquery)
        add_product(part, d, ds, key, work->dquery + at, query.stride);
    if (work->dkey)
        add_turned_product(part, d, ds, query, work->dkey + key_from, key.stride);
    for (int64_t i = 0; i < part->rows && work->dmask; i++)
        kernels()->axpy(visible(shape, part, i), 1, ds + i * KEYS, work->dmask + mask_row(shape, part, i));
}

static void backward_tile(const Work *work, const Tile *tile)
{
    const Attention *shape = work->shape;
    const int64_t d = shape->width, rows = query_stride(shape), keys = key_stride(shape);
    const int64_t query_from = query_at(shape, tile, 0), key_from = key_at(shape, tile);
    float *room = packing_room(shape, tile, 4);
    const Operand key = pack(work->key + key_from, keys, tile->columns, d, AS_ROWS | AS_COLUMNS, &room);
    const Operand value = pack(work->value + key_from, keys, tile->columns, d, AS_COLUMNS, &room);
    const Operand query = pack(work->query + query_from, rows, tile->rows, d, AS_ROWS, &room);
    const Operand gradient = pack(work->gradient + query_from, rows, tile->rows, d, AS_ROWS, &room);
    for (int64_t i = 0, part_rows; i < tile->rows; i += part_rows) {
        const Tile part = part_of(shape, tile, i);
        part_rows = part.rows;
        if (part.columns > 0)
            backward_part(work, &part, from_row(query, i), key, value, from_row(gradient, i));
    }
}

/* `count` rows of d values, `stride` apart; NULL: nothing to do. */
static void clear_rows(float *rows, int64_t count, int64_t stride, int64_t d)
{
    for (int64_t i = 0; i < count && rows; i++)
        memset(rows + i * stride, 0, (size_t)d * sizeof *rows);
}

static void clear_queries(const Work *work, const Tile *tile)
{
    float *from = work->dquery ? work->dquery + query_at(work->shape, tile, 0) : NULL;
    clear_rows(from, tile->rows, query_stride(work->shape), work->shape->width);
}

static void clear_keys(const Work *work, const Tile *tile)
{
    const int64_t at = key_at(work->shape, tile), stride = key_stride(work->shape), d = work->shape->width;
    clear_rows(work->dkey ? work->dkey + at : NULL, tile->columns, stride, d);
    clear_rows(work->dvalue ? work->dvalue + at : NULL, tile->columns, stride, d);
}

static void backward_query_block(const Work *work, Tile tile)
{
    const int64_t end = visible_blocks(work->shape, &tile);
    clear_queries(work, &tile);
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
    for (int64_t k = begin; k < end; k++) {
        const int64_t n = k / shape->key_heads, first = k % shape->key_heads * group;
        const Tile keys = {.n = n, .head = first, .columns = shape->keys};
        clear_keys(work, &keys);
        for (int64_t head = first; head < first + group; head++)
            for (int64_t block = 0; block < ceil_div(shape->queries, QUERIES); block++)
                backward_query_block(work, query_tile(shape, n, head, block));
    }
}

/* A task is a block of queries (dkey and dvalue are NULL). */
static void backward_queries(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const int64_t each = ceil_div(work->shape->queries, QUERIES), heads = work->shape->heads;
    for (int64_t k = begin; k < end; k++)
        backward_query_block(work, query_tile(work->shape, k / each / heads, k / each % heads, k % each));
}

/* A task is a block of keys (dquery is NULL). */
static void backward_keys(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const Attention *shape = work->shape;
    const int64_t each = ceil_div(shape->keys, KEYS), group = shape->heads / shape->key_heads;
    for (int64_t k = begin; k < end; k++) {
        const int64_t n = k / each / shape->key_heads, key_head = k / each % shape->key_heads;
        Tile own = {.n = n, .head = key_head * group};
        move_to_keys(shape, &own, k % each);
        clear_keys(work, &own);
        for (int64_t head = key_head * group; head < (key_head + 1) * group; head++)
            for (int64_t block = 0; block < ceil_div(shape->queries, QUERIES); block++) {
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
    const int64_t each = ceil_div(shape->queries, QUERIES), own_heads = shape->mask_head_stride ? shape->heads : 1;
    const int64_t sharing = shape->heads / own_heads, batches = shape->mask_batch_stride ? 1 : shape->batch;
    for (int64_t k = begin; k < end; k++) {
        const int64_t first_head = k / each % own_heads, first = shape->mask_batch_stride ? k / each / own_heads : 0;
        for (int64_t n = first; n < first + batches; n++)
            for (int64_t head = first_head; head < first_head + sharing; head++)
                backward_query_block(work, query_tile(shape, n, head, k % each));
    }
}

static float *output_of(Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

void attention_gradient_single(const Attention *shape, const AttentionGradient *gradient)
{
    const int64_t heads = shape->batch * shape->heads, key_heads = shape->batch * shape->key_heads;
    const int64_t query_blocks = ceil_div(shape->queries, QUERIES), key_blocks = ceil_div(shape->keys, KEYS);
    const int64_t cost = 5 * smaller(shape->queries, QUERIES) * shape->width;
    Work base = {.shape = shape, .query = floats(gradient->query), .key = floats(gradient->key),
                 .value = floats(gradient->value), .mask = floats(gradient->mask),
                 .output = tensor_f32(gradient->output), .parts = tensor_f32(gradient->parts),
                 .gradient = floats(gradient->gradient)};
    Work whole = base, queries = base, keys = base, mask = base;
    whole.dquery = queries.dquery = output_of(gradient->dquery);
    whole.dkey = keys.dkey = output_of(gradient->dkey);
    whole.dvalue = keys.dvalue = output_of(gradient->dvalue);
    if (key_heads >= MANY_HEADS && (whole.dquery || whole.dkey || whole.dvalue)) {
        parallel_for(key_heads, grain(cost * shape->keys * query_blocks * (heads / key_heads)), backward_heads, &whole);
    } else {
        if (queries.dquery)
            parallel_for(heads * query_blocks, grain(cost * shape->keys), backward_queries, &queries);
        if (keys.dkey || keys.dvalue)
            parallel_for(key_heads * key_blocks, grain(cost * KEYS * query_blocks), backward_keys, &keys);
    }
    if (gradient->dmask) {
        const int64_t masks = (shape->mask_batch_stride ? shape->batch : 1) *
                              (shape->mask_head_stride ? shape->heads : 1);
        mask.dmask = memset(tensor_f32(gradient->dmask), 0, (size_t)gradient->dmask->count * sizeof(float));
        parallel_for(masks * query_blocks, grain(cost * shape->keys), backward_mask, &mask);
    }
}
