/* Numeric arrays in memory, and the element types that arrays, tensors and files share. */
#ifndef XENT_BASE_ARRAY_H
#define XENT_BASE_ARRAY_H

#include "core/base/error.h"
#include "core/base/memory.h"

enum { ARRAY_MAX_RANK = 6 };

/* What an element is in memory. NPY and IDX files may hold narrower or unsigned integers; they widen to I64. */
typedef enum ArrayType { ARRAY_F32, ARRAY_F64, ARRAY_I32, ARRAY_I64, ARRAY_U8, ARRAY_I8 } ArrayType;

/* C order. `data` belongs to the arena it was read into; entries of shape from `rank` on mean nothing. */
typedef struct Array {
    ArrayType type;
    int rank;
    int64_t shape[ARRAY_MAX_RANK], count;
    void *data;
} Array;

size_t array_type_size(ArrayType type);             /* bytes of one element */
bool array_is_integer(const Array *array);
double array_value(const Array *array, int64_t index);
int64_t array_integer(const Array *array, int64_t index); /* exact; only where array_is_integer */
void array_to_doubles(const Array *array, double *out); /* out[count], the caller's */

#endif
