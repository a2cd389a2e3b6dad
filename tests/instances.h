/* For tests of components: instances from JSON texts, and models built from them. */
#ifndef XENT_TESTS_INSTANCES_H
#define XENT_TESTS_INSTANCES_H

#include "tests/tensors.h"

#include <string.h>

#include "core/base/component.h"

/* What parsed values live in; JSON values of a table stay in the source. */
typedef struct Texts { Arena *arena; JsonSource *source; Error error; } Texts;

static inline Texts texts_open(void)
{
    return (Texts){.arena = arena_new(), .source = json_source_new()};
}

static inline void texts_close(Texts *texts)
{
    json_source_free(texts->source);
    arena_free(texts->arena);
}

static inline bool instance_try(Texts *texts, const char *kind, const char *json, Instance *instance)
{
    ParamContext context = {.source = texts->source, .arena = texts->arena, .error = &texts->error};
    const cJSON *value = json_parse(texts->source, "test", json, strlen(json), &texts->error);
    return value && instance_parse(&context, kind, value, instance);
}

static inline Instance instance_of(Texts *texts, const char *kind, const char *json)
{
    Instance instance;
    if (!instance_try(texts, kind, json, &instance))
        fail_msg("%s: %s", json, texts->error.message);
    return instance;
}

static inline void assert_error(const Texts *texts, int status, const char *part)
{
    if (texts->error.status != status || !strstr(texts->error.message, part))
        fail_msg("status %d: \"%s\" does not hold \"%s\"", texts->error.status, texts->error.message, part);
}

static inline void assert_near_values(const float *values, int count, const double *expected, double tolerance)
{
    for (int i = 0; i < count; i++)
        if (!(fabs((double)values[i] - expected[i]) <= tolerance))
            fail_msg("[%d] is %.9g, not %.9g", i, (double)values[i], expected[i]);
}

#endif
