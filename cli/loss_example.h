/* Inputs to try a loss with: xent loss SPEC --sample FOLDER, and the examples of the pages. */
#ifndef XENT_CLI_LOSS_EXAMPLE_H
#define XENT_CLI_LOSS_EXAMPLE_H

#include "losses/loss.h"

/* The command that computes the loss of the arrays in the folder and writes its gradient there, in the arena; words
   as the shell takes them. sets: further `--set`, NULL-terminated, or NULL. Uses a tape of its own. */
char *loss_example_command(const Instance *loss, const char *spec, const char *const *sets, const char *folder,
                           Arena *arena);
/* Random arrays of the shapes and kinds that the loss takes, f8, as NPY files of the inputs' names in the folder, which
   is made and must not be there. False: exit 1, or 2 where the folder is there. */
bool loss_example_write(const Instance *loss, const char *folder, uint64_t seed, Error *error);

#endif
