#include "data/jsonl_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"

/* A line costs some microseconds and a value some tenths of one, however short they are: the limits keep a file that is
   refused at its end below 2 GB and 10 s. */
static const size_t jsonl_limit = (size_t)256 << 20, line_limit = (size_t)1 << 21, value_limit = (size_t)1 << 23;

/* Before each value of a list or an object stands one of these; those in strings are counted too, so that the count
   costs next to nothing. */
static bool check_values(const char *path, const unsigned char *bytes, size_t size, Error *error)
{
    size_t counts[256] = {0};
    for (size_t i = 0; i < size; i++)
        counts[bytes[i]]++;
    size_t values = counts[','] + counts[':'] + counts['['];
    return values <= value_limit || fail(error, "%s: %zu commas, colons and brackets, at most %zu are read", path,
                                         values, value_limit);
}

static bool check_lines(const char *path, const unsigned char *bytes, size_t size, Error *error)
{
    size_t lines = 0;
    for (const unsigned char *at = bytes, *end = bytes + size; at && at < end; lines++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : end;
    }
    return lines <= line_limit || fail(error, "%s: %zu lines, at most %zu are read", path, lines, line_limit);
}

bool jsonl_open(JsonlReader *reader, const char *path, Error *error)
{
    *reader = (JsonlReader){.path = path, .arena = arena_new(), .error = error};
    unsigned char *bytes;
    size_t size;
    if (!file_read(path, jsonl_limit, reader->arena, &bytes, &size, error) || !check_lines(path, bytes, size, error) ||
        !check_values(path, bytes, size, error))
        return false;
    reader->at = (const char *)bytes;
    reader->end = reader->at + size;
    return true;
}

void jsonl_close(JsonlReader *reader)
{
    json_source_free(reader->source);
    arena_free(reader->arena);
    *reader = (JsonlReader){0};
}

static bool is_blank(const char *text, size_t size)
{
    while (size && strchr(" \t\r", text[size - 1]) && text[size - 1])
        size--;
    return size == 0;
}

bool jsonl_next(JsonlReader *reader, const cJSON **object)
{
    *object = NULL;
    while (reader->at < reader->end) {
        const char *text = reader->at, *feed = memchr(text, '\n', (size_t)(reader->end - text));
        size_t size = (size_t)((feed ? feed : reader->end) - text);
        reader->at = feed ? feed + 1 : reader->end;
        reader->line++;
        if (is_blank(text, size))
            continue;
        json_source_free(reader->source); /* a source of its own, or places of all lines would pile up */
        reader->source = json_source_new();
        const cJSON *value = json_parse_line(reader->source, reader->path, reader->line, text, size, reader->error);
        if (!value) {
            reader->error->status = STATUS_FAILED; /* data, not a config */
            return false;
        }
        if (!cJSON_IsObject(value))
            return jsonl_fail(reader, "expected an object");
        *object = value;
        return true;
    }
    return true;
}

bool jsonl_fail(const JsonlReader *reader, const char *format, ...)
{
    char message[sizeof reader->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fail(reader->error, "%s", message);
    return fail_at(reader->error, "%s:%d", reader->path, reader->line);
}

const cJSON *jsonl_field(const JsonlReader *reader, const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!value)
        jsonl_fail(reader, "missing key \"%s\"", key);
    return value;
}

const char *jsonl_string(const JsonlReader *reader, const cJSON *object, const char *key)
{
    const cJSON *value = jsonl_field(reader, object, key);
    if (value && !cJSON_IsString(value))
        jsonl_fail(reader, "%s: expected a string", key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}
