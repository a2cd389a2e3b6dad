/* Elementwise operations of two tensors, with numpy's broadcasting, as rows:

       BINARY(mul, -2, 2, x * y, t_mul(gradient, b), t_mul(gradient, a))
       const OperationDef operation_mul = {BINARY_OPERATION(mul, "a b")};

   BINARY(name, low, high, value, to_a, to_b) makes t_name: `value` in double of x and y; `to_a` and `to_b` the
   gradients as tensors of a, b, result and gradient, before the sum over what was stretched. */
#include <assert.h>
#include <math.h>

#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

typedef struct Binary {
    const OperationDef *operation;
    BinaryKernel kernel;
    double (*value)(double x, double y);
    Tensor *(*derivative[2])(Tensor *a, Tensor *b, Tensor *result, Tensor *gradient);
} Binary;

typedef struct Work {
    const Binary *binary;
    const Tensor *a, *b;
    Tensor *result;
} Work;

static void compute_single(void *context, const WalkRows *rows)
{
    const Work *work = context;
    const float *a = tensor_f32(work->a) + rows->from[0], *b = tensor_f32(work->b) + rows->from[1];
    float *to = tensor_f32(work->result) + rows->to;
    const ElementwiseKernels *kernel = &kernels()->elementwise;
    if (work->binary->kernel) {
        kernel->binary[work->binary->kernel](rows->rows, rows->n, a, rows->row_stride[0], rows->stride[0],
                                             b, rows->row_stride[1], rows->stride[1], to);
        return;
    }
    for (int64_t r = 0; r < rows->rows; r++, a += rows->row_stride[0], b += rows->row_stride[1], to += rows->n)
        for (int64_t i = 0; i < rows->n; i++)
            to[i] = (float)work->binary->value((double)a[i * rows->stride[0]], (double)b[i * rows->stride[1]]);
}

static void compute_double(void *context, const WalkRows *rows)
{
    const Work *work = context;
    const double *a = tensor_f64(work->a) + rows->from[0], *b = tensor_f64(work->b) + rows->from[1];
    double *to = tensor_f64(work->result) + rows->to;
    for (int64_t r = 0; r < rows->rows; r++, a += rows->row_stride[0], b += rows->row_stride[1], to += rows->n)
        for (int64_t i = 0; i < rows->n; i++)
            to[i] = work->binary->value(a[i * rows->stride[0]], b[i * rows->stride[1]]);
}

static Tensor *compute(const Binary *binary, Tensor *a, Tensor *b)
{
    assert(a->type == b->type && (a->type == ARRAY_F32 || a->type == ARRAY_F64));
    Walk walk = walk_together(2, (Tensor *[]){a, b});
    Work work = {binary, a, b, t_new(a->type, walk.result_rank, walk.result_shape)};
    walk_run(&walk, a->type == ARRAY_F32 ? compute_single : compute_double, &work);
    op_record(binary->operation, work.result, 2, (Tensor *[]){a, b}, &binary, sizeof(const Binary *));
    return work.result;
}

static void backward_binary(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Binary *binary = *(const Binary *const *)node->attributes;
    for (int i = 0; i < 2; i++) {
        if (!op_wants(node, i))
            continue;
        Tensor *full = binary->derivative[i](node->inputs[0], node->inputs[1], node->output, gradient);
        gradients[i] = t_sum_to(full, node->inputs[i]->rank, node->inputs[i]->shape);
    }
}

enum { VARIANTS = 7 };

static int sample_pair(Random *random, int variant, Tensor **inputs, double low, double high)
{
    static const struct { int rank_a, rank_b; int64_t a[4], b[4]; } shapes[VARIANTS] = {
        {2, 2, {3, 5}, {3, 5}}, {3, 2, {2, 3, 4}, {3, 1}}, {1, 2, {5}, {4, 1}}, {0, 2, {0}, {2, 2}},
        {2, 1, {0, 3}, {3}}, {2, 1, {3, 4}, {4}}, {3, 4, {1, 2, 3}, {2, 2, 1, 1}},
    };
    inputs[0] = sample_leaf(random, low, high, shapes[variant].rank_a, shapes[variant].a);
    inputs[1] = sample_leaf(random, low, high, shapes[variant].rank_b, shapes[variant].b);
    return 2;
}

#define DERIVATIVE(name, expression)                                                        \
    static Tensor *name(Tensor *a, Tensor *b, Tensor *result, Tensor *gradient)             \
    {                                                                                       \
        (void)a, (void)b, (void)result;                                                     \
        return expression;                                                                  \
    }

