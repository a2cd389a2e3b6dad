/* To add a command: write cli/NAME.c with `const Command command_NAME`, declare it in command.h, and
   add it here and as man/xent-NAME.1. */
#include "cli/command.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/component.h"
#include "core/base/memory.h"

const Command *const commands[] = {
    &command_train,
    &command_check,
    &command_eval,
    &command_calibrate,
    &command_distill,
    &command_quantize,
    &command_predict,
    &command_generate,
    &command_loss,
    &command_report,
    &command_analyze,
    &command_add_class,
    &command_data,
    &command_export,
    &command_bench,
    &command_list,
    &command_describe,
    &command_version,
    &command_help,
    NULL,
};

int command_exit_status;

const Option common_options[] = {
    {"set", "PATH=JSON", "change a key of the config, such as model.hidden=[64]; may be given again", 0, true},
    {"seed", "N", "seed of every random number; 0 to 2^63-1", 0, false},
    {"json", NULL, "print the result as one JSON object", 0, false},
    {"quiet", NULL, "print nothing on standard error but errors", 0, false},
    {"threads", "N", "number of threads; the result does not depend on it", 0, false},
    {"help", NULL, "print this text", 'h', false},
    {0},
};

const Command *command_find(const char *name)
{
    for (const Command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static void print_options(const Option *options)
{
    for (; options && options->name; options++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", options->name, options->value ? options->value : "");
        printf("  %-22s %s", left, options->help);
        if (options->letter)
            printf(" (also -%c)", options->letter);
        putchar('\n');
    }
}

void command_print_help(const Command *command)
{
    printf("usage: xent %s\n\n%s\n\nOptions:\n", command->synopsis, command->description);
    print_options(command->options);
    print_options(common_options);
}

const char *argument_option(const Arguments *arguments, const char *name)
{
    for (int i = 0; arguments->option_names[i]; i++)
        if (strcmp(arguments->option_names[i], name) == 0)
            return arguments->option_values[i];
    return NULL;
}

const char **argument_options(const Arguments *arguments, const char *name)
{
    size_t count = 0, all = 0;
    while (arguments->option_names[all])
        all++;
    const char **values = memory_array(all + 1, sizeof *values);
    for (size_t i = 0; i < all; i++)
        if (strcmp(arguments->option_names[i], name) == 0)
            values[count++] = arguments->option_values[i];
    return values;
}

bool fail_unknown_kind(const char *name, Error *error)
{
    size_t count = 0;
    while (component_kinds[count].name)
        count++;
    const char **names = memory_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = component_kinds[i].name;
    const char *near = nearest_name(name, names);
    memory_free(names);
    return near ? fail_usage(error, "%s: unknown kind; did you mean \"%s\"?", name, near)
                : fail_usage(error, "%s: unknown kind; see xent list", *name ? name : "\"\"");
}

bool fail_unknown_component(const char *kind_name, const char *name, Error *error)
{
    const ComponentKind *kind = component_kind(kind_name);
    size_t count = 0;
    while (kind->items[count])
        count++;
    const char **names = memory_array(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = kind->items[i]->name;
    const char *near = nearest_name(name, names);
    memory_free(names);
    return near ? fail_usage(error, "%s: unknown %s; did you mean \"%s\"?", name, kind->name, near)
                : fail_usage(error, "%s: unknown %s; see xent list %s", name, kind->name, kind->plural);
}

bool argument_seed(const Arguments *arguments, uint64_t *seed, const uint64_t **given, Error *error)
{
    int64_t value = -1;
    if (!argument_integer(arguments, "seed", 0, INT64_MAX, &value, error))
        return false;
    *seed = value < 0 ? 0 : (uint64_t)value;
    *given = value < 0 ? NULL : seed;
    return true;
}

bool argument_integer(const Arguments *arguments, const char *name, int64_t least, int64_t most, int64_t *value,
                      Error *error)
{
    const char *text = argument_option(arguments, name);
    if (!text)
        return true;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || number < least || number > most)
        return fail_usage(error, "--%s: expected decimal digits, %lld to %lld, got \"%s\"", name, (long long)least,
                          (long long)most, text);
    *value = number;
    return true;
}

bool argument_number(const Arguments *arguments, const char *name, double *value, Error *error)
{
    const char *text = argument_option(arguments, name);
    if (!text)
        return true;
    char *end;
    double number = strtod(text, &end);
    if (text[0] == '\0' || *end || !(number > 0) || !isfinite(number))
        return fail_usage(error, "--%s: expected a number above 0, got \"%s\"", name, text);
    *value = number;
    return true;
}

bool argument_share(const Arguments *arguments, const char *name, double least, double most, double *value,
                    Error *error)
{
    const char *text = argument_option(arguments, name);
    if (!text)
        return true;
    char *end;
    double number = strtod(text, &end);
    if (text[0] == '\0' || *end || !(number >= least && number <= most))
        return fail_usage(error, "--%s: expected a number, %g to %g, got \"%s\"", name, least, most, text);
    *value = number;
    return true;
}

void print_json_object(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}
