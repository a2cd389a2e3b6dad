/* xent describe KIND NAME: one component, from its definition and its table. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "core/base/component.h"
#include "losses/loss.h"

enum { PROPERTY_BITS = 4, WIDTH = 96 };

/* ---- JSON ---- */

static void add_text(cJSON *object, const char *key, const char *text)
{
    if (text)
        cJSON_AddStringToObject(object, key, text);
    else
        cJSON_AddNullToObject(object, key);
}

static cJSON *param_to_json(const Param *param)
{
    cJSON *object = cJSON_CreateObject();
    add_text(object, "name", param->name);
    add_text(object, "type", param_type_name(param->type));
    cJSON_AddBoolToObject(object, "required", !param->fallback);
    if (param->fallback)
        cJSON_AddItemToObject(object, "default", cJSON_Parse(param->fallback));
    if (isfinite(param->min))
        cJSON_AddItemToObject(object, "min", json_number_exact(param->min));
    if (isfinite(param->max))
        cJSON_AddItemToObject(object, "max", json_number_exact(param->max));
    cJSON *choices = param->choices ? cJSON_AddArrayToObject(object, "choices") : NULL;
    for (const char *const *choice = param->choices; choice && *choice; choice++)
        cJSON_AddItemToArray(choices, cJSON_CreateString(*choice));
    if (param->kind)
        add_text(object, "kind", param->kind);
    add_text(object, "help", param->help);
    return object;
}

static void add_loss(cJSON *object, const LossDef *loss)
{
    add_text(object, "targets", loss_kind_name(loss));
    cJSON *extras = cJSON_AddArrayToObject(object, "extras");
    cJSON *optional = cJSON_AddArrayToObject(object, "optional_extras");
    for (const char *const *extra = loss->extras; extra && *extra; extra++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*extra, "?"), *extra);
        cJSON_AddItemToArray(extras, cJSON_CreateString(name));
        if (strchr(*extra, '?'))
            cJSON_AddItemToArray(optional, cJSON_CreateString(name));
    }
    cJSON_AddBoolToObject(object, "per_sample", !loss->whole_batch);
    if (loss->part)
        cJSON_AddNullToObject(object, "properties");
    cJSON *properties = loss->part ? NULL : cJSON_AddArrayToObject(object, "properties");
    for (int bit = 0; bit < PROPERTY_BITS; bit++)
        if (loss->properties & (1 << bit))
            cJSON_AddItemToArray(properties, cJSON_CreateString(loss_property_name(1 << bit)));
}

static void print_json(const ComponentKind *kind, const Component *component)
{
    cJSON *object = cJSON_CreateObject();
    add_text(object, "kind", kind->name);
    add_text(object, "name", component->name);
    add_text(object, "summary", component->summary);
    if (strcmp(kind->name, "loss") == 0)
        add_loss(object, (const LossDef *)component);
    add_text(object, "formula", component->formula);
    cJSON *params = cJSON_AddArrayToObject(object, "params");
    for (const Param *param = component->params; param && param->type != PARAM_TYPE_END; param++)
        cJSON_AddItemToArray(params, param_to_json(param));
    add_text(object, "source", component->source);
    add_text(object, "notes", component->notes);
    print_json_object(object);
}

/* ---- Text ---- */

/* Breaks the text between words so that lines, the indent included, stay within WIDTH. */
static void print_wrapped(const char *indent, const char *text)
{
    size_t column = 0, room = WIDTH - strlen(indent);
    for (const char *word = text; *word; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        if (column && column + 1 + length > room) {
            putchar('\n');
            column = 0;
        }
        printf("%s%.*s", column ? " " : indent, (int)length, word);
        column += length + (column > 0);
        word += length;
    }
    putchar('\n');
}

static void print_section(const char *title, const char *text)
{
    if (!text)
        return;
    printf("\n%s\n", title);
    print_wrapped("  ", text);
}

static void print_params(const Component *component)
{
    if (!component->params || component->params->type == PARAM_TYPE_END)
        return;
    printf("\nParameters\n");
    for (const Param *param = component->params; param->type != PARAM_TYPE_END; param++) {
        printf("  %-18s %s", param->name, param_type_name(param->type));
        if (isfinite(param->min) && isfinite(param->max))
            printf(", %.15g to %.15g", param->min, param->max);
        else if (isfinite(param->min))
            printf(", >= %.15g", param->min);
        else if (isfinite(param->max))
            printf(", <= %.15g", param->max);
        for (const char *const *choice = param->choices; choice && *choice; choice++)
            printf("%s%s", choice == param->choices ? ": " : ", ", *choice);
        if (param->kind)
            printf(" of %s", component_kind(param->kind)->plural);
        printf(param->fallback ? "; default %s\n" : "; required\n", param->fallback);
        if (param->help)
            print_wrapped("      ", param->help);
    }
}

static void print_loss(const LossDef *loss)
{
    printf("\nTargets\n  %s\n", loss_kind_name(loss));
    for (const char *const *extra = loss->extras; extra && *extra; extra++)
        printf("%s  %.*s%s\n", extra == loss->extras ? "\nExtras\n" : "", (int)strcspn(*extra, "?"), *extra,
               strchr(*extra, '?') ? " (optional)" : "");
    printf("\nProperties\n");
    if (!loss->part)
        printf("  %s\n", loss->whole_batch ? "one value of the whole batch" : "a value for each sample");
    for (int bit = 0; bit < PROPERTY_BITS; bit++)
        if (loss->properties & (1 << bit))
            printf("  %s\n", loss_property_name(1 << bit));
    if (loss->part)
        printf("  those of its parts\n");
    for (const char *const *example = loss->examples; example && *example; example++)
        printf("%s  %s\n", example == loss->examples ? "\nExamples\n" : "", *example);
}

static void print_text(const ComponentKind *kind, const Component *component)
{
    printf("%s %s: %s\n", kind->name, component->name, component->summary);
    print_section("Formula", component->formula);
    if (strcmp(kind->name, "loss") == 0)
        print_loss((const LossDef *)component);
    print_params(component);
    print_section("Notes", component->notes);
    print_section("Source", component->source);
}

static bool run(const Arguments *arguments, Error *error)
{
    const char *kind_name = arguments->words[0], *name = arguments->words[1];
    const ComponentKind *kind = component_kind(kind_name);
    if (!kind)
        return fail_unknown_kind(kind_name, error);
    const Component *component = component_find(kind->name, name);
    if (!component)
        return fail_unknown_component(kind->name, name, error);
    (argument_option(arguments, "json") ? print_json : print_text)(kind, component);
    return true;
}

const Command command_describe = {
    .name = "describe", .synopsis = "describe KIND NAME [--json]",
    .summary = "one component: formula, parameters, source",
    .description = "Prints what a component is and every parameter's type, range and default.", .least = 2, .most = 2,
    .run = run,
};
