#include "core/kernels/gemm_block.h"

#include "core/base/integers.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/kernels.h"

GemmLeft gemm_left_rows(const float *data, int64_t stride)
{
    return (GemmLeft){data, kernels()->mr * stride, stride, 1};
}

GemmRight gemm_right_panels(const float *data, int64_t rows)
{
    return (GemmRight){data, rows * kernels()->nr, kernels()->nr};
}

int64_t gemm_whole_panels(int64_t n)
{
    const int64_t nr = kernels()->nr;
    return (n + nr - 1) / nr * nr;
}

void gemm_block(int64_t m, int64_t n, int64_t k, GemmLeft a, GemmRight b, bool adds, float *c, int64_t ldc)
{
    const Kernels *table = kernels();
    const int64_t mr = table->mr, nr = table->nr;
    for (int64_t j = 0; j < n; j += nr) {
        const float *right = b.data + j / nr * b.panel, *left = a.data;
        for (int64_t i = 0; i < m; i += mr, left += a.tile) {
            const int64_t rows = smaller(mr, m - i), columns = smaller(nr, n - j);
            float *to = c + i * ldc + j;
            if (columns == nr)
                table->gemm_tile[rows - 1](k, left, a.row, a.step, right, b.step, NULL, adds ? 1 : 0, to, ldc);
            else
                table->gemm_edge[rows - 1](columns, k, left, a.row, a.step, right, b.step, NULL, adds ? 1 : 0, to, ldc);
        }
    }
}

void gemm_block_put_rows(int64_t k, int64_t n, const float *rows, int64_t stride, int64_t panel, float *to)
{
    const int64_t nr = kernels()->nr;
    for (; n >= nr; n -= nr, rows += nr, to += panel)
        kernels()->gemm_pack_b(k, rows, stride, to);
    if (n > 0)
        kernels()->gemm_pack_edge(n, k, rows, stride, to);
}

void gemm_block_turn(int64_t n, int64_t first, int64_t count, GemmRight from, float *to)
{
    const int64_t nr = kernels()->nr;
    for (int64_t p = 0; p < n; p += nr) {
        const float *rows = from.data + p / nr * from.panel + first * nr;
        if (count == nr)
            kernels()->gemm_turn_b(smaller(nr, n - p), rows, nr, to + p * nr);
        else
            pack_panel(nr, count, smaller(nr, n - p), rows, nr, 1, to + p * nr);
    }
}
