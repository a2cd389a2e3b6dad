/* Linear maps and convolutions over activations that become integers row by row, as they are read. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm_scratch.h"
#include "core/kernels/int8_panels.h"
#include "core/kernels/kernels.h"

enum { INFINITY_BITS = 0x7f800000 };

static float float_of_bits(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void int8_quantize_row(Int8Grid grid, int64_t n, const float *x, int8_t *codes, float *scale, int16_t *zero)
{
    const Int8Kernels *kernel = &kernels()->int8;
    const float half = (float)(1 << (grid.bits - 1));
    const int32_t bits = kernel->largest_bits(n, x);
    *zero = 0;
    if (bits >= INFINITY_BITS) {
        *scale = NAN;
        memset(codes, 0, (size_t)n);
        return;
    }
    if (grid.symmetric) {
        *scale = float_of_bits(bits) / (half - 1);
        *scale = *scale > 0 ? *scale : 1;
    } else {
        float low, high;
        kernel->range(n, x, &low, &high);
        *scale = (float)(((double)high - (double)low) / (double)(2 * half - 1));
        if (!(*scale > 0)) {
            low = -1;
            *scale = 2 / (2 * half - 1);
        }
        *zero = (int16_t)(rintf(-low / *scale) - half);
    }
    kernel->quantize(n, x, *scale, *zero, -half, half - 1, codes);
}

/* ---- Linear ---- */

typedef struct Linear {
    const Int8Panels *panels;
    Int8Grid grid;
    int64_t rows;
    const float *x;
    int32_t *packed;
    float *scales;
    int16_t *zeros;
    int8_t *codes;
} Linear;

static void quantize_rows(void *context, int64_t begin, int64_t end)
{
    const Linear *t = context;
    const int64_t height = t->panels->kernels->rows, inputs = t->panels->weights.inputs;
    const int64_t last = end * height < t->rows ? end * height : t->rows;
    for (int64_t i = begin * height; i < last; i++)
        int8_quantize_row(t->grid, inputs, t->x + i * inputs, t->codes + i * inputs, t->scales + i, t->zeros + i);
    int8_pack_rows(t->panels, t->rows, t->codes, t->packed, begin, end);
}

/* Cuts the calling thread's scratch: `extra` floats, which it returns, packed words, scales, zeros, codes. */
static float *place_scratch(Linear *t, int64_t extra)
{
    const int64_t packed = int8_packed_rows_size(t->panels, t->rows), codes = t->rows * t->panels->weights.inputs;
    float *scratch = gemm_scratch(packed + 2 * t->rows + codes / 4 + 1 + extra);
    t->packed = (int32_t *)(void *)(scratch + extra);
    t->scales = scratch + extra + packed;
    t->zeros = (int16_t *)(void *)(t->scales + t->rows);
    t->codes = (int8_t *)(t->scales + 2 * t->rows);
    return scratch;
}

void int8_linear(const Int8Panels *panels, Int8Grid grid, int64_t rows, const float *x, const float *bias, float *y)
{
    Linear t = {.panels = panels, .grid = grid, .rows = rows, .x = x};
    place_scratch(&t, 0);
    const int64_t row_panels = ceil_div(rows, panels->kernels->rows);
    const int64_t panel_work = panels->weights.inputs * panels->kernels->rows;
    parallel_for(row_panels, (1 << 14) / (panel_work + 1) + 1, quantize_rows, &t);
    const Int8Output output = {y, panels->weights.outputs, 1, bias};
    int8_multiply_packed(&(Int8Product){panels, rows, t.packed, t.scales, grid.symmetric ? NULL : t.zeros, &output});
}

/* ---- Convolution ---- */

enum { PLACES = 96 }; /* of the output, a task; a multiple of every kernel's height */

typedef struct Convolution {
    const ConvolutionShape *shape;
    Int8Panels *const *panels;
    Int8Grid grid;
    const float *x, *bias;
    float *padded;              /* x with its zeros around */
    int32_t *offsets;           /* of what a place of the output reads, in the order of a row of weights */
    float *y;
    int64_t size[3], in, out;   /* size: padded; in, out: elements of a padded channel, of one of y */
    int64_t pieces;             /* tasks that share an image and group */
} Convolution;

