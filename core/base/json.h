/* Strict JSON with // and block comments over cJSON: before cJSON sees a text, a scan refuses what
   cJSON lets pass (duplicate keys, NaN, overflow, lone surrogates, trailing text, depth > 64) and
   remembers the line of every value, so that later errors name file and line. */
#ifndef XENT_BASE_JSON_H
#define XENT_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/memory.h"

enum { JSON_MAX_DEPTH = 64, JSON_MAX_BYTES = 4 << 20 };

/* Owns the parsed trees and the places of their values. */
typedef struct JsonSource JsonSource;
JsonSource *json_source_new(void);
void json_source_free(JsonSource *source);

/* The tree belongs to the source. `name` is what messages call the text. */
cJSON *json_parse(JsonSource *source, const char *name, const char *text, size_t size, Error *error);
/* The same where the text begins on `first_line` of a longer one, as a line of JSONL does. */
cJSON *json_parse_line(JsonSource *source, const char *name, int first_line, const char *text, size_t size,
                       Error *error);
cJSON *json_parse_file(JsonSource *source, const char *path, Error *error);
/* File name of a value (NULL when it was made, not read) and its line. */
const char *json_place(const JsonSource *source, const cJSON *value, int *line);
/* Path of the file a value was read from by json_parse_file; NULL for inline texts and made values. */
const char *json_file(const JsonSource *source, const cJSON *value);
/* Copies the tree below `value`, places included; the caller links it into a tree of the source. */
cJSON *json_copy(JsonSource *source, const cJSON *value);

/* Numbers as the contract prints them: 9 significant digits, null when not finite. */
cJSON *json_number9(double value);
cJSON *json_numbers9(const double *values, int64_t count);
/* Reads back as the same double. cJSON prints 15 digits when they are close enough, which is not the same,
   so a number that needs more becomes raw text; the parser of parameters reads that as a number. */
cJSON *json_number_exact(double value);

#endif
