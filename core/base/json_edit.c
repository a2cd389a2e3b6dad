#include "core/base/json_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_of(const cJSON *value)
{
    const cJSON *type = cJSON_IsObject(value) ? cJSON_GetObjectItemCaseSensitive(value, "type") : value;
    return cJSON_IsString(type) ? type->valuestring : NULL;
}

static bool merges(const cJSON *base, const cJSON *over)
{
    const char *before = type_of(base), *after = type_of(over);
    if (!cJSON_IsObject(base) && !cJSON_IsObject(over))
        return false;
    return after ? before && strcmp(before, after) == 0 : cJSON_IsObject(over) && (cJSON_IsObject(base) || before);
}

/* A made value goes through the parser too: places are keyed by address, and a new node may stand where
   one with a place was freed. NULL where a string of it is not UTF-8. */
static cJSON *with_place(JsonSource *source, const char *name, cJSON *made, Error *error)
{
    char *text = cJSON_PrintUnformatted(made);
    cJSON *parsed = json_parse(source, name, text, strlen(text), error);
    cJSON_free(text);
    cJSON_Delete(made);
    return parsed ? json_copy(source, parsed) : NULL;
}

/* {"type": NAME} for "NAME". */
static cJSON *named_component(JsonSource *source, const cJSON *name)
{
    int line;
    const char *place = json_place(source, name, &line);
    cJSON *object = cJSON_CreateObject();
    Error none; /* the name comes from a text that was parsed */
    cJSON_AddStringToObject(object, "type", name->valuestring);
    return with_place(source, place ? place : "config", object, &none);
}

cJSON *json_merge(JsonSource *source, cJSON *base, const cJSON *over)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, over)
    {
        cJSON *present = cJSON_GetObjectItemCaseSensitive(base, item->string);
        if (!present) {
            cJSON_AddItemToObject(base, item->string, json_copy(source, item));
            continue;
        }
        bool merged = merges(present, item);
        if (merged && cJSON_IsString(present) && cJSON_IsObject(item)) {
            cJSON *object = named_component(source, present);
            cJSON_ReplaceItemInObjectCaseSensitive(base, item->string, object);
            present = object;
        }
        if (merged && cJSON_IsObject(item))
            json_merge(source, present, item);
        else if (!merged)
            cJSON_ReplaceItemInObjectCaseSensitive(base, item->string, json_copy(source, item));
    }
    return base;
}

/* The value: JSON, or the text itself. */
static cJSON *parse_value(JsonSource *source, const char *name, const char *text, Error *error)
{
    Error first;
    cJSON *value = json_parse(source, name, text, strlen(text), &first);
    if (value)
        return json_copy(source, value);
    if (text[0] && !strchr("{[\"-0123456789", text[0]) && strcmp(text, "NaN") != 0 && strcmp(text, "Infinity") != 0)
        return with_place(source, name, cJSON_CreateString(text), error);
    *error = first;
    return NULL;
}

/* Takes "[3]" off *path; -1: none there, -2: malformed. */
static int take_index(const char **path)
{
    if (**path != '[')
        return -1;
    char *end;
    long index = strtol(*path + 1, &end, 10);
    if (end == *path + 1 || *end != ']' || index < 0 || index > 1000000)
        return -2;
    *path = end + 1;
    return (int)index;
}

typedef struct Place { cJSON *parent; char *key; int index; } Place;

static cJSON *child_of(const Place *place)
{
    return place->key ? cJSON_GetObjectItemCaseSensitive(place->parent, place->key)
                      : cJSON_GetArrayItem(place->parent, place->index);
}

static bool put(const Place *place, cJSON *value, const char *assignment, Error *error)
{
    if (place->key && cJSON_GetObjectItemCaseSensitive(place->parent, place->key))
        return cJSON_ReplaceItemInObjectCaseSensitive(place->parent, place->key, value);
    if (place->key)
        return cJSON_AddItemToObject(place->parent, place->key, value);
    int count = cJSON_GetArraySize(place->parent);
    if (place->index < count)
        return cJSON_ReplaceItemInArray(place->parent, place->index, value);
    if (place->index == count)
        return cJSON_AddItemToArray(place->parent, value);
    cJSON_Delete(value);
    return fail_usage(error, "--set %s: the list has %d elements", assignment, count);
}

/* One more key or index of the path; where the value is missing, or is a component's bare name, an object is made. */
static bool step(JsonSource *source, Place *place, const char **path, const char *assignment, Error *error)
{
    Place next = {place->parent, NULL, -1};
    if (place->key || place->index >= 0) {
        cJSON *inner = child_of(place);
        bool wants_list = **path == '[';
        if (cJSON_IsString(inner) && !wants_list) {
            if (!put(place, named_component(source, inner), assignment, error))
                return false;
        } else if (!inner) {
            cJSON *made = with_place(source, "--set", wants_list ? cJSON_CreateArray() : cJSON_CreateObject(), error);
            if (!put(place, made, assignment, error))
                return false;
        }
        next.parent = child_of(place);
    }
    next.index = take_index(path);
    if (next.index == -2)
        return fail_usage(error, "--set %s: expected an index such as [0]", assignment);
    if (next.index < 0) {
        size_t length = strcspn(*path, ".[");
        if (!length)
            return fail_usage(error, "--set %s: a key is missing in the path", assignment);
        next.key = memory_new(length + 1);
        memcpy(next.key, *path, length);
        *path += length;
    }
    memory_free(place->key);
    *place = next;
    if (next.key ? !cJSON_IsObject(next.parent) : !cJSON_IsArray(next.parent))
        return fail_usage(error, "--set %s: what is there is no %s", assignment, next.key ? "object" : "list");
    return true;
}

bool json_set(JsonSource *source, cJSON *root, const char *assignment, Error *error)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return fail_usage(error, "--set %s: expected PATH=JSON", assignment);
    char *path = memory_copy_string(assignment);
    path[equals - assignment] = '\0';
    const char *at = path;
    Place place = {root, NULL, -1};
    bool good = step(source, &place, &at, path, error);
    while (good && *at) {
        if (*at == '.')
            at++;
        else if (*at != '[')
            good = fail_usage(error, "--set %s: expected . or [ before \"%s\"", path, at);
        good = good && step(source, &place, &at, path, error);
    }
    char name[128];
    snprintf(name, sizeof name, "--set %s", path);
    cJSON *value = good ? parse_value(source, name, equals + 1, error) : NULL;
    good = value && put(&place, value, path, error);
    memory_free(place.key);
    memory_free(path);
    return good;
}
