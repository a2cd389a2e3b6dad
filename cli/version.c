#include <stdio.h>

#include "cli/command.h"

static bool run(const Arguments *arguments, Error *error)
{
    (void)error;
    printf(argument_option(arguments, "json") ? "{\"version\": \"%s\"}\n" : "xent %s\n", XENT_VERSION);
    return true;
}

const Command command_version = {
    .name = "version", .synopsis = "version [--json]", .summary = "print the version",
    .description = "Prints the version of the program.", .run = run,
};
