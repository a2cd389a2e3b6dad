/* Sums, and the broadcasting that is their transpose; the mean and the variance, which are made of sums. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

/* Elements a kernel adds up at once, in single precision; partial sums are added in double. */
enum { GRAIN = 1 << 15, MAX_BLOCK = 1024, MIN_PIECE = 64 };

/* x [outer, size, inner] cut into pieces along `size` and, where it is long, along `inner`; every piece makes
   one row of `partial` [outer, pieces, inner]. */
typedef struct SumWork {
    int64_t outer, size, inner, piece, pieces, block, blocks;
    const float *x;
    float *partial, *result;
} SumWork;

static void sum_piece(void *context, int64_t begin, int64_t end)
{
    const SumWork *work = context;
    const ElementwiseKernels *kernel = &kernels()->elementwise;
    if (work->inner == 1 && work->pieces == 1) {
        kernel->sum_rows(end - begin, work->size, work->x + begin * work->size, work->partial + begin);
        return;
    }
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t block = unit % work->blocks, piece = unit / work->blocks % work->pieces;
        int64_t outer = unit / work->blocks / work->pieces, row = piece * work->piece, column = block * work->block;
        int64_t rows = work->size - row < work->piece ? work->size - row : work->piece;
        int64_t columns = work->inner - column < work->block ? work->inner - column : work->block;
        const float *x = work->x + (outer * work->size + row) * work->inner + column;
        float *to = work->partial + (outer * work->pieces + piece) * work->inner + column;
        if (work->inner == 1)
            kernel->sum_rows(1, rows, x, to);
        else
            kernel->sum_columns(rows, columns, work->inner, x, to);
    }
}

static void add_pieces(void *context, int64_t begin, int64_t end)
{
    const SumWork *work = context;
    for (int64_t at = begin; at < end; at++) {
        const float *partial = work->partial + at / work->inner * work->pieces * work->inner + at % work->inner;
        double sum = 0;
        for (int64_t piece = 0; piece < work->pieces; piece++)
            sum += (double)partial[piece * work->inner];
        work->result[at] = (float)sum;
    }
}

static void sum_single(const Axis *axis, const float *x, float *result)
{
    SumWork work = {.outer = axis->outer, .size = axis->size, .inner = axis->inner, .x = x, .result = result};
    if (work.outer == 0 || work.inner == 0)
        return;
    work.block = work.inner < MAX_BLOCK ? work.inner : MAX_BLOCK;
    work.blocks = (work.inner + work.block - 1) / work.block;
    work.piece = GRAIN / work.block > MIN_PIECE ? GRAIN / work.block : MIN_PIECE;
    work.pieces = work.size > work.piece ? (work.size + work.piece - 1) / work.piece : 1;
    if (work.pieces == 1)
        work.piece = work.size;
    size_t bytes = (size_t)(work.outer * work.pieces * work.inner) * sizeof(float);
    work.partial = work.pieces == 1 ? result : arena_alloc(tape_arena(), bytes);
    int64_t elements = work.piece * work.block + 1;
    parallel_for(work.outer * work.pieces * work.blocks, (GRAIN + elements - 1) / elements, sum_piece, &work);
    if (work.pieces == 1)
        return;
    parallel_for(work.outer * work.inner, (GRAIN + work.pieces - 1) / work.pieces, add_pieces, &work);
    arena_recycle(tape_arena(), work.partial, bytes);
}

static void sum_double(const Axis *axis, const double *x, double *result)
{
    for (int64_t o = 0; o < axis->outer; o++)
        for (int64_t i = 0; i < axis->inner; i++) {
            double sum = 0;
            for (int64_t k = 0; k < axis->size; k++)
                sum += x[(o * axis->size + k) * axis->inner + i];
            result[o * axis->inner + i] = sum;
        }
}

