/* What the files of elementwise operations of one tensor share. An operation is two lines:

       UNARY(exp, -2, 2, exp(x), t_mul(gradient, y))
       const OperationDef operation_exp = {UNARY_OPERATION(exp, "e to the power x")};

   UNARY(name, low, high, value, derivative) makes t_name; `value` is a double of x, `derivative` the gradient
   of x as tensors of x, y = f(x) and gradient; samples of the check are uniform in [low, high). Single
   precision takes the kernels UNARY_name of core/kernels/elementwise.h where there are any.
   UNARY_ROW is the same for operations with parameters p and q, which write t_name and apply_name themselves. */
#ifndef XENT_TENSOR_UNARY_H
#define XENT_TENSOR_UNARY_H

#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Unary {
    const OperationDef *operation;      /* NULL: constant by parts, nothing is recorded */
    UnaryKernel kernel;
    double (*value)(double x, double p, double q);
    Tensor *(*derivative)(Tensor *x, Tensor *y, Tensor *gradient, double p, double q);
} Unary;

Tensor *unary_compute(const Unary *unary, Tensor *x, double p, double q);
void unary_backward(const Node *node, Tensor *gradient, Tensor **gradients);
/* The row of an activation without parameters that has a gradient kernel: relu, gelu, gelu_tanh, silu, tanh, sigmoid.
   */
const Unary *unary_of(UnaryKernel kernel);
int unary_sample(Random *random, int variant, Tensor **inputs, double low, double high);

/* 1 where x > 0, else 0; where low <= x <= high, else 0. Constants. */
Tensor *unary_step(Tensor *x);
Tensor *unary_within(Tensor *x, double low, double high);

enum { UNARY_VARIANTS = 3 };

#define UNARY_ROW(name, kernel_, low, high, formula, gradient_formula) \
    static double value_##name(double x, double p, double q)                                                  \
    {                                                                                                         \
        (void)x, (void)p, (void)q;                                                                            \
        return formula;                                                                                        \
    }                                                                                                         \
    static Tensor *derivative_##name(Tensor *x, Tensor *y, Tensor *gradient, double p, double q)              \
    {                                                                                                         \
        (void)x, (void)y, (void)p, (void)q;                                                                   \
        return gradient_formula; \
    }                                                                                                         \
    static int sample_##name(Random *random, int variant, Tensor **inputs)                                    \
    {                                                                                                         \
        return unary_sample(random, variant, inputs, low, high);                                              \
    }                                                                                                         \
    extern const OperationDef operation_##name;                                                               \
    static const Unary unary_##name = {&operation_##name, kernel_, value_##name, derivative_##name};

#define UNARY_FUNCTION(name)                                                                                  \
    Tensor *t_##name(Tensor *x)                                                                               \
    {                                                                                                         \
        return unary_compute(&unary_##name, x, 0, 0);                                                         \
    }                                                                                                         \
    static Tensor *apply_##name(Tensor **inputs, int variant)                                                 \
    {                                                                                                         \
        (void)variant;                                                                                        \
        return t_##name(inputs[0]);                                                                           \
    }

#define UNARY(name, low, high, value, derivative)                                                             \
    UNARY_ROW(name, UNARY_##name, low, high, value, derivative)                                               \
    UNARY_FUNCTION(name)
/* Without a kernel: through double precision. */
#define UNARY_PLAIN(name, low, high, value, derivative)                                                       \
    UNARY_ROW(name, UNARY_none, low, high, value, derivative)                                                 \
    UNARY_FUNCTION(name)

#define UNARY_OPERATION(name_, summary_)                                                                      \
    .component = {.name = #name_, .summary = summary_}, .backward = unary_backward, .variants = UNARY_VARIANTS, \
    .inputs = sample_##name_, .apply = apply_##name_

#endif
