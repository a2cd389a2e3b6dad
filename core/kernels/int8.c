#include "core/kernels/int8.h"

#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/int8_panels.h"
#include "core/kernels/kernels.h"

/* 2^15 products of at most 2^8 * 2^7, and the 2^7 * 2^7 that quads start from, fit into 31 bits. */
enum { MAX_CHUNK = 1 << 15 };

static bool machine_has_quads(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

/* ---- Packing ---- */

static void plan_chunks(Int8Panels *p, Arena *arena)
{
    const Int8Weights *w = &p->weights;
    const int64_t groups = ceil_div(w->inputs, w->group), most = groups * ceil_div(w->group, MAX_CHUNK);
    Int8Chunk *chunks = arena_zero(arena, (size_t)most, sizeof *chunks);
    for (int64_t g = 0; g < groups; g++) {
        const int64_t end = (g + 1) * w->group < w->inputs ? (g + 1) * w->group : w->inputs;
        for (int64_t first = g * w->group; first < end; first += MAX_CHUNK) {
            const int64_t length = end - first < MAX_CHUNK ? end - first : MAX_CHUNK;
            chunks[p->chunk_count++] = (Int8Chunk){first, length, g, ceil_div(length, p->depth)};
            p->words += ceil_div(length, p->depth);
        }
    }
    p->chunks = chunks;
}

/* The word that begins at codes[0]; what lies beyond `count` is 0. */
static inline int32_t pack_word(const int8_t *codes, int64_t count, int64_t depth, uint32_t flip)
{
    uint32_t word = 0;
    for (int64_t i = 0; i < depth; i++) {
        const int8_t code = i < count ? codes[i] : 0;
        word |= depth == 4 ? (uint32_t)(uint8_t)code << 8 * i : (uint32_t)(uint16_t)code << 16 * i;
    }
    return (int32_t)(word ^ flip);
}

static void pack_line(const Int8Panels *p, const Int8Chunk *chunk, const int8_t *codes, uint32_t flip, int64_t step,
                      int32_t *to)
{
    const int64_t whole = chunk->length / p->depth;
    codes += chunk->first;
    if (p->depth == 4)
        for (int64_t word = 0; word < whole; word++)
            to[word * step] = pack_word(codes + 4 * word, 4, 4, flip);
    else
        for (int64_t word = 0; word < whole; word++)
            to[word * step] = pack_word(codes + 2 * word, 2, 2, flip);
    if (whole < chunk->words)
        to[whole * step] = pack_word(codes + whole * p->depth, chunk->length - whole * p->depth, p->depth, flip);
}

static int32_t sum_codes(const Int8Chunk *chunk, const int8_t *codes)
{
    int32_t sum = 0;
    for (int64_t k = 0; k < chunk->length; k++)
        sum += codes[chunk->first + k];
    return sum;
}

static void pack_columns(void *context, int64_t begin, int64_t end)
{
    Int8Panels *p = context;
    const Int8Weights *w = &p->weights;
    const int64_t columns = p->kernels->columns, groups = ceil_div(w->inputs, w->group);
    for (int64_t panel = begin; panel < end; panel++) {
        int32_t *to = p->data + panel * columns * (p->words + p->chunk_count);
        for (int64_t c = 0; c < p->chunk_count; c++) {
            const Int8Chunk *chunk = &p->chunks[c];
            for (int64_t j = 0; j < columns; j++) {
                const int64_t line = panel * columns + j;
                if (line >= w->outputs) {
                    for (int64_t word = 0; word <= chunk->words; word++)
                        to[word * columns + j] = 0;
                    continue;
                }
                const int8_t *codes = w->codes + line * w->inputs;
                const int32_t sum = sum_codes(chunk, codes);
                const int32_t zero = w->zeros ? w->zeros[line * groups + chunk->group] : 0;
                p->sums[line * p->chunk_count + c] = sum - zero * (int32_t)chunk->length;
                to[j] = p->depth == 4 ? -128 * sum : 0; /* activations come with 128 added */
                pack_line(p, chunk, codes, 0, columns, to + columns + j);
            }
            to += columns * (chunk->words + 1);
        }
    }
}

Int8Panels *int8_pack(const Int8Weights *weights, bool pairs, Arena *arena)
{
    Int8Panels *p = arena_zero(arena, 1, sizeof *p);
    p->weights = *weights;
    p->kernels = &kernels()->int8;
    const bool quads = !pairs && p->kernels->quads && machine_has_quads();
    p->tile = quads ? p->kernels->quads : p->kernels->pairs;
    p->depth = quads ? 4 : 2;
    plan_chunks(p, arena);
    const int64_t panels = ceil_div(weights->outputs, p->kernels->columns);
    const int64_t panel_size = p->kernels->columns * (p->words + p->chunk_count);
    p->data = arena_alloc(arena, (size_t)(panels * panel_size) * sizeof *p->data);
    p->sums = arena_alloc(arena, (size_t)(weights->outputs * p->chunk_count) * sizeof *p->sums);
    parallel_for(panels, (1 << 16) / (panel_size + 1) + 1, pack_columns, p);
    return p;
}

int64_t int8_packed_rows_size(const Int8Panels *panels, int64_t rows)
{
    const int64_t height = panels->kernels->rows;
    return ceil_div(rows, height) * height * panels->words + rows * panels->chunk_count;
}

int32_t *int8_row_sums(const Int8Panels *panels, int64_t rows, int32_t *packed)
{
    const int64_t height = panels->kernels->rows;
    return packed + ceil_div(rows, height) * height * panels->words;
}

void int8_pack_rows(const Int8Panels *panels, int64_t rows, const int8_t *codes, int32_t *packed, int64_t begin,
                    int64_t end)
{
    const int64_t height = panels->kernels->rows, inputs = panels->weights.inputs;
    const uint32_t flip = panels->depth == 4 ? 0x80808080 : 0;
    int32_t *sums = panels->weights.zeros ? int8_row_sums(panels, rows, packed) : NULL;
    for (int64_t panel = begin; panel < end; panel++) {
        int32_t *to = packed + panel * height * panels->words;
        const int64_t count = rows - panel * height < height ? rows - panel * height : height;
        for (int64_t c = 0; c < panels->chunk_count; c++) {
            const Int8Chunk *chunk = &panels->chunks[c];
            if (count < height)
                memset(to, 0, (size_t)(chunk->words * height) * sizeof *to);
            for (int64_t i = 0; i < count; i++) {
                const int64_t row = panel * height + i;
                pack_line(panels, chunk, codes + row * inputs, flip, height, to + i);
                if (sums)
                    sums[row * panels->chunk_count + c] = sum_codes(chunk, codes + row * inputs);
            }
            to += chunk->words * height;
        }
    }
}

/* ---- Multiplying ---- */

/* A tile of the result under way. */
typedef struct Tile {
    int64_t row, rows, column, columns; /* first, and how many */
    int32_t sums[INT8_MAX_ROWS * INT8_MAX_COLUMNS] __attribute__((aligned(64)));
    double total[INT8_MAX_ROWS * INT8_MAX_COLUMNS];
} Tile;

/* What zeros take from a chunk's sums, added for one row: -zero_b sum(a) - zero_a sum(b - zero_b), times scale. */
static void add_zeros(const Int8Product *t, const Tile *tile, int64_t c, int64_t i, double *total)
{
    const Int8Panels *p = t->panels;
    const Int8Weights *w = &p->weights;
    const int64_t groups = ceil_div(w->inputs, w->group), g = p->chunks[c].group, row = tile->row + i;
    const int64_t row_sum = w->zeros ? int8_row_sums(p, t->rows, t->packed)[row * p->chunk_count + c] : 0;
    for (int64_t j = 0; j < tile->columns; j++) {
        const int64_t column = tile->column + j;
        int64_t value = tile->sums[i * p->kernels->columns + j];
        value -= w->zeros ? w->zeros[column * groups + g] * row_sum : 0;
        value -= t->zeros ? (int64_t)t->zeros[row] * p->sums[column * p->chunk_count + c] : 0;
        total[j] += (double)w->scales[column * groups + g] * (double)value;
    }
}

static void add_chunk(const Int8Product *t, Tile *tile, int64_t c)
{
    const Int8Panels *p = t->panels;
    const Int8Weights *w = &p->weights;
    const int64_t groups = ceil_div(w->inputs, w->group), width = p->kernels->columns, g = p->chunks[c].group;
    double scales[INT8_MAX_COLUMNS];
    for (int64_t j = 0; j < tile->columns; j++)
        scales[j] = (double)w->scales[(tile->column + j) * groups + g];
    for (int64_t i = 0; i < tile->rows; i++) {
        const int32_t *sums = tile->sums + i * width;
        double *total = tile->total + i * width;
        if (w->zeros || t->zeros)
            add_zeros(t, tile, c, i, total);
        else if (c == 0)
            for (int64_t j = 0; j < tile->columns; j++)
                total[j] = scales[j] * (double)sums[j];
        else
            for (int64_t j = 0; j < tile->columns; j++)
                total[j] += scales[j] * (double)sums[j];
    }
}

static void finish_tile(const Int8Product *t, const Tile *tile)
{
    const Int8Output *out = t->output;
    const int64_t width = t->panels->kernels->columns;
    float *to = out->to + tile->row * out->row_stride + tile->column * out->column_stride;
    const float *bias = out->bias ? out->bias + tile->column : NULL;
    if (out->column_stride == 1) {
        for (int64_t i = 0; i < tile->rows; i++, to += out->row_stride) {
            const double scale = (double)t->scales[tile->row + i], *total = tile->total + i * width;
            for (int64_t j = 0; j < tile->columns; j++)
                to[j] = (float)(scale * total[j] + (bias ? (double)bias[j] : 0.0));
        }
        return;
    }
    for (int64_t j = 0; j < tile->columns; j++, to += out->column_stride) {
        const double shift = bias ? (double)bias[j] : 0.0, *total = tile->total + j;
        for (int64_t i = 0; i < tile->rows; i++)
            to[i * out->row_stride] = (float)((double)t->scales[tile->row + i] * total[i * width] + shift);
    }
}

/* Two values at a time, where neither zeros nor several chunks make sums of sums: the same operations in the same
   order. */
typedef double Doubles __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(8)));
typedef int32_t Codes __attribute__((vector_size(8)));

