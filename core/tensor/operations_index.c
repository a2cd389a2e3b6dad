/* Operations that read and write where indices say. Everything is added in the order of positions, so that
   the bits never depend on threads. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

enum { GRAIN = 1 << 14 };

/* ---- Gather and scatter along an axis, each the transpose of the other ---- */

/* `whole` [outer, size, inner], `index` and `part` [outer, count, inner]. */
typedef struct Along {
    int64_t size, count, inner;
    const int32_t *index;
    void *whole, *part;
    ArrayType type;
} Along;

#define GATHER(TYPE)                                                                                        \
    for (int64_t o = begin; o < end; o++)                                                                   \
        for (int64_t at = o * along->count * along->inner, k = 0; k < along->count; k++)                    \
            for (int64_t i = 0; i < along->inner; i++, at++) {                                              \
                assert(along->index[at] >= 0 && along->index[at] < along->size);                            \
                ((TYPE *)along->part)[at] =                                                                 \
                    ((const TYPE *)along->whole)[(o * along->size + along->index[at]) * along->inner + i];  \
            }
#define SCATTER(TYPE)                                                                                       \
    for (int64_t o = begin; o < end; o++)                                                                   \
        for (int64_t at = o * along->count * along->inner, k = 0; k < along->count; k++)                    \
            for (int64_t i = 0; i < along->inner; i++, at++) {                                              \
                assert(along->index[at] >= 0 && along->index[at] < along->size);                            \
                ((TYPE *)along->whole)[(o * along->size + along->index[at]) * along->inner + i] +=          \
                    ((const TYPE *)along->part)[at];                                                        \
            }

static void gather_part(void *context, int64_t begin, int64_t end)
{
    const Along *along = context;
    switch (along->type) {
    case ARRAY_F32: GATHER(float) break;
    case ARRAY_F64: GATHER(double) break;
    default: GATHER(int32_t) break;
    }
}

static void scatter_part(void *context, int64_t begin, int64_t end)
{
    const Along *along = context;
    if (along->type == ARRAY_F32)
        SCATTER(float)
    else
        SCATTER(double)
}

static void run_along(const Tensor *whole, const Tensor *part, const Tensor *index, int number, ParallelBody body)
{
    assert(index->type == ARRAY_I32 && index->rank == whole->rank && tensor_same_shape(index, part));
    for (int i = 0; i < whole->rank; i++)
        assert(i == number || index->shape[i] == whole->shape[i]);
    Axis axis = axis_around(whole, number, true);
    Along along = {axis.size, index->shape[number], axis.inner, tensor_i32(index),
                   whole->data, part->data, whole->type};
    if (index->count)
        parallel_for(axis.outer, GRAIN / (along.count * along.inner) + 1, body, &along);
}

static void backward_gather(const Node *node, Tensor *gradient, Tensor **gradients)
{
    int axis = *(const int *)node->attributes;
    gradients[0] = t_scatter(gradient, axis, node->inputs[1], node->inputs[0]->shape[axis]);
}

enum { VARIANTS = 4 };

static int sample_gather(Random *random, int variant, Tensor **inputs)
{
    int64_t outer = variant == 3 ? 0 : 2;
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(outer, 3, 4));
    switch (variant) {
    case 0: inputs[1] = sample_indices(random, 2, SHAPE(5, 3, 4)); break;
    case 1: inputs[1] = sample_indices(random, 3, SHAPE(2, 1, 4)); break;
    default: inputs[1] = sample_indices(random, 4, SHAPE(outer, 3, 6)); break;
    }
    return 2;
}

static Tensor *apply_gather(Tensor **inputs, int variant)
{
    return t_gather(inputs[0], variant < 2 ? variant : -1, inputs[1]);
}

const OperationDef operation_gather = {
    .component = {.name = "gather", .summary = "elements along an axis by index"},
    .backward = backward_gather, .variants = VARIANTS, .inputs = sample_gather, .apply = apply_gather,
};

