/* What the tests of the generators share: a config's data, loaded without the common keys. */
#ifndef XENT_TESTS_GENERATORS_H
#define XENT_TESTS_GENERATORS_H

#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/base/threads.h"
#include "data/dataset.h"

static JsonSource *source;
static Arena *arena;
static Error error;

static inline int set_up(void **state)
{
    (void)state;
    source = json_source_new();
    arena = arena_new();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    json_source_free(source);
    arena_free(arena);
    threads_set(1);
    return 0;
}

/* `text` is JSON with ' for ", which C reads better. */
static inline bool parse(const char *text, Instance *instance)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error, .path = "data"};
    char *json = arena_string(arena, text);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    const cJSON *tree = json_parse(source, "a.json", json, strlen(json), &error);
    assert_non_null(tree);
    return instance_parse(&context, "dataset", tree, instance);
}

/* The data of a config, as printf would write it; the caller frees with data_free. */
__attribute__((format(printf, 2, 3)))
static inline DataSplits load(uint64_t seed, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    Instance instance;
    DataSplits splits = {.arena = arena_new()};
    if (!parse(text, &instance) ||
        !((const DatasetDef *)instance.component)->load(instance.values, seed, &splits, &error))
        fail_msg("%s", error.message);
    return splits;
}

/* The stored bytes of sample i of a split. */
static inline const char *sample(const DataSplit *split, int64_t i)
{
    const Dataset *dataset = split->dataset;
    int64_t bytes = dataset->sample_stride * (int64_t)array_type_size(dataset->type);
    return (const char *)dataset->features + split->order[i] * bytes;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
