/* xent report RUN...: pages and pictures of run folders. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "core/base/file.h"
#include "core/report/report.h"
#include "core/train/folder.h"

/* Output is never an input, nor what someone else wrote. */
static bool check_output(const Arguments *arguments, const char *path, bool force, Error *error)
{
    Arena *arena = arena_new();
    bool good = true;
    for (int i = 0; good && i < arguments->count; i++)
        if (run_folder_owns(arguments->words[i], path) &&
            !file_same(path, path_join(arena, arguments->words[i], "report.html")))
            good = fail_usage(error, "--output: %s belongs to the run", path);
    if (good && file_is_folder(path))
        good = fail_usage(error, "--output: %s is a folder; expected the name of a file", path);
    if (good && !force && file_exists(path))
        good = fail_usage(error, "%s: exists; --force replaces it, --output names another", path);
    arena_free(arena);
    return good;
}

static void print_result(const Arguments *arguments, const char *path)
{
    if (argument_option(arguments, "json")) {
        cJSON *object = cJSON_CreateObject();
        cJSON *runs = cJSON_AddArrayToObject(object, "runs");
        for (int i = 0; i < arguments->count; i++)
            cJSON_AddItemToArray(runs, cJSON_CreateString(arguments->words[i]));
        cJSON_AddStringToObject(object, "page", path);
        print_json_object(object);
    } else {
        printf("%s\n", path);
    }
}

static bool run(const Arguments *arguments, Error *error)
{
    const char *output = argument_option(arguments, "output");
    bool force = argument_option(arguments, "force") != NULL, several = arguments->count > 1;
    if (output && !*output)
        return fail_usage(error, "--output: the name of the file is empty");
    Arena *arena = arena_new();
    const char *path = output ? output : several ? "report.html" : path_join(arena, arguments->words[0], "report.html");
    bool good = !(output || several) || check_output(arguments, path, force, error);
    if (good && several)
        good = report_compare(arguments->count, arguments->words, path, error);
    else if (good)
        good = output ? report_page(arguments->words[0], path, error) : report_write(arguments->words[0], error);
    if (good)
        print_result(arguments, path);
    arena_free(arena);
    return good;
}

static const Option options[] = {
    {"output", "FILE", "where the page goes; for one run RUN/report.html, else report.html", 'o', false},
    {"force", NULL, "replace FILE when it exists", 0, false},
    {0},
};

const Command command_report = {
    .name = "report",
    .synopsis = "report RUN... [--output FILE] [--force] [--json]",
    .summary = "an HTML page of a run, or of several compared",
    .description = "Writes one self-contained HTML page: curves, metrics with intervals, calibration, confusion,\n"
                   "hardest examples and config of a run, with pictures in RUN/plots; of several runs, a comparison.",
    .least = 1,
    .most = 64,
    .options = options,
    .run = run,
};
