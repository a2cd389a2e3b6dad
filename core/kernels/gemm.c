/* The product of large matrices after Goto: C is cut into blocks; the parts of A and B that a block
   needs are packed in the order in which gemm_tile reads them, where that pays, or read in place; tiles of
   mr x nr are then computed in registers. Every element of C is a sum over k in one fixed order, whichever
   thread computes it. */
#include "core/kernels/gemm.h"

#include "core/base/threads.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/kernels.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Multiplications below which waking other threads, or packing, costs more than it brings (measured:
   packing already pays at 8 x 8 x 8), and the sizes for which most of a tile would be wasted. */
enum { THREADS_PAY = 500 * 1000, PACKING_PAYS = 512, SKINNY = 4 };

typedef struct Matrix {
    const float *data;
    int64_t row_stride, column_stride; /* of op(A) or op(B), in floats */
} Matrix;

/* One call of sgemm; block_* describe the part of it under way. */
typedef struct Product {
    const Kernels *kernels;
    Matrix a, b;
    const float *bias;          /* n values added to every row, or NULL */
    float *c;
    int64_t ldc, m, n, k;
    float beta;
    bool packs_a, packs_b;      /* else read in place, but for the last columns of B where they are no full block */
    int64_t block_m, block_n, block_k;       /* sizes of the part */
    int64_t first_row, first_column, first_k; /* where it begins */
    int64_t task_rows, task_columns;          /* the part is cut into tasks of this size */
    float *packed_a, *packed_b;
} Product;

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

/* So many panels read whole cache lines of rows that lie next to each other. */
enum { PANELS_TOGETHER = 4 };

static void pack_a(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const int64_t mr = t->kernels->mr;
    for (int64_t panel = begin, count; panel < end; panel += count) {
        const int64_t row = panel * mr, whole = smaller(smaller(end - panel, PANELS_TOGETHER), (t->block_m - row) / mr);
        const float *from = t->a.data + (t->first_row + row) * t->a.row_stride +
                            t->first_k * t->a.column_stride;
        float *to = t->packed_a + row * t->block_k;
        if (t->a.row_stride == 1 && whole > 0) {
            t->kernels->gemm_pack_a(whole, t->block_k, from, t->a.column_stride, to);
            count = whole;
        } else {
            pack_panel(mr, smaller(mr, t->block_m - row), t->block_k, from, t->a.row_stride, t->a.column_stride, to);
            count = 1;
        }
    }
}

static void pack_b(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const int64_t nr = t->kernels->nr;
    for (int64_t panel = begin; panel < end; panel++) {
        const int64_t column = panel * nr;
        if (!t->packs_b && column + nr <= t->block_n)
            continue;
        const float *from = t->b.data + t->first_k * t->b.row_stride +
                            (t->first_column + column) * t->b.column_stride;
        float *to = t->packed_b + column * t->block_k;
        if (t->b.column_stride == 1 && column + nr <= t->block_n)
            t->kernels->gemm_pack_b(t->block_k, from, t->b.row_stride, to);
        else
            pack_panel(nr, smaller(nr, t->block_n - column), t->block_k, from, t->b.column_stride, t->b.row_stride, to);
    }
}

/* ---- Computing ---- */

typedef struct Panel {
    const float *data;
    int64_t step;
} Panel;

/* Columns of B from `column` of the block on. */
static Panel panel_of_b(const Product *t, int64_t column)
{
    if (t->packs_b || column + t->kernels->nr > t->block_n)
        return (Panel){t->packed_b + column * t->block_k, t->kernels->nr};
    return (Panel){t->b.data + t->first_k * t->b.row_stride + t->first_column + column, t->b.row_stride};
}

/* A block that sticks out of C is computed beside it and then copied. */
static void edge_tile(const Product *t, int64_t rows, int64_t columns, const float *a, Panel b, const float *bias,
                      float beta, float *c)
{
    float tile[KERNEL_MAX_MR * KERNEL_MAX_NR] __attribute__((aligned(64))), padded[KERNEL_MAX_NR] = {0};
    const int64_t nr = t->kernels->nr, a_row = t->packs_a ? 1 : t->a.row_stride;
    const int64_t a_step = t->packs_a ? t->kernels->mr : t->a.column_stride;
    if (bias != NULL)
        memcpy(padded, bias, (size_t)columns * sizeof(float));
    t->kernels->gemm_tile[rows - 1](t->block_k, a, a_row, a_step, b.data, b.step, padded, 0.0F, tile, nr);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float *to = &c[i * t->ldc + j];
            *to = beta == 0.0F ? tile[i * nr + j] : tile[i * nr + j] + beta * *to;
        }
}

