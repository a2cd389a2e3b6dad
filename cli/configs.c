#include "cli/configs.h"

#include <string.h>

#include "core/base/file.h"

Config *argument_config(const Arguments *arguments, const char *argument, Error *error)
{
    uint64_t seed;
    const uint64_t *given;
    if (!argument_seed(arguments, &seed, &given, error))
        return NULL;
    const char **sets = argument_options(arguments, "set");
    Config *config = config_load(argument, sets, given, error);
    memory_free(sets);
    return config;
}

SavedModel *argument_run(const Arguments *arguments, const char *path, Error *error)
{
    uint64_t seed;
    const uint64_t *given;
    if (!argument_seed(arguments, &seed, &given, error))
        return NULL;
    const char **sets = argument_options(arguments, "set");
    SavedModel *saved = saved_open(path, sets, given, error);
    memory_free(sets);
    return saved;
}

bool name_ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);
    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

bool check_output_file(const char *output, const char *input, bool force, Error *error)
{
    if (input && strcmp(input, "-") != 0 && file_same(output, input))
        return fail_usage(error, "%s: is the input itself", output);
    if (file_is_folder(output))
        return fail_usage(error, "%s: is a folder", output);
    if (file_exists(output) && !force)
        return fail_usage(error, "%s: exists; --force replaces it", output);
    return true;
}
