#include "core/nn/parameters.h"

#include <assert.h>
#include <math.h>
#include <string.h>

ParameterSet *parameters_new(void)
{
    ParameterSet *set = memory_new(sizeof *set);
    set->arena = arena_new();
    return set;
}

void parameters_free(ParameterSet *set)
{
    if (!set)
        return;
    arena_free(set->arena);
    memory_free(set->items);
    memory_free(set);
}

static Tensor *add_typed(ParameterSet *set, const char *name, ArrayType type, ParameterRole role, int rank,
                         const int64_t *shape)
{
    assert(!parameters_find(set, name));
    if (set->count == set->room) {
        int64_t room = set->room ? 2 * set->room : 32;
        set->items = memory_grow(set->items, (size_t)set->room * sizeof *set->items, (size_t)room * sizeof *set->items);
        set->room = room;
    }
    Tensor *value = tensor_new(set->arena, type, rank, shape);
    value->requires_gradient = role != ROLE_BUFFER;
    set->items[set->count++] = (Parameter){arena_string(set->arena, name), value, role, false};
    return value;
}

Tensor *parameters_add(ParameterSet *set, const char *name, ParameterRole role, int rank, const int64_t *shape)
{
    return add_typed(set, name, ARRAY_F32, role, rank, shape);
}

Tensor *parameters_add_double(ParameterSet *set, const char *name, int64_t count)
{
    return add_typed(set, name, ARRAY_F64, ROLE_BUFFER, 1, &count);
}

Parameter *parameters_find(const ParameterSet *set, const char *name)
{
    for (int64_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0)
            return &set->items[i];
    return NULL;
}

void parameter_unit_rows(const Parameter *parameter)
{
    int64_t rows = parameter->value->shape[0], width = parameter->value->count / rows;
    for (int64_t r = 0; r < rows; r++) {
        float *row = tensor_f32(parameter->value) + r * width;
        double square = 0;
        for (int64_t k = 0; k < width; k++)
            square += (double)row[k] * (double)row[k];
        for (int64_t k = 0; square > 0 && k < width; k++)
            row[k] = (float)((double)row[k] / sqrt(square));
    }
}

int64_t parameters_trainable(const ParameterSet *set)
{
    int64_t count = 0;
    for (int64_t i = 0; i < set->count; i++)
        if (set->items[i].value->requires_gradient)
            count += set->items[i].value->count;
    return count;
}

ParameterSet *parameters_copy(const ParameterSet *set)
{
    ParameterSet *copy = parameters_new();
    for (int64_t i = 0; i < set->count; i++) {
        const Parameter *from = &set->items[i];
        Tensor *value = parameters_add(copy, from->name, from->role, from->value->rank, from->value->shape);
        memcpy(value->data, from->value->data, (size_t)value->count * sizeof(float));
        value->requires_gradient = false;
    }
    return copy;
}
