/* Blocks of C: what gemm.c and gemm_large.c have in common. */
#ifndef XENT_KERNELS_GEMM_TILES_H
#define XENT_KERNELS_GEMM_TILES_H

#include "core/base/threads.h"
#include "core/kernels/gemm_product.h"

/* Lines a multiple of a page (in floats) apart push each other out of the first cache. */
enum { GEMM_PAGE = 1024 };

/* A panel of B that whoever needs it first packs for all threads. */
typedef struct SharedPanel {
    ThreadsCounter taken, packed;
} SharedPanel;

/* Rows [row, row_end) of C, columns [column, column_end), values [first_k, first_k + k) of the sums. Panels of B are
   packed by the block itself where it is `fresh`, or as the states of `shared` tell, or are there already; where it is
   `alone`, no other block reads what it packs. */
typedef struct Block {
    const Product *product;
    int64_t row, row_end, column, column_end, first_k, k;
    float *packed_a, *packed_b;
    bool fresh, alone;
    SharedPanel *shared;    /* of all panels from `column` on; NULL: not shared */
    int64_t first_panel;    /* that is computed; behind the last follow those before it */
} Block;

/* Floats that `rows` rows of A (a multiple of mr) take when packed, k values of each; a multiple of 16. */
int64_t gemm_packed_rows(int64_t rows, int64_t k);

void gemm_compute_block(const Block *block);

#endif