static void compute_task(const Product *t, int64_t task)
{
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr;
    const int64_t tasks_across = cut(t->block_n, t->task_columns);
    const int64_t row0 = task / tasks_across * t->task_rows;
    const int64_t column0 = task % tasks_across * t->task_columns;
    const int64_t row_end = smaller(row0 + t->task_rows, t->block_m);
    const int64_t column_end = smaller(column0 + t->task_columns, t->block_n);
    const int64_t a_row = t->packs_a ? 1 : t->a.row_stride, a_step = t->packs_a ? mr : t->a.column_stride;
    /* Later parts of k add to what the first one left. */
    const bool first = t->first_k == 0;
    const float beta = first ? t->beta : 1.0F;
    for (int64_t j = column0; j < column_end; j += nr) {
        const Panel b = panel_of_b(t, j);
        const float *bias = first && t->bias != NULL ? t->bias + t->first_column + j : NULL;
        for (int64_t i = row0; i < row_end; i += mr) {
            const float *a = t->packs_a ? t->packed_a + i * t->block_k
                                        : t->a.data + (t->first_row + i) * a_row + t->first_k * a_step;
            float *c = t->c + (t->first_row + i) * t->ldc + t->first_column + j;
            const int64_t rows = smaller(mr, row_end - i), columns = smaller(nr, column_end - j);
            if (columns == nr)
                t->kernels->gemm_tile[rows - 1](t->block_k, a, a_row, a_step, b.data, b.step, bias, beta, c, t->ldc);
            else
                edge_tile(t, rows, columns, a, b, bias, beta, c);
        }
    }
}

static void compute_tasks(void *context, int64_t begin, int64_t end)
{
    for (int64_t task = begin; task < end; task++)
        compute_task(context, task);
}

/* Tasks as large as the caches like, but small enough for many threads to share the work evenly. */
static void choose_tasks(Product *t, int64_t limit_m)
{
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr;
    t->task_rows = even_piece(t->block_m, limit_m, mr);
    t->task_columns = even_piece(t->block_n, 16 * nr, nr);
    for (;;) {
        const int64_t tasks = cut(t->block_m, t->task_rows) * cut(t->block_n, t->task_columns);
        const bool large = t->task_rows * t->task_columns * t->block_k >= 4 * THREADS_PAY;
        if (tasks >= 32 || !large)
            return;
        if (t->task_rows > 4 * mr)
            t->task_rows = round_up(t->task_rows / 2, mr);
        else if (t->task_columns > 2 * nr)
            t->task_columns = round_up(t->task_columns / 2, nr);
        else
            return;
    }
}

static int64_t pack_grain(int64_t panels, int64_t values)
{
    enum { PACKING_IN_THREADS_PAYS = 16 * 1024 };
    return values < PACKING_IN_THREADS_PAYS ? panels : cut(panels, 16);
}

static void run_block(Product *t, bool b_is_packed, int64_t limit_m)
{
    const int64_t a_panels = cut(t->block_m, t->kernels->mr);
    const int64_t b_panels = cut(t->block_n, t->kernels->nr);
    choose_tasks(t, limit_m);
    const int64_t tasks = cut(t->block_m, t->task_rows) * cut(t->block_n, t->task_columns);
    const bool alone = t->block_m * t->block_n * t->block_k < THREADS_PAY;
    if (!b_is_packed && (t->packs_b || t->block_n % t->kernels->nr != 0))
        parallel_for(b_panels, t->packs_b ? pack_grain(b_panels, t->block_n * t->block_k) : b_panels, pack_b, t);
    if (t->packs_a)
        parallel_for(a_panels, pack_grain(a_panels, t->block_m * t->block_k), pack_a, t);
    parallel_for(tasks, alone ? tasks : 1, compute_tasks, t);
}

/* Reading in place costs nothing where rows of A lie along k, or a block of columns is all there is; packing B pays
   when many rows read it. Rows a multiple of a page apart would push each other out of the first cache. */
