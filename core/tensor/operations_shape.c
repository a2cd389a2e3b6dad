/* Operations that move elements along one axis, or rename axes, without changing them. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"
#include "core/tensor/walk.h"

static void backward_reshape(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_reshape(gradient, node->inputs[0]->rank, node->inputs[0]->shape);
}

static int sample_reshape(Random *random, int variant, Tensor **inputs)
{
    (void)variant;
    inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 4));
    return 1;
}

static Tensor *apply_reshape(Tensor **inputs, int variant)
{
    return variant == 0 ? t_reshape(inputs[0], SHAPE(2, 6)) : t_reshape(inputs[0], SHAPE(-1, 2, 1));
}

const OperationDef operation_reshape = {
    .component = {.name = "reshape", .summary = "the same elements in another shape"},
    .backward = backward_reshape, .variants = 2, .inputs = sample_reshape, .apply = apply_reshape,
};

Tensor *t_reshape(Tensor *x, int rank, const int64_t *shape)
{
    int64_t sizes[TENSOR_MAX_RANK], known = 1;
    int open = -1;
    for (int i = 0; i < rank; i++) {
        sizes[i] = shape[i];
        if (shape[i] < 0)
            open = i;
        else
            known *= shape[i];
    }
    if (open >= 0)
        sizes[open] = known ? x->count / known : 0;
    Tensor *result = op_view(x, rank, sizes);
    op_record(&operation_reshape, result, 1, &x, NULL, 0);
    return result;
}

/* ---- Blocks: `count` runs of `bytes`, from one stride to another ---- */

typedef struct Blocks {
    char *to;
    const char *from;
    size_t bytes, to_stride, from_stride;
} Blocks;

static void copy_part(void *context, int64_t begin, int64_t end)
{
    const Blocks *work = context;
    for (int64_t i = begin; i < end; i++)
        memcpy(work->to + (size_t)i * work->to_stride, work->from + (size_t)i * work->from_stride, work->bytes);
}

enum { GRAIN_BYTES = 1 << 17 };

static void copy_blocks(int64_t count, Blocks blocks)
{
    if (blocks.bytes)
        parallel_for(count, (int64_t)((GRAIN_BYTES + blocks.bytes - 1) / blocks.bytes), copy_part, &blocks);
}

/* [outer, width, inner] of elements from axis index `from_begin` of x to `to_begin` of `to`. */
static void copy_along(Tensor *to, const Axis *to_axis, int64_t to_begin, const Tensor *x, const Axis *axis,
                       int64_t from_begin, int64_t width)
{
    size_t unit = (size_t)axis->inner * array_type_size(x->type);
    if (axis->outer == 0 || width == 0)
        return;
    copy_blocks(axis->outer, (Blocks){
        .to = (char *)to->data + (size_t)to_begin * unit, .from = (const char *)x->data + (size_t)from_begin * unit,
        .bytes = (size_t)width * unit, .to_stride = (size_t)to_axis->size * unit,
        .from_stride = (size_t)axis->size * unit,
    });
}

static Tensor *resized(const Tensor *x, int axis, int64_t size)
{
    int64_t shape[TENSOR_MAX_RANK];
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = size;
    return t_new(x->type, x->rank, shape);
}

typedef struct Along {
    int axis;
    int64_t begin, end;
} Along;

static int sample_block(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = variant == 3 ? sample_leaf(random, -2, 2, SHAPE(0, 3, 4)) : sample_leaf(random, -2, 2, SHAPE(2, 3, 4));
    return 1;
}

/* ---- Slice and pad, each the transpose of the other ---- */

static void backward_slice(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Along *along = node->attributes;
    int64_t size = node->inputs[0]->shape[along->axis];
    gradients[0] = t_pad(gradient, along->axis, along->begin, size - along->end, 0);
}

static Tensor *apply_slice(Tensor **inputs, int variant)
{
    return variant == 0 ? t_slice(inputs[0], 0, 1, 2) : t_slice(inputs[0], variant == 2 ? -1 : 1, 1, 3);
}

const OperationDef operation_slice = {
    .component = {.name = "slice", .summary = "a range along an axis"},
    .backward = backward_slice, .variants = 4, .inputs = sample_block, .apply = apply_slice,
};

Tensor *t_slice(Tensor *x, int number, int64_t begin, int64_t end)
{
    Axis axis = axis_around(x, axis_number(x, number), true);
    assert(0 <= begin && begin <= end && end <= axis.size);
    Tensor *result = resized(x, axis.number, end - begin);
    Axis to = axis_around(result, axis.number, true);
    copy_along(result, &to, 0, x, &axis, begin, end - begin);
    op_record(&operation_slice, result, 1, &x, &(Along){axis.number, begin, end}, sizeof(Along));
    return result;
}

static void backward_pad(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Along *along = node->attributes;
    gradients[0] = t_slice(gradient, along->axis, along->begin, along->end);
}

static Tensor *apply_pad(Tensor **inputs, int variant)
{
    return t_pad(inputs[0], variant == 3 ? 1 : variant, variant, 2, 0.5);
}

const OperationDef operation_pad = {
    .component = {.name = "pad", .summary = "a constant before and after, along an axis"},
    .backward = backward_pad, .variants = 4, .inputs = sample_block, .apply = apply_pad,
};

