/* The rows of a JSONL data set as the file has them, for jsonl.c: what they mean is decided there. */
#ifndef XENT_DATA_JSONL_TABLE_H
#define XENT_DATA_JSONL_TABLE_H

#include "core/base/error.h"
#include "core/base/memory.h"

typedef enum JsonlForm { JSONL_NAME, JSONL_NUMBER, JSONL_LIST } JsonlForm;

typedef struct JsonlRow {
    int line;
    const char *text;           /* NULL without a text key */
    const float *features;      /* [feature_count]; NULL without a features key */
    const char *name;           /* the target, as `form` says */
    double number;
    const double *list;         /* [list_count] */
} JsonlRow;

typedef struct JsonlTable {
    const char *path;
    int64_t count;              /* at least 1 */
    JsonlRow *rows;
    JsonlForm form;             /* of every target */
    int64_t list_count, feature_count;
} JsonlTable;

typedef struct JsonlKeys {
    const char *text, *features;    /* one of them is NULL */
    const char *target;
} JsonlKeys;

/* Reads all rows into the arena. Targets are strings, numbers or lists of numbers, the same in every
   row; features are lists of one length. With `like` they must be as there. Errors begin with file:line. */
bool jsonl_table_read(const char *path, const JsonlKeys *keys, const JsonlTable *like, Arena *arena, JsonlTable *table,
                      Error *error);

#endif
