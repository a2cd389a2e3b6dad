#include "core/tensor/tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/tensor/tape.h"

Tape *current_tape;

Tape *tape_new(void)
{
    Tape *tape = memory_new(sizeof *tape);
    tape->arena = arena_new();
    tape->recording = true;
    return tape;
}

void tape_free(Tape *tape)
{
    if (!tape)
        return;
    if (current_tape == tape)
        current_tape = NULL;
    arena_free(tape->arena);
    memory_free(tape->nodes);
    memory_free(tape->fresh);
    memory_free(tape);
}

Tape *tape_use(Tape *tape)
{
    Tape *before = current_tape;
    current_tape = tape;
    return before;
}

void tape_reset(void)
{
    arena_reset(current_tape->arena);
    current_tape->node_count = current_tape->fresh_count = 0;
}

Arena *tape_arena(void)
{
    return current_tape->arena;
}

size_t tape_peak(void)
{
    return arena_peak(current_tape->arena);
}

bool tape_record(bool on)
{
    bool was = current_tape->recording;
    current_tape->recording = on;
    return was;
}

bool tape_recording(void)
{
    return current_tape && current_tape->recording;
}

/* Room for one more item at [count]. */
void *tape_grow(void *list, int64_t count, int64_t *room, size_t size)
{
    if (count < *room)
        return list;
    int64_t larger = *room ? 2 * *room : 256;
    list = memory_grow(list, (size_t)*room * size, (size_t)larger * size);
    *room = larger;
    return list;
}

void tape_track(Tensor *tensor)
{
    Tape *tape = current_tape;
    if (!tape->tracking)
        return;
    tape->fresh = tape_grow(tape->fresh, tape->fresh_count, &tape->fresh_room, sizeof *tape->fresh);
    tape->fresh[tape->fresh_count++] = tensor;
}

static Tensor *new_header(Arena *arena, ArrayType type, int rank, const int64_t *shape)
{
    assert(rank >= 0 && rank <= TENSOR_MAX_RANK);
    Tensor *tensor = arena_zero(arena, 1, sizeof *tensor);
    tensor->type = type;
    tensor->rank = rank;
    tensor->count = 1;
    for (int i = 0; i < TENSOR_MAX_RANK; i++) {
        tensor->shape[i] = i < rank ? shape[i] : 1;
        assert(tensor->shape[i] >= 0);
        tensor->count *= tensor->shape[i];
    }
    return tensor;
}

static size_t tensor_bytes(const Tensor *tensor)
{
    return (size_t)tensor->count * array_type_size(tensor->type);
}

Tensor *t_new(ArrayType type, int rank, const int64_t *shape)
{
    Arena *arena = current_tape->arena;
    Tensor *tensor = new_header(arena, type, rank, shape);
    Storage *storage = arena_alloc(arena, sizeof *storage);
    storage->bytes = tensor_bytes(tensor);
    storage->data = tensor->data = arena_alloc(arena, storage->bytes);
    storage->readers = 1;
    tensor->storage = storage;
    tape_track(tensor);
    return tensor;
}

Tensor *t_like(const Tensor *like)
{
    return t_new(like->type, like->rank, like->shape);
}

Tensor *t_zeros(ArrayType type, int rank, const int64_t *shape)
{
    Tensor *tensor = t_new(type, rank, shape);
    memset(tensor->data, 0, tensor_bytes(tensor));
    return tensor;
}

Tensor *t_full(ArrayType type, int rank, const int64_t *shape, double value)
{
    Tensor *tensor = t_new(type, rank, shape);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_set(tensor, i, value);
    return tensor;
}

Tensor *t_scalar(ArrayType type, double value)
{
    return t_full(type, 0, NULL, value);
}

Tensor *t_from_array(const Array *array, ArrayType type)
{
    Tensor *tensor = t_new(type, array->rank, array->shape);
    if (array->type == type)
        memcpy(tensor->data, array->data, tensor_bytes(tensor));
    else
        for (int64_t i = 0; i < tensor->count; i++)
            tensor_set(tensor, i, array_value(array, i));
    return tensor;
}

Tensor *t_wrap(ArrayType type, int rank, const int64_t *shape, void *data)
{
    Tensor *tensor = new_header(current_tape->arena, type, rank, shape);
    tensor->data = data;
    return tensor;
}

Tensor *tensor_new(Arena *arena, ArrayType type, int rank, const int64_t *shape)
{
    Tensor *tensor = new_header(arena, type, rank, shape);
    tensor->data = arena_zero(arena, (size_t)tensor->count, array_type_size(type));
    return tensor;
}

Tensor *op_view(Tensor *source, int rank, const int64_t *shape)
{
    Tensor *view = new_header(current_tape->arena, source->type, rank, shape);
    assert(view->count == source->count);
    view->data = source->data;
    view->storage = source->storage;
    if (view->storage)
        view->storage->readers++;
    tape_track(view);
    return view;
}

bool tensor_same_shape(const Tensor *a, const Tensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

double tensor_value(const Tensor *tensor, int64_t index)
{
    switch (tensor->type) {
    case ARRAY_F32: return (double)tensor_f32(tensor)[index];
    case ARRAY_F64: return tensor_f64(tensor)[index];
    default: assert(tensor->type == ARRAY_I32); return tensor_i32(tensor)[index];
    }
}

void tensor_set(Tensor *tensor, int64_t index, double value)
{
    switch (tensor->type) {
    case ARRAY_F32: tensor_f32(tensor)[index] = (float)value; break;
    case ARRAY_F64: tensor_f64(tensor)[index] = value; break;
    default: assert(tensor->type == ARRAY_I32); tensor_i32(tensor)[index] = (int32_t)value;
    }
}

Tensor *t_keep(Tensor *tensor)
{
    if (tensor->storage)
        tensor->storage->readers++;
    return tensor;
}

void storage_release(Storage *storage)
{
    if (storage && --storage->readers == 0)
        arena_recycle(current_tape->arena, storage->data, storage->bytes);
}

void t_release(Tensor *result)
{
    assert(!current_tape->recording && !result->node);
    storage_release(result->storage);
}

void tensor_clear_gradient(Tensor *leaf)
{
    leaf->gradient = NULL;
}