/* Four at a time: the lines of columns are far apart, and each store may have to wait for its own. */
static void store_column(int64_t count, const float *from, int64_t step, float *to)
{
    typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
    int64_t i = 0;
    for (; i + 4 <= count; i += 4, from += 4 * step)
        *(Four *)(to + i) = (Four){from[0], from[step], from[2 * step], from[3 * step]};
    for (; i < count; i++, from += step)
        to[i] = *from;
}

static void finish_plain_tile(const Int8Product *t, const Tile *tile)
{
    const Int8Output *out = t->output;
    assert(out->column_stride == 1 || out->row_stride == 1);
    const int64_t width = t->panels->kernels->columns;
    Doubles scales[INT8_MAX_COLUMNS / 2] = {0}, shifts[INT8_MAX_COLUMNS / 2] = {0};
    Floats results[INT8_MAX_ROWS * INT8_MAX_COLUMNS / 2];
    for (int64_t j = 0; j < tile->columns; j++) {
        scales[j / 2][j % 2] = (double)t->panels->weights.scales[tile->column + j];
        shifts[j / 2][j % 2] = out->bias ? (double)out->bias[tile->column + j] : 0.0;
    }
    for (int64_t i = 0; i < tile->rows; i++) {
        const double scale = (double)t->scales[tile->row + i];
        const Codes *sums = (const Codes *)(const void *)(tile->sums + i * width);
        for (int64_t j = 0; j < width / 2; j++) {
            const Doubles total = scales[j] * __builtin_convertvector(sums[j], Doubles);
            results[i * width / 2 + j] = __builtin_convertvector(scale * total + shifts[j], Floats);
        }
    }
    const float *from = (const float *)(const void *)results;
    float *to = out->to + tile->row * out->row_stride + tile->column * out->column_stride;
    if (out->column_stride == 1)
        for (int64_t i = 0; i < tile->rows; i++)
            memcpy(to + i * out->row_stride, from + i * width, (size_t)tile->columns * sizeof *to);
    else
        for (int64_t j = 0; j < tile->columns; j++)
            store_column(tile->rows, from + j, width, to + j * out->column_stride);
}

