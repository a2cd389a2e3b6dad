/* What the convolution kernels of each instruction set are given; convolution.c and convolution_weight.c
   use them. */
#ifndef XENT_KERNELS_KERNELS_CONVOLUTION_H
#define XENT_KERNELS_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

/* Columns from..from+count-1 of a tile go to `to`, counted from the row's begin; they come from `source`. */
typedef struct ConvolutionRun {
    int64_t from, count, to, source;
} ConvolutionRun;

/* tile[row][column] = start[row] + sum over p of a[p][row] b[offsets[p] + column]: a matrix product whose
   right side is never formed, because its rows are shifted views of the image. */
typedef struct ConvolutionTile {
    int64_t k;
    const float *a, *b, *start; /* a: k columns of as many floats as the tile is high */
    const int64_t *offsets;     /* [k] */
    int64_t rows;               /* of the tile that are stored */
    float *to;
    int64_t row_stride, step;   /* of `to`: between rows, between columns of a run */
    const ConvolutionRun *runs;
    int64_t run_count;
} ConvolutionTile;

enum { WEIGHT_MAX_ROWS = 4, WEIGHT_MAX_TAPS = 6 };

/* sums[row][tap] = sum over samples and i < length of y[row][i] x[offsets[tap] + i]; length is a multiple of
   16. */
typedef struct ConvolutionWeightTile {
    int64_t samples, length;
    const float *y, *x;
    int64_t y_row, y_sample, x_sample; /* strides */
    int64_t offsets[WEIGHT_MAX_TAPS];
    float sums[WEIGHT_MAX_ROWS * WEIGHT_MAX_TAPS];
} ConvolutionWeightTile;

/* The same product for r + 1 places that lie next to each other in each row, with vectors along channels:
   to[place][channel] = start[channel] + sum over p of weight[p][channel] x[offsets[p] + place], nr channels. */
typedef struct ConvolutionPlaces {
    int64_t k;
    const float *x, *weight, *start; /* weight [k, nr] */
    const int64_t *offsets;          /* [k] */
    float *to;
} ConvolutionPlaces;

/* A weight gradient: sums[tap][channel] += sum over runs and i < count of
   x[source + offsets[tap] + i] y[(from + i) y_place + channel], for r + 1 taps and nr channels. */
typedef struct ConvolutionTaps {
    const float *x, *y;
    const int64_t *offsets;
    const ConvolutionRun *runs;
    int64_t run_count, y_place;
    float *sums;                     /* [r + 1, nr] */
} ConvolutionTaps;

enum { CONVOLUTION_HEIGHTS = 3, CONVOLUTION_MOST = 12 };

typedef struct ConvolutionKernels {
    /* Highest first; all of them Kernels.nr columns wide. The last has one row. */
    struct {
        int64_t height;
        void (*run)(const ConvolutionTile *tile);
    } tiles[CONVOLUTION_HEIGHTS];
    /* packed[p][run.from + i] = b[offsets[p] + run.source + i], with rows of `width` floats. */
    void (*pack)(int64_t k, const float *b, const int64_t *offsets, const ConvolutionRun *runs, int64_t run_count,
                 int64_t width, float *packed);
    int64_t weight_rows, weight_taps;
    void (*weight_tile)(ConvolutionWeightTile *tile);
    /* Entry r takes r + 1 places, or taps; r < Kernels.mr. */
    void (*places[CONVOLUTION_MOST])(const ConvolutionPlaces *tile);
    void (*taps[CONVOLUTION_MOST])(const ConvolutionTaps *tile);
    /* to[column][row] = from[row][column] */
    void (*transpose)(int64_t rows, int64_t columns, const float *from, int64_t from_row, float *to, int64_t to_row);
    /* n results from 2 x 2 places of nr channels, of two rows that follow each other: the largest (first of equals;
       NaN is largest), or 0 where it is below and `rectified`, and its place: `first` is that of top[0], and
       first + width that of bottom[0]; -1 where it is rectified and not above 0. */
    void (*pool)(int64_t n, const float *top, const float *bottom, int32_t first, int32_t width, bool rectified,
                 float *largest, int32_t *places);
    /* Its transpose for rows of `channels`, a multiple of nr: sets top and bottom [2n, channels]. */
    void (*unpool)(int64_t n, int64_t channels, const float *y, const int32_t *places, int32_t first, int32_t width,
                   float *top, float *bottom);
    void (*copy_rows)(int64_t rows, int64_t n, const float *from, int64_t from_row, float *to, int64_t to_row);
} ConvolutionKernels;

#endif
