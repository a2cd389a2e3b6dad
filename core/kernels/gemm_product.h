/* One call of sgemm, as the files that compute it see it. */
#ifndef XENT_KERNELS_GEMM_PRODUCT_H
#define XENT_KERNELS_GEMM_PRODUCT_H

#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"

typedef struct Matrix {
    const float *data;
    int64_t row_stride, column_stride; /* of op(A) or op(B), in floats */
} Matrix;

/* C is cut into tasks, which pack what they read themselves: threads then meet nowhere, and read
   what they have written. */
typedef struct Product {
    const Kernels *kernels;
    Matrix a, b;
    const GemmFinish *finish;   /* never NULL */
    float *c;
    int64_t ldc, m, n, k;
    float beta;
    bool packs_a, packs_b;      /* else read in place, but for the last columns of B where they are no full block */
    bool far;                   /* C is more than a quarter of the second cache: it does not stay there, nor does B */
    int64_t task_rows, task_columns;
    int64_t most_rows, piece_k; /* of A that are read again and again, packed or not */
} Product;

/* Multiplications below which waking other threads costs more than it brings. */
enum { GEMM_THREADS_PAY = 500 * 1000 };

/* Products too small or narrow for tiles: done by sums of rows or by products of rows, everything but what follows
   the bias; else false, and nothing is done. */
bool gemm_small(Product *product);

/* Those whose B lies along its rows and stays in the second cache, likewise, with all that follows. */
bool gemm_near(Product *product);

/* Those whose cut of k gives every thread as many pieces, and whose C is small, likewise. */
bool gemm_pieces(const Product *product);

/* Any that are not small, as the thread can that calls it. */
void gemm_tiled(Product *product);

/* Large ones, likewise, whose packing and cuts of k and rows are chosen. */
bool gemm_large(const Product *product);

bool gemm_finishes(const Product *product); /* whether anything follows the bias */
/* It, for rows [row, row_end) and columns [column, column_end) of C. */
void gemm_finish(const Product *product, int64_t row, int64_t row_end, int64_t column, int64_t column_end);

#endif
