/* Shared by the parts of cut cross-entropy of floats: tiles (cut_cross_entropy.c), the order of the words
   (cut_order.c), forward (cut_forward.c), backward (cut_backward.c). */
#ifndef XENT_TENSOR_CUT_WORK_H
#define XENT_TENSOR_CUT_WORK_H

#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm_block.h"
#include "core/tensor/cut_cross_entropy.h"

/* A tile is ROWS x COLUMNS logits, fewer rows where vectors are wider than 256, and GATHERED rows where they have to be
   gathered first: the more, the less often sums are read and written again. GROUP: rows that the filter keeps or
   drops together; a multiple of every kernel's tiles. PIECE: of a sum. MARGIN: rows that are a power of two apart would
   fall into few cache sets. TASKS: of a pass at least, where there are as many vectors. */
enum { ROWS = 288, GATHERED = 96, COLUMNS = 128, GROUP = 24, GROUPS = ROWS / GROUP, PIECE = 384, MARGIN = 16,
       TASKS = 16, NARROW = 256, COLUMN_VALUES = COLUMNS * NARROW };

/* Embeddings that count, or words in their order. */
typedef struct Vectors {
    const float *data;
    const int32_t *index;       /* of vector i; NULL: i */
    int64_t count, width;
} Vectors;

/* Vectors first to first + rows, where they can be read: `stride` floats apart, and behind each up to a whole panel. */
typedef struct Chunk {
    const Vectors *vectors;
    int64_t first, rows, stride;
    const float *data;
} Chunk;

/* What a thread works with. */
typedef struct Bench {
    float *held;                /* COLUMNS vectors, packed as B of rows * held^T */
    float *z;                   /* [ROWS][COLUMNS + MARGIN]: a tile */
    float *passing;             /* ROWS vectors side by side, whole panels wide; NULL: read where they lie */
    float *sums;                /* [GROUP][width] where products do not go to their place at once; else NULL */
    float *lost;                /* [COLUMNS][width] what rounding took from the sums of the task; NULL: not kept */
} Bench;

typedef struct Work {
    const CutProblem *problem;
    Vectors tokens, words;
    const float *bias, *gradient;
    const int32_t *targets;
    float *loss, *parts;
    float *unit;                /* [tokens, width] gradient of a token's loss by its embedding; NULL: not wanted */
    float *dweight, *dbias;     /* NULL: not wanted */
    int32_t *valid;             /* [count] the tokens that are not ignored; NULL: all */
    int32_t *order;             /* [words] in which they are taken; NULL: as they come */
    int32_t *places;            /* [tokens] with an order: where the target stands in it */
    int64_t rows, columns;      /* of a tile */
    int64_t bench_count;
    Bench *benches;
    ThreadsCounter next;        /* task */
} Work;

static inline int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static inline int64_t pieces(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static inline int64_t index_of(const Vectors *vectors, int64_t i)
{
    return vectors->index ? vectors->index[i] : i;
}

static inline const float *vector_of(const Vectors *vectors, int64_t i)
{
    return vectors->data + index_of(vectors, i) * vectors->width;
}

/* Where the token's target stands among the words as they are taken. */
static inline int64_t place_of(const Work *work, int64_t token)
{
    return work->order ? work->places[token] : work->targets[token];
}

static inline const float *floats(const Tensor *tensor)
{
    return tensor ? tensor_f32(tensor) : NULL;
}

static inline float *cleared(Tensor *tensor)
{
    return tensor ? memset(tensor->data, 0, (size_t)tensor->count * sizeof(float)) : NULL;
}

/* An array of the tape's arena, or, with `take` false, back to it. */
static inline void *room(void *block, int64_t count, size_t size, bool take)
{
    const size_t bytes = (size_t)count * size;
    if (take)
        return arena_alloc(tape_arena(), bytes);
    arena_recycle(tape_arena(), block, bytes);
    return NULL;
}

/* Inputs, and which tokens count. cut_end hands back what it took. */
Work cut_start(const CutProblem *problem, Tensor *const *inputs);
void cut_end(Work *work);

/* One pass: body(work, bench, first, columns) for all runs of up to `columns` of `held`, threads taking what is next,
   each at a bench of its own; vectors of `passing` go by each. sums: whether benches have some in any case. */
typedef void CutTask(Work *work, const Bench *bench, int64_t first, int64_t columns);
void cut_pass(Work *work, const Vectors *held, const Vectors *passing, bool sums, CutTask *task);

/* Packs vectors first to first + columns. */
void cut_hold(const Vectors *held, int64_t first, int64_t columns, const Bench *bench);
Chunk cut_passing(const Vectors *passing, int64_t first, int64_t rows, const Bench *bench);
/* Products of the chunk with what is held: rows of the tile, COLUMNS + MARGIN floats apart, whole panels long. */
void cut_multiply(const Chunk *chunk, int64_t columns, const Bench *bench);
/* to += tile^T * chunk, over rows begin to end of tile and chunk: column j goes to row first + j of `to`, or, with an
   index, to the row that it gives. With `fetches` the chunk behind is on its way to the cache meanwhile. */
void cut_add_products(const Chunk *chunk, int64_t begin, int64_t end, const Bench *bench, int64_t first,
                      int64_t columns, const int32_t *index, bool fetches, float *to);
/* A row of the tile as products, with its biases (n of them, or NULL), becomes logits: c tanh((x + b)/c). */
void cut_finish_logits(const CutProblem *problem, int64_t n, const float *bias, float *z);
/* The next run of kept groups of `rows` from row *begin on, as rows *begin to *end; false: there is none. */
bool cut_next_kept(const bool *kept, int64_t rows, int64_t *begin, int64_t *end);

/* Puts order and places where `to` points, [words + tokens], and the words into that order. lent: `count` floats to
   work with. */
void cut_make_order(Work *work, int32_t *to, float *lent, int64_t count);

#endif
