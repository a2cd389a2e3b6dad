/* Softmax over the last axis, its logarithm, and the cross-entropy fused with it. */
#include <assert.h>
#include <math.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* A loop over rows of `n` floats, cut by the shape alone. */
typedef struct Rows {
    int64_t n;
    void (*backward)(int64_t n, const float *y, const float *gradient, float *result);
    const float *x, *y, *gradient, *parts;
    const int32_t *index;
    int64_t picked;             /* of a row, where `index` has several */
    float *result, *saved;
} Rows;

static void over_rows(const Tensor *x, ParallelBody body, Rows *rows)
{
    enum { CHUNK = 16 * 1024 };
    rows->n = x->shape[x->rank - 1];
    parallel_for(rows->n ? x->count / rows->n : 0, CHUNK / (rows->n + 1) + 1, body, rows);
}

static void log_softmax_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    for (int64_t i = begin; i < end; i++)
        kernels()->log_softmax_row(t->n, t->x + i * t->n, t->result + i * t->n);
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    for (int64_t i = begin; i < end; i++)
        t->backward(t->n, t->y + i * t->n, t->gradient + i * t->n, t->result + i * t->n);
}

/* The largest value, or 0 where it is infinite. */
static double shift_of(int64_t n, const double *x)
{
    double largest = -INFINITY;
    for (int64_t j = 0; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    return isinf(largest) ? 0 : largest;
}

/* Of exp(x - shift). */
static double sum_exp(int64_t n, const double *x, double shift)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += exp(x[j] - shift);
    return sum;
}

static void double_row(int64_t n, const double *x, bool logarithm, double *y)
{
    double shift = shift_of(n, x), sum = sum_exp(n, x, shift);
    for (int64_t j = 0; j < n; j++)
        y[j] = logarithm ? x[j] - shift - log(sum) : exp(x[j] - shift) / sum;
}

static Tensor *softmax_or_log(const Tensor *x, bool logarithm)
{
    assert(x->rank >= 1);
    Tensor *result = t_like(x);
    int64_t n = x->shape[x->rank - 1];
    if (x->type == ARRAY_F32 && logarithm)
        over_rows(x, log_softmax_rows, &(Rows){.x = tensor_f32(x), .result = tensor_f32(result)});
    else if (x->type == ARRAY_F32)
        softmax_rows(SOFTMAX_BY_SHAPE, n ? x->count / n : 0, n, tensor_f32(x), tensor_f32(result));
    else
        for (int64_t at = 0; at < x->count; at += n)
            double_row(n, tensor_f64(x) + at, logarithm, tensor_f64(result) + at);
    return result;
}

/* In one pass; only where nobody will differentiate it again. */
static Tensor *fused_backward(const Tensor *y, const Tensor *gradient, bool logarithm)
{
    Tensor *result = t_like(y);
    Rows rows = {.y = tensor_f32(y), .gradient = tensor_f32(gradient), .result = tensor_f32(result)};
    rows.backward = logarithm ? kernels()->log_softmax_backward_row : kernels()->softmax_backward_row;
    over_rows(y, backward_rows, &rows);
    return result;
}

static bool may_fuse(const Tensor *gradient)
{
    return gradient->type == ARRAY_F32 && !tape_recording();
}

static int sample_rows(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -3, 3, SHAPE(2, 3, 4)); break;
    case 1: inputs[0] = sample_leaf(random, -3, 3, SHAPE(3, 1)); break;
    case 2: inputs[0] = sample_leaf(random, -3, 3, SHAPE(5)); break;
    case 3: inputs[0] = sample_leaf(random, -3, 3, SHAPE(0, 3)); break;
    default: inputs[0] = sample_leaf(random, -3, 3, SHAPE(2, 37)); break;
    }
    return 1;
}

static void backward_softmax(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *y = node->output;
    gradients[0] = may_fuse(gradient) ? fused_backward(y, gradient, false)
                                      : t_mul(y, t_sub(gradient, t_sum(t_mul(gradient, y), -1, true)));
}

static Tensor *apply_softmax(Tensor **inputs, int variant)
{
    (void)variant;
    return t_softmax(inputs[0]);
}

const OperationDef operation_softmax = {
    .component = {.name = "softmax", .summary = "exp(x) / sum exp(x)"},
    .backward = backward_softmax, .variants = 5, .inputs = sample_rows, .apply = apply_softmax,
};

Tensor *t_softmax(Tensor *x)
{
    Tensor *result = softmax_or_log(x, false);
    op_record(&operation_softmax, result, 1, &x, NULL, 0);
    return result;
}

