/* The two ways to a weight gradient share this; convolution_weight.c chooses. */
#ifndef XENT_KERNELS_CONVOLUTION_WEIGHT_H
#define XENT_KERNELS_CONVOLUTION_WEIGHT_H

#include <stdbool.h>

#include "core/kernels/convolution.h"
#include "core/kernels/convolution_source.h"

/* offsets[column]: of the padded image's element that column (channel of the group, place of the kernel) is
   multiplied with, for the first place of the result. */
void convolution_weight_offsets(const ConvolutionShape *shape, const Source *source, int64_t columns,
                                int64_t *offsets);

/* The weight gradient with vectors along the channels of the result. `source` lays x out; neither the batch nor the
   result is empty. */
void convolution_weight_channels(const ConvolutionShape *shape, const Source *source, const float *x, const float *y,
                                 const int32_t *places, float *weight, Arena *arena);
/* Whether it is the faster way. */
bool convolution_weight_channels_pay(const ConvolutionShape *shape, const Source *source);

#endif
