/* IDX, the format of MNIST: 0, 0, type, rank, the sizes and the elements, all big-endian. */
#ifndef XENT_DATA_IDX_H
#define XENT_DATA_IDX_H

#include "core/base/array.h"

/* Rank 1 to 4, gzip allowed; u8, i32, f32 and f64 keep their type, i8 and i16 become I64. Errors name
   the file and the byte; *array then means nothing. */
bool idx_read(const char *path, Arena *arena, Array *array, Error *error);
/* The same from memory, without gzip; `name` is what messages call it. */
bool idx_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error);

#endif
