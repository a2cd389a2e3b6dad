/* To add a command: write cli/NAME.c with `const Command command_NAME`, declare it in command.h, and
   add it here and as man/xent-NAME.1. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

const Command *const commands[] = {&command_eval, &command_list, &command_report, &command_version, &command_help, NULL};

const Option common_options[] = {
    {"json", NULL, "print the result as one JSON object"},
    {"quiet", NULL, "print nothing on standard error but errors"},
    {"threads", "N", "number of threads; the result does not depend on it"},
    {"help", NULL, "print this text (also -h)"},
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
        printf("  %-22s %s\n", left, options->help);
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

void print_json_object(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}
