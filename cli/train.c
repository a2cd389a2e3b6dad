/* xent train CONFIG [-o DIR] [--resume] [--force] [--dry-run] */
#include "cli/training.h"

static bool run(const Arguments *arguments, Error *error)
{
    return training_command(arguments, false, error);
}

static const Option options[] = {TRAINING_OPTION_ROWS, {0}};

const Command command_train = {
    .name = "train",
    .synopsis = "train CONFIG [-o DIR] [--resume] [--force] [--dry-run]",
    .summary = "train a model from a config",
    .description = "Trains what CONFIG (a file, or JSON that begins with {) describes, and writes config.json,\n"
                   "metrics.jsonl, checkpoints and summary.json to the folder. SIGINT and SIGTERM save and end.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
