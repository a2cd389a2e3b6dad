/* Products of matrices, and what is made of them. */
#include <assert.h>
#include <string.h>

#include "core/kernels/gemm.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Transposes {
    bool a, b;
} Transposes;

static int64_t rows_of(const Tensor *x)
{
    return x->shape[x->rank - 2];
}

static int64_t columns_of(const Tensor *x)
{
    return x->shape[x->rank - 1];
}

static int64_t leading(const Tensor *x)
{
    int64_t count = 1;
    for (int i = 0; i < x->rank - 2; i++)
        count *= x->shape[i];
    return count;
}

static void multiply(const Tensor *a, const Tensor *b, Transposes transpose, Tensor *result)
{
    int64_t m = rows_of(result), n = columns_of(result), k = transpose.a ? rows_of(a) : columns_of(a);
    int64_t batch = leading(result), lda = columns_of(a), ldb = columns_of(b);
    int64_t stride_a = a->rank < result->rank ? 0 : m * k, stride_b = b->rank < result->rank ? 0 : k * n;
    if (stride_b == 0 && stride_a != 0 && !transpose.a) {
        m *= batch;
        batch = 1;
    }
    if (result->type == ARRAY_F32) {
        sgemm_batch(transpose.a, transpose.b, m, n, k, tensor_f32(a), lda, stride_a, tensor_f32(b), ldb, stride_b,
                    0, tensor_f32(result), n, m * n, batch);
        return;
    }
    for (int64_t i = 0; i < batch; i++)
        dgemm(transpose.a, transpose.b, m, n, k, tensor_f64(a) + i * stride_a, lda, tensor_f64(b) + i * stride_b,
              ldb, 0, tensor_f64(result) + i * m * n, n);
}

static Tensor *rows_flattened(Tensor *x)
{
    return t_reshape(x, SHAPE(leading(x) * rows_of(x), columns_of(x)));
}

/* With C = op(A) op(B) and gradient G: dA = G op(B)' and dB = op(A)' G, themselves transposed where A or
   B was. A shared matrix gathers the sum over the batch; where it can be had, by one long product. */
static void backward_matmul(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Transposes *transpose = node->attributes;
    Tensor *a = node->inputs[0], *b = node->inputs[1];
    if (op_wants(node, 0)) {
        Tensor *batch = transpose->a ? t_matmul(b, gradient, transpose->b, true)
                                     : t_matmul(gradient, b, false, !transpose->b);
        gradients[0] = t_sum_to(batch, a->rank, a->shape);
    }
    if (op_wants(node, 1)) {
        if (b->rank < a->rank && !transpose->a) {
            a = rows_flattened(a);
            gradient = rows_flattened(gradient);
        }
        Tensor *batch = transpose->b ? t_matmul(gradient, a, true, transpose->a)
                                     : t_matmul(a, gradient, !transpose->a, false);
        gradients[1] = t_sum_to(batch, b->rank, b->shape);
    }
}

/* Variants 0-3: every pair of transposes; 4-7: the same for batches; 8-11: b shared; 12-15: a shared;
   then an empty batch, nothing to sum over, and one long sum. */
static int sample_matmul(Random *random, int variant, Tensor **inputs)
{
    bool a = variant & 1, b = variant & 2;
    int kind = variant / 4;
    if (kind == 0) {
        inputs[0] = sample_leaf(random, -1, 1, 2, a ? (int64_t[]){3, 2} : (int64_t[]){2, 3});
        inputs[1] = sample_leaf(random, -1, 1, 2, b ? (int64_t[]){4, 3} : (int64_t[]){3, 4});
    } else if (kind < 4) {
        int skip_a = kind == 3 ? 2 : 0, skip_b = kind == 2 ? 2 : 0;
        int64_t shape_a[4] = {2, 1, a ? 3 : 2, a ? 2 : 3}, shape_b[4] = {2, 1, b ? 4 : 3, b ? 3 : 4};
        inputs[0] = sample_leaf(random, -1, 1, 4 - skip_a, shape_a + skip_a);
        inputs[1] = sample_leaf(random, -1, 1, 4 - skip_b, shape_b + skip_b);
    } else {
        int64_t rows = variant == 16 ? 0 : 2, inner = variant == 17 ? 0 : variant == 18 ? 70 : 3;
        inputs[0] = sample_leaf(random, -1, 1, SHAPE(rows, inner));
        inputs[1] = sample_leaf(random, -1, 1, SHAPE(inner, 5));
    }
    return 2;
}

static Tensor *apply_matmul(Tensor **inputs, int variant)
{
    return t_matmul(inputs[0], inputs[1], variant < 16 && (variant & 1), variant < 16 && (variant & 2));
}