Tensor *t_gather(Tensor *x, int number, Tensor *index)
{
    int axis = axis_number(x, number);
    Tensor *result = t_new(x->type, index->rank, index->shape);
    run_along(x, result, index, axis, gather_part);
    op_record(&operation_gather, result, 2, (Tensor *[]){x, index}, &axis, sizeof axis);
    return result;
}

static void backward_scatter(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_gather(gradient, *(const int *)node->attributes, node->inputs[1]);
}

static int sample_scatter(Random *random, int variant, Tensor **inputs)
{
    sample_gather(random, variant, inputs);
    inputs[0] = sample_leaf(random, -2, 2, inputs[1]->rank, inputs[1]->shape);
    return 2;
}

static Tensor *apply_scatter(Tensor **inputs, int variant)
{
    return t_scatter(inputs[0], variant < 2 ? variant : -1, inputs[1], 4);
}

const OperationDef operation_scatter = {
    .component = {.name = "scatter", .summary = "values added to zeros where an index along an axis says"},
    .backward = backward_scatter, .variants = VARIANTS, .inputs = sample_scatter, .apply = apply_scatter,
};

Tensor *t_scatter(Tensor *values, int number, Tensor *index, int64_t size)
{
    assert(values->type == ARRAY_F32 || values->type == ARRAY_F64);
    int axis = axis_number(values, number);
    int64_t shape[TENSOR_MAX_RANK];
    memcpy(shape, values->shape, sizeof shape);
    shape[axis] = size;
    Tensor *result = t_zeros(values->type, values->rank, shape);
    run_along(result, values, index, axis, scatter_part);
    op_record(&operation_scatter, result, 2, (Tensor *[]){values, index}, &axis, sizeof axis);
    return result;
}

static void backward_scatter_add(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = gradient;
    if (op_wants(node, 2))
        gradients[2] = t_gather(gradient, *(const int *)node->attributes, node->inputs[1]);
}

static int sample_scatter_add(Random *random, int variant, Tensor **inputs)
{
    sample_gather(random, variant, inputs);
    inputs[2] = sample_leaf(random, -2, 2, inputs[1]->rank, inputs[1]->shape);
    return 3;
}

static Tensor *apply_scatter_add(Tensor **inputs, int variant)
{
    return t_scatter_add(inputs[0], variant < 2 ? variant : -1, inputs[1], inputs[2]);
}

const OperationDef operation_scatter_add = {
    .component = {.name = "scatter_add", .summary = "values added where an index along an axis says"},
    .backward = backward_scatter_add, .variants = VARIANTS, .inputs = sample_scatter_add, .apply = apply_scatter_add,
};

Tensor *t_scatter_add(Tensor *into, int number, Tensor *index, Tensor *values)
{
    int axis = axis_number(into, number);
    assert(into->type == values->type && (into->type == ARRAY_F32 || into->type == ARRAY_F64));
    Tensor *result = t_like(into);
    memcpy(result->data, into->data, (size_t)into->count * array_type_size(into->type));
    run_along(result, values, index, axis, scatter_part);
    op_record(&operation_scatter_add, result, 3, (Tensor *[]){into, index, values}, &axis, sizeof axis);
    return result;
}

Tensor *t_pick(Tensor *x, Tensor *index)
{
    int64_t shape[TENSOR_MAX_RANK];
    assert(x->rank >= 1 && index->rank == x->rank - 1);
    memcpy(shape, index->shape, sizeof shape);
    shape[x->rank - 1] = 1;
    return t_reshape(t_gather(x, -1, t_reshape(index, x->rank, shape)), index->rank, index->shape);
}

/* ---- Rows, and sums of rows, each the transpose of the other ---- */

typedef struct Rows {
    const Tensor *x;
    const int32_t *index, *order, *begins;
    Tensor *result;
    size_t bytes;       /* of a row */
    int64_t n;
} Rows;

static void select_part(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)rows->result->data + (size_t)i * rows->bytes,
               (const char *)rows->x->data + (size_t)rows->index[i] * rows->bytes, rows->bytes);
}

static int64_t row_count(const Tensor *x)
{
    int64_t n = 1;
    for (int i = 1; i < x->rank; i++)
        n *= x->shape[i];
    return n;
}

