/* The packed form of int8.h; for int8.c and int8_layers.c alone. */
#ifndef XENT_KERNELS_INT8_PANELS_H
#define XENT_KERNELS_INT8_PANELS_H

#include "core/base/integers.h"
#include "core/kernels/int8.h"

/* A run of inputs with one scale, short enough that 32 bits hold its sums. */
typedef struct Int8Chunk {
    int64_t first, length, group, words;
} Int8Chunk;

struct Int8Panels {
    Int8Weights weights;
    const Int8Kernels *kernels;
    Int8Tile tile;
    int64_t depth;              /* codes in a word */
    int64_t chunk_count, words; /* words: of a row, all chunks */
    const Int8Chunk *chunks;
    int32_t *data;              /* for each panel and chunk: what the sums start from, then the words */
    int32_t *sums;              /* [outputs, chunks]: of code - zero */
};

/* Rows of activations packed for the panels: 32-bit words for int8_pack_rows, panel after panel of
   kernels->rows rows, then the sums of their codes [rows, chunks]. */
int64_t int8_packed_rows_size(const Int8Panels *panels, int64_t rows);
int32_t *int8_row_sums(const Int8Panels *panels, int64_t rows, int32_t *packed);
/* codes [rows, inputs]; packs panels begin..end-1 and sums up their rows. */
void int8_pack_rows(const Int8Panels *panels, int64_t rows, const int8_t *codes, int32_t *packed, int64_t begin,
                    int64_t end);

typedef struct Int8Product {
    const Int8Panels *panels;
    int64_t rows;
    int32_t *packed;
    const float *scales;
    const int16_t *zeros;
    const Int8Output *output;
} Int8Product;

/* Row panels row_begin..row_end-1 times column panels column_begin..column_end-1, in this thread. */
void int8_multiply_panels(const Int8Product *product, int64_t row_begin, int64_t row_end, int64_t column_begin,
                          int64_t column_end);
/* The whole product, shared out. */
void int8_multiply_packed(const Int8Product *product);

#endif
