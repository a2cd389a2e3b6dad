/* Products of 8-bit integers: what quantized layers run on.

   A row of activations and a row of weights (an output channel) stand for scale (code - zero) each, so that

       y[i, j] = scale[i] sum over groups g of weight_scale[j, g]
                     sum over k in g of (code[i, k] - zero[i]) (weight_code[j, k] - weight_zero[j, g])  +  bias[j]

   The inner sums are exact integers; the rest is done in double and rounded once. The bits of a result are the
   same for every instruction set and any number of threads. */
#ifndef XENT_KERNELS_INT8_H
#define XENT_KERNELS_INT8_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"
#include "core/kernels/convolution.h"

/* Part of the table of kernels. Codes travel in words of 32 bits along k: two of 16 bits, or four of 8 bits
   where the machine multiplies those (the activations then with 128 added). c[rows][columns] = start[j] + a b;
   `a` is packed as `words` columns of `rows` words, `b` as `words` rows of `columns` words. */
typedef void (*Int8Tile)(int64_t words, const int32_t *start, const int32_t *a, const int32_t *b, int32_t *c);

enum { INT8_MAX_ROWS = 16, INT8_MAX_COLUMNS = 32 };

typedef struct Int8Kernels {
    int64_t rows, columns;
    Int8Tile pairs, quads;          /* quads NULL: not built, or not for this machine family */
    /* bits of the largest |x|, as an integer: beyond those of infinity when there is a NaN */
    int32_t (*largest_bits)(int64_t n, const float *x);
    void (*range)(int64_t n, const float *x, float *low, float *high); /* of x and 0 */
    /* codes[i] = clamp(rint(x[i] / scale) + zero, low, high) */
    void (*quantize)(int64_t n, const float *x, float scale, float zero, float low, float high, int8_t *codes);

    /* The same with a row of activations in each of `columns` (a multiple of 16) columns of x [n, columns]: bits
       [columns], and words [columns] of `count` codes from as many rows of x, `width` bits each, then ^ flip. */
    void (*largest_bits_of_columns)(int64_t n, int64_t columns, const float *x, int32_t *bits);
    void (*quantize_columns)(int64_t count, int64_t columns, const float *x, const float *scales, float low, float high,
                             int width, int32_t flip, int32_t *words);
} Int8Kernels;

/* Borrowed. */
typedef struct Int8Weights {
    int64_t outputs, inputs, group; /* group: inputs that share a scale; a row's last group may be shorter */
    const int8_t *codes;            /* [outputs, inputs] */
    const float *scales;            /* [outputs, groups] */
    const int16_t *zeros;           /* [outputs, groups]; NULL: all 0 */
} Int8Weights;

/* Weights packed for the kernels in use. */
typedef struct Int8Panels Int8Panels;

/* In the arena. `pairs` keeps to words of two codes, for tests. */
Int8Panels *int8_pack(const Int8Weights *weights, bool pairs, Arena *arena);

/* Where results go: y[i, j] is to[i * row_stride + j * column_stride]; one of the strides is 1. */
typedef struct Int8Output {
    float *to;
    int64_t row_stride, column_stride;
    const float *bias;              /* [outputs]; NULL: none */
} Int8Output;

/* codes [rows, inputs], scales and zeros (NULL: all 0) [rows]. */
void int8_multiply(const Int8Panels *panels, int64_t rows, const int8_t *codes, const float *scales,
                   const int16_t *zeros, const Int8Output *output);

/* How activations become codes of 2 to 8 bits, a row at a time. Symmetric: scale max|x| / (2^(bits-1) - 1).
   Else scale (max(x, 0) - min(x, 0)) / (2^bits - 1), and zero rint(-min / scale) - 2^(bits-1). An all-zero row has
   scale 1, or the range -1 to 1; one that is not finite has scale NaN. */
typedef struct Int8Grid {
    int bits;
    bool symmetric;
} Int8Grid;

void int8_quantize_row(Int8Grid grid, int64_t n, const float *x, int8_t *codes, float *scale, int16_t *zero);

/* y [rows, outputs] = x [rows, inputs] times the weights. */
void int8_linear(const Int8Panels *panels, Int8Grid grid, int64_t rows, const float *x, const float *bias, float *y);

/* As convolution_forward; panels[g] holds the weights of group g, [out_channels/groups, in_channels/groups *
   kernel...]. A row of activations is what one place of the output reads. */
void int8_convolution(const ConvolutionShape *shape, Int8Panels *const *panels, Int8Grid grid, const float *x,
                      const float *bias, float *y);

#endif
