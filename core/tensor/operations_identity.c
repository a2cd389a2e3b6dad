/* Operations that leave the values as they are and change what happens to gradients, or the type. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

static int sample_one(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(3, 4)) : sample_leaf(random, -2, 2, SHAPE(0, 2));
    return 1;
}

Tensor *t_detach(Tensor *x)
{
    return op_view(x, x->rank, x->shape);
}

/* ---- The value of one tensor, the gradient to another ---- */

static void backward_straight_through(const Node *node, Tensor *gradient, Tensor **gradients)
{
    (void)node;
    gradients[0] = gradient;
}

/* Differences can only see that of a tensor through itself. */
static Tensor *apply_straight_through(Tensor **inputs, int variant)
{
    (void)variant;
    return t_straight_through(inputs[0], inputs[0]);
}

const OperationDef operation_straight_through = {
    .component = {.name = "straight_through", .summary = "the value of one tensor, the gradient to another",
                  .source = "arXiv:1308.3432"},
    .backward = backward_straight_through, .variants = 2, .inputs = sample_one, .apply = apply_straight_through,
};

Tensor *t_straight_through(Tensor *forward, Tensor *gradient_to)
{
    assert(tensor_same_shape(forward, gradient_to) && forward->type == gradient_to->type);
    Tensor *result = op_view(forward, forward->rank, forward->shape);
    op_record(&operation_straight_through, result, 1, &gradient_to, NULL, 0);
    return result;
}

Tensor *t_round_straight_through(Tensor *x)
{
    return t_straight_through(t_round(x), x);
}

/* ---- Gradients changed on the way ---- */

static void backward_reverse_gradient(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_scale(gradient, -*(const double *)node->attributes);
}

/* Differences see the identity: only with factor -1 is that the gradient. */
static Tensor *apply_reverse_gradient(Tensor **inputs, int variant)
{
    (void)variant;
    return t_reverse_gradient(inputs[0], -1);
}

const OperationDef operation_reverse_gradient = {
    .component = {.name = "reverse_gradient", .summary = "identity whose gradient is multiplied by -factor",
                  .source = "arXiv:1409.7495"},
    .backward = backward_reverse_gradient, .variants = 2, .inputs = sample_one, .apply = apply_reverse_gradient,
};

Tensor *t_reverse_gradient(Tensor *x, double factor)
{
    Tensor *result = op_view(x, x->rank, x->shape);
    op_record(&operation_reverse_gradient, result, 1, &x, &factor, sizeof factor);
    return result;
}

static void backward_clamp_gradient(const Node *node, Tensor *gradient, Tensor **gradients)
{
    double bound = *(const double *)node->attributes;
    gradients[0] = t_clamp(gradient, -bound, bound);
}

static Tensor *apply_clamp_gradient(Tensor **inputs, int variant)
{
    return t_clamp_gradient(inputs[0], variant == 0 ? 100 : INFINITY);
}

const OperationDef operation_clamp_gradient = {
    .component = {.name = "clamp_gradient", .summary = "identity whose gradient is held between two bounds"},
    .backward = backward_clamp_gradient, .variants = 2, .inputs = sample_one, .apply = apply_clamp_gradient,
};

Tensor *t_clamp_gradient(Tensor *x, double bound)
{
    Tensor *result = op_view(x, x->rank, x->shape);
    op_record(&operation_clamp_gradient, result, 1, &x, &bound, sizeof bound);
    return result;
}

/* ---- Type ---- */

static void backward_cast(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_cast(gradient, node->inputs[0]->type);
}

/* There and back, so that the result has the type of the sample. */
static Tensor *apply_cast(Tensor **inputs, int variant)
{
    (void)variant;
    return t_cast(t_cast(inputs[0], ARRAY_F64), inputs[0]->type);
}

const OperationDef operation_cast = {
    .component = {.name = "cast", .summary = "the same values as another type"},
    .backward = backward_cast, .variants = 2, .inputs = sample_one, .apply = apply_cast,
};

#define CAST(FROM, TO)                              \
    do {                                            \
        const FROM *from = (const FROM *)x->data;   \
        TO *to = (TO *)result->data;                \
        for (int64_t i = 0; i < x->count; i++)      \
            to[i] = (TO)from[i];                    \
    } while (0)
#define CAST_TO_EACH(FROM)                          \
    switch (type) {                                 \
    case ARRAY_F32: CAST(FROM, float); break;       \
    case ARRAY_F64: CAST(FROM, double); break;      \
    default: CAST(FROM, int32_t); break;            \
    }

Tensor *t_cast(Tensor *x, ArrayType type)
{
    if (x->type == type)
        return x;
    Tensor *result = t_new(type, x->rank, x->shape);
    assert(type == ARRAY_F32 || type == ARRAY_F64 || type == ARRAY_I32);
    switch (x->type) {
    case ARRAY_F32: CAST_TO_EACH(float) break;
    case ARRAY_F64: CAST_TO_EACH(double) break;
    default: assert(x->type == ARRAY_I32); CAST_TO_EACH(int32_t)
    }
    if (type != ARRAY_I32)
        op_record(&operation_cast, result, 1, &x, NULL, 0);
    return result;
}