void int8_multiply_panels(const Int8Product *t, int64_t row_begin, int64_t row_end, int64_t column_begin,
                          int64_t column_end)
{
    const Int8Panels *p = t->panels;
    const int64_t height = p->kernels->rows, width = p->kernels->columns;
    const bool plain = !p->weights.zeros && !t->zeros && p->chunk_count == 1;
    Tile tile;
    for (int64_t column = column_begin; column < column_end; column++)
        for (int64_t row = row_begin; row < row_end; row++) {
            tile.row = row * height;
            tile.column = column * width;
            tile.rows = t->rows - tile.row < height ? t->rows - tile.row : height;
            tile.columns = p->weights.outputs - tile.column < width ? p->weights.outputs - tile.column : width;
            const int32_t *a = t->packed + tile.row * p->words;
            const int32_t *b = p->data + tile.column * (p->words + p->chunk_count);
            if (p->weights.zeros || t->zeros)
                memset(tile.total, 0, (size_t)(height * width) * sizeof *tile.total);
            for (int64_t c = 0; c < p->chunk_count; c++) {
                const int64_t words = p->chunks[c].words;
                p->tile(words, b, a, b + width, tile.sums);
                if (!plain)
                    add_chunk(t, &tile, c);
                a += words * height;
                b += (words + 1) * width;
            }
            if (plain)
                finish_plain_tile(t, &tile);
            else
                finish_tile(t, &tile);
        }
}

