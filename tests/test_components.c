/* Every registered component, whatever it is: its table is complete, and its defaults are values that the
   table itself accepts. */
#include "tests/testing.h"

#include <string.h>

#include "core/base/component.h"

static bool has_required(const Component *component)
{
    for (const Param *param = component->params; param && param->type != PARAM_TYPE_END; param++)
        if (!param->fallback)
            return true;
    return false;
}

static void check_table(const ComponentKind *kind, const Component *component)
{
    if (!component->summary || !component->summary[0])
        fail_msg("%s %s: no summary", kind->name, component->name);
    for (const Param *param = component->params; param && param->type != PARAM_TYPE_END; param++) {
        if (!param->help || !param->help[0])
            fail_msg("%s %s: %s has no help", kind->name, component->name, param->name);
        for (const Param *other = component->params; other != param; other++)
            if (strcmp(other->name, param->name) == 0)
                fail_msg("%s %s: %s stands twice", kind->name, component->name, param->name);
    }
}

static void test_components__tables_are_complete(void **state)
{
    (void)state;
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; *item; item++)
            check_table(kind, *item);
}

/* instance_default asserts that the defaults parse. */
static void test_components__defaults_are_accepted_and_print_as_they_parse(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; *item; item++) {
            if (has_required(*item))
                continue;
            Instance instance = instance_default(arena, kind->name, (*item)->name);
            Error refused;
            if ((*item)->validate && !(*item)->validate(instance.values, &refused))
                continue; /* one of several keys must be given */
            cJSON *json = instance_to_json(&instance);
            char *text = cJSON_PrintUnformatted(json);
            JsonSource *source = json_source_new();
            Error error;
            ParamContext context = {.source = source, .arena = arena, .error = &error};
            Instance again;
            const cJSON *parsed = json_parse(source, "default", text, strlen(text), &error);
            if (!parsed || !instance_parse(&context, kind->name, parsed, &again))
                fail_msg("%s %s: %s", kind->name, (*item)->name, error.message);
            cJSON *second = instance_to_json(&again);
            char *printed = cJSON_PrintUnformatted(second);
            assert_string_equal(text, printed);
            cJSON_free(text);
            cJSON_free(printed);
            cJSON_Delete(json);
            cJSON_Delete(second);
            json_source_free(source);
        }
    arena_free(arena);
}

/* A table of one row, so that required keys of the others do not stand in the way. */
static bool default_is_accepted(const Component *component, const Param *param, Error *error)
{
    const Param table[] = {*param, PARAM_END};
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = arena, .error = error};
    bool good = params_parse(&context, table, true, NULL, arena_zero(arena, 1, component->size));
    json_source_free(source);
    arena_free(arena);
    return good;
}

static void test_components__defaults_beside_required_keys_are_accepted(void **state)
{
    (void)state;
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; *item; item++)
            for (const Param *param = (*item)->params; param && param->type != PARAM_TYPE_END; param++) {
                Error error = {0};
                if (param->fallback && !default_is_accepted(*item, param, &error))
                    fail_msg("%s %s: %s", kind->name, (*item)->name, error.message);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components__tables_are_complete),
        cmocka_unit_test(test_components__defaults_are_accepted_and_print_as_they_parse),
        cmocka_unit_test(test_components__defaults_beside_required_keys_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
