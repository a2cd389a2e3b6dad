/* Logits, targets and weights that the command line names, read and checked. */
#ifndef XENT_CLI_ARRAYS_H
#define XENT_CLI_ARRAYS_H

#include "cli/command.h"
#include "core/metrics/predictions.h"

/* The rows of a command's option table. */
#define ARRAY_OPTION_ROWS \
    {"logits", "FILE", "NPY array: logits [samples, classes]; of regression the predicted values", 0, false}, \
    {"targets", "FILE", "NPY array: integer classes [samples], probabilities, labels or values", 0, false}, \
    {"weights", "FILE", "NPY array of sample weights [samples], >= 0", 0, false}

/* Whether the words ask for arrays; both --logits and --targets are then needed (exit 2 otherwise). */
bool arrays_need(const Arguments *arguments, const char *command, Error *error);

/* `kind_name` NULL: the kind is told from types and shapes. What is in the files is checked; errors name
   file and row. Arrays live in the arena. */
bool arrays_read(const Arguments *arguments, const char *kind_name, Arena *arena, PredictionInput *input, Error *error);

#endif
