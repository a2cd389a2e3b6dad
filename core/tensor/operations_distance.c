/* Squared Euclidean distances of all pairs of rows. They are in double even of floats: what is made of them are
   exponentials, in which a rounding error counts as a relative one. */
#include <assert.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Columns whose rows stay in the caches while all pairs meet; rows of a task; the most slices of columns, and the most
   sums of all slices. */
enum { COLUMNS = 512, ROWS = 16, SLICES = 64, SUMS = 1 << 20 };

typedef struct Distances {
    int64_t width, rows, others;
    int64_t slice;                  /* columns of one */
    bool same;                      /* the others are the rows: those before a row are left out */
    const float *a, *b;
    double *sums;                   /* [slices, rows, others] */
} Distances;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts_of(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static void add_distances(void *context, int64_t begin, int64_t end)
{
    const Distances *t = context;
    const int64_t blocks = parts_of(t->rows, ROWS);
    for (int64_t task = begin; task < end; task++) {
        const int64_t slice = task / blocks, row = task % blocks * ROWS, behind = least(row + ROWS, t->rows);
        const int64_t last = least((slice + 1) * t->slice, t->width);
        for (int64_t column = slice * t->slice; column < last; column += COLUMNS)
            for (int64_t i = row; i < behind; i++) {
                const int64_t j = t->same ? i / 4 * 4 : 0;
                kernels()->squared_distances(least(COLUMNS, last - column), t->width, t->a + i * t->width + column,
                                             t->others - j, t->b + j * t->width + column,
                                             t->sums + (slice * t->rows + i) * t->others + j);
            }
    }
}

/* Of the upper half, where the other one is its mirror image. */
static void add_slices(const Distances *t, int64_t slices, double *result)
{
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->others; j++) {
            double sum = 0;
            for (int64_t slice = 0; slice < slices; slice++)
                sum += t->sums[(slice * t->rows + i) * t->others + j];
            result[i * t->others + j] = t->same && j < i ? result[j * t->others + i] : sum;
        }
}

static void distances_of_floats(const Tensor *a, const Tensor *b, double *result)
{
    enum { TASK = 64 * 1024 };
    const int64_t rows = a->shape[0], others = b->shape[0], width = a->shape[1], pairs = rows * others;
    if (pairs == 0)
        return;
    const int64_t most = SUMS / pairs < 1 ? 1 : least(SUMS / pairs, SLICES), chunks = parts_of(width, COLUMNS);
    const int64_t slice = (chunks == 0 ? 1 : parts_of(chunks, most)) * COLUMNS, slices = parts_of(width, slice);
    Distances distances = {width, rows, others, slice, a == b, tensor_f32(a), tensor_f32(b),
                           memory_array((size_t)(slices * pairs), sizeof(double))};
    const int64_t cost = least(ROWS, rows) * others * least(slice, width);
    parallel_for(slices * parts_of(rows, ROWS), TASK / (cost + 1) + 1, add_distances, &distances);
    add_slices(&distances, slices, result);
    memory_free(distances.sums);
}

/* d|a - b|^2 = 2 (a - b) (da - db) */
static Tensor *composed_gradient(Tensor *own, Tensor *other, Tensor *gradient, bool turned)
{
    Tensor *weights = t_reshape(t_sum(gradient, turned ? 0 : 1, false), SHAPE(own->shape[0], 1));
    Tensor *x = t_cast(own, ARRAY_F64), *products = t_matmul(gradient, t_cast(other, ARRAY_F64), turned, false);
    return t_cast(t_scale(t_sub(t_mul(x, weights), products), 2), own->type);
}

typedef struct Differences {
    int64_t width, rows, others;
    const float *own, *other, *weights;         /* weights [rows, others] */
    float *result;
} Differences;

