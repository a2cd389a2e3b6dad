#include "core/base/component.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 63 };

const ComponentKind *component_kind(const char *name_or_plural)
{
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        if (strcmp(kind->name, name_or_plural) == 0 || strcmp(kind->plural, name_or_plural) == 0)
            return kind;
    return NULL;
}

const Component *component_find(const char *kind_name, const char *name)
{
    const ComponentKind *kind = component_kind(kind_name);
    for (const Component *const *item = kind ? kind->items : NULL; item && *item; item++)
        if (strcmp((*item)->name, name) == 0)
            return *item;
    return NULL;
}

/* Levenshtein's distance without regard to case; one row of the table is enough. Both words are at
   most LONGEST_WORD long. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1], columns = strlen(b);
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t above = row[j];
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + !same;
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[columns];
}

/* The one name that begins with the word. */
static const char *unique_prefix(const char *word, size_t length, const char *const *names)
{
    const char *found = NULL;
    for (; *names; names++) {
        if (strncmp(*names, word, length) != 0)
            continue;
        if (found)
            return NULL;
        found = *names;
    }
    return found;
}

const char *nearest_name(const char *word, const char *const *names)
{
    size_t length = strlen(word);
    if (length == 0 || length > LONGEST_WORD)
        return NULL;
    size_t limit = length / 3 > 2 ? length / 3 : 2;
    if (limit >= length)
        limit = length - 1; /* otherwise every short name would be near a short word */
    const char *nearest = NULL;
    size_t least = limit + 1;
    for (const char *const *name = names; *name; name++) {
        size_t apart = strlen(*name) > LONGEST_WORD ? least : distance(word, *name);
        if (apart < least) {
            least = apart;
            nearest = *name;
        }
    }
    return nearest ? nearest : unique_prefix(word, length, names);
}

Instance instance_default(Arena *arena, const char *kind, const char *name)
{
    Error error = {0};
    Instance instance = {.component = component_find(kind, name)};
    assert(instance.component);
    instance.values = arena_zero(arena, 1, instance.component->size);
    if (!instance.component->params)
        return instance;
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    /* Defaults that do not pass their own checks, or a required key, are mistakes of the table. */
    bool good = params_parse(&context, instance.component->params, true, NULL, instance.values);
    assert(good);
    (void)good;
    json_source_free(source);
    return instance;
}
