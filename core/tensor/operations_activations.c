/* Activation functions: elementwise operations of one tensor, as rows (see unary.h). */
#include "core/tensor/unary.h"

#include <assert.h>
#include <math.h>

UNARY(tanh, -2, 2, tanh(x), t_mul(gradient, t_add_scalar(t_neg(t_square(y)), 1)))
const OperationDef operation_tanh = {UNARY_OPERATION(tanh, "hyperbolic tangent")};

static double sigmoid(double x)
{
    double e = exp(-fabs(x)); /* never overflows */
    return (x < 0 ? e : 1) / (1 + e);
}

UNARY(sigmoid, -3, 3, sigmoid(x), t_mul(gradient, t_mul(y, t_add_scalar(t_neg(y), 1))))
const OperationDef operation_sigmoid = {UNARY_OPERATION(sigmoid, "1 / (1 + exp(-x))")};

UNARY(log_sigmoid, -3, 3, fmin(x, 0) - log1p(exp(-fabs(x))), t_mul(gradient, t_sigmoid(t_neg(x))))
const OperationDef operation_log_sigmoid = {UNARY_OPERATION(log_sigmoid, "log(sigmoid(x))")};

UNARY(softplus, -3, 3, fmax(x, 0) + log1p(exp(-fabs(x))), t_mul(gradient, t_sigmoid(x)))
const OperationDef operation_softplus = {UNARY_OPERATION(softplus, "log(1 + e^x)")};

UNARY_PLAIN(softplus_inverse, 0.2, 3, x + log(-expm1(-x)), t_neg(t_div(gradient, t_expm1(t_neg(x)))))
const OperationDef operation_softplus_inverse = {UNARY_OPERATION(softplus_inverse, "log(e^x - 1), x > 0")};

UNARY(relu, -2, 2, x < 0 ? 0 : x, t_mul(gradient, unary_step(y)))
const OperationDef operation_relu = {UNARY_OPERATION(relu, "max(x, 0); derivative 0 at 0")};

UNARY_ROW(leaky_relu, UNARY_leaky_relu, -2, 2, x > 0 ? x : p * x,
          t_mul(gradient, t_add_scalar(t_scale(unary_step(x), 1 - p), p)))
Tensor *t_leaky_relu(Tensor *x, double slope)
{
    return unary_compute(&unary_leaky_relu, x, slope, 0);
}
static Tensor *apply_leaky_relu(Tensor **inputs, int variant)
{
    (void)variant;
    return t_leaky_relu(inputs[0], 0.1);
}
const OperationDef operation_leaky_relu = {UNARY_OPERATION(leaky_relu, "x, or slope x where x is negative")};

/* alpha exp(x) left of 0, 1 on the right; exp is only taken of min(x, 0). */
static Tensor *elu_slope(Tensor *x, double alpha)
{
    Tensor *right = unary_step(x), *left = t_scale(t_add_scalar(t_neg(right), 1), alpha);
    return t_add(right, t_mul(left, t_exp(t_clamp(x, -INFINITY, 0))));
}

UNARY_ROW(elu, UNARY_elu, -2, 2, x > 0 ? x : p * expm1(x), t_mul(gradient, elu_slope(x, p)))
Tensor *t_elu(Tensor *x, double alpha)
{
    return unary_compute(&unary_elu, x, alpha, 0);
}
static Tensor *apply_elu(Tensor **inputs, int variant)
{
    (void)variant;
    return t_elu(inputs[0], 1.3);
}
const OperationDef operation_elu = {UNARY_OPERATION(elu, "x, or alpha (e^x - 1) where x is negative")};

/* Phi(x) + x phi(x) */
static Tensor *gelu_slope(Tensor *x)
{
    Tensor *cumulative = t_scale(t_add_scalar(t_erf(t_scale(x, M_SQRT1_2)), 1), 0.5);
    Tensor *density = t_scale(t_exp(t_scale(t_square(x), -0.5)), 0.5 * M_2_SQRTPI * M_SQRT1_2);
    return t_add(cumulative, t_mul(x, density));
}

UNARY(gelu, -3, 3, 0.5 * x * (1 + erf(x * M_SQRT1_2)), t_mul(gradient, gelu_slope(x)))
const OperationDef operation_gelu = {UNARY_OPERATION(gelu, "x Phi(x), Phi by the error function")};

#define GELU_FACTOR (M_2_SQRTPI * M_SQRT1_2) /* sqrt(2 / pi) */
#define GELU_CUBIC 0.044715

static Tensor *gelu_tanh_slope(Tensor *x)
{
    Tensor *square = t_square(x);
    Tensor *t = t_tanh(t_scale(t_mul(x, t_add_scalar(t_scale(square, GELU_CUBIC), 1)), GELU_FACTOR));
    Tensor *inner = t_scale(t_add_scalar(t_scale(square, 3 * GELU_CUBIC), 1), GELU_FACTOR);
    Tensor *through_tanh = t_mul(t_mul(x, t_add_scalar(t_neg(t_square(t)), 1)), inner);
    return t_scale(t_add(t_add_scalar(t, 1), through_tanh), 0.5);
}

UNARY(gelu_tanh, -3, 3, 0.5 * x * (1 + tanh(GELU_FACTOR * (x + GELU_CUBIC * x * x * x))),
      t_mul(gradient, gelu_tanh_slope(x)))
const OperationDef operation_gelu_tanh = {UNARY_OPERATION(gelu_tanh, "x Phi(x), Phi by tanh")};

static Tensor *silu_slope(Tensor *x)
{
    Tensor *s = t_sigmoid(x);
    return t_mul(s, t_add_scalar(t_mul(x, t_add_scalar(t_neg(s), 1)), 1));
}

UNARY(silu, -3, 3, x * sigmoid(x), t_mul(gradient, silu_slope(x)))
const OperationDef operation_silu = {UNARY_OPERATION(silu, "x sigmoid(x)")};

UNARY(hard_sigmoid, -5, 5, (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6,
      t_mul(gradient, t_scale(unary_within(x, -3, 3), 1.0 / 6)))
const OperationDef operation_hard_sigmoid = {UNARY_OPERATION(hard_sigmoid, "clamp(x + 3, 0, 6) / 6")};

const Unary *unary_of(UnaryKernel kernel)
{
    static const Unary *const rows[] = {&unary_relu, &unary_gelu, &unary_gelu_tanh,
                                        &unary_silu, &unary_tanh, &unary_sigmoid};
    size_t i = 0;
    while (i < sizeof rows / sizeof rows[0] && rows[i]->kernel != kernel)
        i++;
    assert(i < sizeof rows / sizeof rows[0]);
    return rows[i];
}
