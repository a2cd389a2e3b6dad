/* Convolutions, row major: x [batch, in_channels, in...], weight [out_channels, in_channels/groups, kernel...],
   y [batch, out_channels, out...], with

       y[n, o, j] = sum over c, k of weight[o, c, k] x[n, c, j stride + k dilation - padding]

   and zeros outside of x. The three arrays enter one trilinear form, so each function below is the
   derivative of the others. With fewer than 3 spatial axes, the leading ones have size 1, kernel 1, stride 1,
   dilation 1, padding 0. Scratch comes from `arena` and goes back to it. The bits of a result do not depend
   on the number of threads. */
#ifndef XENT_KERNELS_CONVOLUTION_H
#define XENT_KERNELS_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"

typedef struct ConvolutionShape {
    int64_t batch, groups, in_channels, out_channels;
    int64_t in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
} ConvolutionShape;

/* What is done with the result while it is near: */
typedef struct ConvolutionFinish {
    bool rectified;  /* max(y, 0) */
    /* Not NULL, where convolution_pools: y [batch, out_channels, out[1]/2, out[2]/2] is the largest of each 2 x 2
       places, before it is rectified, and this says which one, counted in its plane (the first of equals; NaN is
       largest); -1 where the rectified one is not above 0, and has no derivative. */
    int32_t *places;
} ConvolutionFinish;

/* Whether such pooling may be asked for, and is faster: two axes, channels enough for a vector. */
bool convolution_pools(const ConvolutionShape *shape);

/* y, plus bias [out_channels] where it is not NULL; finish may be NULL. */
void convolution_forward(const ConvolutionShape *shape, const float *x, const float *weight, const float *bias,
                         const ConvolutionFinish *finish, float *y, Arena *arena);
/* The transpose: x from y, plus bias [in_channels] where it is not NULL. Where `places` is not NULL, y is given by
   values [.., out[1]/2, out[2]/2] and their places in the planes (each in its 2 x 2, or -1), and 0 elsewhere. */
void convolution_data(const ConvolutionShape *shape, const float *y, const int32_t *places, const float *weight,
                      const float *bias, float *x, Arena *arena);
/* The derivative by the weight, given x and the gradient y, with places as above. */
void convolution_weight(const ConvolutionShape *shape, const float *x, const float *y, const int32_t *places,
                        float *weight, Arena *arena);

/* For checks: simple and in one thread. They add to what the result holds. */
void double_convolution_forward(const ConvolutionShape *shape, const double *x, const double *weight, double *y);
void double_convolution_data(const ConvolutionShape *shape, const double *y, const double *weight, double *x);
void double_convolution_weight(const ConvolutionShape *shape, const double *x, const double *y, double *weight);

#endif
