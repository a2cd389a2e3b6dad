#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "core/base/component.h"
#include "losses/loss.h"

static void add_loss(cJSON *entry, const LossDef *loss)
{
    cJSON_AddStringToObject(entry, "targets", loss_kind_name(loss));
    if (loss->part)
        cJSON_AddNullToObject(entry, "properties");
    cJSON *properties = loss->part ? NULL : cJSON_AddArrayToObject(entry, "properties");
    for (int bit = 1; loss_property_name(bit); bit <<= 1)
        if (loss->properties & bit)
            cJSON_AddItemToArray(properties, cJSON_CreateString(loss_property_name(bit)));
    if (loss->component.source)
        cJSON_AddStringToObject(entry, "source", loss->component.source);
    else
        cJSON_AddNullToObject(entry, "source");
}

static cJSON *kind_to_json(const ComponentKind *kind)
{
    cJSON *list = cJSON_CreateArray();
    for (const Component *const *item = kind->items; *item; item++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "name", (*item)->name);
        cJSON_AddStringToObject(entry, "summary", (*item)->summary);
        if (strcmp(kind->name, "loss") == 0)
            add_loss(entry, (const LossDef *)*item);
        cJSON_AddItemToArray(list, entry);
    }
    return list;
}

static bool print_json(const ComponentKind *only)
{
    cJSON *object = cJSON_CreateObject();
    for (const ComponentKind *kind = component_kinds; kind->name; kind++)
        if (!only || kind == only)
            cJSON_AddItemToObject(object, kind->plural, kind_to_json(kind));
    print_json_object(object);
    return true;
}

#define PROPERTIES " (b bounded, s symmetric, t translation invariant, p proper; term: by its terms)"

/* Targets, properties by their letters, summary and source. */
static void print_loss(const LossDef *loss)
{
    char letters[5];
    loss_property_letters(loss, letters);
    const char *source = loss->component.source;
    printf("  %-20s %-24s %s  %-*s%s\n", loss->component.name, loss_kind_name(loss), letters,
           source ? 78 : 0, loss->component.summary, source ? source : "");
}

static bool run(const Arguments *arguments, Error *error)
{
    const ComponentKind *only = arguments->count ? component_kind(arguments->words[0]) : NULL;
    if (arguments->count && !only)
        return fail_unknown_kind(arguments->words[0], error);
    if (argument_option(arguments, "json"))
        return print_json(only);
    for (const ComponentKind *kind = component_kinds; kind->name; kind++) {
        if ((only && kind != only) || !kind->items[0])
            continue;
        bool losses = strcmp(kind->name, "loss") == 0;
        printf("%s%s\n", kind->plural, losses ? PROPERTIES : "");
        for (const Component *const *item = kind->items; *item; item++)
            if (losses)
                print_loss((const LossDef *)*item);
            else
                printf("  %-20s %s\n", (*item)->name, (*item)->summary);
    }
    return true;
}

const Command command_list = {
    .name = "list", .synopsis = "list [KIND] [--json]", .summary = "every component that there is",
    .description = "Lists the components of a kind, or of all kinds, with a line each.", .most = 1, .run = run,
};
