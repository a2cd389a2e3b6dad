/* Elementwise operations of one tensor. */
#include <assert.h>

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

static void backward_scale(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_scale(gradient, *(const double *)node->attributes);
}

static int sample_one(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(3, 4)) : sample_leaf(random, -2, 2, SHAPE(0, 2));
    return 1;
}

static Tensor *apply_scale(Tensor **inputs, int variant)
{
    (void)variant;
    return t_scale(inputs[0], -1.5);
}

const OperationDef operation_scale = {
    .component = {.name = "scale", .summary = "a number times x"},
    .backward = backward_scale, .variants = 2, .inputs = sample_one, .apply = apply_scale,
};

Tensor *t_scale(Tensor *x, double factor)
{
    Tensor *result = t_like(x);
    if (x->type == ARRAY_F32)
        for (int64_t i = 0; i < x->count; i++)
            tensor_f32(result)[i] = (float)factor * tensor_f32(x)[i];
    else
        for (int64_t i = 0; i < x->count; i++)
            tensor_f64(result)[i] = factor * tensor_f64(x)[i];
    op_record(&operation_scale, result, 1, &x, &factor, sizeof factor);
    return result;
}
