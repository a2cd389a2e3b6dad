/* The product of large matrices after Goto: C is cut into blocks; the parts of A and B that a block
   needs are packed in the order in which gemm_tile reads them; tiles of mr x nr are then computed in
   registers. Every element of C is a sum over k in one fixed order, whichever thread computes it. */
#include "core/kernels/gemm.h"

#include "core/base/threads.h"
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
    float *c;
    int64_t ldc, m, n, k;
    float beta;
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

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE
#endif
#endif

typedef float Four __attribute__((vector_size(16)));
typedef float FourInMemory __attribute__((vector_size(16), aligned(4), may_alias));

/* to[p * width + line] = from[line * line_stride + p] for 4 lines and 4 p. */
static inline void transpose_4x4(int64_t width, const float *from, int64_t line_stride, float *to)
{
#ifdef HAVE_SHUFFLE
    const Four x0 = *(const FourInMemory *)from;
    const Four x1 = *(const FourInMemory *)(from + line_stride);
    const Four x2 = *(const FourInMemory *)(from + 2 * line_stride);
    const Four x3 = *(const FourInMemory *)(from + 3 * line_stride);
    const Four low01 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5);
    const Four low23 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
    *(FourInMemory *)to = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(FourInMemory *)(to + width) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(FourInMemory *)(to + 2 * width) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(FourInMemory *)(to + 3 * width) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
#else
    for (int p = 0; p < 4; p++)
        for (int line = 0; line < 4; line++)
            to[p * width + line] = from[line * line_stride + p];
#endif
}

/* Lines that are contiguous along k. Four at a time, so that both reading and writing stay within few
   cache lines; strides that are powers of two would otherwise make all lines of a panel fall into one
   cache set. */
static void pack_lines(int64_t width, int64_t lines, int64_t k, const float *from,
                       int64_t line_stride, float *to)
{
    int64_t line = 0;
    for (; line + 4 <= lines; line += 4) {
        const float *x = from + line * line_stride;
        int64_t p = 0;
        for (; p + 4 <= k; p += 4)
            transpose_4x4(width, x + p, line_stride, to + p * width + line);
        for (; p < k; p++)
            for (int i = 0; i < 4; i++)
                to[p * width + line + i] = x[i * line_stride + p];
    }
    for (; line < lines; line++)
        for (int64_t p = 0; p < k; p++)
            to[p * width + line] = from[line * line_stride + p];
}

/* Lines that lie next to each other. Full panels are copied in steps of a size the compiler knows. */
static void pack_adjacent(int64_t width, int64_t lines, int64_t k, const float *from,
                          int64_t k_stride, float *to)
{
    enum { STEP = 4 };
    if (lines == width && width % STEP == 0)
        for (int64_t p = 0; p < k; p++)
            for (int64_t i = 0; i < width; i += STEP)
                memcpy(to + p * width + i, from + p * k_stride + i, STEP * sizeof(float));
    else
        for (int64_t p = 0; p < k; p++)
            for (int64_t i = 0; i < lines; i++)
                to[p * width + i] = from[p * k_stride + i];
}

/* Packs `lines` <= width lines (rows of A or columns of B) as k groups of `width` values; the lines
   that are missing become zeros. */
static void pack_panel(int64_t width, int64_t lines, int64_t k, const float *from,
                       int64_t line_stride, int64_t k_stride, float *to)
{
    if (line_stride == 1)
        pack_adjacent(width, lines, k, from, k_stride, to);
    else
        pack_lines(width, lines, k, from, line_stride, to);
    if (lines < width)
        for (int64_t p = 0; p < k; p++)
            memset(to + p * width + lines, 0, (size_t)(width - lines) * sizeof(float));
}

static void pack_a(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const int64_t mr = t->kernels->mr;
    for (int64_t panel = begin; panel < end; panel++) {
        const int64_t row = panel * mr;
        const float *from = t->a.data + (t->first_row + row) * t->a.row_stride +
                            t->first_k * t->a.column_stride;
        pack_panel(mr, smaller(mr, t->block_m - row), t->block_k, from, t->a.row_stride,
                   t->a.column_stride, t->packed_a + row * t->block_k);
    }
}

