#include <stdio.h>

#include "cli/command.h"

static bool run(const Arguments *arguments, Error *error)
{
    if (arguments->count == 1) {
        const Command *command = command_find(arguments->words[0]);
        if (!command)
            return fail_usage(error, "%s: unknown command; see xent help", arguments->words[0]);
        command_print_help(command);
        return true;
    }
    printf("usage: xent COMMAND ...\n\nCommands:\n");
    for (const Command *const *command = commands; *command; command++)
        printf("  %-12s %s\n", (*command)->name, (*command)->summary);
    printf("\nxent help COMMAND says more.\n");
    return true;
}

const Command command_help = {
    .name = "help", .synopsis = "help [COMMAND]", .summary = "what a command does and takes",
    .description = "Prints the list of commands, or one command's usage and options.", .most = 1, .run = run,
};
