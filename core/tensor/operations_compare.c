/* Comparisons, and the choice that goes by them. */
#include <assert.h>

#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

typedef struct Comparison {
    CompareKernel relation;
    const Tensor *a, *b;
    Tensor *result;
} Comparison;

#define COMPARE_ROWS(TYPE, OPERATOR)                                                              \
    do {                                                                                          \
        const TYPE *a = (const TYPE *)work->a->data + rows->from[0];                              \
        const TYPE *b = (const TYPE *)work->b->data + rows->from[1];                              \
        for (int64_t r = 0; r < rows->rows; r++, a += rows->row_stride[0], b += rows->row_stride[1], to += rows->n) \
            for (int64_t i = 0; i < rows->n; i++)                                                 \
                to[i] = a[i * rows->stride[0]] OPERATOR b[i * rows->stride[1]];                   \
    } while (0)
#define DEFINE_COMPARE(name, TYPE)                                      \
    static void name(void *context, const WalkRows *rows)               \
    {                                                                   \
        const Comparison *work = context;                               \
        int32_t *to = tensor_i32(work->result) + rows->to;              \
        switch (work->relation) {                                       \
        case COMPARE_less: COMPARE_ROWS(TYPE, <); break;                \
        case COMPARE_less_equal: COMPARE_ROWS(TYPE, <=); break;         \
        default: COMPARE_ROWS(TYPE, ==); break;                         \
        }                                                               \
    }

DEFINE_COMPARE(compare_double, double)
DEFINE_COMPARE(compare_integer, int32_t)

static void compare_single(void *context, const WalkRows *rows)
{
    const Comparison *work = context;
    kernels()->elementwise.compare[work->relation](
        rows->rows, rows->n, tensor_f32(work->a) + rows->from[0], rows->row_stride[0], rows->stride[0],
        tensor_f32(work->b) + rows->from[1], rows->row_stride[1], rows->stride[1], tensor_i32(work->result) + rows->to);
}

static Tensor *compare(CompareKernel relation, Tensor *a, Tensor *b)
{
    assert(a->type == b->type);
    Walk walk = walk_together(2, (Tensor *[]){a, b});
    Comparison work = {relation, a, b, t_new(ARRAY_I32, walk.result_rank, walk.result_shape)};
    WalkBody body = a->type == ARRAY_F32 ? compare_single : a->type == ARRAY_F64 ? compare_double : compare_integer;
    walk_run(&walk, body, &work);
    return work.result;
}

Tensor *t_less(Tensor *a, Tensor *b)
{
    return compare(COMPARE_less, a, b);
}

Tensor *t_less_equal(Tensor *a, Tensor *b)
{
    return compare(COMPARE_less_equal, a, b);
}

Tensor *t_equal(Tensor *a, Tensor *b)
{
    return compare(COMPARE_equal, a, b);
}

/* ---- Choice ---- */

typedef struct Choice {
    const Tensor *condition, *a, *b;
    Tensor *result;
} Choice;

#define DEFINE_CHOOSE(name, TYPE)                                                             \
    static void name(void *context, const WalkRows *rows)                                     \
    {                                                                                         \
        const Choice *work = context;                                                         \
        const int32_t *condition = tensor_i32(work->condition) + rows->from[0];               \
        const TYPE *a = (const TYPE *)work->a->data + rows->from[1];                          \
        const TYPE *b = (const TYPE *)work->b->data + rows->from[2];                          \
        TYPE *to = (TYPE *)work->result->data + rows->to;                                     \
        for (int64_t r = 0; r < rows->rows; r++) {                                            \
            for (int64_t i = 0; i < rows->n; i++)                                             \
                to[i] = condition[i * rows->stride[0]] ? a[i * rows->stride[1]] : b[i * rows->stride[2]]; \
            condition += rows->row_stride[0];                                                 \
            a += rows->row_stride[1];                                                         \
            b += rows->row_stride[2];                                                         \
            to += rows->n;                                                                    \
        }                                                                                     \
    }

static void choose_single(void *context, const WalkRows *rows)
{
    const Choice *work = context;
    kernels()->elementwise.where(rows->rows, rows->n, tensor_i32(work->condition) + rows->from[0],
                                 tensor_f32(work->a) + rows->from[1], tensor_f32(work->b) + rows->from[2],
                                 rows->row_stride, rows->stride, tensor_f32(work->result) + rows->to);
}

DEFINE_CHOOSE(choose_double, double)
DEFINE_CHOOSE(choose_integer, int32_t)

static void backward_where(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *condition = node->inputs[0], *zero = t_scalar(gradient->type, 0);
    if (op_wants(node, 1))
        gradients[1] = t_sum_to(t_where(condition, gradient, zero), node->inputs[1]->rank, node->inputs[1]->shape);
    if (op_wants(node, 2))
        gradients[2] = t_sum_to(t_where(condition, zero, gradient), node->inputs[2]->rank, node->inputs[2]->shape);
}

static int sample_where(Random *random, int variant, Tensor **inputs)
{
    static const struct { int rank[3]; int64_t shape[3][3]; } shapes[] = {
        {{2, 2, 2}, {{3, 4}, {3, 4}, {3, 4}}}, {{2, 3, 1}, {{3, 1}, {2, 3, 4}, {4}}},
        {{3, 0, 2}, {{2, 1, 4}, {0}, {3, 1}}}, {{1, 2, 0}, {{3}, {0, 3}, {0}}},
    };
    inputs[0] = sample_indices(random, 2, shapes[variant].rank[0], shapes[variant].shape[0]);
    for (int i = 1; i < 3; i++)
        inputs[i] = sample_leaf(random, -2, 2, shapes[variant].rank[i], shapes[variant].shape[i]);
    return 3;
}

static Tensor *apply_where(Tensor **inputs, int variant)
{
    (void)variant;
    return t_where(inputs[0], inputs[1], inputs[2]);
}

const OperationDef operation_where = {
    .component = {.name = "where", .summary = "a where the condition holds, else b"},
    .backward = backward_where, .variants = 4, .inputs = sample_where, .apply = apply_where,
};

Tensor *t_where(Tensor *condition, Tensor *a, Tensor *b)
{
    assert(condition->type == ARRAY_I32 && a->type == b->type);
    Tensor *operands[] = {condition, a, b};
    Walk walk = walk_together(3, operands);
    Choice work = {condition, a, b, t_new(a->type, walk.result_rank, walk.result_shape)};
    WalkBody body = a->type == ARRAY_F32 ? choose_single : a->type == ARRAY_F64 ? choose_double : choose_integer;
    walk_run(&walk, body, &work);
    op_record(&operation_where, work.result, 3, operands, NULL, 0);
    return work.result;
}
