/* Numeric arrays on disk and in memory. */
#ifndef XENT_DATA_ARRAY_H
#define XENT_DATA_ARRAY_H

#include "core/base/error.h"
#include "core/base/memory.h"

enum { ARRAY_MAX_RANK = 6 };

typedef enum ArrayType { ARRAY_F32, ARRAY_F64, ARRAY_I64 } ArrayType;

/* C order. `data` belongs to the arena it was read into. */
typedef struct Array {
    ArrayType type;
    int rank;
    int64_t shape[ARRAY_MAX_RANK], count;
    void *data;
} Array;

/* NPY versions 1 to 3, gzip allowed: f4 and f8 keep their type; integers of 1 to 8 bytes and booleans
   become I64 (u8 above 2^63-1 is an error). Either byte order; Fortran order is refused. */
bool npy_read(const char *path, Arena *arena, Array *array, Error *error);
/* The same from memory; `name` is what messages call it. */
bool npy_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error);
/* Version 1, little-endian, atomic. */
bool npy_write(const char *path, const Array *array, Error *error);

double array_value(const Array *array, int64_t index);

#endif
