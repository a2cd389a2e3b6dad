/* The product of large matrices after Goto: C is cut into blocks; the parts of A and B that a block
   needs are packed in the order in which gemm_tile reads them, where that pays, or read in place; tiles of
   mr x nr are then computed in registers. Every element of C is a sum over k in one fixed order, whichever
   thread computes it. */
#include "core/kernels/gemm.h"

#include "core/base/threads.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/gemm_product.h"
#include "core/kernels/gemm_scratch.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* The part of a task under way: rows [row, row_end) of C, columns [column, column_end), values [first_k, first_k + k)
   of the sums. */
typedef struct Block {
    const Product *product;
    int64_t row, row_end, column, column_end, first_k, k;
    float *packed_a, *packed_b;
} Block;

static int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static int64_t cut(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static int64_t round_up(int64_t n, int64_t unit)
{
    return cut(n, unit) * unit;
}

/* The largest piece <= limit (a multiple of unit) that cuts n into equal parts. */
static int64_t even_piece(int64_t n, int64_t limit, int64_t unit)
{
    return round_up(cut(n, cut(n, limit)), unit);
}

/* ---- Sizes of the caches ---- */

static struct {
    int64_t l1, l2;
} cache;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static int64_t system_value(int name, int64_t least, int64_t most, int64_t fallback)
{
    const int64_t value = name < 0 ? -1 : (int64_t)sysconf(name);
    return value >= least && value <= most ? value : fallback;
}

/* The limits keep what a strange machine reports from making absurd blocks. */
static void measure_caches(void)
{
    int l1 = -1, l2 = -1;
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    l1 = _SC_LEVEL1_DCACHE_SIZE;
    l2 = _SC_LEVEL2_CACHE_SIZE;
#endif
    cache.l1 = system_value(l1, 16 << 10, 256 << 10, 32 << 10);
    cache.l2 = system_value(l2, 128 << 10, 8 << 20, 512 << 10);
}

/* ---- Packing ---- */

/* So many panels read whole cache lines of rows that lie next to each other. Lines a multiple of a page (in floats)
   apart push each other out of the first cache. */
enum { PANELS_TOGETHER = 4, PAGE = 1024 };

static void pack_a(const Block *t)
{
    const Matrix *a = &t->product->a;
    const int64_t mr = t->product->kernels->mr, rows = t->row_end - t->row;
    for (int64_t row = 0, count; row < rows; row += count * mr) {
        const int64_t whole = smaller(PANELS_TOGETHER, (rows - row) / mr);
        const float *from = a->data + (t->row + row) * a->row_stride + t->first_k * a->column_stride;
        float *to = t->packed_a + row * t->k;
        if (a->row_stride == 1 && whole > 0) {
            t->product->kernels->gemm_pack_a(whole, t->k, from, a->column_stride, to);
            count = whole;
        } else {
            pack_panel(mr, smaller(mr, rows - row), t->k, from, a->row_stride, a->column_stride, to);
            count = 1;
        }
    }
}

static void pack_b(const Block *t)
{
    const Matrix *b = &t->product->b;
    const int64_t nr = t->product->kernels->nr, columns = t->column_end - t->column;
    for (int64_t column = t->product->packs_b ? 0 : columns / nr * nr; column < columns; column += nr) {
        const float *from = b->data + t->first_k * b->row_stride + (t->column + column) * b->column_stride;
        float *to = t->packed_b + column * t->k;
        const bool whole = column + nr <= columns, apart = b->column_stride % PAGE != 0;
        if (whole && b->column_stride == 1)
            t->product->kernels->gemm_pack_b(t->k, from, b->row_stride, to);
        else if (whole && apart)
            t->product->kernels->gemm_turn_b(t->k, from, b->column_stride, to);
        else
            pack_panel(nr, smaller(nr, columns - column), t->k, from, b->column_stride, b->row_stride, to);
    }
}

/* ---- Computing ---- */

typedef struct Panel {
    const float *data;
    int64_t row, step;
} Panel;

static Panel panel_of_a(const Block *t, int64_t row)
{
    const Product *p = t->product;
    if (p->packs_a)
        return (Panel){t->packed_a + (row - t->row) * t->k, 1, p->kernels->mr};
    return (Panel){p->a.data + row * p->a.row_stride + t->first_k * p->a.column_stride, p->a.row_stride,
                   p->a.column_stride};
}

static Panel panel_of_b(const Block *t, int64_t column)
{
    const Product *p = t->product;
    if (p->packs_b || column + p->kernels->nr > t->column_end)
        return (Panel){t->packed_b + (column - t->column) * t->k, p->kernels->nr, p->kernels->nr};
    return (Panel){p->b.data + t->first_k * p->b.row_stride + column, 1, p->b.row_stride};
}

/* A tile that sticks out of C is computed beside it and then copied. */
static void edge_tile(const Block *t, int64_t rows, int64_t columns, Panel a, Panel b, const float *bias, float beta,
                      float *c)
{
    float tile[KERNEL_MAX_MR * KERNEL_MAX_NR] __attribute__((aligned(64))), padded[KERNEL_MAX_NR] = {0};
    const int64_t nr = t->product->kernels->nr, ldc = t->product->ldc;
    if (bias != NULL)
        memcpy(padded, bias, (size_t)columns * sizeof(float));
    t->product->kernels->gemm_tile[rows - 1](t->k, a.data, a.row, a.step, b.data, b.step, padded, 0.0F, tile, nr);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float *to = &c[i * ldc + j];
            *to = beta == 0.0F ? tile[i * nr + j] : tile[i * nr + j] + beta * *to;
        }
}