const OperationDef operation_matmul = {
    .component = {.name = "matmul", .summary = "product of matrices, or of batches of them"},
    .backward = backward_matmul, .variants = 19, .inputs = sample_matmul, .apply = apply_matmul,
};

Tensor *t_matmul(Tensor *a, Tensor *b, bool transpose_a, bool transpose_b)
{
    const Tensor *larger = b->rank > a->rank ? b : a;
    assert(a->type == b->type && a->rank >= 2 && b->rank >= 2);
    assert((transpose_a ? rows_of(a) : columns_of(a)) == (transpose_b ? columns_of(b) : rows_of(b)));
    assert((a->rank == 2 || a->rank == larger->rank) && (b->rank == 2 || b->rank == larger->rank));
    int64_t shape[TENSOR_MAX_RANK];
    for (int i = 0; i < larger->rank - 2; i++) {
        shape[i] = larger->shape[i];
        assert(a->rank != b->rank || a->shape[i] == b->shape[i]);
    }
    shape[larger->rank - 2] = transpose_a ? columns_of(a) : rows_of(a);
    shape[larger->rank - 1] = transpose_b ? rows_of(b) : columns_of(b);
    Tensor *result = t_new(a->type, larger->rank, shape);
    Transposes transpose = {transpose_a, transpose_b};
    multiply(a, b, transpose, result);
    op_record(&operation_matmul, result, 2, (Tensor *[]){a, b}, &transpose, sizeof transpose);
    return result;
}

/* x [rows, in] */
static void linear(const Tensor *x, const Tensor *weight, const Tensor *bias, int64_t rows, Tensor *result)
{
    int64_t in = weight->shape[1], out = weight->shape[0];
    double beta = bias ? 1 : 0;
    if (x->type == ARRAY_F32) {
        const GemmFinish finish = {.bias = bias ? tensor_f32(bias) : NULL};
        sgemm_finish(false, true, rows, out, in, tensor_f32(x), in, tensor_f32(weight), in, 0, &finish,
                     tensor_f32(result), out);
        return;
    }
    for (int64_t i = 0; bias && i < rows; i++)
        memcpy(tensor_f64(result) + i * out, bias->data, (size_t)out * sizeof(double));
    dgemm(false, true, rows, out, in, tensor_f64(x), in, tensor_f64(weight), in, beta, tensor_f64(result), out);
}

static void backward_linear(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *weight = node->inputs[1];
    int64_t in = weight->shape[1], out = weight->shape[0], rows = leading(x) * (x->rank > 1 ? rows_of(x) : 1);
    Tensor *flat = t_reshape(gradient, SHAPE(rows, out));
    if (op_wants(node, 0))
        gradients[0] = t_reshape(t_matmul(flat, weight, false, false), x->rank, x->shape);
    if (op_wants(node, 1))
        gradients[1] = t_matmul(flat, t_reshape(x, SHAPE(rows, in)), true, false);
    if (op_wants(node, 2))
        gradients[2] = t_sum(flat, 0, false);
}

static int sample_linear(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 2: inputs[0] = sample_leaf(random, -1, 1, SHAPE(3)); break;
    case 3: inputs[0] = sample_leaf(random, -1, 1, SHAPE(0, 3)); break;
    case 4: inputs[0] = sample_leaf(random, -1, 1, SHAPE(2, 1, 2, 3)); break;
    default: inputs[0] = sample_leaf(random, -1, 1, SHAPE(4, 3)); break;
    }
    inputs[1] = sample_leaf(random, -1, 1, SHAPE(5, 3));
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(5));
    return variant == 1 ? 2 : 3;
}

static Tensor *apply_linear(Tensor **inputs, int variant)
{
    return t_linear(inputs[0], inputs[1], variant == 1 ? NULL : inputs[2]);
}

const OperationDef operation_linear = {
    .component = {.name = "linear", .summary = "x times the transpose of a weight, plus a bias"},
    .backward = backward_linear, .variants = 5, .inputs = sample_linear, .apply = apply_linear,
};

Tensor *t_linear(Tensor *x, Tensor *weight, Tensor *bias)
{
    assert(x->type == weight->type && weight->rank == 2 && x->rank >= 1 && columns_of(x) == weight->shape[1]);
    assert(!bias || (bias->type == x->type && bias->rank == 1 && bias->shape[0] == weight->shape[0]));
    int64_t shape[TENSOR_MAX_RANK], rows = 1;
    for (int i = 0; i < x->rank; i++) {
        shape[i] = i < x->rank - 1 ? x->shape[i] : weight->shape[0];
        rows *= i < x->rank - 1 ? x->shape[i] : 1;
    }
    Tensor *result = t_new(x->type, x->rank, shape);
    linear(x, weight, bias, rows, result);
    op_record(&operation_linear, result, bias ? 3 : 2, (Tensor *[]){x, weight, bias}, NULL, 0);
    return result;
}
