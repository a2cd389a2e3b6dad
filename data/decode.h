/* Elements as files store them, shared by the NPY and IDX readers. */
#ifndef XENT_DATA_DECODE_H
#define XENT_DATA_DECODE_H

#include "core/base/array.h"

typedef struct Encoding {
    char kind;       /* 'f' real, 'i' signed, 'u' unsigned, 'b' boolean */
    int width;       /* bytes of one element: 4, 8 for 'f'; 1, 2, 4, 8 for 'i' and 'u'; 1 for 'b' */
    bool big_endian;
} Encoding;

/* A word of `width` (1 to 8) bytes, in the machine's order. */
uint64_t load_word(const unsigned char *bytes, int width, bool big_endian);

/* Takes rank, shape and count from *array and fills type and data (in the arena) from
   count * width bytes. Fails only on an unsigned element above 2^63-1, or where integers that widen would
   take more than DECODED_MOST_BYTES; `name` starts that message. */
#define DECODED_MOST_BYTES ((size_t)1 << 30)
bool array_decode(const char *name, Encoding encoding, const unsigned char *bytes, Arena *arena, Array *array,
                  Error *error);

#endif
