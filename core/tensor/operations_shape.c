/* Operations that move elements without changing them. */
#include <assert.h>

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

static void backward_reshape(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_reshape(gradient, node->inputs[0]->rank, node->inputs[0]->shape);
}

static int sample_reshape(Random *random, int variant, Tensor **inputs)
{
    (void)variant;
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 4));
    return 1;
}

static Tensor *apply_reshape(Tensor **inputs, int variant)
{
    return variant == 0 ? t_reshape(inputs[0], SHAPE(2, 6)) : t_reshape(inputs[0], SHAPE(-1, 2, 1));
}

const OperationDef operation_reshape = {
    .component = {.name = "reshape", .summary = "the same elements in another shape"},
    .backward = backward_reshape, .variants = 2, .inputs = sample_reshape, .apply = apply_reshape,
};

Tensor *t_reshape(Tensor *x, int rank, const int64_t *shape)
{
    int64_t sizes[TENSOR_MAX_RANK], known = 1;
    int open = -1;
    for (int i = 0; i < rank; i++) {
        sizes[i] = shape[i];
        if (shape[i] < 0)
            open = i;
        else
            known *= shape[i];
    }
    if (open >= 0)
        sizes[open] = known ? x->count / known : 0;
    Tensor *result = op_view(x, rank, sizes);
    op_record(&operation_reshape, result, 1, &x, NULL, 0);
    return result;
}
