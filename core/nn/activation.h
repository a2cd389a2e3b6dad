/* Activations without parameters of their own that are trained. To add one: `const ActivationDef
   activation_NAME` in a file of this folder. */
#ifndef XENT_NN_ACTIVATION_H
#define XENT_NN_ACTIVATION_H

#include "core/base/component.h"
#include "core/tensor/tensor.h"

typedef struct ActivationDef {
    Component component;
    Tensor *(*apply)(const void *values, Tensor *x);
    /* Gated: apply gets [..., 2n] and gives [..., n]. */
    bool gated;
} ActivationDef;

Tensor *activation_apply(const Instance *instance, Tensor *x);
bool activation_is_gated(const Instance *instance);

#endif
