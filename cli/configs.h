/* The configs and runs that a command's words name, with --set and --seed applied. */
#ifndef XENT_CLI_CONFIGS_H
#define XENT_CLI_CONFIGS_H

#include "cli/command.h"
#include "core/train/saved.h"

/* NULL after an error. */
Config *argument_config(const Arguments *arguments, const char *argument, Error *error);
/* A tape must be in use. NULL after an error. */
SavedModel *argument_run(const Arguments *arguments, const char *path, Error *error);
/* Whether `name` ends with `ending`, such as ".npy". */
bool name_ends_with(const char *name, const char *ending);
/* Exit 2 when `output` is the file `input` under another name, a folder, or exists without `force`.
   `input` may be NULL or "-". */
bool check_output_file(const char *output, const char *input, bool force, Error *error);

#endif
