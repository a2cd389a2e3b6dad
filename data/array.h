/* Numeric arrays on disk and in memory. */
#ifndef XENT_DATA_ARRAY_H
#define XENT_DATA_ARRAY_H

#include "core/base/error.h"
#include "core/base/memory.h"

enum { ARRAY_MAX_RANK = 6 };

/* What an element is in memory. Files may hold narrower or unsigned integers; they widen to I64. */
typedef enum ArrayType { ARRAY_F32, ARRAY_F64, ARRAY_I32, ARRAY_I64, ARRAY_U8 } ArrayType;

/* C order. `data` belongs to the arena it was read into; entries of shape from `rank` on mean nothing. */
typedef struct Array {
    ArrayType type;
    int rank;
    int64_t shape[ARRAY_MAX_RANK], count;
    void *data;
} Array;

/* NPY versions 1 to 3, gzip allowed: f4, f8, i4, i8 and u1 keep their type; other integers of 1 to 8
   bytes and booleans become I64 (u8 above 2^63-1 is an error). Either byte order; Fortran order is
   refused. Errors name the file and the byte; *array then means nothing. */
bool npy_read(const char *path, Arena *arena, Array *array, Error *error);
/* The same from memory, without gzip; `name` is what messages call it. */
bool npy_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error);
/* Version 1, little-endian, header padded to 64 bytes, atomic. */
bool npy_write(const char *path, const Array *array, Error *error);

size_t array_type_size(ArrayType type);             /* bytes of one element */
bool array_is_integer(const Array *array);
double array_value(const Array *array, int64_t index);
int64_t array_integer(const Array *array, int64_t index); /* exact; only where array_is_integer */
void array_to_doubles(const Array *array, double *out); /* out[count], the caller's */

#endif
