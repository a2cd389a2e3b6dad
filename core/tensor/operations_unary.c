/* Elementwise operations of one tensor: arithmetic and elementary functions, as rows (see unary.h). */
#include "core/tensor/unary.h"

#include <assert.h>
#include <math.h>

#include "core/base/threads.h"

enum { GRAIN = 1 << 15 };

typedef struct Work {
    const Unary *unary;
    const Tensor *x, *y, *gradient;
    Tensor *result;
    double p, q;
} Work;

static void compute_part(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const float *x = tensor_f32(work->x) + begin;
    float *y = tensor_f32(work->result) + begin;
    if (work->unary->kernel)
        kernels()->elementwise.unary[work->unary->kernel](end - begin, x, y, (float)work->p, (float)work->q);
    else
        for (int64_t i = 0; i < end - begin; i++)
            y[i] = (float)work->unary->value((double)x[i], work->p, work->q);
}

typedef struct Attributes {
    const Unary *unary;
    double p, q;
} Attributes;

Tensor *unary_compute(const Unary *unary, Tensor *x, double p, double q)
{
    Work work = {.unary = unary, .x = x, .result = t_like(x), .p = p, .q = q};
    if (x->type == ARRAY_F32) {
        parallel_for(x->count, GRAIN, compute_part, &work);
    } else {
        assert(x->type == ARRAY_F64);
        for (int64_t i = 0; i < x->count; i++)
            tensor_f64(work.result)[i] = unary->value(tensor_f64(x)[i], p, q);
    }
    if (unary->operation)
        op_record(unary->operation, work.result, 1, &x, &(Attributes){unary, p, q}, sizeof(Attributes));
    return work.result;
}

static void gradient_part(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    kernels()->elementwise.unary_gradient[work->unary->kernel](
        end - begin, tensor_f32(work->x) + begin, tensor_f32(work->y) + begin, tensor_f32(work->gradient) + begin,
        tensor_f32(work->result) + begin, (float)work->p, (float)work->q);
}

/* One pass where there is a kernel and nobody will differentiate the gradient. */
void unary_backward(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Attributes *given = node->attributes;
    Tensor *x = node->inputs[0], *y = node->output;
    if (x->type != ARRAY_F32 || tape_recording() || !kernels()->elementwise.unary_gradient[given->unary->kernel]) {
        gradients[0] = given->unary->derivative(x, y, gradient, given->p, given->q);
        return;
    }
    Work work = {given->unary, x, y, gradient, t_like(x), given->p, given->q};
    parallel_for(x->count, GRAIN, gradient_part, &work);
    gradients[0] = work.result;
}

int unary_sample(Random *random, int variant, Tensor **inputs, double low, double high)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, low, high, SHAPE(3, 7)); break;
    case 1: inputs[0] = sample_leaf(random, low, high, SHAPE(1)); break;
    default: inputs[0] = sample_leaf(random, low, high, SHAPE(0, 2)); break;
    }
    return 1;
}

static double value_step(double x, double p, double q)
{
    (void)p, (void)q;
    return x > 0;
}

Tensor *unary_step(Tensor *x)
{
    return unary_compute(&(Unary){NULL, UNARY_step, value_step, NULL}, x, 0, 0);
}

static double value_within(double x, double p, double q)
{
    return x >= p && x <= q;
}

Tensor *unary_within(Tensor *x, double low, double high)
{
    return unary_compute(&(Unary){NULL, UNARY_within, value_within, NULL}, x, low, high);
}

/* ---- Arithmetic ---- */

UNARY(neg, -2, 2, -x, t_neg(gradient))
const OperationDef operation_neg = {UNARY_OPERATION(neg, "-x")};

UNARY_ROW(scale, UNARY_scale, -2, 2, p * x, t_scale(gradient, p))
Tensor *t_scale(Tensor *x, double factor)
{
    return unary_compute(&unary_scale, x, factor, 0);
}
static Tensor *apply_scale(Tensor **inputs, int variant)
{
    return t_scale(inputs[0], variant - 1.5);
}
const OperationDef operation_scale = {UNARY_OPERATION(scale, "a number times x")};

UNARY_ROW(add_scalar, UNARY_add_scalar, -2, 2, x + p, gradient)
Tensor *t_add_scalar(Tensor *x, double term)
{
    return unary_compute(&unary_add_scalar, x, term, 0);
}
static Tensor *apply_add_scalar(Tensor **inputs, int variant)
{
    return t_add_scalar(inputs[0], variant + 0.5);
}
const OperationDef operation_add_scalar = {UNARY_OPERATION(add_scalar, "x plus a number")};

static Tensor *derivative_of_power(Tensor *x, Tensor *gradient, double exponent)
{
    /* Not 0 * x^-1, which is NaN at 0. */
    return exponent == 0 ? t_zeros(x->type, x->rank, x->shape)
                         : t_mul(gradient, t_scale(t_pow_scalar(x, exponent - 1), exponent));
}

