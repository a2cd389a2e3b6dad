#include "core/base/array.h"

#include <assert.h>

size_t array_type_size(ArrayType type)
{
    switch (type) {
    case ARRAY_U8:
    case ARRAY_I8: return 1;
    case ARRAY_F32:
    case ARRAY_I32: return 4;
    default: return 8;
    }
}

bool array_is_integer(const Array *array)
{
    return array->type != ARRAY_F32 && array->type != ARRAY_F64;
}

int64_t array_integer(const Array *array, int64_t index)
{
    assert(array_is_integer(array));
    switch (array->type) {
    case ARRAY_I32: return ((const int32_t *)array->data)[index];
    case ARRAY_U8: return ((const uint8_t *)array->data)[index];
    case ARRAY_I8: return ((const int8_t *)array->data)[index];
    default: return ((const int64_t *)array->data)[index];
    }
}

double array_value(const Array *array, int64_t index)
{
    switch (array->type) {
    case ARRAY_F32: return (double)((const float *)array->data)[index];
    case ARRAY_F64: return ((const double *)array->data)[index];
    default: return (double)array_integer(array, index);
    }
}

void array_to_doubles(const Array *array, double *out)
{
    for (int64_t i = 0; i < array->count; i++)
        out[i] = array_value(array, i);
}
