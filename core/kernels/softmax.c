#include "core/kernels/softmax.h"

#include <math.h>

#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/kernels/kernels.h"

/* Measured (BENCHMARKS.md). A result of STREAM_FROM values is more than caches keep until it is read: in two passes it
   is written past them, which spares reading what is overwritten. Where exponentials are cheap (AVX-512) that is faster
   from rows of STREAM_LEAST_ROW on; elsewhere the second exponential takes longer than memory would. Smaller results
   stay in the caches, where arithmetic alone counts. */
enum { STREAM_FROM = 1 << 23, STREAM_LEAST_ROW = 1 << 10 };

/* Threads share a row where there are few wide ones, or where it is so long that its second pass finds nothing in the
   caches anyway. Of such rows a thread takes up to LONG_GRAIN pieces that follow each other: memory likes that better
   than threads that alternate. */
enum {
    FEW_ROWS = 16, FEW_ROWS_OF_DEAR_EXPONENTIALS = 4, WIDE_ROW = 1 << 17, LONG_ROW = 1 << 22, GROUP = 1 << 20,
    LONG_GRAIN = 16
};

enum { CHUNK = 1 << 14 };       /* values that a thread takes at least, of short rows */

SoftmaxSum softmax_add(int64_t count, const SoftmaxSum *pieces)
{
    SoftmaxSum whole = {0, -INFINITY};
    for (int64_t i = 0; i < count; i++)
        whole.exponent = pieces[i].exponent > whole.exponent ? pieces[i].exponent : whole.exponent;
    for (int64_t i = 0; i < count; i++)
        whole.sum += ldexp(pieces[i].sum, (int)(pieces[i].exponent - whole.exponent));
    return whole;
}

/* Values below -2^21 count as 0: right where the largest is 200 above. */
bool softmax_sum_is_exact(SoftmaxSum sum)
{
    return sum.sum > 0 && isfinite(sum.sum) && sum.exponent > -3025000.0F;
}

typedef struct SoftmaxJob {
    int64_t n, pieces;          /* of a row */
    const float *x;
    float *y;
    bool stream;
    SoftmaxSum *sums, *wholes;  /* of each piece and of each row, where threads share rows */
} SoftmaxJob;

static int64_t piece_size(const SoftmaxJob *job, int64_t piece)
{
    int64_t left = job->n - piece * SOFTMAX_PIECE;
    return left < SOFTMAX_PIECE ? left : SOFTMAX_PIECE;
}

static void three_pass_rows(void *context, int64_t begin, int64_t end)
{
    const SoftmaxJob *job = context;
    for (int64_t row = begin; row < end; row++)
        kernels()->softmax.three_pass_row(job->n, job->x + row * job->n, job->y + row * job->n);
}

static void two_pass_rows(void *context, int64_t begin, int64_t end)
{
    const SoftmaxJob *job = context;
    for (int64_t row = begin; row < end; row++) {
        const float *x = job->x + row * job->n;
        SoftmaxSum whole = {0, -INFINITY};
        for (int64_t piece = 0; piece < job->pieces; piece++) {
            SoftmaxSum sum = kernels()->softmax.sum_piece(piece_size(job, piece), x + piece * SOFTMAX_PIECE);
            whole = softmax_add(2, (const SoftmaxSum[]){whole, sum});
        }
        if (softmax_sum_is_exact(whole))
            kernels()->softmax.divide_piece(job->n, x, whole, job->stream, job->y + row * job->n);
        else
            kernels()->softmax.three_pass_row(job->n, x, job->y + row * job->n);
    }
}

static void sum_pieces(void *context, int64_t begin, int64_t end)
{
    const SoftmaxJob *job = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i / job->pieces, piece = i % job->pieces;
        const float *x = job->x + row * job->n + piece * SOFTMAX_PIECE;
        job->sums[i] = kernels()->softmax.sum_piece(piece_size(job, piece), x);
    }
}

static void divide_pieces(void *context, int64_t begin, int64_t end)
{
    const SoftmaxJob *job = context;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i / job->pieces, piece = i % job->pieces, at = row * job->n + piece * SOFTMAX_PIECE;
        if (softmax_sum_is_exact(job->wholes[row]))
            kernels()->softmax.divide_piece(piece_size(job, piece), job->x + at, job->wholes[row], job->stream,
                                            job->y + at);
    }
}

/* Every thread on pieces of the same rows: all sums first, then all of the result. */
static void share_rows(SoftmaxJob *job, int64_t rows)
{
    const int64_t most = rows * job->pieces / 64 + 1, grain = most < LONG_GRAIN ? most : LONG_GRAIN;
    parallel_for(rows * job->pieces, grain, sum_pieces, job);
    for (int64_t row = 0; row < rows; row++)
        job->wholes[row] = softmax_add(job->pieces, job->sums + row * job->pieces);
    parallel_for(rows * job->pieces, grain, divide_pieces, job);
    for (int64_t row = 0; row < rows; row++)
        if (!softmax_sum_is_exact(job->wholes[row]))
            three_pass_rows(job, row, row + 1);
}

static void share_groups_of_rows(SoftmaxJob *job, int64_t rows)
{
    int64_t group = (GROUP + job->n - 1) / job->n;
    job->sums = memory_array((size_t)(group * job->pieces), sizeof *job->sums);
    job->wholes = memory_array((size_t)group, sizeof *job->wholes);
    for (int64_t row = 0; row < rows; row += group) {
        share_rows(job, rows - row < group ? rows - row : group);
        job->x += group * job->n;
        job->y += group * job->n;
    }
    memory_free(job->sums);
    memory_free(job->wholes);
}

static SoftmaxPasses choose_passes(int64_t rows, int64_t n, bool share, bool stream)
{
    bool two = kernels()->softmax.cheap_exponentials ? share || (stream && n >= STREAM_LEAST_ROW)
                                                     : n >= WIDE_ROW && rows < FEW_ROWS_OF_DEAR_EXPONENTIALS;
    return two ? SOFTMAX_TWO_PASS : SOFTMAX_THREE_PASS;
}

void softmax_rows(SoftmaxPasses passes, int64_t rows, int64_t n, const float *x, float *y)
{
    SoftmaxJob job = {.n = n, .pieces = (n + SOFTMAX_PIECE - 1) / SOFTMAX_PIECE, .x = x, .y = y,
                      .stream = rows * n >= STREAM_FROM};
    bool share = n >= LONG_ROW || (n >= WIDE_ROW && rows < FEW_ROWS);
    if (passes == SOFTMAX_BY_SHAPE)
        passes = choose_passes(rows, n, share, job.stream);
    if (passes == SOFTMAX_TWO_PASS && share)
        share_groups_of_rows(&job, rows);
    else
        parallel_for(rows, CHUNK / (n + 1) + 1, passes == SOFTMAX_TWO_PASS ? two_pass_rows : three_pass_rows, &job);
}
