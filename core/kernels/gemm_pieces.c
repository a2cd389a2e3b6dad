/* Products of few rows and columns but many values of k: weights' gradients. Each thread takes pieces of k, and so the
   rows of A and B that it has probably made itself, and computes all of C from them; sums of later pieces wait beside C
   and are added in order. The bits are those of one thread, which goes through the pieces one after the other. */
#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/gemm_tiles.h"

typedef struct Pieces {
    const Product *product;
    float *sums;    /* [pieces - 1, m, n] */
} Pieces;

static void compute_pieces(void *context, int64_t begin, int64_t end)
{
    const Pieces *pieces = context;
    for (int64_t piece = begin; piece < end; piece++) {
        Product t = *pieces->product;
        const GemmFinish bias = {.bias = piece == 0 ? t.finish->bias : NULL}; /* what else follows, follows the sum */
        const int64_t first = piece * t.piece_k;
        t.k = smaller(t.piece_k, t.k - first);
        t.a.data += first * t.a.column_stride;
        t.b.data += first * t.b.row_stride;
        t.finish = &bias;
        if (piece > 0) {
            t.c = pieces->sums + (piece - 1) * t.m * t.n;
            t.ldc = t.n;
            t.beta = 0;
        }
        gemm_tiled(&t);
    }
}

static void add_pieces(void *context, int64_t begin, int64_t end)
{
    const Pieces *pieces = context;
    const Product *t = pieces->product;
    const int64_t count = ceil_div(t->k, t->piece_k);
    for (int64_t i = begin; i < end; i++)
        for (int64_t piece = 1; piece < count; piece++)
            t->kernels->axpy(t->n, 1, pieces->sums + ((piece - 1) * t->m + i) * t->n, t->c + i * t->ldc);
    if (gemm_finishes(t))
        gemm_finish(t, begin, end, 0, t->n);
}

bool gemm_pieces(const Product *t)
{
    /* So that what waits beside C stays in a second cache, and every thread gets as many pieces. */
    enum { MOST_SUMS = 1 << 17, TASKS_EACH = 4 };
    const int64_t threads = threads_free(), count = ceil_div(t->k, t->piece_k), size = t->m * t->n;
    if (threads == 1 || size * (count - 1) > MOST_SUMS || size * t->piece_k < GEMM_THREADS_PAY ||
        count % threads != 0)
        return false;
    const int64_t nr = t->kernels->nr, rows = round_up(t->m, t->kernels->mr);
    const int64_t room = gemm_packed_rows(rows, t->piece_k) + round_up(t->n, nr) * t->piece_k;
    /* Of the calling thread, behind what its own pieces pack. */
    Pieces pieces = {t, gemm_scratch(room + (count - 1) * size) + room};
    parallel_for(count, 1, compute_pieces, &pieces);
    parallel_for(t->m, ceil_div(t->m, TASKS_EACH * threads), add_pieces, &pieces);
    return true;
}
