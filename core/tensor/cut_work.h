/* Shared by the parts of cut cross-entropy of floats: forward (cut_cross_entropy.c), the order of the words
   (cut_order.c), backward (cut_backward.c). */
#ifndef XENT_TENSOR_CUT_WORK_H
#define XENT_TENSOR_CUT_WORK_H

#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/cut_cross_entropy.h"

/* A tile is ROWS x WORDS; both are multiples of every kernel's tiles. A block is as large as BLOCK_VALUES allow (at
   width 256 all the extra memory is then below 1 MB, the order of 32,768 words included). PIECE: of a sum, so that a
   panel stays in the first cache. */
enum { ROWS = 24, WORDS = 192, LEAST_BLOCK = 4 * ROWS, MOST_BLOCK = 10 * ROWS, BLOCK_VALUES = 10 * ROWS * WORDS,
       PIECE = 384, WORDS_OF_TASK = 24 };

/* What a block's tasks of tokens leave to its tasks of words. There are two in turn: with block b + 1 under way, block b
   is done. */
typedef struct Block {
    float *turned;              /* gradients by logits, packed as A of gradient^T * embeddings */
    float *gathered;            /* the embeddings side by side; NULL: they lie so */
    float *edge;                /* their last columns, where these fill no panel of B; else NULL */
    bool kept[MOST_BLOCK / ROWS]; /* tiles that the weight's gradient takes in */
    ThreadsCounter rows_done, words_done; /* tasks of this strip */
} Block;

typedef struct Work {
    const CutProblem *problem;
    const float *embeddings, *weight, *bias, *gradient;
    const int32_t *targets;
    float *loss, *parts;
    float *dembeddings, *dweight, *dbias; /* NULL: not wanted; the first by rows that count, until spread_rows */
    int32_t *valid;             /* [count] the tokens that are not ignored; NULL: all */
    int32_t *order;             /* [words] in which they are taken; NULL: as they come */
    int32_t *places;            /* [tokens] with an order: where the target stands in it */
    double *sum;                /* [count] in forward: exp(logit - largest) over the strips so far */
    float *by_word;             /* the strip, packed as B of gradient * weight; backward only */
    float *by_width;            /* and as B of embeddings * weight^T */
    Block blocks[2];
    int64_t count, block;       /* tokens that count; of a block */
    int64_t first_word, columns; /* the strip under way */
} Work;

static inline int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static inline int64_t pieces(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static inline int64_t rows_of(const Work *work, int64_t block)
{
    return smaller(work->block, work->count - block * work->block);
}

static inline int64_t token_of(const Work *work, int64_t row)
{
    return work->valid ? work->valid[row] : row;
}

static inline int64_t word_of(const Work *work, int64_t column)
{
    return work->order ? work->order[work->first_word + column] : work->first_word + column;
}

static inline const float *embedding_of(const Work *work, int64_t row)
{
    return work->embeddings + token_of(work, row) * work->problem->width;
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

static inline void next_strip(Work *work)
{
    work->columns = smaller(WORDS, work->problem->words - work->first_word);
}

/* Counts the tokens that are not ignored and, where some are, lists them; with `take` false the list goes back. */
void cut_find_valid(Work *work, bool take);
/* Logits of rows begin to end and the strip's words (packed in by_width), WORDS floats apart. Embeddings that must be
   gathered stay in `gathered`; NULL: in scratch. */
void cut_compute_logits(const Work *work, int64_t begin, int64_t end, float *gathered, float *z);
/* Where the options ask for one: order and places. The weight's gradient (may be NULL), of which nothing is there yet,
   lends its memory where that is enough. */
void cut_make_order(Work *work, Tensor *dweight);

#endif
