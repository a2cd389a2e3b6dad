/* The two forms of xent quantize. */
#ifndef XENT_CLI_QUANTIZE_H
#define XENT_CLI_QUANTIZE_H

#include "cli/command.h"
#include "core/train/config.h"

/* Arrays, CONFIG. */
bool quantize_arrays(const Arguments *arguments, const Config *config, Arena *arena, Error *error);
/* RUN CONFIG. */
bool quantize_run(const Arguments *arguments, const Config *config, Arena *arena, Error *error);

#endif
