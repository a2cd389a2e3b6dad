#include "data/jsonl_table.h"

#include <math.h>
#include <string.h>

#include "data/jsonl_read.h"

typedef struct Reading {
    JsonlReader lines;
    const JsonlKeys *keys;
    Arena *arena;
    JsonlTable *table;
    bool first;                 /* nothing is known yet that the row must agree with */
} Reading;

static const char *const form_names[] = {"a string", "a number", "a list of numbers"};

/* The length of a list that holds numbers alone and is not empty; 0 after an error. */
static int64_t check_list(const Reading *reading, const cJSON *value, const char *key)
{
    const cJSON *item;
    int64_t count = 0;
    if (!cJSON_IsArray(value)) {
        jsonl_fail(&reading->lines, "%s: expected a list of numbers", key);
        return 0;
    }
    cJSON_ArrayForEach(item, value)
    {
        if (!cJSON_IsNumber(item)) {
            jsonl_fail(&reading->lines, "%s[%lld]: expected a number", key, (long long)count);
            return 0;
        }
        count++;
    }
    if (!count)
        jsonl_fail(&reading->lines, "%s: expected at least 1 number", key);
    return count;
}

/* The same length in every row. */
static bool agree(const Reading *reading, const char *key, int64_t count, int64_t *known)
{
    if (reading->first)
        *known = count;
    return count == *known || jsonl_fail(&reading->lines, "%s: expected %lld numbers as in the first row, got %lld",
                                         key, (long long)*known, (long long)count);
}

static bool read_features(const Reading *reading, const cJSON *object, JsonlRow *row)
{
    const char *key = reading->keys->features;
    const cJSON *value = jsonl_field(&reading->lines, object, key), *item;
    int64_t count = value ? check_list(reading, value, key) : 0, i = 0;
    if (!count || !agree(reading, key, count, &reading->table->feature_count))
        return false;
    float *features = arena_alloc(reading->arena, (size_t)count * sizeof *features);
    cJSON_ArrayForEach(item, value)
    {
        features[i] = (float)item->valuedouble;
        if (!isfinite(features[i]))
            return jsonl_fail(&reading->lines, "%s[%lld]: too large for 32-bit floating point", key, (long long)i);
        i++;
    }
    row->features = features;
    return true;
}

static bool read_target(const Reading *reading, const cJSON *object, JsonlRow *row)
{
    JsonlTable *table = reading->table;
    const char *key = reading->keys->target;
    const cJSON *value = jsonl_field(&reading->lines, object, key), *item;
    if (!value)
        return false;
    if (!cJSON_IsString(value) && !cJSON_IsNumber(value) && !cJSON_IsArray(value))
        return jsonl_fail(&reading->lines, "%s: expected a class name, a number or a list of numbers", key);
    JsonlForm form = cJSON_IsString(value) ? JSONL_NAME : cJSON_IsNumber(value) ? JSONL_NUMBER : JSONL_LIST;
    if (reading->first)
        table->form = form;
    if (form != table->form)
        return jsonl_fail(&reading->lines, "%s: expected %s as in the first row, got %s", key, form_names[table->form],
                          form_names[form]);
    if (form == JSONL_NAME)
        row->name = arena_string(reading->arena, value->valuestring);
    row->number = value->valuedouble;
    if (form != JSONL_LIST)
        return true;
    int64_t count = check_list(reading, value, key), i = 0;
    if (!count || !agree(reading, key, count, &table->list_count))
        return false;
    double *list = arena_alloc(reading->arena, (size_t)count * sizeof *list);
    cJSON_ArrayForEach(item, value)
        list[i++] = item->valuedouble;
    row->list = list;
    return true;
}

static bool read_row(const Reading *reading, const cJSON *object, JsonlRow *row)
{
    *row = (JsonlRow){.line = reading->lines.line};
    if (reading->keys->text) {
        const char *text = jsonl_string(&reading->lines, object, reading->keys->text);
        if (!text)
            return false;
        row->text = arena_string(reading->arena, text);
    } else if (!read_features(reading, object, row)) {
        return false;
    }
    return read_target(reading, object, row);
}

bool jsonl_table_read(const char *path, const JsonlKeys *keys, const JsonlTable *like, Arena *arena, JsonlTable *table,
                      Error *error)
{
    Reading reading = {.keys = keys, .arena = arena, .table = table, .first = !like};
    *table = like ? *like : (JsonlTable){0};
    table->path = path;
    table->count = 0;
    JsonlRow *rows = NULL;
    size_t count = 0, room = 0;
    const cJSON *object = NULL;
    bool good = jsonl_open(&reading.lines, path, error);
    while (good && (good = jsonl_next(&reading.lines, &object)) && object) {
        if (count == room) {
            size_t more = room ? 2 * room : 64;
            rows = memory_grow(rows, room * sizeof *rows, more * sizeof *rows);
            room = more;
        }
        good = read_row(&reading, object, &rows[count++]);
        reading.first = false;
    }
    jsonl_close(&reading.lines);
    if (good && !count)
        good = fail(error, "%s: no rows", path);
    if (good) {
        table->count = (int64_t)count;
        table->rows = memcpy(arena_alloc(arena, count * sizeof *rows), rows, count * sizeof *rows);
    }
    memory_free(rows);
    return good;
}
