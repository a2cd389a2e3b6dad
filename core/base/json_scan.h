/* The strict scan in front of cJSON, for json.c alone. */
#ifndef XENT_BASE_JSON_SCAN_H
#define XENT_BASE_JSON_SCAN_H

#include <stddef.h>

#include "core/base/error.h"

/* The line of every value, a container before what it holds, in the order of the text. */
typedef struct JsonLines {
    int *items;
    size_t count, capacity;
} JsonLines;

/* Checks `text` (size bytes and a NUL after them) and blanks its comments in place; it begins on
   `first_line` of what `name` names. The caller frees lines->items with memory_free, also after an error. */
bool json_scan(const char *name, int first_line, char *text, size_t size, JsonLines *lines, Error *error);

#endif
