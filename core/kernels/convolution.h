/* Convolutions, row major: x [batch, in_channels, in...], weight [out_channels, in_channels/groups, kernel...],
   y [batch, out_channels, out...], with

       y[n, o, j] = sum over c, k of weight[o, c, k] x[n, c, j stride + k dilation - padding]

   and zeros outside of x. The three arrays enter one trilinear form, so each function below is the
   derivative of the others. With fewer than 3 spatial axes, the leading ones have size 1, kernel 1, stride 1,
   dilation 1, padding 0. Scratch comes from `arena` and goes back to it. The bits of a result do not depend
   on the number of threads. */
#ifndef XENT_KERNELS_CONVOLUTION_H
#define XENT_KERNELS_CONVOLUTION_H

#include <stdint.h>

#include "core/base/memory.h"

typedef struct ConvolutionShape {
    int64_t batch, groups, in_channels, out_channels;
    int64_t in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
} ConvolutionShape;

/* y, plus bias [out_channels] where it is not NULL. */
void convolution_forward(const ConvolutionShape *shape, const float *x, const float *weight, const float *bias,
                         float *y, Arena *arena);
/* The transpose: x from y, plus bias [in_channels] where it is not NULL. */
void convolution_data(const ConvolutionShape *shape, const float *y, const float *weight, const float *bias,
                      float *x, Arena *arena);
/* The derivative by the weight, given x and the gradient y. */
void convolution_weight(const ConvolutionShape *shape, const float *x, const float *y, float *weight, Arena *arena);

/* For checks: simple and in one thread. They add to what the result holds. */
void double_convolution_forward(const ConvolutionShape *shape, const double *x, const double *weight, double *y);
void double_convolution_data(const ConvolutionShape *shape, const double *y, const double *weight, double *x);
void double_convolution_weight(const ConvolutionShape *shape, const double *x, const double *y, double *weight);

#endif