Tensor *t_pad(Tensor *x, int number, int64_t before, int64_t after, double value)
{
    Axis axis = axis_around(x, axis_number(x, number), true);
    assert(before >= 0 && after >= 0);
    Tensor *result = resized(x, axis.number, before + axis.size + after);
    Axis to = axis_around(result, axis.number, true);
    if (value == 0)
        memset(result->data, 0, (size_t)result->count * array_type_size(x->type));
    else
        for (int64_t i = 0; i < result->count; i++)
            tensor_set(result, i, value);
    copy_along(result, &to, before, x, &axis, 0, axis.size);
    op_record(&operation_pad, result, 1, &x, &(Along){axis.number, before, before + axis.size}, sizeof(Along));
    return result;
}

/* ---- Concatenation ---- */

static void backward_concat(const Node *node, Tensor *gradient, Tensor **gradients)
{
    int axis = *(const int *)node->attributes;
    int64_t begin = 0;
    for (int i = 0; i < node->input_count; i++) {
        int64_t end = begin + node->inputs[i]->shape[axis];
        if (op_wants(node, i))
            gradients[i] = t_slice(gradient, axis, begin, end);
        begin = end;
    }
}

static int sample_concat(Random *random, int variant, Tensor **inputs)
{
    int64_t sizes[] = {2, 1, variant == 2 ? 0 : 3};
    for (int i = 0; i < 3; i++)
        inputs[i] = variant == 0 ? sample_leaf(random, -2, 2, SHAPE(sizes[i], 3))
                                 : sample_leaf(random, -2, 2, SHAPE(2, sizes[i], 2));
    return 3;
}

static Tensor *apply_concat(Tensor **inputs, int variant)
{
    return t_concat(3, inputs, variant == 0 ? 0 : -2);
}

const OperationDef operation_concat = {
    .component = {.name = "concat", .summary = "tensors one after another along an axis"},
    .backward = backward_concat, .variants = 3, .inputs = sample_concat, .apply = apply_concat,
};

Tensor *t_concat(int count, Tensor *const *parts, int number)
{
    assert(count > 0);
    int axis = axis_number(parts[0], number);
    int64_t size = 0;
    for (int i = 0; i < count; i++) {
        assert(parts[i]->rank == parts[0]->rank && parts[i]->type == parts[0]->type);
        for (int k = 0; k < parts[0]->rank; k++)
            assert(k == axis || parts[i]->shape[k] == parts[0]->shape[k]);
        size += parts[i]->shape[axis];
    }
    Tensor *result = resized(parts[0], axis, size);
    Axis to = axis_around(result, axis, true);
    int64_t begin = 0;
    for (int i = 0; i < count; i++) {
        Axis from = axis_around(parts[i], axis, true);
        copy_along(result, &to, begin, parts[i], &from, 0, from.size);
        begin += from.size;
    }
    op_record(&operation_concat, result, count, parts, &axis, sizeof axis);
    return result;
}

/* ---- Roll and flip ---- */

static void backward_roll(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Along *along = node->attributes;
    gradients[0] = t_roll(gradient, along->axis, -along->begin);
}

static Tensor *apply_roll(Tensor **inputs, int variant)
{
    return t_roll(inputs[0], variant == 3 ? 0 : variant, variant == 1 ? -2 : 5);
}

const OperationDef operation_roll = {
    .component = {.name = "roll", .summary = "element i moves to (i + shift) mod n"},
    .backward = backward_roll, .variants = 4, .inputs = sample_block, .apply = apply_roll,
};

Tensor *t_roll(Tensor *x, int number, int64_t shift)
{
    Axis axis = axis_around(x, axis_number(x, number), true);
    Tensor *result = t_like(x);
    if (axis.size) {
        int64_t first = (shift % axis.size + axis.size) % axis.size; /* where element 0 goes */
        copy_along(result, &axis, first, x, &axis, 0, axis.size - first);
        copy_along(result, &axis, 0, x, &axis, axis.size - first, first);
    }
    op_record(&operation_roll, result, 1, &x, &(Along){axis.number, shift, 0}, sizeof(Along));
    return result;
}

static void backward_flip(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = t_flip(gradient, *(const int *)node->attributes);
}

static Tensor *apply_flip(Tensor **inputs, int variant)
{
    return t_flip(inputs[0], variant == 3 ? 0 : variant);
}

const OperationDef operation_flip = {
    .component = {.name = "flip", .summary = "the order along an axis reversed"},
    .backward = backward_flip, .variants = 4, .inputs = sample_block, .apply = apply_flip,
};

Tensor *t_flip(Tensor *x, int number)
{
    Axis axis = axis_around(x, axis_number(x, number), true);
    Tensor *result = t_like(x);
    size_t unit = (size_t)axis.inner * array_type_size(x->type);
    for (int64_t o = 0; o < axis.outer; o++)
        for (int64_t k = 0; k < axis.size; k++)
            memcpy((char *)result->data + (size_t)(o * axis.size + axis.size - 1 - k) * unit,
                   (const char *)x->data + (size_t)(o * axis.size + k) * unit, unit);
    op_record(&operation_flip, result, 1, &x, &axis.number, sizeof axis.number);
    return result;
}
