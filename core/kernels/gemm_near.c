/* Products whose B lies along its rows and stays in the second cache. A and B are read where they lie, but for the last
   columns of B, where they fill no block; rows of C are computed from left to right, so that a tile's rows of A stay in
   the first cache for all of B. */
#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/gemm_tiles.h"

/* As few tiles as can be, and of equal height: few rows have too few sums to keep the multipliers busy. */
static void compute_rows(void *context, int64_t begin, int64_t end)
{
    const Product *t = context;
    const Kernels *table = t->kernels;
    const Matrix *a = &t->a, *b = &t->b;
    const float *bias = t->finish->bias;
    const int64_t nr = table->nr, columns = t->n % nr, whole = t->n - columns;
    const int64_t height = ceil_div(end - begin, ceil_div(end - begin, table->mr));
    const bool finishes = gemm_finishes(t);
    float *edge = columns > 0 ? gemm_scratch(t->k * nr) : NULL;
    if (columns > 0)
        table->gemm_pack_edge(columns, t->k, b->data + whole, b->row_stride, edge);
    for (int64_t i = begin; i < end; i += height) {
        const int64_t rows = smaller(height, end - i);
        const float *left = a->data + i * a->row_stride;
        float *c = t->c + i * t->ldc;
        for (int64_t j = 0; j < whole; j += nr)
            table->gemm_tile[rows - 1](t->k, left, a->row_stride, a->column_stride, b->data + j, b->row_stride,
                                       bias ? bias + j : NULL, t->beta, c + j, t->ldc);
        if (columns > 0)
            table->gemm_edge[rows - 1](columns, t->k, left, a->row_stride, a->column_stride, edge, nr,
                                       bias ? bias + whole : NULL, t->beta, c + whole, t->ldc);
        if (finishes)
            gemm_finish(t, i, i + rows, 0, t->n);
    }
}

bool gemm_near(Product *t)
{
    /* Measured: floats of B, and multiplications that pay for a second thread and for a task of their own. A thread
       that sleeps is woken for nothing, but at most once in the time that it looks for work. */
    enum { MOST_B = 1 << 17, MOST_K = 1024, THREADS_PAY = 200 * 1000, TASK_PAYS = 2 * 1000 * 1000, TASKS_EACH = 4 };
    const int64_t apart = t->a.column_stride == 1 ? t->a.row_stride : t->a.column_stride;
    if (t->b.column_stride != 1 || t->n * t->k > MOST_B || t->k > MOST_K || t->b.row_stride % GEMM_PAGE == 0 ||
        apart % GEMM_PAGE == 0)
        return false;
    const int64_t work = t->m * t->n * t->k, threads = work < THREADS_PAY ? 1 : threads_free();
    if (threads == 1)
        compute_rows(t, 0, t->m);
    else
        parallel_for(t->m, ceil_div(t->m, threads * smaller(TASKS_EACH, work / (threads * TASK_PAYS) + 1)),
                     compute_rows, t);
    return true;
}
