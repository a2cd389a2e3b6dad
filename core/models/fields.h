/* The fields of a table, the columns before encoding, found in the names of its features. */
#ifndef XENT_MODELS_FIELDS_H
#define XENT_MODELS_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"

/* Features first..first+count-1: a number, or the categories of a column (one-hot). */
typedef struct Field {
    const char *name;           /* "" where features have none */
    bool categorical;
    int64_t first, count;
} Field;

/* Neighbours COLUMN=A, COLUMN=B are one field, every other feature of the `features` is one of its own. names NULL:
   they have none. In the arena, their number in *count. */
Field *fields_find(const char *const *names, int64_t features, Arena *arena, int64_t *count);

#endif
