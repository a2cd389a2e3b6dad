/* Activations without parameters of their own that are trained. To add one: `const ActivationDef
   activation_NAME` in a file of this folder. */
#ifndef XENT_NN_ACTIVATION_H
#define XENT_NN_ACTIVATION_H

#include "core/base/component.h"
#include "core/kernels/elementwise.h"
#include "core/tensor/tensor.h"

typedef struct ActivationDef {
    Component component;
    Tensor *(*apply)(const void *values, Tensor *x);
    /* Gated: apply gets [..., 2n] and gives [..., n]. */
    bool gated;
    /* Applied after a maximum instead of before it, it gives the same values and gradients. Not true of every
       function that grows: where it is flat, a gradient would go to another of equal elements. */
    bool commutes_with_maximum;
    /* One that unary_of (core/tensor/unary.h) knows: a linear map can take it in. UNARY_none: not so. */
    UnaryKernel kernel;
} ActivationDef;

extern const ActivationDef activation_relu;

Tensor *activation_apply(const Instance *instance, Tensor *x);
bool activation_is_gated(const Instance *instance);

#endif