#define BINARY_ROW(name, kernel_, low, high, formula, to_a, to_b) \
    static double value_##name(double x, double y)                                          \
    {                                                                                       \
        return formula;                                                                      \
    }                                                                                       \
    DERIVATIVE(name##_to_a, to_a)                                                           \
    DERIVATIVE(name##_to_b, to_b)                                                           \
    static int sample_##name(Random *random, int variant, Tensor **inputs)                  \
    {                                                                                       \
        return sample_pair(random, variant, inputs, low, high);                             \
    }                                                                                       \
    static Tensor *apply_##name(Tensor **inputs, int variant)                               \
    {                                                                                       \
        (void)variant;                                                                      \
        return t_##name(inputs[0], inputs[1]);                                              \
    }                                                                                       \
    extern const OperationDef operation_##name;                                             \
    static const Binary binary_##name = {&operation_##name, kernel_, value_##name, {name##_to_a, name##_to_b}}; \
    Tensor *t_##name(Tensor *a, Tensor *b)                                                  \
    {                                                                                       \
        return compute(&binary_##name, a, b);                                               \
    }
#define BINARY(name, low, high, value, to_a, to_b) BINARY_ROW(name, BINARY_##name, low, high, value, to_a, to_b)
#define BINARY_PLAIN(name, low, high, value, to_a, to_b) BINARY_ROW(name, BINARY_none, low, high, value, to_a, to_b)
#define BINARY_OPERATION(name_, summary_)                                                   \
    .component = {.name = #name_, .summary = summary_}, .backward = backward_binary, .variants = VARIANTS, \
    .inputs = sample_##name_, .apply = apply_##name_

BINARY(add, -2, 2, x + y, gradient, gradient)
const OperationDef operation_add = {BINARY_OPERATION(add, "a + b")};

BINARY(sub, -2, 2, x - y, gradient, t_neg(gradient))
const OperationDef operation_sub = {BINARY_OPERATION(sub, "a - b")};

BINARY(mul, -2, 2, x * y, t_mul(gradient, b), t_mul(gradient, a))
const OperationDef operation_mul = {BINARY_OPERATION(mul, "a b")};

BINARY(div, 0.3, 2, x / y, t_div(gradient, b), t_neg(t_div(t_mul(gradient, result), b)))
const OperationDef operation_div = {BINARY_OPERATION(div, "a / b")};

/* 1 where a > b, 1/2 where they are equal, else 0: a constant. */
static Tensor *share_of_larger(Tensor *a, Tensor *b)
{
    Tensor *above = t_less(b, a), *equal = t_equal(a, b);
    return t_add(t_cast(above, a->type), t_scale(t_cast(equal, a->type), 0.5));
}

BINARY(maximum, -2, 2, isnan(x) || x > y ? x : y, t_mul(gradient, share_of_larger(a, b)),
       t_mul(gradient, share_of_larger(b, a)))
const OperationDef operation_maximum = {BINARY_OPERATION(maximum, "the larger; a tie shares the gradient")};

BINARY(minimum, -2, 2, isnan(x) || x < y ? x : y, t_mul(gradient, share_of_larger(b, a)),
       t_mul(gradient, share_of_larger(a, b)))
const OperationDef operation_minimum = {BINARY_OPERATION(minimum, "the smaller; a tie shares the gradient")};

/* a^b log(a), which tends to 0 with a. */
static Tensor *pow_to_exponent(Tensor *a, Tensor *result, Tensor *gradient)
{
    Tensor *one = t_scalar(a->type, 1), *zero = t_scalar(a->type, 0), *at_zero = t_equal(a, zero);
    return t_mul(gradient, t_where(at_zero, zero, t_mul(result, t_log(t_where(at_zero, one, a)))));
}

BINARY_PLAIN(pow, 0.4, 2, pow(x, y), t_mul(gradient, t_mul(b, t_pow(a, t_add_scalar(b, -1)))),
             pow_to_exponent(a, result, gradient))
const OperationDef operation_pow = {BINARY_OPERATION(pow, "a to the power b")};

static Tensor *squared_radius(Tensor *y, Tensor *x)
{
    return t_add(t_square(y), t_square(x));
}

BINARY_PLAIN(atan2, 0.3, 2, atan2(x, y), t_div(t_mul(gradient, b), squared_radius(a, b)),
             t_neg(t_div(t_mul(gradient, a), squared_radius(a, b))))
const OperationDef operation_atan2 = {BINARY_OPERATION(atan2, "the angle of the point (b, a)")};
