/* Recurrence through gates, all steps in one operation: what a step computes from the input alone is given, so that
   one product serves all steps, and steps lie one after the other. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/gemm.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Gru {
    int64_t steps, batch, width;
    bool reset_after;
} Gru;

static int64_t gru_grain(const Gru *gru)
{
    enum { CHUNK = 4096 };
    return CHUNK / (gru->width + 1) + 1;
}

static void single_sigmoid_row(int64_t n, float *x)
{
    kernels()->sigmoid(n, x, x);
}

static void single_tanh_row(int64_t n, float *x)
{
    kernels()->tanh(n, x, x);
}

static void double_sigmoid_row(int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.5 * (1 + tanh(0.5 * x[i]));
}

static void double_tanh_row(int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = tanh(x[i]);
}

#define REAL float
#define NAMED(name) single_##name
#define VALUES(tensor) tensor_f32(tensor)
#define MULTIPLY sgemm
#include "core/tensor/recurrent.inc.h"

#define REAL double
#define NAMED(name) double_##name
#define VALUES(tensor) tensor_f64(tensor)
#define MULTIPLY dgemm
#include "core/tensor/recurrent.inc.h"

static void backward_gru(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Gru *gru = node->attributes;
    const bool single = gradient->type == ARRAY_F32;
    Tensor *dgates = t_like(node->inputs[0]), *dproduct = t_like(node->output);
    (single ? single_run_back : double_run_back)(gru, node, gradient, dgates, dproduct);
    if (op_wants(node, 0))
        gradients[0] = dgates;
    if (op_wants(node, 1)) {
        gradients[1] = t_like(node->inputs[1]);
        (single ? single_weight_gradient : double_weight_gradient)(gru, node, dgates, dproduct, gradients[1]);
    }
    if (op_wants(node, 2))
        gradients[2] = t_sum(t_reshape(dproduct, SHAPE(gru->steps * gru->batch, gru->width)), 0, false);
}

/* Variants 0-3: reset before and after the product, several steps and one; 4, 5: an empty batch; 6, 7: longer and
   wider than a vector. */
static int sample_gru(Random *random, int variant, Tensor **inputs)
{
    static const int64_t shapes[][3] = {{5, 2, 3}, {1, 3, 2}, {3, 0, 2}, {7, 3, 9}};
    const int64_t *shape = shapes[variant / 2], width = shape[2];
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(shape[0], shape[1], 3 * width));
    inputs[1] = sample_leaf(random, -1, 1, SHAPE(3 * width, width));
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(width));
    return variant % 2 ? 3 : 2;
}

static Tensor *apply_gru(Tensor **inputs, int variant)
{
    return t_gru(inputs[0], inputs[1], variant % 2 ? inputs[2] : NULL, variant % 2);
}

const OperationDef operation_gru = {
    .component = {.name = "gru", .summary = "gated recurrent units, all steps", .source = "arXiv:1406.1078"},
    .backward = backward_gru, .once = true, .variants = 8, .inputs = sample_gru, .apply = apply_gru,
};

Tensor *t_gru(Tensor *projected, Tensor *weight, Tensor *bias, bool reset_after)
{
    const Gru gru = {projected->shape[0], projected->shape[1], weight->shape[1], reset_after};
    assert(projected->rank == 3 && gru.steps > 0 && projected->shape[2] == 3 * gru.width);
    assert(weight->type == projected->type && weight->rank == 2 && weight->shape[0] == 3 * gru.width);
    assert(!bias == !reset_after && (!bias || (bias->type == weight->type && bias->count == gru.width)));
    Tensor *inputs[] = {projected, weight, bias};
    const int count = bias ? 3 : 2;
    const int64_t kept = op_will_record(count, inputs) ? gru.steps : 1;
    Tensor *states = t_new(weight->type, SHAPE(gru.steps, gru.batch, gru.width));
    Tensor *gates = t_new(weight->type, SHAPE(kept, gru.batch, 3 * gru.width));
    Tensor *product = t_new(weight->type, SHAPE(kept, gru.batch, gru.width));
    (weight->type == ARRAY_F32 ? single_run : double_run)(&gru, projected, weight, bias, kept, gates, product, states);
    Node *node = op_record(&operation_gru, states, count, inputs, &gru, sizeof gru);
    if (node) {
        node->saved[0] = gates;
        node->saved[1] = product;
    }
    return states;
}
