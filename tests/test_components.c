/* What holds of every component that the build found. */
#include <string.h>

#include "core/base/component.h"
#include "tests/testing.h"

/* A table of one row, so that required keys of the others do not stand in the way. */
static bool default_is_valid(const Component *component, const Param *param, Error *error)
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

static void test_components__defaults_pass_their_own_checks(void **state)
{
    (void)state;
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; *item; item++)
            for (const Param *param = (*item)->params; param && param->type != PARAM_TYPE_END; param++) {
                Error error = {0};
                if (param->fallback && !default_is_valid(*item, param, &error))
                    fail_msg("%s %s: %s", kind->name, (*item)->name, error.message);
            }
}

static void test_components__every_key_has_a_help_text(void **state)
{
    (void)state;
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; *item; item++) {
            assert_non_null((*item)->summary);
            for (const Param *param = (*item)->params; param && param->type != PARAM_TYPE_END; param++)
                if (!param->help || !param->help[0])
                    fail_msg("%s %s: %s has no help", kind->name, (*item)->name, param->name);
        }
}

static void test_components__names_are_sorted_for_pages_and_lists(void **state)
{
    (void)state;
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        for (const Component *const *item = kind->items; item[0] && item[1]; item++)
            if (strcmp(item[0]->name, item[1]->name) >= 0)
                fail_msg("%s: %s stands before %s", kind->name, item[0]->name, item[1]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components__defaults_pass_their_own_checks),
        cmocka_unit_test(test_components__every_key_has_a_help_text),
        cmocka_unit_test(test_components__names_are_sorted_for_pages_and_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
