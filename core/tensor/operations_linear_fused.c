/* A linear map and the activation behind it in one pass: f is computed while the rows of the product are near. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"
#include "core/tensor/unary.h"

/* f'(z) is computed from y = f(z) alone. */
static bool slope_needs_argument(UnaryKernel kernel)
{
    return kernel != UNARY_relu && kernel != UNARY_tanh && kernel != UNARY_sigmoid;
}

typedef struct Slope {
    UnaryKernel kernel;
    const float *argument, *value, *gradient;
    float *result;
} Slope;

static void slope_part(void *context, int64_t begin, int64_t end)
{
    const Slope *t = context;
    kernels()->elementwise.unary_gradient[t->kernel](end - begin, t->argument + begin, t->value + begin,
                                                     t->gradient + begin, t->result + begin, 0, 0);
}

/* The gradient of z. For gradients of gradients z is computed again, by operations. */
static Tensor *gradient_of_argument(const Node *node, Tensor *gradient)
{
    enum { GRAIN = 1 << 15 };
    const UnaryKernel kernel = *(const UnaryKernel *)node->attributes;
    Tensor *y = node->output, *z = node->saved[0];
    if (gradient->type == ARRAY_F64 || tape_recording()) {
        if (tape_recording() || !z)
            z = t_linear(node->inputs[0], node->inputs[1], node->input_count > 2 ? node->inputs[2] : NULL);
        return unary_of(kernel)->derivative(z, y, gradient, 0, 0);
    }
    Tensor *result = t_like(gradient);
    Slope slope = {kernel, tensor_f32(z ? z : y), tensor_f32(y), tensor_f32(gradient), tensor_f32(result)};
    parallel_for(gradient->count, GRAIN, slope_part, &slope);
    return result;
}

static void backward(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *weight = node->inputs[1];
    const int64_t in = weight->shape[1], out = weight->shape[0], rows = gradient->count / (out ? out : 1);
    Tensor *flat = t_reshape(gradient_of_argument(node, gradient), SHAPE(rows, out));
    if (op_wants(node, 0))
        gradients[0] = t_reshape(t_matmul(flat, weight, false, false), x->rank, x->shape);
    if (op_wants(node, 1))
        gradients[1] = t_matmul(flat, t_reshape(x, SHAPE(rows, in)), true, false);
    if (op_wants(node, 2))
        gradients[2] = t_sum(flat, 0, false);
}

enum { FUNCTIONS = 6, VARIANTS = 2 * FUNCTIONS + 1 };

static const UnaryKernel functions[FUNCTIONS] = {UNARY_relu, UNARY_gelu, UNARY_gelu_tanh, UNARY_silu, UNARY_tanh,
                                                 UNARY_sigmoid};

/* Each function with a bias and without, and no rows. Few, so that none lies near the kink of relu. */
static int sample(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == VARIANTS - 1 ? sample_leaf(random, -1, 1, SHAPE(0, 3))
                                        : sample_leaf(random, -1, 1, SHAPE(2, 1, 3));
    inputs[1] = sample_leaf(random, -1, 1, SHAPE(4, 3));
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(4));
    return variant % 2 ? 2 : 3;
}

static Tensor *apply(Tensor **inputs, int variant)
{
    return t_linear_activated(inputs[0], inputs[1], variant % 2 ? NULL : inputs[2], functions[variant / 2 % FUNCTIONS]);
}

const OperationDef operation_linear_activated = {
    .component = {.name = "linear_activated",
                  .summary = "an activation of x times the transpose of a weight plus a bias"},
    .backward = backward,
    .variants = VARIANTS,
    .inputs = sample,
    .apply = apply,
};

/* Sets y, and z where it is not NULL. */
static void compute_double(Tensor *x, Tensor *weight, Tensor *bias, int64_t rows, UnaryKernel kernel, Tensor *y,
                           Tensor *z)
{
    const int64_t in = weight->shape[1], out = weight->shape[0];
    double *to = tensor_f64(y);
    for (int64_t i = 0; bias && i < rows; i++)
        memcpy(to + i * out, bias->data, (size_t)out * sizeof(double));
    dgemm(false, true, rows, out, in, tensor_f64(x), in, tensor_f64(weight), in, bias ? 1 : 0, to, out);
    for (int64_t i = 0; i < y->count; i++) {
        if (z)
            tensor_f64(z)[i] = to[i];
        to[i] = unary_of(kernel)->value(to[i], 0, 0);
    }
}

Tensor *t_linear_activated(Tensor *x, Tensor *weight, Tensor *bias, UnaryKernel kernel)
{
    assert(x->type == weight->type && weight->rank == 2 && x->rank >= 1 && x->shape[x->rank - 1] == weight->shape[1]);
    assert(!bias || (bias->type == x->type && bias->rank == 1 && bias->shape[0] == weight->shape[0]));
    const int64_t in = weight->shape[1], out = weight->shape[0];
    int64_t shape[TENSOR_MAX_RANK], rows = 1;
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = out;
    for (int i = 0; i < x->rank - 1; i++)
        rows *= shape[i];
    Tensor *inputs[] = {x, weight, bias}, *y = t_new(x->type, x->rank, shape), *z = NULL;
    const int count = bias ? 3 : 2;
    if (op_will_record(count, inputs) && slope_needs_argument(kernel))
        z = t_like(y);
    if (x->type == ARRAY_F32) {
        const GemmFinish finish = {.bias = bias ? tensor_f32(bias) : NULL, .argument = z ? tensor_f32(z) : NULL,
                                   .activation = kernel};
        sgemm_finish(false, true, rows, out, in, tensor_f32(x), in, tensor_f32(weight), in, 0, &finish, tensor_f32(y),
                     out);
    } else {
        compute_double(x, weight, bias, rows, kernel, y, z);
    }
    Node *node = op_record(&operation_linear_activated, y, count, inputs, &kernel, sizeof kernel);
    if (node)
        node->saved[0] = z;
    return y;
}
