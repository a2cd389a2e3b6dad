/* Values of JSON that was read from a run folder, checked: an error (exit 1) names file, line and key. */
#ifndef XENT_REPORT_JSON_VALUE_H
#define XENT_REPORT_JSON_VALUE_H

#include "core/base/json.h"

typedef struct JsonReader {
    JsonSource *source;
    Error *error;
} JsonReader;

/* "FILE:LINE: message" about `value`; returns false. */
bool json_refuse(const JsonReader *reader, const cJSON *value, const char *format, ...) FORMAT_LIKE_PRINTF(3, 4);
/* The member of that name, or NULL: case matters. */
const cJSON *json_member(const cJSON *object, const char *key);

/* The member must be there and be of its kind. Figures: null reads as NAN. */
bool json_read_figure(const JsonReader *reader, const cJSON *object, const char *key, double *out);
bool json_read_integer(const JsonReader *reader, const cJSON *object, const char *key, int64_t low, int64_t high,
                       int64_t *out);
bool json_read_string(const JsonReader *reader, const cJSON *object, const char *key, const char **out);

/* The member may be absent or null: then *out is NULL. An array has least..most elements. */
bool json_read_object(const JsonReader *reader, const cJSON *object, const char *key, const cJSON **out);
bool json_read_array(const JsonReader *reader, const cJSON *object, const char *key, int least, int most,
                     const cJSON **out);

#endif
