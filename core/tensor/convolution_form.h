/* What the operations of convolution share. */
#ifndef XENT_TENSOR_CONVOLUTION_FORM_H
#define XENT_TENSOR_CONVOLUTION_FORM_H

#include "core/kernels/convolution.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Form {
    ConvolutionShape shape;
    int axes;                   /* spatial ones that the tensors have */
} Form;

/* Of t_convolution. */
Form convolution_form(const Tensor *x, const Tensor *weight, const ConvolutionOptions *options);
/* [first, second, spatial...] */
Tensor *convolution_tensor(const Form *form, ArrayType type, int64_t first, int64_t second, const int64_t *spatial);
/* What the F64 kernels add to: the bias of each channel, or 0. */
void convolution_start(Tensor *result, const Tensor *bias);

/* The derivatives by x, weight and bias, recorded operations themselves. */
Tensor *convolution_transposed(const Form *form, Tensor *y, Tensor *weight, Tensor *bias);
Tensor *convolution_weight_gradient(const Form *form, Tensor *x, Tensor *y);
Tensor *convolution_bias_gradient(Tensor *gradient);

#endif
