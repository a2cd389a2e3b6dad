#include "core/base/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json_scan.h"

/* A name may be one of a file or of an inline text; only files have a folder. */
typedef struct Text {
    char *name;
    bool is_file;
    cJSON *tree;
} Text;

typedef struct Place {
    const cJSON *value;         /* NULL: free */
    size_t text;
    int line;
} Place;

struct JsonSource {
    Text *texts;
    size_t text_count;
    Place *places;              /* hash table with linear probing, at most half full */
    size_t place_count, place_capacity; /* a power of two or 0 */
};

/* cJSON allocates from memory.h too, so that it never sees NULL. Before main, because trees may be
   made before the first source. */
static void __attribute__((constructor)) use_memory(void)
{
    cJSON_Hooks hooks = {.malloc_fn = memory_new, .free_fn = memory_free};
    cJSON_InitHooks(&hooks);
}

JsonSource *json_source_new(void)
{
    return memory_new(sizeof(JsonSource));
}

void json_source_free(JsonSource *source)
{
    if (!source)
        return;
    for (size_t i = 0; i < source->text_count; i++) {
        cJSON_Delete(source->texts[i].tree);
        memory_free(source->texts[i].name);
    }
    memory_free(source->texts);
    memory_free(source->places);
    memory_free(source);
}

/* The slot that holds `value`, or the free one where it belongs. */
static Place *find_slot(Place *places, size_t capacity, const cJSON *value)
{
    uint64_t hash = (uint64_t)(uintptr_t)value * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    size_t slot = (size_t)hash & (capacity - 1);
    while (places[slot].value && places[slot].value != value)
        slot = (slot + 1) & (capacity - 1);
    return &places[slot];
}

static void grow_places(JsonSource *source)
{
    size_t capacity = source->place_capacity ? source->place_capacity * 2 : 64;
    Place *places = memory_array(capacity, sizeof *places);
    for (size_t i = 0; i < source->place_capacity; i++)
        if (source->places[i].value)
            *find_slot(places, capacity, source->places[i].value) = source->places[i];
    memory_free(source->places);
    source->places = places;
    source->place_capacity = capacity;
}

/* A value whose address was in use before replaces what stood there. */
static void set_place(JsonSource *source, const cJSON *value, size_t text, int line)
{
    if (source->place_count * 2 >= source->place_capacity)
        grow_places(source);
    Place *place = find_slot(source->places, source->place_capacity, value);
    if (!place->value)
        source->place_count++;
    *place = (Place){value, text, line};
}

static const Place *get_place(const JsonSource *source, const cJSON *value)
{
    if (!source || !value || source->place_capacity == 0)
        return NULL;
    const Place *place = find_slot(source->places, source->place_capacity, value);
    return place->value ? place : NULL;
}

/* The walk of the tree meets the values in the order in which the scan recorded their lines. */
static void set_places(JsonSource *source, const cJSON *value, size_t text, const int **line)
{
    set_place(source, value, text, *(*line)++);
    const cJSON *child;
    cJSON_ArrayForEach(child, value)
        set_places(source, child, text, line);
}

static size_t add_text(JsonSource *source, const char *name, bool is_file, cJSON *tree)
{
    size_t count = source->text_count;
    source->texts = memory_grow(source->texts, count * sizeof(Text), (count + 1) * sizeof(Text));
    source->texts[count] = (Text){memory_copy_string(name), is_file, tree};
    return source->text_count++;
}

static cJSON *parse(JsonSource *source, const char *name, bool is_file, int first_line, const char *text, size_t size,
                    Error *error)
{
    if (size > JSON_MAX_BYTES) {
        fail_usage(error, "%s:%d: more than %d bytes", name, first_line, (int)JSON_MAX_BYTES);
        return NULL;
    }
    char *copy = memory_new(size + 1);
    if (size > 0)
        memcpy(copy, text, size);
    JsonLines lines;
    cJSON *tree = NULL;
    if (json_scan(name, first_line, copy, size, &lines, error)) {
        tree = cJSON_ParseWithLengthOpts(copy, size + 1, NULL, true);
        if (!tree)
            fail_usage(error, "%s:%d: not valid JSON", name, first_line);
    }
    if (tree) {
        const int *line = lines.items;
        set_places(source, tree, add_text(source, name, is_file, tree), &line);
    }
    memory_free(lines.items);
    memory_free(copy);
    return tree;
}

cJSON *json_parse(JsonSource *source, const char *name, const char *text, size_t size, Error *error)
{
    return parse(source, name, false, 1, text, size, error);
}

cJSON *json_parse_line(JsonSource *source, const char *name, int first_line, const char *text, size_t size,
                       Error *error)
{
    return parse(source, name, false, first_line, text, size, error);
}

cJSON *json_parse_file(JsonSource *source, const char *path, Error *error)
{
    Arena *arena = arena_new();
    unsigned char *data;
    size_t size;
    cJSON *tree = NULL;
    if (file_read(path, JSON_MAX_BYTES, arena, &data, &size, error))
        tree = parse(source, path, true, 1, (const char *)data, size, error);
    else
        error->status = STATUS_USAGE; /* a config that cannot be read was named wrongly */
    arena_free(arena);
    return tree;
}

const char *json_place(const JsonSource *source, const cJSON *value, int *line)
{
    const Place *place = get_place(source, value);
    if (line)
        *line = place ? place->line : 0;
    return place ? source->texts[place->text].name : NULL;
}

const char *json_file(const JsonSource *source, const cJSON *value)
{
    const Place *place = get_place(source, value);
    return place && source->texts[place->text].is_file ? source->texts[place->text].name : NULL;
}

static void copy_places(JsonSource *source, const cJSON *from, const cJSON *to)
{
    const Place *place = get_place(source, from);
    if (place)
        set_place(source, to, place->text, place->line);
    for (from = from->child, to = to->child; from; from = from->next, to = to->next)
        copy_places(source, from, to);
}

cJSON *json_copy(JsonSource *source, const cJSON *value)
{
    cJSON *copy = cJSON_Duplicate(value, true);
    copy_places(source, value, copy);
    return copy;
}

cJSON *json_number9(double value)
{
    if (!isfinite(value))
        return cJSON_CreateNull();
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    return cJSON_CreateNumber(strtod(text, NULL));
}

cJSON *json_numbers9(const double *values, int64_t count)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, json_number9(values[i]));
    return list;
}

cJSON *json_number_exact(double value)
{
    char text[32];
    if (!isfinite(value))
        return cJSON_CreateNull();
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) == value)
        return cJSON_CreateNumber(value);
    snprintf(text, sizeof text, "%.17g", value);
    return cJSON_CreateRaw(text);
}
