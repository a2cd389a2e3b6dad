/* The activations in common use: each an operation, or a few. */
#include "core/nn/activation.h"
#include "core/tensor/operations.h"

Tensor *activation_apply(const Instance *instance, Tensor *x)
{
    return ((const ActivationDef *)instance->component)->apply(instance->values, x);
}

bool activation_is_gated(const Instance *instance)
{
    return ((const ActivationDef *)instance->component)->gated;
}

#define PLAIN(function, expression)                         \
    static Tensor *function(const void *values, Tensor *x)  \
    {                                                       \
        (void)values;                                       \
        return expression;                                  \
    }

PLAIN(identity_apply, x)
const ActivationDef activation_identity = {
    .component = {.name = "identity", .summary = "x itself", .formula = "x"}, .apply = identity_apply};

PLAIN(relu_apply, t_relu(x))
const ActivationDef activation_relu = {
    .component = {.name = "relu", .summary = "rectified linear unit", .formula = "max(x, 0)"},
    .apply = relu_apply, .kernel = UNARY_relu, .commutes_with_maximum = true};

PLAIN(relu6_apply, t_clamp(x, 0, 6))
const ActivationDef activation_relu6 = {
    .component = {.name = "relu6", .summary = "rectified linear unit, at most 6", .formula = "min(max(x, 0), 6)"},
    .apply = relu6_apply};

PLAIN(squared_relu_apply, t_square(t_relu(x)))
const ActivationDef activation_squared_relu = {.component = {.name = "squared_relu",
                                                             .summary = "square of relu",
                                                             .formula = "max(x, 0)^2",
                                                             .source = "arXiv:2109.08668"},
                                               .apply = squared_relu_apply};

PLAIN(gelu_apply, t_gelu(x))
const ActivationDef activation_gelu = {.component = {.name = "gelu",
                                                     .summary = "Gaussian error linear unit",
                                                     .formula = "x Phi(x)",
                                                     .source = "arXiv:1606.08415"},
                                       .apply = gelu_apply, .kernel = UNARY_gelu};

PLAIN(gelu_tanh_apply, t_gelu_tanh(x))
const ActivationDef activation_gelu_tanh = {
    .component = {.name = "gelu_tanh", .summary = "the approximation of gelu by tanh",
                  .formula = "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))", .source = "arXiv:1606.08415"},
    .apply = gelu_tanh_apply, .kernel = UNARY_gelu_tanh};

PLAIN(silu_apply, t_silu(x))
const ActivationDef activation_silu = {.component = {.name = "silu",
                                                     .summary = "sigmoid linear unit, also called swish",
                                                     .formula = "x sigmoid(x)",
                                                     .source = "arXiv:1702.03118"},
                                       .apply = silu_apply, .kernel = UNARY_silu};

PLAIN(hard_swish_apply, t_mul(x, t_hard_sigmoid(x)))
const ActivationDef activation_hard_swish = {.component = {.name = "hard_swish",
                                                           .summary = "silu by pieces",
                                                           .formula = "x min(max(x + 3, 0), 6) / 6",
                                                           .source = "arXiv:1905.02244"},
                                             .apply = hard_swish_apply};

PLAIN(hard_sigmoid_apply, t_hard_sigmoid(x))
const ActivationDef activation_hard_sigmoid = {
    .component = {.name = "hard_sigmoid", .summary = "sigmoid by pieces", .formula = "min(max(x + 3, 0), 6) / 6"},
    .apply = hard_sigmoid_apply};

PLAIN(mish_apply, t_mul(x, t_tanh(t_softplus(x))))
const ActivationDef activation_mish = {.component = {.name = "mish",
                                                     .summary = "x times tanh of softplus",
                                                     .formula = "x tanh(softplus(x))",
                                                     .source = "arXiv:1908.08681"},
                                       .apply = mish_apply};

PLAIN(tanh_apply, t_tanh(x))
const ActivationDef activation_tanh = {
    .component = {.name = "tanh", .summary = "hyperbolic tangent", .formula = "tanh(x)"},
    .apply = tanh_apply,
    .kernel = UNARY_tanh};

PLAIN(sigmoid_apply, t_sigmoid(x))
const ActivationDef activation_sigmoid = {
    .component = {.name = "sigmoid", .summary = "logistic function", .formula = "1 / (1 + exp(-x))"},
    .apply = sigmoid_apply, .kernel = UNARY_sigmoid};

PLAIN(softplus_apply, t_softplus(x))
const ActivationDef activation_softplus = {
    .component = {.name = "softplus", .summary = "smooth relu", .formula = "log(1 + exp(x))"}, .apply = softplus_apply};

PLAIN(selu_apply, t_scale(t_elu(x, 1.6732632423543772), 1.0507009873554805))
const ActivationDef activation_selu = {.component = {.name = "selu",
                                                     .summary = "scaled elu, self-normalising",
                                                     .formula = "1.0507 elu(x; 1.6733)",
                                                     .source = "arXiv:1706.02515"},
                                       .apply = selu_apply};

struct elu { double alpha; };
static const Param elu_params[] = {PARAM_FLOAT(struct elu, alpha, 1, .min = 0, .help = "minus the limit at -infinity"),
                                   PARAM_END};

static Tensor *elu_apply(const void *values, Tensor *x)
{
    return t_elu(x, ((const struct elu *)values)->alpha);
}

const ActivationDef activation_elu = {
    .component = {.name = "elu", .summary = "exponential linear unit", .params = elu_params, .size = sizeof(struct elu),
                  .formula = "x if x > 0, else alpha (exp(x) - 1)", .source = "arXiv:1511.07289"},
    .apply = elu_apply};

struct leaky_relu { double slope; };
static const Param leaky_relu_params[] = {PARAM_FLOAT(struct leaky_relu, slope, 0.01, .help = "of the negative side"),
                                          PARAM_END};

static Tensor *leaky_relu_apply(const void *values, Tensor *x)
{
    return t_leaky_relu(x, ((const struct leaky_relu *)values)->slope);
}

const ActivationDef activation_leaky_relu = {.component = {.name = "leaky_relu",
                                                           .summary = "relu with a slope on the negative side",
                                                           .params = leaky_relu_params,
                                                           .size = sizeof(struct leaky_relu),
                                                           .formula = "x if x > 0, else slope x"},
                                             .apply = leaky_relu_apply};

/* The first half gates the second. */
static Tensor *gate(Tensor *x, Tensor *(*function)(Tensor *))
{
    int64_t half = x->shape[x->rank - 1] / 2;
    return t_mul(function(t_slice(x, -1, 0, half)), t_slice(x, -1, half, 2 * half));
}

PLAIN(swiglu_apply, gate(x, t_silu))
const ActivationDef activation_swiglu = {.component = {.name = "swiglu",
                                                       .summary = "gated: silu of one half times the other",
                                                       .formula = "silu(a) b",
                                                       .source = "arXiv:2002.05202"},
                                         .apply = swiglu_apply,
                                         .gated = true};

PLAIN(geglu_apply, gate(x, t_gelu))
const ActivationDef activation_geglu = {.component = {.name = "geglu",
                                                      .summary = "gated: gelu of one half times the other",
                                                      .formula = "gelu(a) b",
                                                      .source = "arXiv:2002.05202"},
                                        .apply = geglu_apply,
                                        .gated = true};