static void compute_block(const Block *t)
{
    const Product *p = t->product;
    const int64_t mr = p->kernels->mr, nr = p->kernels->nr;
    /* Later parts of k add to what the first one left. */
    const bool first = t->first_k == 0;
    const float beta = first ? p->beta : 1.0F;
    for (int64_t j = t->column; j < t->column_end; j += nr) {
        const Panel b = panel_of_b(t, j);
        const float *bias = first && p->finish->bias != NULL ? p->finish->bias + j : NULL;
        for (int64_t i = t->row; i < t->row_end; i += mr) {
            const Panel a = panel_of_a(t, i);
            float *c = p->c + i * p->ldc + j;
            const int64_t rows = smaller(mr, t->row_end - i), columns = smaller(nr, t->column_end - j);
            if (columns == nr)
                p->kernels->gemm_tile[rows - 1](t->k, a.data, a.row, a.step, b.data, b.step, bias, beta, c, p->ldc);
            else
                edge_tile(t, rows, columns, a, b, bias, beta, c);
        }
    }
}

static void compute_tasks(void *context, int64_t begin, int64_t end)
{
    const Product *p = context;
    const int64_t across = cut(p->n, p->task_columns);
    const int64_t room_a = p->packs_a ? round_up(p->most_rows * p->piece_k, 16) : 0;
    const bool finishes = gemm_finishes(p);
    for (int64_t task = begin; task < end; task++) {
        Block t = {.product = p, .packed_a = gemm_scratch(room_a + p->task_columns * p->piece_k)};
        t.packed_b = t.packed_a + room_a;
        const int64_t first_row = task / across * p->task_rows, last_row = smaller(first_row + p->task_rows, p->m);
        t.column = task % across * p->task_columns;
        t.column_end = smaller(t.column + p->task_columns, p->n);
        for (; t.first_k < p->k; t.first_k += t.k) {
            t.k = smaller(p->piece_k, p->k - t.first_k);
            pack_b(&t);
            for (t.row = first_row; t.row < last_row; t.row = t.row_end) {
                t.row_end = smaller(t.row + p->most_rows, last_row);
                if (p->packs_a)
                    pack_a(&t);
                compute_block(&t);
                if (finishes && t.first_k + t.k == p->k)
                    gemm_finish(p, t.row, t.row_end, t.column, t.column_end);
            }
        }
    }
}

/* Reading in place costs nothing where rows of A lie along k, or a block of columns is all there is; packing B pays
   when many rows read it. */
static void choose_packing(Product *t)
{
    enum { FEW = 2, FEW_ROWS = 6 };
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr;
    t->packs_a = t->a.column_stride == 1 ? t->a.row_stride % PAGE == 0 && t->n > FEW * nr : t->n > FEW * nr;
    t->packs_b = t->b.column_stride != 1 || t->m > FEW_ROWS * mr;
}


/* Cycles for a value that is packed: where whole vectors are copied, and where lines are turned; reading in place costs
   too, beyond the first caches. */
static double packing_cycles(bool packs, bool vectors, double in_place)
{
    return !packs ? in_place : vectors ? 0.3 : 1;
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
        const int64_t columns = even_piece(t->n, cut(t->n, across), nr);
        const int64_t rows = even_piece(t->m, cut(t->m, cut(count, cut(t->n, columns))), mr);
        const int64_t turns = cut(cut(t->n, columns) * cut(t->m, rows), threads);
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
    const int64_t least = cut(t->m, MOST_ROWS) * cut(t->n, MOST_COLUMNS);
    if (threads == 1 || work < GEMM_THREADS_PAY)
        return least;
    const int64_t count = threads * smaller(TASKS_EACH, work / (threads * TASK_PAYS) + 1);
    return count > least ? count : least;
}

static void multiply_packed(Product *t)
{
    pthread_once(&cache_once, measure_caches);
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr, size = sizeof(float);
    /* A panel of B flows through the first cache while half of the second holds rows of A. */
    const int64_t limit_k = smaller(512, cache.l1 * 3 / 2 / (nr * size));
    t->piece_k = even_piece(t->k, limit_k, 1);
    choose_packing(t);
    const int64_t count = count_tasks(t);
    t->task_rows = round_up(t->m, mr);
    t->task_columns = round_up(t->n, nr);
    if (count > 1)
        choose_tasks(t, count);
    int64_t limit_m = round_up(cache.l2 / 2 / (t->piece_k * size), mr);
    if (gemm_finishes(t)) /* while the rows of C are near */
        limit_m = smaller(limit_m, round_up(cache.l2 / 8 / (t->task_columns * size), mr));
    t->most_rows = even_piece(t->task_rows, limit_m, mr);
    const int64_t tasks = count == 1 ? 1 : cut(t->m, t->task_rows) * cut(t->n, t->task_columns);
    parallel_for(tasks, t->m * t->n * t->k < GEMM_THREADS_PAY ? tasks : 1, compute_tasks, t);
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
        multiply_packed(&t);
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
