/* Safetensors: an 8-byte little-endian header length, a JSON header, raw little-endian data. */
#ifndef XENT_DATA_SAFETENSORS_H
#define XENT_DATA_SAFETENSORS_H

#include "core/base/array.h"
#include "core/base/json.h"

enum {
    SAFETENSORS_MAX_HEADER = JSON_MAX_BYTES,
    SAFETENSORS_MOST_BYTES = 15 << 27   /* of a file: reading one takes little more memory than it has bytes */
};

typedef struct NamedArray {
    const char *name;
    Array array;
} NamedArray;

/* Everything belongs to the arena it was read into. */
typedef struct Safetensors {
    int64_t count;
    NamedArray *items;                  /* in the order of their data */
    int64_t metadata_count;
    const char **keys, **values;        /* __metadata__: strings */
} Safetensors;

/* Types F32, F64, I32, I64, U8, I8, BOOL (as U8). Refused: other types, duplicate names, holes or overlaps,
   data that does not start on a multiple of 8 or does not end with the file. Messages name file and tensor. */
bool safetensors_read(const char *path, Arena *arena, Safetensors *file, Error *error);
/* The same without the data: every array's is NULL, but for a file that is packed by gzip, which is read whole. */
bool safetensors_read_header(const char *path, Arena *arena, Safetensors *file, Error *error);
/* The same from memory; the arrays point into `bytes`, which must be 8-byte aligned. */
bool safetensors_parse(const char *name, unsigned char *bytes, size_t size, Arena *arena, Safetensors *file,
                       Error *error);
const Array *safetensors_find(const Safetensors *file, const char *name);          /* NULL: none */
const char *safetensors_metadata(const Safetensors *file, const char *key);        /* NULL: none */

/* Of all tensors, without the header. */
size_t safetensors_data_bytes(const Safetensors *file);
/* Atomic. Only items, keys and values are read from *file. */
bool safetensors_write(const char *path, const Safetensors *file, Error *error);

#endif
