/* A function of each row of an array or of several, given in closed form. */
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
    int count;
    Tensor *const *inputs;
    float *value;               /* [N] */
    Tensor *const *slopes;      /* [N, C] each; NULL: they are not wanted */
} Run;

static void run_rows(void *context, int64_t begin, int64_t end)
{
    const Run *run = context;
    const int64_t columns = run->inputs[0]->shape[1], room = run->function->scratch * columns;
    float *scratch = room ? memory_array((size_t)room, sizeof *scratch) : NULL;
    for (int64_t i = begin; i < end; i++) {
        Row row = {.index = i, .columns = columns, .scratch = scratch};
        for (int j = 0; j < run->count; j++) {
            row.x[j] = tensor_f32(run->inputs[j]) + i * columns;
            row.gradients[j] = run->slopes ? tensor_f32(run->slopes[j]) + i * columns : NULL;
        }
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
    for (int i = 0; i < node->input_count; i++) {
        const Tensor *slopes = node->saved[i];
        if (!op_wants(node, i))
            continue;
        gradients[i] = t_like(slopes);
        parallel_for(slopes->shape[0], grain(slopes), scale_rows,
                     &(Scale){slopes->shape[1], tensor_f32(slopes), tensor_f32(gradient), tensor_f32(gradients[i])});
    }
}

/* For the check: half the squares of a row. */
static float sample_run(const void *context, const Row *row)
{
    (void)context;
    double sum = 0;
    for (int64_t k = 0; k < row->columns; k++) {
        sum += 0.5 * (double)row->x[0][k] * (double)row->x[0][k];
        if (row->gradients[0])
            row->gradients[0][k] = row->x[0][k];
    }
    return (float)sum;
}

static Tensor *sample_composed(const void *context, Tensor *const *inputs)
{
    (void)context;
    return t_scale(t_sum(t_square(inputs[0]), -1, false), 0.5);
}

/* The same: sum of the products of two rows. */
static float sample_product(const void *context, const Row *row)
{
    (void)context;
    double sum = 0;
    for (int64_t k = 0; k < row->columns; k++)
        sum += (double)row->x[0][k] * (double)row->x[1][k];
    for (int64_t k = 0; k < (row->gradients[0] ? row->columns : 0); k++) {
        row->gradients[0][k] = row->x[1][k];
        row->gradients[1][k] = row->x[0][k];
    }
    return (float)sum;
}

static Tensor *sample_product_composed(const void *context, Tensor *const *inputs)
{
    (void)context;
    return t_sum(t_mul(inputs[0], inputs[1]), -1, false);
}

enum { SAMPLE_LONG = 1, SAMPLE_EMPTY, SAMPLE_TWO, SAMPLE_VARIANTS };

static int sample_inputs(Random *random, int variant, Tensor **inputs)
{
    const int64_t rows = variant == SAMPLE_EMPTY ? 0 : variant == SAMPLE_LONG ? 3000 : 3;
    const int count = variant == SAMPLE_TWO ? 2 : 1;
    for (int i = 0; i < count; i++)
        inputs[i] = sample_leaf(random, -1, 1, SHAPE(rows, 7));
    return count;
}

static Tensor *apply_rows(Tensor **inputs, int variant)
{
    static const RowFunction one = {0, sample_run, sample_composed};
    static const RowFunction two = {0, sample_product, sample_product_composed};
    return variant == SAMPLE_TWO ? t_rows(&two, NULL, 2, inputs) : t_rows(&one, NULL, 1, inputs);
}

const OperationDef operation_rows = {
    .component = {.name = "rows", .summary = "a function of each row, value and gradient in closed form"},
    .backward = backward_rows, .once = true, .variants = SAMPLE_VARIANTS, .inputs = sample_inputs, .apply = apply_rows,
};

_Static_assert((int)ROW_MOST_INPUTS <= (int)OPERATION_MAX_SAVED, "the slopes of every input are saved");

Tensor *t_rows(const RowFunction *function, const void *context, int count, Tensor *const *inputs)
{
    const Tensor *x = inputs[0];
    assert(count <= ROW_MOST_INPUTS && x->rank == 2);
    if (x->type != ARRAY_F32)
        return function->composed(context, inputs);
    Tensor *result = t_new(ARRAY_F32, SHAPE(x->shape[0])), *slopes[ROW_MOST_INPUTS] = {NULL};
    const bool records = op_will_record(count, inputs);
    for (int i = 0; i < count; i++) {
        assert(inputs[i]->type == ARRAY_F32 && inputs[i]->count == x->count && inputs[i]->rank == 2);
        slopes[i] = records ? t_like(x) : NULL;
    }
    parallel_for(x->shape[0], grain(x), run_rows,
                 &(Run){function, context, count, inputs, tensor_f32(result), records ? slopes : NULL});
    Node *node = op_record(&operation_rows, result, count, inputs, NULL, 0);
    for (int i = 0; node && i < count; i++)
        node->saved[i] = slopes[i];
    return result;
}
