#include "core/models/fields.h"

#include <string.h>

Field *fields_find(const char *const *names, int64_t features, Arena *arena, int64_t *count)
{
    Field *fields = arena_zero(arena, (size_t)features, sizeof *fields), *last = NULL;
    for (int64_t i = 0; i < features; i++) {
        const char *text = names ? names[i] : "", *equals = strchr(text, '=');
        size_t length = equals ? (size_t)(equals - text) : strlen(text);
        if (last && equals && last->categorical && strlen(last->name) == length &&
            strncmp(last->name, text, length) == 0) {
            last->count++;
            continue;
        }
        char *name = arena_string(arena, text);
        name[length] = '\0';
        last = last ? last + 1 : fields;
        *last = (Field){name, equals != NULL, i, 1};
    }
    *count = last ? last - fields + 1 : 0;
    return fields;
}