UNARY_ROW(pow_scalar, UNARY_none, 0.5, 2, pow(x, p), derivative_of_power(x, gradient, p))
Tensor *t_pow_scalar(Tensor *x, double exponent)
{
    return unary_compute(&unary_pow_scalar, x, exponent, 0);
}
static Tensor *apply_pow_scalar(Tensor **inputs, int variant)
{
    return t_pow_scalar(inputs[0], variant == 0 ? 2.5 : variant == 1 ? -1 : 0);
}
const OperationDef operation_pow_scalar = {UNARY_OPERATION(pow_scalar, "x to the power of a number")};

UNARY(square, -2, 2, x * x, t_mul(gradient, t_scale(x, 2)))
const OperationDef operation_square = {UNARY_OPERATION(square, "x^2")};

UNARY(sqrt, 0.2, 3, sqrt(x), t_div(t_scale(gradient, 0.5), y))
const OperationDef operation_sqrt = {UNARY_OPERATION(sqrt, "square root")};

UNARY(rsqrt, 0.2, 3, 1 / sqrt(x), t_mul(t_scale(gradient, -0.5), t_mul(y, t_square(y))))
const OperationDef operation_rsqrt = {UNARY_OPERATION(rsqrt, "1 / sqrt(x)")};

UNARY(reciprocal, 0.3, 3, 1 / x, t_neg(t_mul(gradient, t_square(y))))
const OperationDef operation_reciprocal = {UNARY_OPERATION(reciprocal, "1 / x")};

UNARY(abs, -2, 2, fabs(x), t_mul(gradient, t_sign(x)))
const OperationDef operation_abs = {UNARY_OPERATION(abs, "|x|; derivative 0 at 0")};

/* ---- Elementary functions ---- */

UNARY(exp, -2, 2, exp(x), t_mul(gradient, y))
const OperationDef operation_exp = {UNARY_OPERATION(exp, "e^x")};

UNARY(expm1, -2, 2, expm1(x), t_mul(gradient, t_add_scalar(y, 1)))
const OperationDef operation_expm1 = {UNARY_OPERATION(expm1, "e^x - 1, exact near 0")};

UNARY(log, 0.2, 3, log(x), t_div(gradient, x))
const OperationDef operation_log = {UNARY_OPERATION(log, "natural logarithm")};

UNARY(log1p, -0.7, 2, log1p(x), t_div(gradient, t_add_scalar(x, 1)))
const OperationDef operation_log1p = {UNARY_OPERATION(log1p, "log(1 + x), exact near 0")};

/* log(x) + 1. At 0, 1/e takes the place of x: a probability that has become 0 must not make NaN of the
   gradient, 0 times -inf, that a softmax sends on. */
static Tensor *xlogx_slope(Tensor *x)
{
    Tensor *at_zero = t_equal(x, t_scalar(x->type, 0));
    return t_add_scalar(t_log(t_where(at_zero, t_scalar(x->type, exp(-1)), x)), 1);
}

UNARY(xlogx, 0.2, 3, x == 0 ? 0 : x * log(x), t_mul(gradient, xlogx_slope(x)))
const OperationDef operation_xlogx = {UNARY_OPERATION(xlogx, "x log(x), 0 at 0")};

UNARY_PLAIN(sin, -3, 3, sin(x), t_mul(gradient, t_cos(x)))
const OperationDef operation_sin = {UNARY_OPERATION(sin, "sine")};

UNARY_PLAIN(cos, -3, 3, cos(x), t_neg(t_mul(gradient, t_sin(x))))
const OperationDef operation_cos = {UNARY_OPERATION(cos, "cosine")};

UNARY_PLAIN(acos, -0.9, 0.9, acos(x), t_neg(t_mul(gradient, t_rsqrt(t_add_scalar(t_neg(t_square(x)), 1)))))
const OperationDef operation_acos = {UNARY_OPERATION(acos, "arc cosine")};

UNARY(erf, -2, 2, erf(x), t_mul(gradient, t_scale(t_exp(t_neg(t_square(x))), M_2_SQRTPI)))
const OperationDef operation_erf = {UNARY_OPERATION(erf, "the error function")};

/* ---- Constant by parts: no derivative ---- */

static double value_sign(double x, double p, double q)
{
    (void)p, (void)q;
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

Tensor *t_sign(Tensor *x)
{
    return unary_compute(&(Unary){NULL, UNARY_sign, value_sign, NULL}, x, 0, 0);
}

static double value_round(double x, double p, double q)
{
    (void)p, (void)q;
    return rint(x);
}

Tensor *t_round(Tensor *x)
{
    return unary_compute(&(Unary){NULL, UNARY_round, value_round, NULL}, x, 0, 0);
}

UNARY_ROW(clamp, UNARY_clamp, -2, 2, x < p ? p : x > q ? q : x, t_mul(gradient, unary_within(x, p, q)))
Tensor *t_clamp(Tensor *x, double low, double high)
{
    return unary_compute(&unary_clamp, x, low, high);
}
static Tensor *apply_clamp(Tensor **inputs, int variant)
{
    return t_clamp(inputs[0], variant == 1 ? -INFINITY : -1, 0.7);
}
const OperationDef operation_clamp = {UNARY_OPERATION(clamp, "x held between two bounds")};
