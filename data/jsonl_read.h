/* JSONL: a JSON object a line, UTF-8, gzip allowed. */
#ifndef XENT_DATA_JSONL_READ_H
#define XENT_DATA_JSONL_READ_H

#include "core/base/json.h"

typedef struct JsonlReader {
    const char *path;
    int line;               /* of the object that was read last */
    Arena *arena;           /* owns the text */
    const char *at, *end;
    JsonSource *source;     /* owns the object */
    Error *error;
} JsonlReader;

/* Close it also after a failure. The path is borrowed. At most 256 MB, 2^21
   lines, and 2^23 commas, colons and opening brackets. */
bool jsonl_open(JsonlReader *reader, const char *path, Error *error);
/* The next object, valid until the next call; blank lines are skipped. *object NULL: the end. Every
   error (status 1) begins with file:line. Keys that nobody asks for are left alone. */
bool jsonl_next(JsonlReader *reader, const cJSON **object);
void jsonl_close(JsonlReader *reader);

/* An error at the object read last. */
bool jsonl_fail(const JsonlReader *reader, const char *format, ...) FORMAT_LIKE_PRINTF(2, 3);
/* The value of a key that must be there; NULL after an error. */
const cJSON *jsonl_field(const JsonlReader *reader, const cJSON *object, const char *key);
/* The same for a string. */
const char *jsonl_string(const JsonlReader *reader, const cJSON *object, const char *key);

#endif