static void backward_log_softmax(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = may_fuse(gradient)
                       ? fused_backward(node->output, gradient, true)
                       : t_sub(gradient, t_mul(t_softmax(node->inputs[0]), t_sum(gradient, -1, true)));
}

static Tensor *apply_log_softmax(Tensor **inputs, int variant)
{
    (void)variant;
    return t_log_softmax(inputs[0]);
}

const OperationDef operation_log_softmax = {
    .component = {.name = "log_softmax", .summary = "x - log sum exp(x)"},
    .backward = backward_log_softmax, .variants = 5, .inputs = sample_rows, .apply = apply_log_softmax,
};

Tensor *t_log_softmax(Tensor *x)
{
    Tensor *result = softmax_or_log(x, true);
    op_record(&operation_log_softmax, result, 1, &x, NULL, 0);
    return result;
}

static void cross_entropy_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    const Kernels *kernel = kernels();
    for (int64_t i = begin; i < end; i++) {
        const float *x = t->x + i * t->n;
        float *parts = t->saved + 2 * i;
        int32_t target = t->index[i];
        kernel->log_sum_exp_parts(t->n, x, parts);
        t->result[i] = target >= 0 && target < t->n ? (parts[0] - x[target]) + parts[1] : 0;
    }
}

static void cross_entropy_backward_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    const Kernels *kernel = kernels();
    for (int64_t i = begin; i < end; i++) {
        float *result = t->result + i * t->n, g = t->gradient[i];
        int32_t target = t->index[i];
        if (target < 0 || target >= t->n) {
            for (int64_t j = 0; j < t->n; j++)
                result[j] = 0;
            continue;
        }
        kernel->scaled_softmax_row(t->n, t->x + i * t->n, t->parts + 2 * i, g, result);
        result[target] -= g;
    }
}

static void double_cross_entropy(const Tensor *x, const Tensor *index, Tensor *result)
{
    int64_t n = x->shape[1];
    for (int64_t i = 0; i < x->shape[0]; i++) {
        const double *row = tensor_f64(x) + i * n;
        int32_t target = tensor_i32(index)[i];
        double shift = shift_of(n, row), sum = sum_exp(n, row, shift);
        tensor_f64(result)[i] = target >= 0 && target < n ? (shift - row[target]) + log(sum) : 0;
    }
}

/* (softmax(x) - onehot) g, and 0 in rows without a target. */
static Tensor *cross_entropy_gradient(Tensor *x, const Tensor *index, Tensor *gradient)
{
    int64_t rows = x->shape[0], n = x->shape[1];
    Tensor *one_hot = t_zeros(x->type, 2, x->shape), *counted = t_zeros(x->type, SHAPE(rows, 1));
    for (int64_t i = 0; i < rows; i++) {
        int32_t target = tensor_i32(index)[i];
        if (target < 0 || target >= n)
            continue;
        tensor_set(one_hot, i * n + target, 1);
        tensor_set(counted, i, 1);
    }
    return t_mul(t_sub(t_softmax(x), one_hot), t_mul(t_reshape(gradient, SHAPE(rows, 1)), counted));
}

static void backward_cross_entropy(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *index = node->inputs[1];
    if (!may_fuse(gradient)) {
        gradients[0] = cross_entropy_gradient(x, index, gradient);
        return;
    }
    gradients[0] = t_like(x);
    over_rows(x, cross_entropy_backward_rows,
              &(Rows){.x = tensor_f32(x), .index = tensor_i32(index), .parts = tensor_f32(node->saved[0]),
                      .gradient = tensor_f32(gradient), .result = tensor_f32(gradients[0])});
}

static int sample_cross_entropy(Random *random, int variant, Tensor **inputs)
{
    int64_t rows = variant == 1 ? 0 : 4, n = variant == 2 ? 1 : variant == 3 ? 40 : 3;
    inputs[0] = sample_leaf(random, -3, 3, SHAPE(rows, n));
    inputs[1] = sample_indices(random, n, SHAPE(rows));
    if (variant == 0) {
        tensor_i32(inputs[1])[1] = -1;
        tensor_i32(inputs[1])[3] = 3;
    }
    return 2;
}

static Tensor *apply_cross_entropy(Tensor **inputs, int variant)
{
    (void)variant;
    return t_softmax_cross_entropy(inputs[0], inputs[1]);
}

const OperationDef operation_softmax_cross_entropy = {
    .component = {.name = "softmax_cross_entropy", .summary = "-log softmax(x)[index], fused"},
    .backward = backward_cross_entropy, .variants = 4, .inputs = sample_cross_entropy, .apply = apply_cross_entropy,
};

