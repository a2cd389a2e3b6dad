/* Products of blocks that the caller has packed, and keeps packed, on the calling thread: for fused operations, whose
   tasks multiply between other work. Values of a panel lie together: a panel of B is `nr` columns (kernels()->nr),
   [k][nr]; one of A `mr` rows, [k][mr]. */
#ifndef XENT_KERNELS_GEMM_BLOCK_H
#define XENT_KERNELS_GEMM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Value (i, p) of A is at data + i / mr * tile + i % mr * row + p * step. */
typedef struct GemmLeft {
    const float *data;
    int64_t tile, row, step;
} GemmLeft;

/* Value (p, j) of B is at data + j / nr * panel + p * step + j % nr; of columns that the last panel does not fill,
   values behind are read. */
typedef struct GemmRight {
    const float *data;
    int64_t panel, step;
} GemmRight;

/* Rows of a matrix as they lie: `stride` floats apart. */
GemmLeft gemm_left_rows(const float *data, int64_t stride);
/* Panels of `rows` rows. */
GemmRight gemm_right_panels(const float *data, int64_t rows);
/* n rounded up to whole panels of B. */
int64_t gemm_whole_panels(int64_t n);
/* c [m, n] = a b, or c + a b where `adds`; k values a sum. */
void gemm_block(int64_t m, int64_t n, int64_t k, GemmLeft a, GemmRight b, bool adds, float *c, int64_t ldc);

/* The first k rows of B, n values each, `stride` floats apart, to panels `panel` floats apart; the columns that are
   missing from the last become zeros. */
void gemm_block_put_rows(int64_t k, int64_t n, const float *rows, int64_t stride, int64_t panel, float *to);
/* The transpose of rows put as above (n values each): `count` <= nr rows from row `first` on become one panel of B,
   [n][nr]; the columns that are missing become zeros. */
void gemm_block_turn(int64_t n, int64_t first, int64_t count, GemmRight from, float *to);

#endif