static void backward_sum(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Tensor *x = node->inputs[0];
    const int *summed = node->attributes;
    int64_t kept[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        kept[i] = *summed == ALL_AXES || i == *summed ? 1 : x->shape[i];
    gradients[0] = t_broadcast_to(t_reshape(gradient, x->rank, kept), x->rank, x->shape);
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

static Tensor *apply_sum(Tensor **inputs, int variant)
{
    static const int axes[] = {0, 1, -1, ALL_AXES, 0, 1};
    return t_sum(inputs[0], axes[variant], variant == 1);
}

const OperationDef operation_sum = {
    .component = {.name = "sum", .summary = "sum over an axis, or over everything"},
    .backward = backward_sum, .variants = 6, .inputs = sample_axes, .apply = apply_sum,
};

Tensor *t_sum(Tensor *x, int number, bool keep)
{
    assert(x->type == ARRAY_F32 || x->type == ARRAY_F64);
    Axis axis = axis_around(x, number, keep);
    Tensor *result = t_new(x->type, axis.rank, axis.shape);
    if (x->type == ARRAY_F32)
        sum_single(&axis, tensor_f32(x), tensor_f32(result));
    else
        sum_double(&axis, tensor_f64(x), tensor_f64(result));
    op_record(&operation_sum, result, 1, &x, &axis.number, sizeof axis.number);
    return result;
}

Tensor *t_mean(Tensor *x, int axis, bool keep)
{
    return t_scale(t_sum(x, axis, keep), 1.0 / (double)axis_around(x, axis, keep).size);
}

Tensor *t_variance(Tensor *x, int axis, bool keep)
{
    return t_mean(t_square(t_sub(x, t_mean(x, axis, true))), axis, keep);
}

/* ---- Broadcasting ---- */

typedef struct Copy {
    const Tensor *x;
    Tensor *result;
} Copy;

#define SPREAD(TYPE, FILL)                                                                \
    do {                                                                                  \
        const TYPE *from = (const TYPE *)work->x->data + rows->from[0];                   \
        TYPE *to = (TYPE *)work->result->data + rows->to;                                 \
        for (int64_t r = 0; r < rows->rows; r++, from += rows->row_stride[0], to += rows->n) \
            if (rows->stride[0])                                                          \
                memcpy(to, from, (size_t)rows->n * sizeof(TYPE));                         \
            else                                                                          \
                FILL;                                                                     \
    } while (0)

static void spread_rows(void *context, const WalkRows *rows)
{
    const Copy *work = context;
    switch (work->x->type) {
    case ARRAY_F32: SPREAD(float, kernels()->elementwise.fill(rows->n, from[0], to)); break;
    case ARRAY_F64: SPREAD(double, for (int64_t i = 0; i < rows->n; i++) to[i] = from[0]); break;
    default: SPREAD(int32_t, for (int64_t i = 0; i < rows->n; i++) to[i] = from[0]); break;
    }
}

static void backward_broadcast(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_sum_to(gradient, node->inputs[0]->rank, node->inputs[0]->shape);
}

static int sample_broadcast(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 1)); break;
    case 1: inputs[0] = sample_leaf(random, -2, 2, 0, NULL); break;
    case 2: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 1, 4)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(1, 4)); break;
    }
    return 1;
}

static Tensor *apply_broadcast(Tensor **inputs, int variant)
{
    return t_broadcast_to(inputs[0], SHAPE(variant == 3 ? 0 : 2, 3, 4));
}

const OperationDef operation_broadcast = {
    .component = {.name = "broadcast", .summary = "repeat along axes of size 1"},
    .backward = backward_broadcast, .variants = 4, .inputs = sample_broadcast, .apply = apply_broadcast,
};

Tensor *t_broadcast_to(Tensor *x, int rank, const int64_t *shape)
{
    Tensor *result = t_new(x->type, rank, shape);
    if (result->count) {
        Walk walk = walk_together(2, (Tensor *[]){x, result});
        assert(walk.result_rank == rank && memcmp(walk.result_shape, shape, (size_t)rank * sizeof *shape) == 0);
        walk_run(&walk, spread_rows, &(Copy){x, result});
    }
    op_record(&operation_broadcast, result, 1, &x, NULL, 0);
    return result;
}

/* Neighbouring axes that are summed, or kept, are taken as one: a pass over the data for each run. */
Tensor *t_sum_to(Tensor *x, int rank, const int64_t *shape)
{
    int shift = x->rank - rank;
    assert(shift >= 0);
    if (shift == 0 && memcmp(x->shape, shape, (size_t)rank * sizeof *shape) == 0)
        return x;
    int64_t sizes[TENSOR_MAX_RANK] = {0};
    bool summed[TENSOR_MAX_RANK] = {false};
    int runs = 0;
    for (int i = 0; i < x->rank; i++) {
        bool sums = i < shift || (shape[i - shift] == 1 && x->shape[i] != 1);
        assert(sums || x->shape[i] == shape[i - shift]);
        if (runs && (summed[runs - 1] == sums || x->shape[i] == 1)) {
            sizes[runs - 1] *= x->shape[i];
            continue;
        }
        sizes[runs] = x->shape[i];
        summed[runs++] = sums;
    }
    Tensor *result = t_reshape(x, runs, sizes);
    for (int i = 0, axis = 0; i < runs; i++)
        if (summed[i])
            result = t_sum(result, axis, false);
        else
            axis++;
    return t_reshape(result, rank, shape);
}
