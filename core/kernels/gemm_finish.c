/* What is done with a product while it is near, by the elementwise kernels: their bits, whether fused or not. */
#include <string.h>

#include "core/kernels/gemm_product.h"

static void finish_row(const Product *t, int64_t i, int64_t j, int64_t n)
{
    const GemmFinish *f = t->finish;
    const ElementwiseKernels *table = &t->kernels->elementwise;
    float *c = t->c + i * t->ldc + j;
    if (f->row_bias)
        table->unary[UNARY_add_scalar](n, c, c, f->row_bias[i], 0);
    if (f->scale != 0)
        table->unary[UNARY_scale](n, c, c, f->scale, 0);
    if (f->argument)
        memcpy(f->argument + i * t->ldc + j, c, (size_t)n * sizeof(float));
    if (f->activation)
        table->unary[f->activation](n, c, c, 0, 0);
    if (f->slope)
        table->unary_gradient[f->slope](n, f->slope_argument + i * t->ldc + j, f->slope_value + i * t->ldc + j, c, c, 0,
                                        0);
    if (f->residual)
        t->kernels->axpy(n, 1, f->residual + i * t->ldc + j, c);
}

bool gemm_finishes(const Product *t)
{
    const GemmFinish *f = t->finish;
    return f->row_bias || f->scale != 0 || f->argument || f->activation || f->slope || f->residual;
}

void gemm_finish(const Product *t, int64_t row, int64_t row_end, int64_t column, int64_t column_end)
{
    for (int64_t i = row; i < row_end; i++)
        finish_row(t, i, column, column_end - column);
}
