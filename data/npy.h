/* NPY, numpy's format of one array. */
#ifndef XENT_DATA_NPY_H
#define XENT_DATA_NPY_H

#include "core/base/array.h"

/* NPY versions 1 to 3, gzip allowed: f4, f8, i4, i8 and u1 keep their type; other integers of 1 to 8
   bytes and booleans become I64 (u8 above 2^63-1 is an error). Either byte order; Fortran order is
   refused. Errors name the file and the byte; *array then means nothing. */
bool npy_read(const char *path, Arena *arena, Array *array, Error *error);
/* The same from memory, without gzip; `name` is what messages call it. */
bool npy_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Array *array, Error *error);
/* What stands before the data in a version 1 file, a multiple of 64 bytes; returns how many. */
enum { NPY_HEADER_BYTES = 256 };
size_t npy_header(const Array *array, unsigned char header[NPY_HEADER_BYTES]);
/* Version 1, little-endian, header padded to 64 bytes, atomic. */
bool npy_write(const char *path, const Array *array, Error *error);

#endif
