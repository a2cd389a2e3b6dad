/* Transforms from the JSON of a config, for the tests of the loader and of the transforms. */
#ifndef XENT_TESTS_TESTING_TRANSFORMS_H
#define XENT_TESTS_TESTING_TRANSFORMS_H

#include <string.h>

#include "tests/testing.h"

#include "data/transform.h"

typedef struct TransformList { InstanceList transforms; } TransformList;

static const Param transform_list_params[] = {
    PARAM_COMPONENTS(TransformList, transforms, "[]", "transform"),
    PARAM_END
};

/* `list` is a JSON list; false: *error says why. */
static inline bool transforms_try(Arena *arena, const char *list, InstanceList *transforms, Error *error)
{
    char *text = arena_format(arena, "{\"transforms\": %s}", list);
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = arena, .error = error};
    const cJSON *tree = json_parse(source, "t.json", text, strlen(text), error);
    TransformList parsed = {0};
    bool good = tree && params_parse(&context, transform_list_params, false, tree, &parsed);
    *transforms = parsed.transforms;
    json_source_free(source);
    return good;
}

static inline InstanceList transforms_parse(Arena *arena, const char *list)
{
    Error error;
    InstanceList transforms;
    if (!transforms_try(arena, list, &transforms, &error))
        fail_msg("%s", error.message);
    return transforms;
}

#endif
