/* Weights in integers, and the layers that compute with them. */
#ifndef XENT_NN_QUANTIZED_H
#define XENT_NN_QUANTIZED_H

#include "core/kernels/int8.h"
#include "core/nn/layer.h"
#include "core/tensor/operations.h"

/* An element stands for scale (code - zero). A weight [out, ...] is a matrix of `rows` = out. */
struct QuantizedWeight {
    int64_t rows, columns;
    int64_t group;              /* columns that share a scale; the last group of a row may be shorter */
    int bits;                   /* 2 to 8 */
    bool one_scale;             /* the same for all, and stored once */
    int8_t *codes;              /* [rows, columns], from -2^(bits-1) to 2^(bits-1) - 1 */
    float *scales;              /* [rows, groups] */
    int16_t *zeros;             /* [rows, groups], in the range of the codes; NULL: all 0 */
    Int8Grid activations;       /* what the layer's input becomes; bits 0: it stays as it is */
};

static inline int64_t quantized_groups(const QuantizedWeight *weight)
{
    return (weight->columns + weight->group - 1) / weight->group;
}

/* Room for codes, scales and, when asked for, zeros. `group` 0: a row. Belongs to the arena. */
QuantizedWeight *quantized_new(Arena *arena, int64_t rows, int64_t columns, int64_t group, int bits, bool zeros);
/* values [rows, columns] = scale (code - zero), in f32. */
void quantized_values(const QuantizedWeight *weight, float *values);

/* The packed form: rows of code + 2^(bits-1), bit after bit from the lowest, each row padded to a byte. */
int64_t quantized_row_bytes(int64_t columns, int bits);
void quantized_pack(const QuantizedWeight *weight, uint8_t *bytes);
void quantized_unpack(const uint8_t *bytes, QuantizedWeight *weight);
/* Codes packed, 4 bytes a scale, 1 a zero. */
int64_t quantized_bytes(const QuantizedWeight *weight);

/* Whether the layer is to compute in integers now: its weight is quantized with its input, and no gradient is
   recorded (where one is, the layer's f32 weight, which holds the dequantized values, serves). */
bool quantized_runs(const Layer *layer);
/* F32 x [..., columns] -> [..., rows]; bias [rows] or NULL. */
Tensor *quantized_linear(const QuantizedWeight *weight, const Tensor *x, const Tensor *bias);
/* The convolution of a layer; `kernel` has an entry for each spatial axis. */
Tensor *quantized_convolution(const Layer *layer, const Tensor *x, const Tensor *bias, const int64_t *kernel,
                              const ConvolutionOptions *options);

#endif
