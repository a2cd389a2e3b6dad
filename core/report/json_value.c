#include "core/report/json_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

bool json_refuse(const JsonReader *reader, const cJSON *value, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int line;
    const char *file = json_place(reader->source, value, &line);
    return fail(reader->error, "%s:%d: %s", file, line, message);
}

const cJSON *json_member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* The member, or NULL after an error. */
static const cJSON *need(const JsonReader *reader, const cJSON *object, const char *key)
{
    const cJSON *value = json_member(object, key);
    if (!value)
        json_refuse(reader, object, "%s is missing", key);
    return value;
}

bool json_read_figure(const JsonReader *reader, const cJSON *object, const char *key, double *out)
{
    const cJSON *value = need(reader, object, key);
    if (!value)
        return false;
    if (!cJSON_IsNumber(value) && !cJSON_IsNull(value))
        return json_refuse(reader, value, "%s: expected a number or null", key);
    *out = cJSON_IsNull(value) ? NAN : value->valuedouble;
    return true;
}

bool json_read_integer(const JsonReader *reader, const cJSON *object, const char *key, int64_t low, int64_t high,
                       int64_t *out)
{
    const cJSON *value = need(reader, object, key);
    if (!value)
        return false;
    double number = value->valuedouble;
    if (!cJSON_IsNumber(value) || number != floor(number) || number < (double)low || number > (double)high)
        return json_refuse(reader, value, "%s: expected an integer from %lld to %lld", key, (long long)low,
                           (long long)high);
    *out = (int64_t)number;
    return true;
}

bool json_read_string(const JsonReader *reader, const cJSON *object, const char *key, const char **out)
{
    const cJSON *value = need(reader, object, key);
    if (!value)
        return false;
    if (!cJSON_IsString(value))
        return json_refuse(reader, value, "%s: expected a string", key);
    *out = value->valuestring;
    return true;
}

bool json_read_object(const JsonReader *reader, const cJSON *object, const char *key, const cJSON **out)
{
    const cJSON *value = json_member(object, key);
    *out = NULL;
    if (!value || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsObject(value))
        return json_refuse(reader, value, "%s: expected an object", key);
    *out = value;
    return true;
}

bool json_read_array(const JsonReader *reader, const cJSON *object, const char *key, int least, int most,
                     const cJSON **out)
{
    const cJSON *value = json_member(object, key);
    *out = NULL;
    if (!value || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsArray(value))
        return json_refuse(reader, value, "%s: expected an array", key);
    int count = cJSON_GetArraySize(value);
    if (least == most && count != least)
        return json_refuse(reader, value, "%s: expected %d elements, got %d", key, least, count);
    if (count < least || count > most)
        return json_refuse(reader, value, "%s: expected %d to %d elements, got %d", key, least, most, count);
    *out = value;
    return true;
}