typedef struct Tasks {
    const Int8Product *product;
    int64_t row_panels, column_panels, task_rows, task_columns, across;
} Tasks;

static void run_tasks(void *context, int64_t begin, int64_t end)
{
    const Tasks *t = context;
    for (int64_t task = begin; task < end; task++) {
        const int64_t row = task / t->across * t->task_rows, column = task % t->across * t->task_columns;
        const int64_t row_end = row + t->task_rows, column_end = column + t->task_columns;
        int8_multiply_panels(t->product, row, row_end < t->row_panels ? row_end : t->row_panels, column,
                             column_end < t->column_panels ? column_end : t->column_panels);
    }
}

void int8_multiply_packed(const Int8Product *product)
{
    enum { WORK = 1 << 17, TASK_ROWS = 8 }; /* words that are worth a thread's while; a block that stays near */
    const Int8Panels *p = product->panels;
    const int64_t tile_work = p->kernels->rows * p->words + 1;
    Tasks t = {product, ceil_div(product->rows, p->kernels->rows), ceil_div(p->weights.outputs, p->kernels->columns),
               TASK_ROWS, WORK / (tile_work * TASK_ROWS) + 1, 0};
    t.across = ceil_div(t.column_panels, t.task_columns);
    parallel_for(ceil_div(t.row_panels, t.task_rows) * t.across, 1, run_tasks, &t);
}

typedef struct Packing {
    const Int8Panels *panels;
    int64_t rows;
    const int8_t *codes;
    int32_t *packed;
} Packing;

static void pack_some_rows(void *context, int64_t begin, int64_t end)
{
    const Packing *t = context;
    int8_pack_rows(t->panels, t->rows, t->codes, t->packed, begin, end);
}

void int8_multiply(const Int8Panels *panels, int64_t rows, const int8_t *codes, const float *scales,
                   const int16_t *zeros, const Int8Output *output)
{
    int32_t *packed = (int32_t *)(void *)gemm_scratch(int8_packed_rows_size(panels, rows));
    Packing packing = {panels, rows, codes, packed};
    parallel_for(ceil_div(rows, panels->kernels->rows), 8, pack_some_rows, &packing);
    int8_multiply_packed(&(Int8Product){panels, rows, packed, scales, zeros, output});
}
