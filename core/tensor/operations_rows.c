/* A function of each row, given in closed form. */
#include <assert.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/row_function.h"

/* By both loops below. */
static int64_t grain(const Tensor *x)
{
    enum { CHUNK = 16 * 1024 };
    return CHUNK / (x->shape[1] + 1) + 1;
}

typedef struct Run {
    const RowFunction *function;
    const void *context;
    const Tensor *x;
    float *value, *gradient;    /* [N], [N, C]; the latter may be NULL */
} Run;

static void run_rows(void *context, int64_t begin, int64_t end)
{
    const Run *run = context;
    const int64_t columns = run->x->shape[1], room = run->function->scratch * columns;
    float *scratch = room ? memory_array((size_t)room, sizeof *scratch) : NULL;
    for (int64_t i = begin; i < end; i++) {
        float *gradient = run->gradient ? run->gradient + i * columns : NULL;
        const Row row = {i, columns, tensor_f32(run->x) + i * columns, gradient, scratch};
        run->value[i] = run->function->run(run->context, &row);
    }
    memory_free(scratch);
}

typedef struct Scale { int64_t columns; const float *slopes, *factors; float *result; } Scale;

static void scale_rows(void *context, int64_t begin, int64_t end)
{
    const Scale *scale = context;
    const int64_t n = scale->columns;
    for (int64_t i = begin, at = i * n; i < end; i++, at += n)
        kernels()->elementwise.unary[UNARY_scale](n, scale->slopes + at, scale->result + at, scale->factors[i], 0);
}

static void backward_rows(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Tensor *slopes = node->saved[0];
    gradients[0] = t_like(slopes);
    parallel_for(slopes->shape[0], grain(slopes), scale_rows,
                 &(Scale){slopes->shape[1], tensor_f32(slopes), tensor_f32(gradient), tensor_f32(gradients[0])});
}

/* For the check: half the squares of a row. */
static float sample_run(const void *context, const Row *row)
{
    (void)context;
    double sum = 0;
    for (int64_t k = 0; k < row->columns; k++) {
        sum += 0.5 * (double)row->x[k] * (double)row->x[k];
        if (row->gradient)
            row->gradient[k] = row->x[k];
    }
    return (float)sum;
}

static Tensor *sample_composed(const void *context, Tensor *x)
{
    (void)context;
    return t_scale(t_sum(t_square(x), -1, false), 0.5);
}

static int sample_inputs(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = sample_leaf(random, -1, 1, SHAPE(variant == 2 ? 0 : variant ? 3000 : 3, 7));
    return 1;
}

static Tensor *apply_rows(Tensor **inputs, int variant)
{
    static const RowFunction function = {0, sample_run, sample_composed};
    (void)variant;
    return t_rows(&function, NULL, inputs[0]);
}

const OperationDef operation_rows = {
    .component = {.name = "rows", .summary = "a function of each row, value and gradient in closed form"},
    .backward = backward_rows, .once = true, .variants = 3, .inputs = sample_inputs, .apply = apply_rows,
};

Tensor *t_rows(const RowFunction *function, const void *context, Tensor *x)
{
    assert(x->rank == 2);
    if (x->type != ARRAY_F32)
        return function->composed(context, x);
    Tensor *result = t_new(ARRAY_F32, SHAPE(x->shape[0])), *slopes = op_will_record(1, &x) ? t_like(x) : NULL;
    parallel_for(x->shape[0], grain(x), run_rows,
                 &(Run){function, context, x, tensor_f32(result), slopes ? tensor_f32(slopes) : NULL});
    Node *node = op_record(&operation_rows, result, 1, &x, NULL, 0);
    if (node)
        node->saved[0] = slopes;
    return result;
}
