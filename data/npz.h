/* NPZ, numpy's format of several arrays: a ZIP archive of NPY files, stored or deflated. */
#ifndef XENT_DATA_NPZ_H
#define XENT_DATA_NPZ_H

#include "core/base/array.h"

typedef struct NpzEntry {
    const char *name;           /* of the array, without ".npy" */
    uint32_t crc;
    int method;                 /* 0 stored, 8 deflated */
    size_t offset, packed, size;/* where the packed bytes begin, how many they are, how many they become */
} NpzEntry;

/* The directory of an archive that is in memory; everything belongs to the arena. */
typedef struct Npz {
    const char *path;
    const unsigned char *bytes;
    int64_t count;
    NpzEntry *entries;
} Npz;

/* Reads the file and its directory. Members that are not named *.npy are passed over. At most 2 GB, the arrays together
   no more, and 4096 members; ZIP64, encryption and archives in several parts are refused. Errors name the file and the
   byte. */
bool npz_open(const char *path, Arena *arena, Npz *npz, Error *error);
/* The same from memory, which is borrowed; `name` is what messages call it. */
bool npz_parse(const char *name, const unsigned char *bytes, size_t size, Arena *arena, Npz *npz, Error *error);
const NpzEntry *npz_find(const Npz *npz, const char *name); /* NULL: none of that name */
/* Unpacks one array into the arena; size and CRC are checked. */
bool npz_array(const Npz *npz, const NpzEntry *entry, Arena *arena, Array *array, Error *error);

/* Stored, not packed; the same arrays give the same bytes. Atomic. Fails above 2 GB. */
bool npz_write(const char *path, int64_t count, const char *const *names, const Array *arrays, Error *error);

#endif
