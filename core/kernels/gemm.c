/* The product of large matrices after Goto: C is cut into blocks; the parts of A and B that a block
   needs are packed in the order in which gemm_tile reads them, where that pays, or read in place; tiles of
   mr x nr are then computed in registers. Every element of C is a sum over k in one fixed order, whichever
   thread computes it. */
#include "core/kernels/gemm.h"

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/gemm_tiles.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

/* The largest piece <= limit (a multiple of unit) that cuts n into equal parts. */
static int64_t even_piece(int64_t n, int64_t limit, int64_t unit)
{
    return round_up(ceil_div(n, ceil_div(n, limit)), unit);
}

static int64_t second_cache;
static pthread_once_t second_cache_once = PTHREAD_ONCE_INIT;

/* Its size in bytes. The limits keep what a strange machine reports from making absurd blocks. */
static void measure_second_cache(void)
{
    long size = -1;
#ifdef _SC_LEVEL2_CACHE_SIZE
    size = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    second_cache = size >= 128 << 10 && size <= 8 << 20 ? (int64_t)size : 512 << 10;
}

static void compute_tasks(void *context, int64_t begin, int64_t end)
{
    const Product *p = context;
    const int64_t across = ceil_div(p->n, p->task_columns);
    const int64_t room_a = p->packs_a ? gemm_packed_rows(p->most_rows, p->piece_k) : 0;
    const bool finishes = gemm_finishes(p);
    for (int64_t task = begin; task < end; task++) {
        Block t = {.product = p, .packed_a = gemm_scratch(room_a + p->task_columns * p->piece_k)};
        t.packed_b = t.packed_a + room_a;
        const int64_t first_row = task / across * p->task_rows, last_row = smaller(first_row + p->task_rows, p->m);
        t.column = task % across * p->task_columns;
        t.column_end = smaller(t.column + p->task_columns, p->n);
        for (; t.first_k < p->k; t.first_k += t.k) {
            t.k = smaller(p->piece_k, p->k - t.first_k);
            for (t.row = first_row; t.row < last_row; t.row = t.row_end) {
                t.row_end = smaller(t.row + p->most_rows, last_row);
                t.fresh = t.row == first_row;
                t.alone = t.fresh && t.row_end == last_row;
                gemm_compute_block(&t);
                if (finishes && t.first_k + t.k == p->k)
                    gemm_finish(p, t.row, t.row_end, t.column, t.column_end);
            }
        }
    }
}

/* Reading in place costs nothing where rows of A lie along k and no multiple of a page apart, or a block of columns is
   all there is; packing B pays when many rows read it. */
static void choose_packing(Product *t)
{
    enum { FEW = 2, FEW_ROWS = 6 };
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr;
    t->packs_a = t->a.column_stride == 1 ? t->a.row_stride % GEMM_PAGE == 0 && t->n > FEW * nr : t->n > FEW * nr;
    t->packs_b = t->b.column_stride != 1 || t->m > FEW_ROWS * mr;
}

/* Cycles for a value that is packed: where whole vectors are copied, and where lines are turned; reading in place costs
   too, beyond the first caches. */
static double packing_cycles(bool packs, bool vectors, double in_place)
{
    return !packs ? in_place : vectors ? 0.6 : 1;
}

/* Of the cuts into `count` tasks or more, the one that is done first: a cycle for a vector of multiplications, and what
   tasks pack, for each value of k. */
static void choose_tasks(Product *t, int64_t count)
{
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr, threads = threads_free();
    const double a_cycles = packing_cycles(t->packs_a, t->a.row_stride == 1, 0.3);
    const double b_cycles = packing_cycles(t->packs_b, t->b.column_stride == 1, 0.2);
    double least = INFINITY;
    for (int64_t across = 1; across <= count; across++) {
        const int64_t columns = even_piece(t->n, ceil_div(t->n, across), nr);
        const int64_t rows = even_piece(t->m, ceil_div(t->m, ceil_div(count, ceil_div(t->n, columns))), mr);
        const int64_t turns = ceil_div(ceil_div(t->n, columns) * ceil_div(t->m, rows), threads);
        const double cycles = (double)(rows * columns) * 2 / (double)nr + a_cycles * (double)rows +
                              b_cycles * (double)columns;
        if ((double)turns * cycles < least) {
            least = (double)turns * cycles;
            t->task_rows = rows;
            t->task_columns = columns;
        }
    }
}

