/* Elementwise operations of two tensors, with numpy's broadcasting. */
#include <assert.h>

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Both operands walked in the order of the result; a stretched axis has stride 0. */
typedef struct Broadcast {
    int rank;
    int64_t shape[TENSOR_MAX_RANK], stride_a[TENSOR_MAX_RANK], stride_b[TENSOR_MAX_RANK];
} Broadcast;

static void operand_strides(const Tensor *operand, const Broadcast *plan, int64_t *strides)
{
    int64_t stride = 1;
    int shift = plan->rank - operand->rank;
    for (int i = plan->rank - 1; i >= 0; i--) {
        int64_t size = i >= shift ? operand->shape[i - shift] : 1;
        assert(size == plan->shape[i] || size == 1);
        strides[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

static Broadcast broadcast(const Tensor *a, const Tensor *b)
{
    Broadcast plan = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < plan.rank; i++) {
        int from_a = i - (plan.rank - a->rank), from_b = i - (plan.rank - b->rank);
        int64_t size_a = from_a >= 0 ? a->shape[from_a] : 1, size_b = from_b >= 0 ? b->shape[from_b] : 1;
        plan.shape[i] = size_a == 1 ? size_b : size_a;
    }
    operand_strides(a, &plan, plan.stride_a);
    operand_strides(b, &plan, plan.stride_b);
    return plan;
}

typedef enum Binary { ADD, SUB, MUL } Binary;

#define ROW(TYPE, EXPRESSION)                                                     \
    do {                                                                          \
        const TYPE *p = (const TYPE *)a->data + at_a, *q = (const TYPE *)b->data + at_b; \
        TYPE *r = (TYPE *)result->data + at;                                      \
        for (int64_t i = 0; i < n; i++) {                                         \
            TYPE x = p[i * step_a], y = q[i * step_b];                            \
            r[i] = EXPRESSION;                                                    \
        }                                                                         \
    } while (0)
#define BOTH_TYPES(EXPRESSION) if (a->type == ARRAY_F32) ROW(float, EXPRESSION); else ROW(double, EXPRESSION)

static void compute_row(Binary kind, const Tensor *a, const Tensor *b, Tensor *result, int64_t n, int64_t at_a,
                        int64_t step_a, int64_t at_b, int64_t step_b, int64_t at)
{
    switch (kind) {
    case ADD: BOTH_TYPES(x + y); break;
    case SUB: BOTH_TYPES(x - y); break;
    case MUL: BOTH_TYPES(x * y); break;
    }
}

static Tensor *compute(Binary kind, Tensor *a, Tensor *b)
{
    assert(a->type == b->type);
    Broadcast plan = broadcast(a, b);
    Tensor *result = t_new(a->type, plan.rank, plan.shape);
    int last = plan.rank - 1;
    int64_t n = plan.rank ? plan.shape[last] : 1, rows = n ? result->count / n : 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t at_a = 0, at_b = 0, rest = row;
        for (int i = last - 1; i >= 0; i--) {
            at_a += rest % plan.shape[i] * plan.stride_a[i];
            at_b += rest % plan.shape[i] * plan.stride_b[i];
            rest /= plan.shape[i];
        }
        compute_row(kind, a, b, result, n, at_a, plan.rank ? plan.stride_a[last] : 0, at_b,
                    plan.rank ? plan.stride_b[last] : 0, row * n);
    }
    return result;
}

static Tensor *sum_like(Tensor *gradient, const Tensor *like)
{
    return t_sum_to(gradient, like->rank, like->shape);
}

static int sample_pair(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 4)), inputs[1] = sample_leaf(random, -2, 2, SHAPE(3, 4)); break;
    case 1: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 3, 4)), inputs[1] = sample_leaf(random, -2, 2, SHAPE(3, 1)); break;
    case 2: inputs[0] = sample_leaf(random, -2, 2, SHAPE(5)), inputs[1] = sample_leaf(random, -2, 2, SHAPE(4, 1)); break;
    case 3: inputs[0] = sample_leaf(random, -2, 2, 0, NULL), inputs[1] = sample_leaf(random, -2, 2, SHAPE(2, 2)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 3)), inputs[1] = sample_leaf(random, -2, 2, SHAPE(3)); break;
    }
    return 2;
}

static void backward_add(const Node *node, Tensor *gradient, Tensor **gradients)
{
    for (int i = 0; i < 2; i++)
        if (op_wants(node, i))
            gradients[i] = sum_like(gradient, node->inputs[i]);
}

static Tensor *apply_add(Tensor **inputs, int variant)
{
    (void)variant;
    return t_add(inputs[0], inputs[1]);
}

const OperationDef operation_add = {
    .component = {.name = "add", .summary = "a + b"},
    .backward = backward_add, .variants = 5, .inputs = sample_pair, .apply = apply_add,
};

Tensor *t_add(Tensor *a, Tensor *b)
{
    Tensor *result = compute(ADD, a, b);
    op_record(&operation_add, result, 2, (Tensor *[]){a, b}, NULL, 0);
    return result;
}

static void backward_sub(const Node *node, Tensor *gradient, Tensor **gradients)
{
    if (op_wants(node, 0))
        gradients[0] = sum_like(gradient, node->inputs[0]);
    if (op_wants(node, 1))
        gradients[1] = t_scale(sum_like(gradient, node->inputs[1]), -1);
}

static Tensor *apply_sub(Tensor **inputs, int variant)
{
    (void)variant;
    return t_sub(inputs[0], inputs[1]);
}

const OperationDef operation_sub = {
    .component = {.name = "sub", .summary = "a - b"},
    .backward = backward_sub, .variants = 5, .inputs = sample_pair, .apply = apply_sub,
};

Tensor *t_sub(Tensor *a, Tensor *b)
{
    Tensor *result = compute(SUB, a, b);
    op_record(&operation_sub, result, 2, (Tensor *[]){a, b}, NULL, 0);
    return result;
}

static void backward_mul(const Node *node, Tensor *gradient, Tensor **gradients)
{
    for (int i = 0; i < 2; i++)
        if (op_wants(node, i))
            gradients[i] = sum_like(t_mul(gradient, node->inputs[1 - i]), node->inputs[i]);
}

static Tensor *apply_mul(Tensor **inputs, int variant)
{
    (void)variant;
    return t_mul(inputs[0], inputs[1]);
}

const OperationDef operation_mul = {
    .component = {.name = "mul", .summary = "a b"},
    .backward = backward_mul, .variants = 5, .inputs = sample_pair, .apply = apply_mul,
};

Tensor *t_mul(Tensor *a, Tensor *b)
{
    Tensor *result = compute(MUL, a, b);
    op_record(&operation_mul, result, 2, (Tensor *[]){a, b}, NULL, 0);
    return result;
}