static void pad_channels(void *context, int64_t begin, int64_t end)
{
    const Convolution *t = context;
    const ConvolutionShape *s = t->shape;
    for (int64_t channel = begin; channel < end; channel++) {
        const float *from = t->x + channel * s->in[0] * s->in[1] * s->in[2];
        for (int64_t d = 0; d < s->in[0]; d++)
            for (int64_t h = 0; h < s->in[1]; h++, from += s->in[2]) {
                const int64_t line = (d + s->padding[0]) * t->size[1] + h + s->padding[1];
                memcpy(t->padded + channel * t->in + line * t->size[2] + s->padding[2], from,
                       (size_t)s->in[2] * sizeof *from);
            }
    }
}

static void list_offsets(const Convolution *t)
{
    const ConvolutionShape *s = t->shape;
    int32_t *to = t->offsets;
    assert(s->in_channels / s->groups * t->in <= INT32_MAX);
    for (int64_t c = 0; c < s->in_channels / s->groups; c++)
        for (int64_t d = 0; d < s->kernel[0]; d++)
            for (int64_t h = 0; h < s->kernel[1]; h++)
                for (int64_t w = 0; w < s->kernel[2]; w++)
                    *to++ = (int32_t)(c * t->in + (d * s->dilation[0] * t->size[1] + h * s->dilation[1]) * t->size[2]
                                      + w * s->dilation[2]);
}

/* What place `place` of a channel of the output reads begins here, `offsets` apart. */
static const float *source_of(const Convolution *t, const float *x, int64_t place)
{
    const ConvolutionShape *s = t->shape;
    const int64_t plane = place / s->out[2], d = plane / s->out[1] * s->stride[0];
    return x + (d * t->size[1] + plane % s->out[1] * s->stride[1]) * t->size[2] + place % s->out[2] * s->stride[2];
}

/* A place at a time, as int8_linear does it. */
static void quantize_places(const Convolution *t, const Linear *rows, const float *x, int64_t first, float *patch)
{
    const int64_t inputs = rows->panels->weights.inputs;
    for (int64_t i = 0; i < rows->rows; i++) {
        const float *from = source_of(t, x, first + i);
        for (int64_t k = 0; k < inputs; k++)
            patch[k] = from[t->offsets[k]];
        int8_quantize_row(t->grid, inputs, patch, rows->codes + i * inputs, rows->scales + i, rows->zeros + i);
    }
    int8_pack_rows(rows->panels, rows->rows, rows->codes, rows->packed, 0,
                   ceil_div(rows->rows, rows->panels->kernels->rows));
}

/* patch [inputs, PLACES]: all places side by side; what lies beyond them is 0. */
static void fill_patch(const Convolution *t, int64_t inputs, const float *x, int64_t first, int64_t count, float *patch)
{
    const int64_t width = t->shape->out[2], stride = t->shape->stride[2];
    for (int64_t place = 0, run; place < count; place += run) {
        const float *from = source_of(t, x, first + place);
        run = width - (first + place) % width < count - place ? width - (first + place) % width : count - place;
        for (int64_t k = 0; k < inputs; k++) {
            float *to = patch + k * PLACES + place;
            if (stride == 1)
                memcpy(to, from + t->offsets[k], (size_t)run * sizeof *to);
            else
                for (int64_t i = 0; i < run; i++)
                    to[i] = from[t->offsets[k] + i * stride];
        }
    }
    for (int64_t k = 0; count < PLACES && k < inputs; k++)
        memset(patch + k * PLACES + count, 0, (size_t)(PLACES - count) * sizeof *patch);
}

/* The same codes, a vector of places at a time: no row is gathered, and words are packed as they arise. False where a
   value is not finite. */