static void backward_index_select(const Node *node, Tensor *gradient, Tensor **gradients)
{
    Tensor *x = node->inputs[0], *index = node->inputs[1];
    int64_t shape[TENSOR_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[0] = index->count;
    Tensor *rows = t_reshape(gradient, x->rank, shape), *segment = t_reshape(index, SHAPE(index->count));
    gradients[0] = t_segment_sum(rows, segment, x->shape[0]);
}

static int sample_index_select(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 2 ? sample_leaf(random, -2, 2, SHAPE(6)) : sample_leaf(random, -2, 2, SHAPE(6, 3));
    switch (variant) {
    case 0: inputs[1] = sample_indices(random, 6, SHAPE(9)); break;
    case 1: inputs[1] = sample_indices(random, 6, SHAPE(2, 4)); break;
    case 2: inputs[1] = sample_indices(random, 6, SHAPE(2, 1)); break;
    default: inputs[1] = sample_indices(random, 6, SHAPE(0)); break;
    }
    return 2;
}

static Tensor *apply_index_select(Tensor **inputs, int variant)
{
    (void)variant;
    return t_index_select(inputs[0], inputs[1]);
}

const OperationDef operation_index_select = {
    .component = {.name = "index_select", .summary = "rows of the first axis by index: embeddings"},
    .backward = backward_index_select, .variants = 4, .inputs = sample_index_select, .apply = apply_index_select,
};

Tensor *t_index_select(Tensor *x, Tensor *index)
{
    int64_t shape[TENSOR_MAX_RANK], n = row_count(x);
    int rank = 0;
    assert(x->rank >= 1 && index->type == ARRAY_I32 && index->rank + x->rank - 1 <= TENSOR_MAX_RANK);
    for (int i = 0; i < index->rank; i++)
        shape[rank++] = index->shape[i];
    for (int i = 1; i < x->rank; i++)
        shape[rank++] = x->shape[i];
    for (int64_t i = 0; i < index->count; i++)
        assert(tensor_i32(index)[i] >= 0 && tensor_i32(index)[i] < x->shape[0]);
    Tensor *result = t_new(x->type, rank, shape);
    Rows rows = {.x = x, .index = tensor_i32(index), .result = result, .n = n};
    rows.bytes = (size_t)n * array_type_size(x->type);
    parallel_for(index->count, GRAIN / (n + 1) + 1, select_part, &rows);
    op_record(&operation_index_select, result, 2, (Tensor *[]){x, index}, NULL, 0);
    return result;
}

/* Rows of segment s, in order: the first copied, the others added. */
static void segment_part(void *context, int64_t begin, int64_t end)
{
    const Rows *rows = context;
    int64_t n = rows->n;
    for (int64_t s = begin; s < end; s++) {
        char *to = (char *)rows->result->data + (size_t)s * rows->bytes;
        for (int32_t k = rows->begins[s]; k < rows->begins[s + 1]; k++) {
            const char *from = (const char *)rows->x->data + (size_t)rows->order[k] * rows->bytes;
            if (k == rows->begins[s])
                memcpy(to, from, rows->bytes);
            else if (rows->x->type == ARRAY_F32)
                kernels()->axpy(n, 1, (const float *)from, (float *)to);
            else
                for (int64_t i = 0; i < n; i++)
                    ((double *)to)[i] += ((const double *)from)[i];
        }
        if (rows->begins[s] == rows->begins[s + 1])
            memset(to, 0, rows->bytes);
    }
}

/* Positions sorted by segment, stably, by counting: begins[s] .. begins[s+1] of order are those of s. */
static void sort_by_segment(const Tensor *segment, int64_t segments, int32_t *begins, int32_t *order)
{
    memset(begins, 0, (size_t)(segments + 2) * sizeof *begins);
    for (int64_t i = 0; i < segment->count; i++) {
        assert(tensor_i32(segment)[i] >= 0 && tensor_i32(segment)[i] < segments);
        begins[tensor_i32(segment)[i] + 2]++;
    }
    for (int64_t s = 2; s < segments + 2; s++)
        begins[s] += begins[s - 1];
    for (int64_t i = 0; i < segment->count; i++)
        order[begins[tensor_i32(segment)[i] + 1]++] = (int32_t)i;
}

static void backward_segment_sum(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_index_select(gradient, node->inputs[1]);
}

static int sample_segment_sum(Random *random, int variant, Tensor **inputs)
{
    int64_t n = variant == 2 ? 0 : 7;
    inputs[0] = variant == 1 ? sample_leaf(random, -2, 2, SHAPE(n)) : sample_leaf(random, -2, 2, SHAPE(n, 2, 3));
    inputs[1] = sample_indices(random, 4, SHAPE(n));
    return 2;
}

static Tensor *apply_segment_sum(Tensor **inputs, int variant)
{
    (void)variant;
    return t_segment_sum(inputs[0], inputs[1], 5);
}

const OperationDef operation_segment_sum = {
    .component = {.name = "segment_sum", .summary = "sums of the rows that belong together"},
    .backward = backward_segment_sum, .variants = 3, .inputs = sample_segment_sum, .apply = apply_segment_sum,
};

Tensor *t_segment_sum(Tensor *x, Tensor *segment, int64_t segments)
{
    int64_t shape[TENSOR_MAX_RANK];
    assert(x->type == ARRAY_F32 || x->type == ARRAY_F64);
    assert(x->rank >= 1 && segment->type == ARRAY_I32 && segment->count == x->shape[0] && x->shape[0] <= INT32_MAX);
    memcpy(shape, x->shape, sizeof shape);
    shape[0] = segments;
    Tensor *result = t_new(x->type, x->rank, shape);
    size_t begins_bytes = (size_t)(segments + 2) * sizeof(int32_t);
    size_t order_bytes = (size_t)segment->count * sizeof(int32_t);
    int32_t *begins = arena_alloc(tape_arena(), begins_bytes), *order = arena_alloc(tape_arena(), order_bytes);
    sort_by_segment(segment, segments, begins, order);
    Rows rows = {.x = x, .order = order, .begins = begins, .result = result, .n = row_count(x)};
    rows.bytes = (size_t)rows.n * array_type_size(x->type);
    int64_t elements = (x->shape[0] / (segments + 1) + 1) * rows.n; /* of a segment, on average */
    parallel_for(segments, GRAIN / (elements + 1) + 1, segment_part, &rows);
    arena_recycle(tape_arena(), begins, begins_bytes);
    arena_recycle(tape_arena(), order, order_bytes);
    op_record(&operation_segment_sum, result, 2, (Tensor *[]){x, segment}, NULL, 0);
    return result;
}

Tensor *t_segment_mean(Tensor *x, Tensor *segment, int64_t segments)
{
    int64_t shape[TENSOR_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        shape[i] = i == 0 ? segments : 1;
    Tensor *share = t_zeros(x->type, x->rank, shape); /* 1 / count */
    for (int64_t i = 0; i < segment->count; i++)
        tensor_set(share, tensor_i32(segment)[i], tensor_value(share, tensor_i32(segment)[i]) + 1);
    for (int64_t s = 0; s < segments; s++)
        tensor_set(share, s, 1 / (tensor_value(share, s) > 0 ? tensor_value(share, s) : 1));
    return t_mul(t_segment_sum(x, segment, segments), share);
}

/* ---- Classes ---- */

Tensor *t_one_hot(Tensor *index, int64_t classes, ArrayType type)
{
    int64_t shape[TENSOR_MAX_RANK];
    assert(index->type == ARRAY_I32 && index->rank < TENSOR_MAX_RANK);
    memcpy(shape, index->shape, sizeof shape);
    shape[index->rank] = classes;
    Tensor *result = t_zeros(type, index->rank + 1, shape);
    for (int64_t i = 0; i < index->count; i++)
        if (tensor_i32(index)[i] >= 0 && tensor_i32(index)[i] < classes)
            tensor_set(result, i * classes + tensor_i32(index)[i], 1);
    return result;
}