Tensor *t_softmax_cross_entropy(Tensor *x, Tensor *index)
{
    assert(x->rank == 2 && index->rank == 1 && index->type == ARRAY_I32 && index->shape[0] == x->shape[0]);
    Tensor *result = t_new(x->type, SHAPE(x->shape[0])), *parts = NULL;
    if (x->type == ARRAY_F32) {
        parts = t_new(ARRAY_F32, SHAPE(x->shape[0], 2));
        over_rows(x, cross_entropy_rows, &(Rows){.x = tensor_f32(x), .index = tensor_i32(index),
                                                 .result = tensor_f32(result), .saved = tensor_f32(parts)});
    } else {
        double_cross_entropy(x, index, result);
    }
    Node *node = op_record(&operation_softmax_cross_entropy, result, 2, (Tensor *[]){x, index}, NULL, 0);
    if (node)
        node->saved[0] = parts;
    return result;
}

static void log_probability_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = t->x + i * t->n;
        float *parts = t->saved + 2 * i;
        kernels()->log_sum_exp_parts(t->n, x, parts);
        for (int64_t k = i * t->picked; k < (i + 1) * t->picked; k++)
            t->result[k] = (x[t->index[k]] - parts[0]) - parts[1];
    }
}

static void log_probability_backward_rows(void *context, int64_t begin, int64_t end)
{
    const Rows *t = context;
    for (int64_t i = begin; i < end; i++) {
        float *result = t->result + i * t->n, sum = 0;
        for (int64_t k = i * t->picked; k < (i + 1) * t->picked; k++)
            sum += t->gradient[k];
        kernels()->scaled_softmax_row(t->n, t->x + i * t->n, t->parts + 2 * i, -sum, result);
        for (int64_t k = i * t->picked; k < (i + 1) * t->picked; k++)
            result[t->index[k]] += t->gradient[k];
    }
}

static void backward_log_probabilities(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *index = node->inputs[1];
    if (!may_fuse(gradient)) {
        gradients[0] = t_sub(t_scatter(gradient, 1, index, x->shape[1]),
                             t_mul(t_softmax(x), t_sum(gradient, -1, true)));
        return;
    }
    gradients[0] = t_like(x);
    over_rows(x, log_probability_backward_rows,
              &(Rows){.x = tensor_f32(x), .index = tensor_i32(index), .picked = index->shape[1],
                      .parts = tensor_f32(node->saved[0]), .gradient = tensor_f32(gradient),
                      .result = tensor_f32(gradients[0])});
}

static int sample_log_probabilities(Random *random, int variant, Tensor **inputs)
{
    int64_t rows = variant == 1 ? 0 : 4, n = variant == 2 ? 1 : variant == 3 ? 40 : 3;
    inputs[0] = sample_leaf(random, -3, 3, SHAPE(rows, n));
    inputs[1] = sample_indices(random, n, SHAPE(rows, 5)); /* some are there twice */
    return 2;
}

static Tensor *apply_log_probabilities(Tensor **inputs, int variant)
{
    (void)variant;
    return t_log_probabilities(inputs[0], inputs[1]);
}

const OperationDef operation_log_probabilities = {
    .component = {.name = "log_probabilities", .summary = "log softmax(x) of some columns of each row, fused"},
    .backward = backward_log_probabilities, .variants = 4, .inputs = sample_log_probabilities,
    .apply = apply_log_probabilities,
};

Tensor *t_log_probabilities(Tensor *x, Tensor *index)
{
    assert(x->rank == 2 && index->rank == 2 && index->type == ARRAY_I32 && index->shape[0] == x->shape[0]);
    int64_t rows = x->shape[0], n = x->shape[1], picked = index->shape[1];
    Tensor *result = t_new(x->type, SHAPE(rows, picked)), *parts = NULL;
    if (x->type == ARRAY_F32) {
        parts = t_new(ARRAY_F32, SHAPE(rows, 2));
        over_rows(x, log_probability_rows, &(Rows){.x = tensor_f32(x), .index = tensor_i32(index), .picked = picked,
                                                   .result = tensor_f32(result), .saved = tensor_f32(parts)});
    } else {
        for (int64_t i = 0; i < rows; i++) {
            const double *row = tensor_f64(x) + i * n;
            double shift = shift_of(n, row), rest = log(sum_exp(n, row, shift));
            for (int64_t k = i * picked; k < (i + 1) * picked; k++)
                tensor_f64(result)[k] = row[tensor_i32(index)[k]] - shift - rest;
        }
    }
    Node *node = op_record(&operation_log_probabilities, result, 2, (Tensor *[]){x, index}, NULL, 0);
    if (node)
        node->saved[0] = parts;
    return result;
}
