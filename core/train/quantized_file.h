/* Quantized weights in a checkpoint. A weight NAME [out, ...] is there as
       NAME.quantized   I8 codes of its shape (8 bits, no zero points), else U8 [out, bytes of a row], packed
       NAME.scale       F32 [out, groups], or [1]
       NAME.zero_point  U8 of the same shape, added to codes from 0 to 2^bits - 1; absent: 2^(bits-1) for all
   and metadata "quantization" says {"method": ..., "weights": {NAME: {"bits", "group_size", "activation_bits",
   "activation_symmetric"}}}. Everything else in the file is as ever. */
#ifndef XENT_TRAIN_QUANTIZED_FILE_H
#define XENT_TRAIN_QUANTIZED_FILE_H

#include "core/models/model.h"
#include "core/nn/quantized.h"
#include "data/safetensors.h"

/* The tensors of one weight of the given shape, to be written; they point into it or into the arena. */
enum { QUANTIZED_MAX_TENSORS = 3 };
int quantized_tensors(const char *name, const QuantizedWeight *weight, int rank, const int64_t *shape, Arena *arena,
                      NamedArray tensors[QUANTIZED_MAX_TENSORS]);
/* Its entry in the metadata; the caller's. */
cJSON *quantized_description(const QuantizedWeight *weight);

/* Gives the model's layers the weights that the file holds in integers, and their f32 parameters the values. Adds
   to *taken the tensors that were read. A file without quantization changes nothing. */
bool quantized_take(const Safetensors *file, const char *path, const Model *model, int64_t *taken, Error *error);
/* The layer whose weight is called `name`, or NULL. */
Layer *quantizable_layer(const Model *model, const char *name);

#endif
