/* Products too small or narrow for the tiles of gemm.c. */
#include "core/kernels/gemm_product.h"

#include <string.h>

#include "core/base/integers.h"
#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"

/* Multiplications below which packing costs more than it brings (measured: it already pays at 8 x 8 x 8), and the sizes
   for which most of a tile would be wasted. */
enum { PACKING_PAYS = 512, SKINNY = 4 };

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
    const int64_t down = ceil_div(t->m, 4);
    float dots[16];
    for (int64_t block = begin; block < end; block++) {
        const int64_t i = block % down * 4, row = smaller(i, t->m - 4);
        const int64_t j = block / down * 4, column = smaller(j, t->n - 4);
        t->kernels->gemm_dots(t->k, t->a.data + row * t->a.row_stride, t->a.row_stride,
                              t->b.data + column * t->b.column_stride, t->b.column_stride, dots);
        for (int64_t r = i; r < row + 4; r++)
            for (int64_t c = j; c < column + 4; c++)
                set_element(&t->c[r * t->ldc + c],
                            dots[(r - row) * 4 + c - column] + (t->finish->bias ? t->finish->bias[c] : 0), t->beta);
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
    const int64_t blocks = ceil_div(t->m, 4) * ceil_div(t->n, 4);
    parallel_for(blocks, t->m * t->n * t->k < GEMM_THREADS_PAY ? blocks : ceil_div(blocks, 16), compute_dots, t);
}

static void add_bias(const Product *t)
{
    for (int64_t i = 0; i < t->m; i++)
        t->kernels->axpy(t->n, 1, t->finish->bias, t->c + i * t->ldc);
}

static void multiply_plain(const Product *t)
{
    const bool turned_a = t->a.column_stride != 1, turned_b = t->b.column_stride != 1;
    if (t->k == 0 || (!turned_b && t->n >= SKINNY))
        multiply_by_rows(t);
    else if (turned_a && turned_b && t->m < SKINNY)
        multiply_few_rows(t);
    else if (turned_a)
        multiply_by_columns(t);
    else
        multiply_by_dots(t);
    if (t->finish->bias != NULL)
        add_bias(t);
}

bool gemm_small(Product *t)
{
    if (t->m < SKINNY || t->n < SKINNY || t->k < SKINNY || t->m * t->n < PACKING_PAYS / t->k)
        multiply_plain(t);
    else if (dots_pay(t))
        multiply_dots(t);
    else
        return false;
    return true;
}