static void choose_packing(Product *t)
{
    enum { FEW = 2, FEW_ROWS = 6, PAGE = 1024 };
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr;
    t->packs_a = t->a.column_stride == 1 ? t->a.row_stride % PAGE == 0 && t->n > FEW * nr : t->n > FEW * nr;
    t->packs_b = t->b.column_stride != 1 || t->m > FEW_ROWS * mr;
}

static void multiply_packed(Product *t)
{
    enum { MOST_COLUMNS = 4096, MOST_ROWS = 4096 };
    pthread_once(&cache_once, measure_caches);
    const int64_t mr = t->kernels->mr, nr = t->kernels->nr, size = sizeof(float);
    /* A panel of B flows through the first cache while half of the second holds rows of A. */
    const int64_t limit_k = smaller(512, cache.l1 * 3 / 2 / (nr * size));
    const int64_t piece_k = even_piece(t->k, limit_k, 1);
    const int64_t limit_m = round_up(cache.l2 / 2 / (piece_k * size), mr);
    const int64_t piece_n = even_piece(t->n, MOST_COLUMNS, nr);
    const int64_t piece_m = even_piece(t->m, MOST_ROWS, mr);
    choose_packing(t);
    const int64_t room_a = t->packs_a ? round_up(piece_m * piece_k, 16) : 0;
    t->packed_a = gemm_scratch(room_a + piece_n * piece_k);
    t->packed_b = t->packed_a + room_a;
    for (t->first_column = 0; t->first_column < t->n; t->first_column += piece_n)
        for (t->first_k = 0; t->first_k < t->k; t->first_k += piece_k)
            for (t->first_row = 0; t->first_row < t->m; t->first_row += piece_m) {
                t->block_m = smaller(piece_m, t->m - t->first_row);
                t->block_n = smaller(piece_n, t->n - t->first_column);
                t->block_k = smaller(piece_k, t->k - t->first_k);
                run_block(t, t->first_row > 0, limit_m);
            }
}

/* ---- Small and skinny products ---- */

static void scale_row(int64_t n, float beta, float *c)
{
    if (beta == 0.0F)
        memset(c, 0, (size_t)n * sizeof(float));
    else if (beta != 1.0F)
        for (int64_t j = 0; j < n; j++)
            c[j] *= beta;
}

/* Rows of op(B) lie in memory as rows: each row of C is a sum of them. */
static void multiply_by_rows(const Product *t)
{
    for (int64_t i = 0; i < t->m; i++) {
        float *c = t->c + i * t->ldc;
        scale_row(t->n, t->beta, c);
        for (int64_t p = 0; p < t->k; p++)
            t->kernels->axpy(t->n, t->a.data[i * t->a.row_stride + p * t->a.column_stride],
                             t->b.data + p * t->b.row_stride, c);
    }
}

static void set_element(float *c, float value, float beta)
{
    *c = beta == 0.0F ? value : value + beta * *c;
}

/* Columns of op(A) lie in memory as rows: each column of C is a sum of them. */
static void multiply_by_columns(const Product *t)
{
    float *sum = gemm_scratch(t->m);
    for (int64_t j = 0; j < t->n; j++) {
        memset(sum, 0, (size_t)t->m * sizeof(float));
        for (int64_t p = 0; p < t->k; p++)
            t->kernels->axpy(t->m, t->b.data[p * t->b.row_stride + j * t->b.column_stride],
                             t->a.data + p * t->a.column_stride, sum);
        for (int64_t i = 0; i < t->m; i++)
            set_element(&t->c[i * t->ldc + j], sum[i], t->beta);
    }
}

/* Rows of op(A) lie in memory as rows, and columns of op(B) do or are few enough to copy. */
static void multiply_by_dots(const Product *t)
{
    float *copy = t->b.row_stride == 1 ? NULL : gemm_scratch(t->k);
    for (int64_t j = 0; j < t->n; j++) {
        const float *column = t->b.data + j * t->b.column_stride;
        if (copy != NULL) {
            for (int64_t p = 0; p < t->k; p++)
                copy[p] = column[p * t->b.row_stride];
            column = copy;
        }
        for (int64_t i = 0; i < t->m; i++) {
            const float value = t->kernels->dot(t->k, t->a.data + i * t->a.row_stride, column);
            set_element(&t->c[i * t->ldc + j], value, t->beta);
        }
    }
}