static bool quantize_places_together(const Convolution *t, const Linear *rows, const float *x, int64_t first,
                                     float *patch)
{
    const Int8Panels *panels = rows->panels;
    const int64_t height = panels->kernels->rows;
    const float half = (float)(1 << (t->grid.bits - 1));
    int32_t bits[PLACES], words[PLACES], *to = rows->packed;
    float scales[PLACES];
    fill_patch(t, panels->weights.inputs, x, first, rows->rows, patch);
    panels->kernels->largest_bits_of_columns(panels->weights.inputs, PLACES, patch, bits);
    for (int64_t i = 0; i < PLACES; i++) {
        if (bits[i] >= INFINITY_BITS)
            return false;
        scales[i] = float_of_bits(bits[i]) / (half - 1);
        scales[i] = scales[i] > 0 ? scales[i] : 1;
    }
    memcpy(rows->scales, scales, (size_t)rows->rows * sizeof *scales);
    const int width = 32 / (int)panels->depth;
    const int32_t flip = panels->depth == 4 ? (int32_t)0x80808080 : 0;
    for (int64_t c = 0; c < panels->chunk_count; c++)
        for (int64_t k = 0; k < panels->chunks[c].length; k += panels->depth, to += height) {
            const int64_t left = panels->chunks[c].length - k, count = left < panels->depth ? left : panels->depth;
            panels->kernels->quantize_columns(count, PLACES, patch + (panels->chunks[c].first + k) * PLACES, scales,
                                              -half, half - 1, width, flip, words);
            for (int64_t i = 0; i < rows->rows; i += height)
                memcpy(to + i * panels->words, words + i, (size_t)height * sizeof *words);
        }
    return true;
}

static void convolve_piece(const Convolution *t, int64_t image, int64_t group, int64_t piece)
{
    const ConvolutionShape *s = t->shape;
    const Int8Panels *panels = t->panels[group];
    const int64_t inputs = panels->weights.inputs, outputs = panels->weights.outputs, first = piece * PLACES;
    Linear rows = {.panels = panels, .grid = t->grid, .rows = t->out - first < PLACES ? t->out - first : PLACES};
    float *patch = place_scratch(&rows, inputs * PLACES);
    const float *x = t->padded + (image * s->in_channels + group * (s->in_channels / s->groups)) * t->in;
    const bool together = t->grid.symmetric && !panels->weights.zeros; /* zeros need the sums of rows */
    if (!together || !quantize_places_together(t, &rows, x, first, patch))
        quantize_places(t, &rows, x, first, patch);
    const Int8Output output = {t->y + (image * s->out_channels + group * outputs) * t->out + first, 1, t->out,
                               t->bias ? t->bias + group * outputs : NULL};
    const Int8Product product = {panels, rows.rows, rows.packed, rows.scales, t->grid.symmetric ? NULL : rows.zeros,
                                 &output};
    int8_multiply_panels(&product, 0, ceil_div(rows.rows, panels->kernels->rows), 0,
                         ceil_div(outputs, panels->kernels->columns));
}

static void convolve_pieces(void *context, int64_t begin, int64_t end)
{
    const Convolution *t = context;
    for (int64_t task = begin; task < end; task++) {
        const int64_t plane = task / t->pieces;
        convolve_piece(t, plane / t->shape->groups, plane % t->shape->groups, task % t->pieces);
    }
}

void int8_convolution(const ConvolutionShape *shape, Int8Panels *const *panels, Int8Grid grid, const float *x,
                      const float *bias, float *y)
{
    Convolution t = {.shape = shape, .panels = panels, .grid = grid, .x = x, .bias = bias, .y = y, .in = 1,
                     .out = shape->out[0] * shape->out[1] * shape->out[2]};
    for (int axis = 0; axis < 3; axis++)
        t.in *= t.size[axis] = shape->in[axis] + 2 * shape->padding[axis];
    const int64_t channels = shape->batch * shape->in_channels;
    t.padded = memory_array((size_t)(channels * t.in), sizeof *t.padded);
    t.offsets = memory_array((size_t)panels[0]->weights.inputs, sizeof *t.offsets);
    list_offsets(&t);
    parallel_for(channels, (1 << 16) / (t.in + 1) + 1, pad_channels, &t);
    t.pieces = ceil_div(t.out, PLACES);
    parallel_for(shape->batch * shape->groups * t.pieces, 1, convolve_pieces, &t);
    memory_free(t.padded);
    memory_free(t.offsets);
}
