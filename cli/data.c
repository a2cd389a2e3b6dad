/* xent data CONFIG -o DIR|FILE: a data set as files. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/configs.h"
#include "core/base/file.h"
#include "data/export.h"
#include "data/parts.h"

/* The first path among the parameters, those of components within included, that is the file `output`. */
static const char *input_that_is(const char *output, const Instance *instance)
{
    const char *found = NULL;
    const Param *param = instance->component ? instance->component->params : NULL;
    for (; param && param->type != PARAM_TYPE_END && !found; param++) {
        const void *field = (const char *)instance->values + param->offset;
        const char *path = param->type == PARAM_TYPE_PATH ? *(const char *const *)field : NULL;
        if (path && file_same(output, path))
            found = path;
        else if (param->type == PARAM_TYPE_COMPONENT)
            found = input_that_is(output, field);
    }
    return found;
}

static bool folder_has_files(const char *path)
{
    DIR *directory = opendir(path);
    bool has = false;
    for (const struct dirent *entry; directory && !has && (entry = readdir(directory));)
        has = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (directory)
        closedir(directory);
    return has;
}

static bool check_output(const char *output, bool folder, const Arguments *arguments, const Config *config,
                         Error *error)
{
    bool force = argument_option(arguments, "force") != NULL;
    if (input_that_is(output, &config->data))
        return fail_usage(error, "-o: %s: is what the data is read from", output);
    if (!folder)
        return check_output_file(output, arguments->words[0], force, error) || fail_at(error, "-o");
    if (file_exists(output) && !file_is_folder(output))
        return fail_usage(error, "-o: %s: is not a folder", output);
    return force || !folder_has_files(output) ||
           fail_usage(error, "-o: %s: is not empty; --force writes into it", output);
}

typedef enum Form { FORM_NPZ, FORM_NPY, FORM_CSV, FORM_TEXT, FORM_FOLDER } Form;

/* What -o asks for; paths that are written in place of one another are checked together. */
typedef struct Target {
    Form form;
    const char *output, *prefix; /* without ending; of a folder without the / */
} Target;

static bool find_target(const char *output, Arena *arena, Target *target, Error *error)
{
    static const struct {
        const char *ending;
        Form form;
    } endings[] = {{".npz", FORM_NPZ}, {".npy", FORM_NPY}, {".csv", FORM_CSV}, {".txt", FORM_TEXT}};
    size_t length = strlen(output);
    const char *name = strrchr(output, '/') ? strrchr(output, '/') + 1 : output;
    *target = (Target){.form = FORM_FOLDER, .output = output};
    for (size_t i = 0; i < sizeof endings / sizeof *endings && !file_is_folder(output); i++)
        if (name_ends_with(name, endings[i].ending)) {
            target->form = endings[i].form;
            target->prefix = arena_format(arena, "%.*s", (int)length - 4, output);
            return true;
        }
    if (strchr(name, '.') && !file_is_folder(output))
        return fail_usage(
            error, "-o: %s: expected a name that ends with .npz, .npy, .csv or .txt, or a folder that ends with /",
            output);
    while (length > 1 && output[length - 1] == '/')
        length--;
    target->prefix = arena_format(arena, "%.*s", (int)length, output);
    return true;
}

static void split_paths(const Target *target, Arena *arena, const char *ending, const char *paths[3])
{
    static const char *const in_folder[] = {"/train", "/val", "/test"}, *const beside[] = {"", "_val", "_test"};
    for (int i = 0; i < 3; i++)
        paths[i] = arena_format(arena, "%s%s%s", target->prefix, (target->form == FORM_FOLDER ? in_folder : beside)[i],
                                ending);
}

