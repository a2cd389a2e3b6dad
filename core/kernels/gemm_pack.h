/* The order in which the register blocks of gemm.c read. */
#ifndef XENT_KERNELS_GEMM_PACK_H
#define XENT_KERNELS_GEMM_PACK_H

#include <stdint.h>

/* Packs `lines` <= width lines (rows of A or columns of B) as k groups of `width` values; the lines that are missing
   become zeros. Value p of a line is at line_stride times the line + p k_stride, one of which is 1. */
void pack_panel(int64_t width, int64_t lines, int64_t k, const float *from, int64_t line_stride, int64_t k_stride,
                float *to);

#endif