/* Columns of op(B) lie in memory as rows, and rows of op(A) are few enough to copy. */
static void multiply_few_rows(const Product *t)
{
    float *copy = gemm_scratch(t->k);
    for (int64_t i = 0; i < t->m; i++) {
        for (int64_t p = 0; p < t->k; p++)
            copy[p] = t->a.data[i * t->a.row_stride + p * t->a.column_stride];
        for (int64_t j = 0; j < t->n; j++) {
            const float *column = t->b.data + j * t->b.column_stride;
            set_element(&t->c[i * t->ldc + j], t->kernels->dot(t->k, copy, column), t->beta);
        }
    }
}

/* ---- Few rows or few columns ---- */

/* Blocks of 4 x 4. Those that would stick out are moved back, and store only what is theirs. */
static void compute_dots(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const int64_t down = cut(t->m, 4);
    float dots[16];
    for (int64_t block = begin; block < end; block++) {
        const int64_t i = block % down * 4, row = smaller(i, t->m - 4);
        const int64_t j = block / down * 4, column = smaller(j, t->n - 4);
        t->kernels->gemm_dots(t->k, t->a.data + row * t->a.row_stride, t->a.row_stride,
                              t->b.data + column * t->b.column_stride, t->b.column_stride, dots);
        for (int64_t r = i; r < row + 4; r++)
            for (int64_t c = j; c < column + 4; c++)
                set_element(&t->c[r * t->ldc + c], dots[(r - row) * 4 + c - column] + (t->bias ? t->bias[c] : 0),
                            t->beta);
    }
}

/* Where rows of A, and columns of B or so few of them that copying is cheap, lie along k, and there is not enough
   of one for packing the other to pay. */
static bool dots_pay(const Product *t)
{
    enum { FEW = 16 };
    return t->a.column_stride == 1 && (t->n <= FEW || (t->m <= FEW && t->b.row_stride == 1));
}

static void multiply_dots(Product *t)
{
    if (t->b.row_stride != 1) {
        float *copy = gemm_scratch(t->n * t->k);
        for (int64_t p = 0; p < t->k; p++)
            for (int64_t j = 0; j < t->n; j++)
                copy[j * t->k + p] = t->b.data[p * t->b.row_stride + j * t->b.column_stride];
        t->b = (Matrix){copy, 1, t->k};
    }
    const int64_t blocks = cut(t->m, 4) * cut(t->n, 4);
    parallel_for(blocks, t->m * t->n * t->k < THREADS_PAY ? blocks : cut(blocks, 16), compute_dots, t);
}

static void add_bias(const Product *t)
{
    for (int64_t i = 0; i < t->m; i++)
        t->kernels->axpy(t->n, 1, t->bias, t->c + i * t->ldc);
}

/* ---- Entry points ---- */

void sgemm_bias(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
                const float *b, int64_t ldb, float beta, const float *bias, float *c, int64_t ldc)
{
    Product t = {.kernels = kernels(),
                 .a = {a, transpose_a ? 1 : lda, transpose_a ? lda : 1},
                 .b = {b, transpose_b ? 1 : ldb, transpose_b ? ldb : 1},
                 .bias = bias,
                 .c = c,
                 .ldc = ldc,
                 .m = m,
                 .n = n,
                 .k = k,
                 .beta = beta};
    if (m == 0 || n == 0)
        return;
    const bool plain = m < SKINNY || n < SKINNY || k < SKINNY || m * n < PACKING_PAYS / k;
    if (!plain) {
        if (dots_pay(&t))
            multiply_dots(&t);
        else
            multiply_packed(&t);
        return;
    }
    if (k == 0 || (!transpose_b && n >= SKINNY))
        multiply_by_rows(&t);
    else if (transpose_a && transpose_b && m < SKINNY)
        multiply_few_rows(&t);
    else if (transpose_a)
        multiply_by_columns(&t);
    else
        multiply_by_dots(&t);
    if (bias != NULL)
        add_bias(&t);
}

void sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
           int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    sgemm_bias(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta, NULL, c, ldc);
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
        parallel_for(batch, work >= THREADS_PAY ? 1 : THREADS_PAY / (work + 1) + 1, run_batch, &t);
}
