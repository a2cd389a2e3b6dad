/* Reductions that are not sums: extrema, log-sum-exp, the Euclidean norm; and the running sum. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

enum { GRAIN = 1 << 15 };

static int64_t grain_of(const Axis *axis)
{
    int64_t elements = axis->size * axis->inner + 1;
    return (GRAIN + elements - 1) / elements;
}

/* Over everything: the same over the only axis of a flat tensor. */
static Tensor *over_everything(Tensor *(*reduce)(Tensor *x, int axis, bool keep), Tensor *x, bool keep)
{
    Axis all = axis_around(x, ALL_AXES, keep);
    return t_reshape(reduce(t_reshape(x, SHAPE(-1)), 0, true), all.rank, all.shape);
}

static int sample_axes(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 4: inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 3)); break;
    case 5: inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 1)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 3, 4)); break;
    }
    return 1;
}

static const int sample_axis[] = {0, 1, -1, ALL_AXES, 1, 1};
enum { VARIANTS = 6 };

/* ---- Largest and smallest ---- */

typedef struct Search {
    Axis axis;
    const Tensor *x;
    double sign;            /* -1: the smallest */
    Tensor *value, *index;  /* [outer, inner] */
} Search;

static void search_single(void *context, int64_t begin, int64_t end)
{
    const Search *work = context;
    const ElementwiseKernels *kernel = &kernels()->elementwise;
    int64_t size = work->axis.size, inner = work->axis.inner;
    const float *x = tensor_f32(work->x);
    float *value = tensor_f32(work->value), sign = (float)work->sign;
    int32_t *index = tensor_i32(work->index);
    if (inner == 1)
        kernel->search_rows(end - begin, size, x + begin * size, sign, value + begin, index + begin);
    else
        for (int64_t o = begin; o < end; o++)
            kernel->search_columns(size, inner, x + o * size * inner, sign, value + o * inner, index + o * inner);
}

/* As the kernels: the first of equals, NaN above all. */
static void search_plain(void *context, int64_t begin, int64_t end)
{
    const Search *work = context;
    int64_t size = work->axis.size, inner = work->axis.inner;
    for (int64_t line = begin * inner; line < end * inner; line++) {
        int64_t first = line / inner * size * inner + line % inner, place = 0;
        double best = tensor_value(work->x, first);
        for (int64_t k = 1; k < size; k++) {
            double x = tensor_value(work->x, first + k * inner);
            if (work->sign * x > work->sign * best || (isnan(x) && !isnan(best))) {
                best = x;
                place = k;
            }
        }
        tensor_i32(work->index)[line] = (int32_t)place;
        tensor_set(work->value, line, best);
    }
}

static void search(Search *work)
{
    assert((work->axis.size > 0 && work->axis.size <= INT32_MAX) || work->index->count == 0);
    if (work->index->count)
        parallel_for(work->axis.outer, grain_of(&work->axis),
                     work->x->type == ARRAY_F32 ? search_single : search_plain, work);
}

static void backward_extremum(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *index = node->saved[0];
    int axis = *(const int *)node->attributes;
    Tensor *kept = t_reshape(gradient, index->rank, index->shape);
    gradients[0] = t_scatter(kept, axis, index, x->shape[axis]);
}

static Tensor *apply_max(Tensor **inputs, int variant)
{
    return t_max(inputs[0], sample_axis[variant], variant == 1);
}

static Tensor *apply_min(Tensor **inputs, int variant)
{
    return t_min(inputs[0], sample_axis[variant], variant == 2);
}

const OperationDef operation_max = {
    .component = {.name = "max", .summary = "the largest along an axis; the gradient goes to the first"},
    .backward = backward_extremum, .variants = VARIANTS, .inputs = sample_axes, .apply = apply_max,
};

const OperationDef operation_min = {
    .component = {.name = "min", .summary = "the smallest along an axis; the gradient goes to the first"},
    .backward = backward_extremum, .variants = VARIANTS, .inputs = sample_axes, .apply = apply_min,
};