static void pack_b(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const int64_t nr = t->kernels->nr;
    for (int64_t panel = begin; panel < end; panel++) {
        const int64_t column = panel * nr;
        const float *from = t->b.data + t->first_k * t->b.row_stride +
                            (t->first_column + column) * t->b.column_stride;
        pack_panel(nr, smaller(nr, t->block_n - column), t->block_k, from, t->b.column_stride,
                   t->b.row_stride, t->packed_b + column * t->block_k);
    }
}

/* ---- Computing ---- */

/* A tile that sticks out of C is computed beside it and then copied. */
static void edge_tile(const Product *t, int64_t rows, int64_t columns, const float *a,
                      const float *b, float beta, float *c)
{
    float tile[KERNEL_MAX_MR * KERNEL_MAX_NR] __attribute__((aligned(64)));
    const int64_t nr = t->kernels->nr;
    t->kernels->gemm_tile(t->block_k, a, b, 0.0F, tile, nr);
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
    /* Later parts of k add to what the first one left. */
    const float beta = t->first_k == 0 ? t->beta : 1.0F;
    for (int64_t j = column0; j < column_end; j += nr)
        for (int64_t i = row0; i < row_end; i += mr) {
            const float *a = t->packed_a + i * t->block_k, *b = t->packed_b + j * t->block_k;
            float *c = t->c + (t->first_row + i) * t->ldc + t->first_column + j;
            const int64_t rows = smaller(mr, row_end - i), columns = smaller(nr, column_end - j);
            if (rows == mr && columns == nr)
                t->kernels->gemm_tile(t->block_k, a, b, beta, c, t->ldc);
            else
                edge_tile(t, rows, columns, a, b, beta, c);
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
    enum { PACKING_IN_THREADS_PAYS = 48 * 1024 };
    return values < PACKING_IN_THREADS_PAYS ? panels : cut(panels, 16);
}

static void run_block(Product *t, bool b_is_packed, int64_t limit_m)
{
    const int64_t a_panels = cut(t->block_m, t->kernels->mr);
    const int64_t b_panels = cut(t->block_n, t->kernels->nr);
    choose_tasks(t, limit_m);
    const int64_t tasks = cut(t->block_m, t->task_rows) * cut(t->block_n, t->task_columns);
    const bool alone = t->block_m * t->block_n * t->block_k < THREADS_PAY;
    if (!b_is_packed)
        parallel_for(b_panels, pack_grain(b_panels, t->block_n * t->block_k), pack_b, t);
    parallel_for(a_panels, pack_grain(a_panels, t->block_m * t->block_k), pack_a, t);
    parallel_for(tasks, alone ? tasks : 1, compute_tasks, t);
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
    t->packed_a = gemm_scratch(round_up(piece_m * piece_k, 16) + piece_n * piece_k);
    t->packed_b = t->packed_a + round_up(piece_m * piece_k, 16);
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

/* ---- Entry points ---- */

void sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
           int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    Product t = {.kernels = kernels(),
                 .a = {a, transpose_a ? 1 : lda, transpose_a ? lda : 1},
                 .b = {b, transpose_b ? 1 : ldb, transpose_b ? ldb : 1},
                 .c = c,
                 .ldc = ldc,
                 .m = m,
                 .n = n,
                 .k = k,
                 .beta = beta};
    if (m == 0 || n == 0)
        return;
    const bool plain = m < SKINNY || n < SKINNY || k < SKINNY || m * n < PACKING_PAYS / k;
    if (!plain)
        multiply_packed(&t);
    else if (k == 0 || (!transpose_b && n >= SKINNY))
        multiply_by_rows(&t);
    else if (transpose_a && transpose_b && m < SKINNY)
        multiply_few_rows(&t);
    else if (transpose_a)
        multiply_by_columns(&t);
    else
        multiply_by_dots(&t);
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