/* Several for each thread, so that one that is held up does not hold up the others by much. */
static int64_t count_tasks(const Product *t)
{
    enum { MOST_ROWS = 4096, MOST_COLUMNS = 1024, TASKS_EACH = 4, TASK_PAYS = 400 * 1000 };
    const int64_t work = t->m * t->n * t->k, threads = threads_free();
    const int64_t least = ceil_div(t->m, MOST_ROWS) * ceil_div(t->n, MOST_COLUMNS);
    if (threads == 1 || work < GEMM_THREADS_PAY)
        return least;
    const int64_t count = threads * smaller(TASKS_EACH, work / (threads * TASK_PAYS) + 1);
    return count > least ? count : least;
}

static void multiply_packed(Product *t)
{
    enum { MOST_K = 1024, LEAST_TILES = 8, MOST_A = 512 * 1024 };
    pthread_once(&second_cache_once, measure_second_cache);
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr, size = sizeof(float);
    /* Half of the second cache, MOST_A bytes at most, holds rows of A, LEAST_TILES tiles of them at least, while panels
       of B flow through the first. The more values of k at once, the less often C is read and written again. */
    const int64_t bytes_a = smaller(MOST_A, second_cache / 2);
    const int64_t limit_k = smaller(MOST_K, bytes_a / (LEAST_TILES * mr * size));
    t->piece_k = even_piece(t->k, limit_k, 1);
    t->most_rows = bytes_a / (t->piece_k * size);
    t->far = t->m * t->n * size > second_cache / 4;
    choose_packing(t);
    if (gemm_large(t) || gemm_pieces(t))
        return;
    const int64_t count = count_tasks(t);
    t->task_rows = round_up(t->m, mr);
    t->task_columns = round_up(t->n, nr);
    if (count > 1)
        choose_tasks(t, count);
    int64_t limit_m = round_up(t->most_rows, mr);
    if (gemm_finishes(t)) /* while the rows of C are near */
        limit_m = smaller(limit_m, round_up(second_cache / 8 / (t->task_columns * size), mr));
    t->most_rows = even_piece(t->task_rows, limit_m, mr);
    const int64_t tasks = count == 1 ? 1 : ceil_div(t->m, t->task_rows) * ceil_div(t->n, t->task_columns);
    parallel_for(tasks, t->m * t->n * t->k < GEMM_THREADS_PAY ? tasks : 1, compute_tasks, t);
}

void gemm_tiled(Product *t)
{
    if (!gemm_near(t))
        multiply_packed(t);
}

/* ---- Entry points ---- */

void sgemm_finish(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                  const float *b, int64_t ldb, float beta, const GemmFinish *finish, float *c, int64_t ldc)
{
    static const GemmFinish nothing;
    Product t = {.kernels = kernels(),
                 .a = {a, transpose_a ? 1 : lda, transpose_a ? lda : 1},
                 .b = {b, transpose_b ? 1 : ldb, transpose_b ? ldb : 1},
                 .finish = finish ? finish : &nothing,
                 .c = c,
                 .ldc = ldc,
                 .m = m,
                 .n = n,
                 .k = k,
                 .beta = beta};
    if (m == 0 || n == 0)
        return;
    if (!gemm_small(&t))
        gemm_tiled(&t);
    else if (gemm_finishes(&t))
        gemm_finish(&t, 0, m, 0, n);
}

void sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
           int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    sgemm_finish(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta, NULL, c, ldc);
}

typedef struct Batch {
    bool transpose_a, transpose_b;
    int64_t m, n, k, lda, ldb, ldc, stride_a, stride_b, stride_c;
    const float *a, *b;
    float *c;
    float beta;
} Batch;

static void run_batch(void *context, int64_t begin, int64_t end)
{
    const Batch *t = context;
    for (int64_t i = begin; i < end; i++)
        sgemm(t->transpose_a, t->transpose_b, t->m, t->n, t->k, t->a + i * t->stride_a, t->lda,
              t->b + i * t->stride_b, t->ldb, t->beta, t->c + i * t->stride_c, t->ldc);
}

void sgemm_batch(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
                 const float *a, int64_t lda, int64_t stride_a, const float *b, int64_t ldb,
                 int64_t stride_b, float beta, float *c, int64_t ldc, int64_t stride_c,
                 int64_t batch)
{
    /* Products this large are worth sharing one by one, which also suits a small batch. */
    enum { LARGE = 64 * 1000 * 1000 };
    Batch t = {transpose_a, transpose_b, m, n, k, lda, ldb, ldc, stride_a, stride_b, stride_c,
               a, b, c, beta};
    const int64_t work = m * n * k;
    if (work >= LARGE)
        run_batch(&t, 0, batch);
    else
        parallel_for(batch, work >= GEMM_THREADS_PAY ? 1 : GEMM_THREADS_PAY / (work + 1) + 1, run_batch, &t);
}
