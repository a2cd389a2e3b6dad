#include "core/nn/quantized.h"

#include <assert.h>
#include <string.h>

QuantizedWeight *quantized_new(Arena *arena, int64_t rows, int64_t columns, int64_t group, int bits, bool zeros)
{
    QuantizedWeight *weight = arena_zero(arena, 1, sizeof *weight);
    *weight = (QuantizedWeight){.rows = rows, .columns = columns, .group = group ? group : columns, .bits = bits};
    const size_t scales = (size_t)(rows * quantized_groups(weight));
    weight->codes = arena_zero(arena, (size_t)(rows * columns), 1);
    weight->scales = arena_zero(arena, scales, sizeof *weight->scales);
    weight->zeros = zeros ? arena_zero(arena, scales, sizeof *weight->zeros) : NULL;
    return weight;
}

void quantized_values(const QuantizedWeight *weight, float *values)
{
    const int64_t groups = quantized_groups(weight);
    for (int64_t i = 0; i < weight->rows; i++)
        for (int64_t k = 0; k < weight->columns; k++) {
            const int64_t g = i * groups + k / weight->group, at = i * weight->columns + k;
            values[at] = weight->scales[g] * (float)(weight->codes[at] - (weight->zeros ? weight->zeros[g] : 0));
        }
}

int64_t quantized_row_bytes(int64_t columns, int bits)
{
    return (columns * bits + 7) / 8;
}

void quantized_pack(const QuantizedWeight *weight, uint8_t *bytes)
{
    const int64_t row_bytes = quantized_row_bytes(weight->columns, weight->bits);
    memset(bytes, 0, (size_t)(weight->rows * row_bytes));
    for (int64_t i = 0; i < weight->rows; i++)
        for (int64_t k = 0; k < weight->columns; k++) {
            const unsigned code = (unsigned)(weight->codes[i * weight->columns + k] + (1 << (weight->bits - 1)));
            const int64_t bit = k * weight->bits;
            uint8_t *to = bytes + i * row_bytes + bit / 8;
            const unsigned placed = code << bit % 8;
            to[0] |= (uint8_t)placed;
            if (placed > 0xff)
                to[1] |= (uint8_t)(placed >> 8);
        }
}

void quantized_unpack(const uint8_t *bytes, QuantizedWeight *weight)
{
    const int64_t row_bytes = quantized_row_bytes(weight->columns, weight->bits);
    for (int64_t i = 0; i < weight->rows; i++)
        for (int64_t k = 0; k < weight->columns; k++) {
            const int64_t bit = k * weight->bits, end = bit % 8 + weight->bits;
            const uint8_t *from = bytes + i * row_bytes + bit / 8;
            const unsigned word = from[0] | (end > 8 ? (unsigned)from[1] << 8 : 0);
            const unsigned code = word >> bit % 8 & ((1U << weight->bits) - 1);
            weight->codes[i * weight->columns + k] = (int8_t)((int)code - (1 << (weight->bits - 1)));
        }
}

int64_t quantized_bytes(const QuantizedWeight *weight)
{
    const int64_t scales = weight->one_scale ? 1 : weight->rows * quantized_groups(weight);
    return weight->rows * quantized_row_bytes(weight->columns, weight->bits) + scales * (weight->zeros ? 5 : 4);
}

/* ---- Layers ---- */

bool quantized_runs(const Layer *layer)
{
    return layer->quantized && layer->quantized->activations.bits && !tape_recording();
}

static Int8Weights some_rows(const QuantizedWeight *weight, int64_t first, int64_t count)
{
    const int64_t groups = quantized_groups(weight);
    return (Int8Weights){count, weight->columns, weight->group, weight->codes + first * weight->columns,
                         weight->scales + first * groups, weight->zeros ? weight->zeros + first * groups : NULL};
}

Tensor *quantized_linear(const QuantizedWeight *weight, const Tensor *x, const Tensor *bias)
{
    assert(x->type == ARRAY_F32 && x->rank >= 1 && x->shape[x->rank - 1] == weight->columns);
    int64_t shape[TENSOR_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = weight->rows;
    Tensor *y = t_new(ARRAY_F32, x->rank, shape);
    const Int8Weights weights = some_rows(weight, 0, weight->rows);
    int8_linear(int8_pack(&weights, false, tape_arena()), weight->activations, y->count / weight->rows, tensor_f32(x),
                bias ? tensor_f32(bias) : NULL, tensor_f32(y));
    return y;
}

/* Axes that the layer lacks come first, with size 1. */
static ConvolutionShape shape_of_layer(const Layer *layer, int64_t batch, const int64_t *kernel,
                                       const ConvolutionOptions *options)
{
    const int axes = layer->input.rank - 1;
    ConvolutionShape s = {.batch = batch, .groups = options->groups, .in_channels = layer->input.sizes[0],
                          .out_channels = layer->output.sizes[0]};
    for (int a = 0; a < 3; a++) {
        const int own = a - (3 - axes);
        s.in[a] = own < 0 ? 1 : layer->input.sizes[1 + own];
        s.out[a] = own < 0 ? 1 : layer->output.sizes[1 + own];
        s.kernel[a] = own < 0 ? 1 : kernel[own];
        s.stride[a] = own < 0 ? 1 : options->stride[own];
        s.padding[a] = own < 0 ? 0 : options->padding[own];
        s.dilation[a] = own < 0 ? 1 : options->dilation[own];
    }
    return s;
}

Tensor *quantized_convolution(const Layer *layer, const Tensor *x, const Tensor *bias, const int64_t *kernel,
                              const ConvolutionOptions *options)
{
    assert(x->type == ARRAY_F32);
    const QuantizedWeight *weight = layer->quantized;
    const ConvolutionShape s = shape_of_layer(layer, x->shape[0], kernel, options);
    int64_t shape[TENSOR_MAX_RANK] = {x->shape[0]};
    memcpy(shape + 1, layer->output.sizes, (size_t)layer->output.rank * sizeof *shape);
    Tensor *y = t_new(ARRAY_F32, x->rank, shape);
    Int8Panels **panels = arena_alloc(tape_arena(), (size_t)s.groups * sizeof *panels);
    for (int64_t g = 0; g < s.groups; g++) {
        const int64_t outputs = s.out_channels / s.groups;
        const Int8Weights weights = some_rows(weight, g * outputs, outputs);
        panels[g] = int8_pack(&weights, false, tape_arena());
    }
    int8_convolution(&s, panels, weight->activations, tensor_f32(x), bias ? tensor_f32(bias) : NULL, tensor_f32(y));
    return y;
}
