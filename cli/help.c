#include <stdio.h>

#include "cli/command.h"
#include "cli/pages.h"

/* What is printed instead of help for people; one thing at a time. */
static bool print_made(const Arguments *arguments, const char *page, const char *shell, Error *error)
{
    bool names = argument_option(arguments, "pages") != NULL;
    if (arguments->count + (page != NULL) + (shell != NULL) + names > 1)
        return fail_usage(error, "help: expected one of COMMAND, --pages, --page and --completion");
    if (page)
        return page_print(page, error);
    if (shell)
        return completion_print(shell, error);
    pages_print_names();
    return true;
}

static void add_options(cJSON *list, const Option *options)
{
    for (; options && options->name; options++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "name", options->name);
        cJSON_AddItemToObject(entry, "value",
                              options->value ? cJSON_CreateString(options->value) : cJSON_CreateNull());
        cJSON_AddStringToObject(entry, "help", options->help);
        cJSON_AddItemToArray(list, entry);
    }
}

static void print_json(const Command *only)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(object, "commands");
    for (const Command *const *command = commands; *command; command++) {
        if (only && *command != only)
            continue;
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "name", (*command)->name);
        cJSON_AddStringToObject(entry, "summary", (*command)->summary);
        cJSON_AddStringToObject(entry, "synopsis", (*command)->synopsis);
        cJSON *options = cJSON_AddArrayToObject(entry, "options");
        add_options(options, (*command)->options);
        add_options(options, common_options);
        cJSON_AddItemToArray(list, entry);
    }
    print_json_object(object);
}

static bool run(const Arguments *arguments, Error *error)
{
    const char *page = argument_option(arguments, "page"), *shell = argument_option(arguments, "completion");
    if (page || shell || argument_option(arguments, "pages"))
        return print_made(arguments, page, shell, error);
    const Command *only = arguments->count ? command_find(arguments->words[0]) : NULL;
    if (arguments->count && !only)
        return fail_usage(error, "%s: unknown command; see xent help", arguments->words[0]);
    if (argument_option(arguments, "json")) {
        print_json(only);
        return true;
    }
    if (only) {
        command_print_help(only);
        return true;
    }
    printf("usage: xent COMMAND ...\n\nCommands:\n");
    for (const Command *const *command = commands; *command; command++)
        printf("  %-12s %s\n", (*command)->name, (*command)->summary);
    printf("\nxent help COMMAND says more.\n");
    return true;
}

static const Option options[] = {
    {"pages", NULL, "print the names of the pages that are made from the tables of components", 0, false},
    {"page", "NAME", "print one of them, mdoc(7)", 0, false},
    {"completion", "SHELL", "print a completion script for bash or zsh", 0, false},
    {0},
};

const Command command_help = {
    .name = "help", .synopsis = "help [COMMAND] [--json] [--page NAME] [--completion SHELL]",
    .summary = "what a command does and takes",
    .description = "Prints the list of commands, or one command's usage and options.", .most = 1,
    .options = options, .run = run,
};
