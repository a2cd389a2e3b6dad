/* xent distill CONFIG [-o DIR] [--resume] [--force] [--dry-run] */
#include "cli/training.h"

static bool run(const Arguments *arguments, Error *error)
{
    return training_command(arguments, true, error);
}

static const Option options[] = {TRAINING_OPTION_ROWS, {0}};

const Command command_distill = {
    .name = "distill",
    .synopsis = "distill CONFIG [-o DIR] [--resume] [--force] [--dry-run]",
    .summary = "train a model under a teacher",
    .description = "As xent train, but what is minimised is the config's \"distill\" section, which names the\n"
                   "teacher: {\"type\": \"kd\", \"teacher\": RUN, \"temperature\": 4}.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
