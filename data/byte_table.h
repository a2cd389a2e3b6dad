/* Byte strings to dense numbers: the first string added is 0, the next new one 1, and so on. */
#ifndef XENT_DATA_BYTE_TABLE_H
#define XENT_DATA_BYTE_TABLE_H

#include "core/base/memory.h"

/* Lives in the arena it was made in, with copies of its strings. */
typedef struct ByteTable ByteTable;

ByteTable *byte_table_new(Arena *arena);
int32_t byte_table_count(const ByteTable *table);
/* The string's number; a new string is added. */
int32_t byte_table_add(ByteTable *table, const void *bytes, size_t size);
/* The string's number, or -1. Safe from several threads while nothing is added. */
int32_t byte_table_find(const ByteTable *table, const void *bytes, size_t size);
/* String `number`, valid until the next one is added. */
const unsigned char *byte_table_get(const ByteTable *table, int32_t number, size_t *size);

#endif
