/* xent add-class RUN --shots N -o FILE */
#include <stdio.h>

#include "cli/configs.h"
#include "core/base/file.h"
#include "core/train/folder.h"
#include "core/train/new_classes.h"

static bool mean_directions(const SavedModel *saved, const NewClasses *classes, int64_t shots, Arena *arena,
                            int64_t *width, double **directions, Error *error)
{
    DataSplit support;
    Embeddings embeddings;
    if (!split_shots(&classes->splits.train, shots, (uint64_t)saved->config->seed, arena, &support, error))
        return fail_at(error, "--shots");
    if (!split_embeddings(saved->model, &support, saved->config->train.eval_batch_size, arena, &embeddings, error))
        return fail_at(error, "%s", saved->path);
    *width = embeddings.width;
    *directions = arena_alloc(arena, (size_t)(classes->count * embeddings.width) * sizeof **directions);
    embeddings_prototypes(&embeddings, *directions);
    return true;
}

static void print_result(const Arguments *arguments, const SavedModel *saved, const NewClasses *classes,
                         const char *output)
{
    if (!argument_option(arguments, "json")) {
        if (!argument_option(arguments, "quiet"))
            printf("%s\n", output);
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "output", output);
    cJSON_AddNumberToObject(object, "classes", (double)(saved->classes + classes->count));
    cJSON *added = cJSON_AddArrayToObject(object, "added");
    for (int64_t c = 0; c < classes->count; c++)
        cJSON_AddItemToArray(added, cJSON_CreateNumber((double)classes->numbers[c]));
    print_json_object(object);
}

static bool add_classes(const Arguments *arguments, SavedModel **saved, NewClasses *classes, Arena *arena, Error *error)
{
    const char *run = arguments->words[0], *output = argument_option(arguments, "output");
    int64_t shots = 0, width = 0;
    double *directions = NULL;
    if (!output)
        return fail_usage(error, "add-class: -o FILE is missing");
    if (!argument_integer(arguments, "shots", 1, 1000000000, &shots, error) ||
        !check_output_file(output, run, argument_option(arguments, "force") != NULL, error) ||
        !(*saved = argument_run(arguments, run, error)))
        return false;
    if (file_same(output, (*saved)->path) || run_folder_owns(run, output))
        return fail_usage(error, "%s: belongs to the run itself", output);
    if ((*saved)->target_kind != TARGET_CLASS)
        return fail(error, "%s: its targets are not classes", (*saved)->path);
    if (!new_classes_load(*saved, arena, classes, error) ||
        !mean_directions(*saved, classes, shots, arena, &width, &directions, error) ||
        !new_classes_write(*saved, classes, width, directions, output, error))
        return false;
    print_result(arguments, *saved, classes, output);
    return true;
}

static bool run(const Arguments *arguments, Error *error)
{
    Arena *arena = arena_new();
    SavedModel *saved = NULL;
    NewClasses classes = {0};
    Tape *tape = tape_new();
    tape_use(tape);
    bool good = add_classes(arguments, &saved, &classes, arena, error);
    if (classes.splits.arena)
        data_free(&classes.splits);
    saved_close(saved);
    tape_free(tape);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    {"shots", "N", "training samples of each new class that are its examples (all)", 0, false},
    {"output", "FILE", "where to, a name that ends in .safetensors", 'o', false},
    {"force", NULL, "replace a file that is there", 0, false},
    {0},
};

const Command command_add_class = {
    .name = "add-class",
    .synopsis = "add-class RUN [--shots N] -o FILE",
    .summary = "a trained model that tells further classes, without training",
    .description =
        "Adds the classes that data.only_classes left out to the model of RUN: the mean direction of their examples'\n"
        "features, of length 1, becomes a row of the head each. FILE is a run for xent eval, predict and others.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
