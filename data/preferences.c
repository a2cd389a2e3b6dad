#include "data/preferences.h"

#include <string.h>

#include "data/jsonl_read.h"

static bool read_probability(const JsonlReader *reader, const cJSON *object, double *probability)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "probability");
    *probability = value ? value->valuedouble : 1;
    if (value && (!cJSON_IsNumber(value) || *probability < 0 || *probability > 1))
        return jsonl_fail(reader, "probability: expected a number between 0 and 1");
    return true;
}

static bool read_preference(const JsonlReader *reader, const cJSON *object, Arena *arena, Preference *preference)
{
    static const char *const keys[] = {"prompt", "chosen", "rejected"};
    const char **const fields[] = {&preference->prompt, &preference->chosen, &preference->rejected};
    for (int i = 0; i < 3; i++) {
        const char *text = jsonl_string(reader, object, keys[i]);
        if (!text)
            return false;
        if (i > 0 && !text[0])
            return jsonl_fail(reader, "%s: expected a string that is not empty", keys[i]);
        *fields[i] = arena_string(arena, text);
    }
    preference->line = reader->line;
    return read_probability(reader, object, &preference->probability);
}

bool preferences_read(const char *path, Arena *arena, PreferenceList *list, Error *error)
{
    JsonlReader reader;
    Preference *items = NULL;
    size_t count = 0, room = 0;
    const cJSON *object = NULL;
    bool good = jsonl_open(&reader, path, error);
    while (good && (good = jsonl_next(&reader, &object)) && object) {
        if (count == room) {
            size_t more = room ? 2 * room : 64;
            items = memory_grow(items, room * sizeof *items, more * sizeof *items);
            room = more;
        }
        good = read_preference(&reader, object, arena, &items[count++]);
    }
    jsonl_close(&reader);
    if (good && count == 0)
        good = fail(error, "%s: no preferences", path);
    if (good) {
        size_t bytes = count * sizeof *items;
        *list = (PreferenceList){(int64_t)count, memcpy(arena_alloc(arena, bytes), items, bytes)};
    }
    memory_free(items);
    return good;
}
