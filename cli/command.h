/* A subcommand is a row of the table in commands.c; its options are rows too, so that help, checks of
   the command line and the pages come from one place. Only cli/ prints or exits. */
#ifndef XENT_CLI_COMMAND_H
#define XENT_CLI_COMMAND_H

#include "core/base/json.h"

typedef struct Option {
    const char *name;       /* without the dashes */
    const char *value;      /* what its argument is called, NULL: a flag */
    const char *help;
    char letter;            /* short form, 'o' for -o; 0: none */
    bool repeatable;        /* may be given more than once */
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
/* All values of a repeatable option in their order, ending with NULL; memory_free the list. */
const char **argument_options(const Arguments *arguments, const char *name);
/* NULL when --seed was not given, else *seed. False: not digits, 0 to 2^63-1. */
bool argument_seed(const Arguments *arguments, uint64_t *seed, const uint64_t **given, Error *error);
/* *value keeps what it holds when the option was not given. Decimal digits from least to most; a finite
   number above 0. */
bool argument_integer(const Arguments *arguments, const char *name, int64_t least, int64_t most, int64_t *value,
                      Error *error);
bool argument_number(const Arguments *arguments, const char *name, double *value, Error *error);
/* The same, from least to most. */
bool argument_share(const Arguments *arguments, const char *name, double least, double most, double *value,
                    Error *error);

/* The message of a kind of component that there is not, with the nearest one; returns false. */
bool fail_unknown_kind(const char *name, Error *error);
/* The same of a component of a kind that there is. */
bool fail_unknown_component(const char *kind, const char *name, Error *error);

/* What main ends with after a command that went well; 0 unless a signal ended it. */
extern int command_exit_status;

extern const Command command_add_class;
extern const Command command_analyze;
extern const Command command_bench;
extern const Command command_calibrate;
extern const Command command_check;
extern const Command command_data;
extern const Command command_describe;
extern const Command command_distill;
extern const Command command_eval;
extern const Command command_export;
extern const Command command_generate;
extern const Command command_help;
extern const Command command_list;
extern const Command command_loss;
extern const Command command_predict;
extern const Command command_quantize;
extern const Command command_report;
extern const Command command_train;
extern const Command command_version;

#endif