static bool check_target(const Target *target, const Arguments *arguments, const Config *config, Arena *arena,
                         Error *error)
{
    static const char *const keys[] = {"x", "y", "x_val", "y_val", "x_test", "y_test", "clean_y"};
    if (target->form == FORM_NPZ || target->form == FORM_FOLDER)
        return check_output(target->output, target->form == FORM_FOLDER, arguments, config, error);
    const char *paths[7];
    int count = target->form == FORM_NPY ? 7 : 3;
    for (int i = 0; i < count && target->form == FORM_NPY; i++)
        paths[i] = arena_format(arena, "%s_%s.npy", target->prefix, keys[i]);
    if (target->form != FORM_NPY)
        split_paths(target, arena, target->form == FORM_CSV ? ".csv" : ".txt", paths);
    for (int i = 0; i < count; i++)
        if (!check_output(paths[i], false, arguments, config, error))
            return false;
    return true;
}

static bool write_splits(const DataSplits *splits, const Target *target, Arena *arena, Error *error)
{
    const Dataset *dataset = splits->train.dataset;
    const char *paths[3];
    bool text = target->form == FORM_TEXT || (target->form == FORM_FOLDER && dataset->target_kind == TARGET_TOKENS);
    split_paths(target, arena, text ? ".txt" : ".csv", paths);
    if (target->form == FORM_NPZ)
        return export_npz(splits, target->output, error);
    if (target->form == FORM_NPY)
        return export_npy(splits, target->prefix, error);
    if (target->form == FORM_FOLDER && dataset->rank == 3)
        return export_png(splits, target->prefix, error);
    bool existed = file_exists(target->prefix);
    if (target->form == FORM_FOLDER && !folder_make(target->prefix, error))
        return false;
    bool good = (text ? export_text : export_csv)(splits, paths, error);
    if (!good && target->form == FORM_FOLDER && !existed)
        rmdir(target->prefix); /* empty where the data did not fit */
    return good;
}

static void print_counts(const DataSplits *splits, const char *output, bool json)
{
    const DataSplit *all[] = {&splits->train, &splits->val, &splits->test};
    static const char *const names[] = {"train", "val", "test"};
    if (!json) {
        printf("%s: %lld training, %lld validation, %lld test samples\n", output, (long long)all[0]->count,
               (long long)all[1]->count, (long long)all[2]->count);
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "output", output);
    for (int i = 0; i < 3; i++)
        cJSON_AddNumberToObject(object, names[i], (double)all[i]->count);
    print_json_object(object);
}

static bool write_data(const Config *config, const char *output, const Arguments *arguments, Error *error)
{
    Arena *arena = arena_new();
    Target target;
    DataSplits splits;
    bool good = config_require(config, "data", error) && find_target(output, arena, &target, error) &&
                check_target(&target, arguments, config, arena, error);
    if (good && (good = data_load_unfitted(&config->data, (uint64_t)config->seed, &splits, error))) {
        good = write_splits(&splits, &target, arena, error);
        bool json = argument_option(arguments, "json") != NULL;
        if (good && (json || !argument_option(arguments, "quiet")))
            print_counts(&splits, output, json);
        data_free(&splits);
    }
    arena_free(arena);
    return good;
}

static bool run(const Arguments *arguments, Error *error)
{
    const char *output = argument_option(arguments, "output");
    if (!output || !output[0])
        return fail_usage(error, "data: -o DIR or FILE is missing");
    Config *config = argument_config(arguments, arguments->words[0], error);
    bool good = config && write_data(config, output, arguments, error);
    config_free(config);
    return good;
}

static const Option options[] = {
    {"output", "PATH", "NAME.npz; NAME.npy, NAME.csv, NAME.txt for several files; or a folder, with / at its end", 'o',
     false},
    {"force", NULL, "replace files that are there", 0, false},
    {0},
};

const Command command_data = {
    .name = "data",
    .synopsis = "data CONFIG -o DIR|FILE [--force]",
    .summary = "write a data set: a generator, a split, a noisy copy",
    .description =
        "Writes the data of CONFIG, divided, reduced and made noisy as it says, and not normalised: as\n"
        "arrays x, y, x_val, y_val, x_test, y_test in NAME.npz or NAME_x.npy, ...; as NAME.csv, NAME_val.csv,\n"
        "NAME_test.csv; into a folder as PNG folders (images), CSV files (vectors) or text.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run,
};
