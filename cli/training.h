/* What train and distill share: from a config to a run folder. */
#ifndef XENT_CLI_TRAINING_H
#define XENT_CLI_TRAINING_H

#include "cli/command.h"

#define TRAINING_OPTION_ROWS \
    {"output", "DIR", "folder of the run (runs/NAME for NAME.json)", 'o', false}, \
    {"resume", NULL, "go on with the run that is in the folder", 0, false}, \
    {"force", NULL, "replace the run that is in the folder, once the new one has a checkpoint", 0, false}, \
    {"dry-run", NULL, "read everything, print the plan, write nothing", 0, false}

/* With `distill` under the config's teacher, else under its objective. */
bool training_command(const Arguments *arguments, bool distill, Error *error);

#endif