static void add_differences(void *context, int64_t begin, int64_t end)
{
    const Differences *t = context;
    for (int64_t column = begin * COLUMNS; column < least(end * COLUMNS, t->width); column += COLUMNS)
        for (int64_t i = 0; i < t->rows; i++)
            kernels()->weighted_differences(least(COLUMNS, t->width - column), t->width,
                                            t->own + i * t->width + column, t->others, t->other + column,
                                            t->weights + i * t->others, t->result + i * t->width + column);
}

/* The same of differences: those of products would lose the digits of close rows. `both`: by a row and, as it is also
   among the others, by that one. */
static Tensor *gradient_of_floats(const Tensor *own, const Tensor *other, const Tensor *gradient, bool turned,
                                  bool both)
{
    enum { TASK = 64 * 1024 };
    const int64_t rows = own->shape[0], others = other->shape[0], width = own->shape[1];
    const double *by = tensor_f64(gradient);
    float *weights = memory_array((size_t)(rows * others), sizeof *weights);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < others; j++) {
            const double straight = turned ? by[j * rows + i] : by[i * others + j];
            weights[i * others + j] = (float)(2 * (both ? straight + by[j * rows + i] : straight));
        }
    Tensor *result = t_like(own);
    parallel_for(parts_of(width, COLUMNS), TASK / (rows * others * COLUMNS + 1) + 1, add_differences,
                 &(Differences){width, rows, others, tensor_f32(own), tensor_f32(other), weights, tensor_f32(result)});
    memory_free(weights);
    return result;
}

static void backward_distances(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const bool closed = node->inputs[0]->type == ARRAY_F32 && !tape_recording();
    const bool both = closed && node->inputs[0] == node->inputs[1];
    for (int i = 0; i < (both ? 1 : 2); i++) {
        if (!op_wants(node, i))
            continue;
        Tensor *own = node->inputs[i], *other = node->inputs[1 - i];
        gradients[i] = closed ? gradient_of_floats(own, other, gradient, i == 1, both)
                              : composed_gradient(own, other, gradient, i == 1);
    }
}

static int sample_distances(Random *random, int variant, Tensor **inputs)
{
    static const int64_t widths[] = {2, 2, 37, 1, 2, 1100};
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(variant == 1 ? 0 : variant == 5 ? 17 : 3, widths[variant]));
    if (variant >= 4)
        return 1;
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(6, widths[variant]));
    return 2;
}

/* In the type of the sample. */
static Tensor *apply_distances(Tensor **inputs, int variant)
{
    return t_cast(t_pairwise_squared_distances(inputs[0], inputs[variant >= 4 ? 0 : 1]), inputs[0]->type);
}

const OperationDef operation_pairwise_squared_distances = {
    .component = {.name = "pairwise_squared_distances", .summary = "squared Euclidean distances of all pairs of rows"},
    .backward = backward_distances, .variants = 6, .inputs = sample_distances, .apply = apply_distances,
};

Tensor *t_pairwise_squared_distances(Tensor *a, Tensor *b)
{
    assert(a->type == b->type && a->rank == 2 && b->rank == 2 && a->shape[1] == b->shape[1]);
    int64_t rows = a->shape[0], width = a->shape[1], columns = b->shape[0];
    Tensor *result = t_new(ARRAY_F64, SHAPE(rows, columns));
    /* Not |a|^2 + |b|^2 - 2ab, which is faster but cancels where the rows are close. */
    if (a->type == ARRAY_F32) {
        distances_of_floats(a, b, tensor_f64(result));
    } else {
        for (int64_t at = 0; at < result->count; at++) {
            const double *x = tensor_f64(a) + at / columns * width, *y = tensor_f64(b) + at % columns * width;
            double sum = 0;
            for (int64_t k = 0; k < width; k++)
                sum += (x[k] - y[k]) * (x[k] - y[k]);
            tensor_f64(result)[at] = sum;
        }
    }
    op_record(&operation_pairwise_squared_distances, result, 2, (Tensor *[]){a, b}, NULL, 0);
    return result;
}
