/* A subcommand is a row of the table in commands.c; its options are rows too, so that help, checks of
   the command line and the pages come from one place. Only cli/ prints or exits. */
#ifndef XENT_CLI_COMMAND_H
#define XENT_CLI_COMMAND_H

#include "core/base/json.h"

typedef struct Option {
    const char *name;       /* without the dashes */
    const char *value;      /* what its argument is called, NULL: a flag */
    const char *help;
} Option;

/* What the command line said: parsed by the command's own rows and the common ones. */
typedef struct Arguments {
    int count;
    const char *const *words;           /* positional */
    const char *const *option_names;    /* ends with NULL; parallel to option_values */
    const char *const *option_values;   /* "" for flags */
} Arguments;

typedef struct Command {
    const char *name, *synopsis, *summary, *description;
    int least, most;                    /* number of positional words */
    const Option *options;              /* ends with name NULL */
    bool (*run)(const Arguments *arguments, Error *error);
} Command;

extern const Command *const commands[]; /* ends with NULL */
extern const Option common_options[];

const Command *command_find(const char *name);
void command_print_help(const Command *command);
/* The result of --json: one object on standard output; takes it over. */
void print_json_object(cJSON *object);
/* NULL when the option was not given. */
const char *argument_option(const Arguments *arguments, const char *name);

extern const Command command_eval, command_help, command_list, command_report, command_version;

#endif
