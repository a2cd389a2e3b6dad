/* Reductions, and the broadcasting that is their transpose. */
#include <assert.h>

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* x seen as [outer, size, inner] around one axis; over all axes as [1, count, 1]. */
typedef struct Axis {
    int64_t outer, size, inner;
    int rank;
    int64_t shape[TENSOR_MAX_RANK];     /* of the result */
} Axis;

static Axis around(const Tensor *x, int axis, bool keep)
{
    Axis result = {1, 1, 1, 0, {0}};
    if (axis == ALL_AXES) {
        result.size = x->count;
        for (int i = 0; keep && i < x->rank; i++)
            result.shape[result.rank++] = 1;
        return result;
    }
    axis = axis < 0 ? axis + x->rank : axis;
    assert(axis >= 0 && axis < x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (i < axis)
            result.outer *= x->shape[i];
        else if (i > axis)
            result.inner *= x->shape[i];
        else
            result.size = x->shape[i];
        if (i != axis || keep)
            result.shape[result.rank++] = i == axis ? 1 : x->shape[i];
    }
    return result;
}

#define SUM(TYPE)                                                                       \
    do {                                                                                \
        const TYPE *p = x->data;                                                        \
        TYPE *r = result->data;                                                         \
        for (int64_t o = 0; o < axis.outer; o++)                                        \
            for (int64_t i = 0; i < axis.inner; i++) {                                  \
                double sum = 0;                                                         \
                for (int64_t k = 0; k < axis.size; k++)                                 \
                    sum += (double)p[(o * axis.size + k) * axis.inner + i];             \
                r[o * axis.inner + i] = (TYPE)sum;                                      \
            }                                                                           \
    } while (0)

static void backward_sum(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Tensor *x = node->inputs[0];
    const int *kept_axis = node->attributes;
    int64_t kept[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        kept[i] = *kept_axis == ALL_AXES || i == *kept_axis ? 1 : x->shape[i];
    gradients[0] = t_broadcast_to(t_reshape(gradient, x->rank, kept), x->rank, x->shape);
}

static int sample_axes(Random *random, int variant, Tensor **inputs)
{
    if (variant == 4)
        inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 3));
    else
        inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 3, 4));
    return 1;
}

static Tensor *apply_sum(Tensor **inputs, int variant)
{
    return t_sum(inputs[0], variant == 3 ? ALL_AXES : variant == 4 ? 0 : variant, variant == 1);
}

const OperationDef operation_sum = {
    .component = {.name = "sum", .summary = "sum over an axis, or over everything"},
    .backward = backward_sum, .variants = 5, .inputs = sample_axes, .apply = apply_sum,
};

Tensor *t_sum(Tensor *x, int axis_number, bool keep)
{
    Axis axis = around(x, axis_number, keep);
    Tensor *result = t_new(x->type, axis.rank, axis.shape);
    if (x->type == ARRAY_F32)
        SUM(float);
    else
        SUM(double);
    int counted = axis_number < 0 ? axis_number + x->rank : axis_number;
    op_record(&operation_sum, result, 1, &x, &counted, sizeof counted);
    return result;
}

static void backward_broadcast(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_sum_to(gradient, node->inputs[0]->rank, node->inputs[0]->shape);
}

static int sample_broadcast(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(3, 1)) : sample_leaf(random, -2, 2, 0, NULL);
    return 1;
}

static Tensor *apply_broadcast(Tensor **inputs, int variant)
{
    (void)variant;
    return t_broadcast_to(inputs[0], SHAPE(2, 3, 4));
}

const OperationDef operation_broadcast = {
    .component = {.name = "broadcast", .summary = "repeat along axes of size 1"},
    .backward = backward_broadcast, .variants = 2, .inputs = sample_broadcast, .apply = apply_broadcast,
};

Tensor *t_broadcast_to(Tensor *x, int rank, const int64_t *shape)
{
    Tensor *result = t_new(x->type, rank, shape);
    size_t size = array_type_size(x->type);
    int shift = rank - x->rank;
    assert(shift >= 0);
    for (int64_t at = 0; at < result->count; at++) {
        int64_t rest = at, from = 0, stride = 1;
        for (int i = rank - 1; i >= 0; i--) {
            int64_t index = rest % shape[i], own = i >= shift ? x->shape[i - shift] : 1;
            assert(own == 1 || own == shape[i]);
            from += own == 1 ? 0 : index * stride;
            stride *= own;
            rest /= shape[i];
        }
        __builtin_memcpy((char *)result->data + (size_t)at * size, (const char *)x->data + (size_t)from * size, size);
    }
    op_record(&operation_broadcast, result, 1, &x, NULL, 0);
    return result;
}

Tensor *t_sum_to(Tensor *x, int rank, const int64_t *shape)
{
    while (x->rank > rank)
        x = t_sum(x, 0, false);
    for (int i = 0; i < rank; i++)
        if (shape[i] == 1 && x->shape[i] != 1)
            x = t_sum(x, i, true);
    return x;
}