static Tensor *extremum(const OperationDef *operation, Tensor *x, int number, bool keep)
{
    Axis axis = axis_around(x, number, keep), kept = axis_around(x, number, true);
    Search work = {.axis = axis, .x = x, .sign = operation == &operation_min ? -1 : 1};
    work.value = t_new(x->type, axis.rank, axis.shape);
    work.index = t_new(ARRAY_I32, kept.rank, kept.shape);
    search(&work);
    Node *node = op_record(operation, work.value, 1, &x, &axis.number, sizeof axis.number);
    if (node)
        node->saved[0] = work.index;
    return work.value;
}

Tensor *t_max(Tensor *x, int axis, bool keep)
{
    return axis == ALL_AXES ? over_everything(t_max, x, keep) : extremum(&operation_max, x, axis, keep);
}

Tensor *t_min(Tensor *x, int axis, bool keep)
{
    return axis == ALL_AXES ? over_everything(t_min, x, keep) : extremum(&operation_min, x, axis, keep);
}

Tensor *t_argmax(Tensor *x, int number)
{
    Axis axis = axis_around(x, number, false);
    Search work = {.axis = axis, .x = x, .sign = 1, .index = t_new(ARRAY_I32, axis.rank, axis.shape)};
    work.value = t_new(x->type, axis.rank, axis.shape);
    search(&work);
    return work.index;
}

/* ---- Log-sum-exp, over the last axis; another axis is moved there ---- */

typedef struct LogSumExp {
    const Tensor *x, *y, *gradient;
    Tensor *result;
    int64_t n;
} LogSumExp;

static double log_sum_exp_double(int64_t n, const double *x)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    double shift = isinf(largest) ? 0 : largest;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - shift);
    return shift + log(sum);
}

static void log_sum_exp_part(void *context, int64_t begin, int64_t end)
{
    const LogSumExp *work = context;
    for (int64_t row = begin; row < end; row++)
        tensor_f32(work->result)[row] = kernels()->log_sum_exp_row(work->n, tensor_f32(work->x) + row * work->n);
}

static void log_sum_exp_gradient_part(void *context, int64_t begin, int64_t end)
{
    const LogSumExp *work = context;
    for (int64_t row = begin; row < end; row++) {
        float y = tensor_f32(work->y)[row], *to = tensor_f32(work->result) + row * work->n;
        const float *x = tensor_f32(work->x) + row * work->n;
        /* A row of nothing but -inf: exp(-inf - 0) is the 0 wanted. */
        kernels()->elementwise.exp_scaled(work->n, x, y == -INFINITY ? 0 : y, tensor_f32(work->gradient)[row], to);
    }
}

static void backward_log_sum_exp(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *y = node->output;
    int64_t n = x->shape[x->rank - 1], kept[TENSOR_MAX_RANK];
    if (x->type == ARRAY_F32 && !tape_recording()) {
        LogSumExp work = {x, y, gradient, t_like(x), n};
        parallel_for(gradient->count, (GRAIN + n) / (n + 1), log_sum_exp_gradient_part, &work);
        gradients[0] = work.result;
        return;
    }
    memcpy(kept, x->shape, sizeof kept);
    kept[x->rank - 1] = 1;
    Tensor *nothing = t_equal(y, t_scalar(y->type, -INFINITY));
    Tensor *shift = t_where(nothing, t_scalar(y->type, 0), y);
    Tensor *softmax = t_exp(t_sub(x, t_reshape(shift, x->rank, kept)));
    gradients[0] = t_mul(t_reshape(gradient, x->rank, kept), softmax);
}

static Tensor *apply_log_sum_exp(Tensor **inputs, int variant)
{
    return t_log_sum_exp(inputs[0], sample_axis[variant], variant == 1);
}

const OperationDef operation_log_sum_exp = {
    .component = {.name = "log_sum_exp", .summary = "log of the sum of exponentials along an axis"},
    .backward = backward_log_sum_exp, .variants = VARIANTS, .inputs = sample_axes, .apply = apply_log_sum_exp,
};

static Tensor *log_sum_exp_last(Tensor *x)
{
    assert(x->type == ARRAY_F32 || x->type == ARRAY_F64);
    LogSumExp work = {.x = x, .result = t_new(x->type, x->rank - 1, x->shape), .n = x->shape[x->rank - 1]};
    if (x->type == ARRAY_F32)
        parallel_for(work.result->count, (GRAIN + work.n) / (work.n + 1), log_sum_exp_part, &work);
    else
        for (int64_t row = 0; row < work.result->count; row++)
            tensor_f64(work.result)[row] = log_sum_exp_double(work.n, tensor_f64(x) + row * work.n);
    op_record(&operation_log_sum_exp, work.result, 1, &x, NULL, 0);
    return work.result;
}

Tensor *t_log_sum_exp(Tensor *x, int number, bool keep)
{
    if (number == ALL_AXES)
        return over_everything(t_log_sum_exp, x, keep);
    Axis axis = axis_around(x, number, keep);
    if (axis.number != x->rank - 1) {
        int order[TENSOR_MAX_RANK], rank = 0;
        for (int i = 0; i < x->rank; i++)
            if (i != axis.number)
                order[rank++] = i;
        order[rank] = axis.number;
        x = t_permute(x, order);
    }
    Tensor *result = log_sum_exp_last(x);
    return keep ? t_reshape(result, axis.rank, axis.shape) : result;
}

/* ---- Euclidean norm ---- */

static void backward_norm(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *y = node->output; /* keeps the axis, so that it broadcasts */
    Tensor *zero = t_equal(y, t_scalar(y->type, 0)), *divisor = t_where(zero, t_scalar(y->type, 1), y);
    gradients[0] = t_mul(node->inputs[0], t_div(gradient, divisor));
}

static Tensor *apply_norm(Tensor **inputs, int variant)
{
    return t_norm(inputs[0], sample_axis[variant], variant == 1);
}

const OperationDef operation_norm = {
    .component = {.name = "norm", .summary = "Euclidean norm along an axis; derivative 0 at 0"},
    .backward = backward_norm, .variants = VARIANTS, .inputs = sample_axes, .apply = apply_norm,
};

Tensor *t_norm(Tensor *x, int number, bool keep)
{
    Axis axis = axis_around(x, number, keep);
    bool was = tape_record(false);
    Tensor *result = t_sqrt(t_sum(t_square(x), number, true));
    tape_record(was);
    op_record(&operation_norm, result, 1, &x, NULL, 0);
    return keep ? result : t_reshape(result, axis.rank, axis.shape);
}

/* ---- Running sum ---- */

typedef struct RunningSum {
    Axis axis;
    const Tensor *x;
    Tensor *result;
} RunningSum;

#define RUN(TYPE)                                                                   \
    for (int64_t line = begin; line < end; line++) {                                \
        int64_t at = line / inner * size * inner + line % inner;                    \
        double sum = 0;                                                             \
        for (int64_t k = 0; k < size; k++, at += inner) {                           \
            sum += (double)((const TYPE *)work->x->data)[at];                       \
            ((TYPE *)work->result->data)[at] = (TYPE)sum;                           \
        }                                                                           \
    }

static void running_sum_part(void *context, int64_t begin, int64_t end)
{
    const RunningSum *work = context;
    int64_t size = work->axis.size, inner = work->axis.inner;
    if (work->x->type == ARRAY_F32)
        RUN(float)
    else
        RUN(double)
}

static void backward_cumulative_sum(const Node *node, Tensor *gradient, Tensor **gradients)
{
    int axis = *(const int *)node->attributes;
    gradients[0] = t_flip(t_cumulative_sum(t_flip(gradient, axis), axis), axis);
}

static Tensor *apply_cumulative_sum(Tensor **inputs, int variant)
{
    return t_cumulative_sum(inputs[0], variant == 3 ? -2 : sample_axis[variant]);
}

const OperationDef operation_cumulative_sum = {
    .component = {.name = "cumulative_sum", .summary = "sum of the elements up to each, along an axis"},
    .backward = backward_cumulative_sum, .variants = VARIANTS, .inputs = sample_axes, .apply = apply_cumulative_sum,
};

Tensor *t_cumulative_sum(Tensor *x, int number)
{
    assert(x->type == ARRAY_F32 || x->type == ARRAY_F64);
    RunningSum work = {.axis = axis_around(x, axis_number(x, number), true), .x = x, .result = t_like(x)};
    if (x->count)
        parallel_for(work.axis.outer * work.axis.inner, GRAIN / (work.axis.size + 1) + 1, running_sum_part, &work);
    op_record(&operation_cumulative_sum, work.result, 1, &x, &work.axis.number, sizeof work.axis.number);
    return work.result;
}
