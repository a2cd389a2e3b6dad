/* For tests of data sets: files in a temporary folder, and configs that read them. */
#ifndef XENT_TESTS_DATA_TESTING_H
#define XENT_TESTS_DATA_TESTING_H

#include "tests/testing.h"

#include <string.h>

#include "core/base/file.h"
#include "data/dataset.h"

/* A temporary folder that remembers what was put there, in folders of its own too. */
typedef struct Files {
    Temporary temporary;
    Arena *arena;
    int count;
    const char *paths[64];
} Files;

static inline void files_make(Files *files)
{
    files->count = 0;
    files->arena = arena_new();
    temporary_make(&files->temporary, "none");
}

static inline const char *files_path(Files *files, const char *name)
{
    Error error;
    assert_true(files->count < 64);
    const char *path = files->paths[files->count++] = path_join(files->arena, files->temporary.folder, name);
    assert_true(folder_make(path_folder(files->arena, path), &error));
    return path;
}

static inline void files_put(Files *files, const char *name, const void *bytes, size_t size)
{
    Error error;
    assert_true(file_write(files_path(files, name), bytes, size, &error));
}

static inline void files_text(Files *files, const char *name, const char *text)
{
    files_put(files, name, text, strlen(text));
}

/* Folders go when the last file in them has gone; temporary_drop sees whether all went. */
static inline void files_drop(Files *files)
{
    size_t root = strlen(files->temporary.folder);
    for (int i = 0; i < files->count; i++)
        unlink(files->paths[i]);
    for (int i = 0; i < files->count; i++)
        for (char *folder = path_folder(files->arena, files->paths[i]); strlen(folder) > root;
             folder = path_folder(files->arena, folder))
            rmdir(folder);
    arena_free(files->arena);
    temporary_drop(&files->temporary);
}

/* Loads an inline config's data; every @ in it stands for the folder. The error message is returned with
   the folder taken out where it begins with it, so that tests can compare whole lines; NULL: it loaded. */
static inline const char *load_data(const Files *files, const char *config, DataSplits *splits)
{
    static Error error;
    char text[8192];
    size_t length = 0, folder = strlen(files->temporary.folder);
    for (const char *c = config; *c; c++) {
        assert_true(length + folder + 1 < sizeof text);
        if (*c != '@')
            text[length++] = *c;
        else
            length += (size_t)snprintf(text + length, sizeof text - length, "%s", files->temporary.folder);
    }
    text[length] = '\0';
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    ParamContext context = {.source = source, .arena = arena, .path = "data", .error = &error};
    const cJSON *tree = json_parse(source, "inline", text, length, &error);
    Instance data;
    bool good = tree && data_instance_parse(&context, tree, &data) && data_load(&data, 1, splits, &error);
    json_source_free(source);
    arena_free(arena);
    if (good)
        return NULL;
    bool inside = strncmp(error.message, files->temporary.folder, folder) == 0;
    return error.message + (inside ? folder + 1 : 0);
}

static inline DataSplits load_or_fail(const Files *files, const char *config)
{
    DataSplits splits;
    const char *message = load_data(files, config, &splits);
    if (message)
        fail_msg("%s: %s", config, message);
    return splits;
}

static inline void assert_refused(const Files *files, const char *config, const char *expected)
{
    DataSplits splits;
    const char *message = load_data(files, config, &splits);
    if (!message)
        data_free(&splits);
    assert_non_null(message);
    assert_string_equal(message, expected);
}

/* The sample that stands at `at` of a split, as a network sees it. */
static inline void assert_sample(const DataSplit *split, int64_t at, const float *expected)
{
    float sample[64];
    int64_t size = dataset_sample_size(split->dataset);
    assert_true(size <= 64 && at < split->count);
    dataset_sample(split->dataset, split->order[at], sample);
    for (int64_t i = 0; i < size; i++)
        if (sample[i] != expected[i])
            fail_msg("sample %lld, element %lld: %g, expected %g", (long long)at, (long long)i, (double)sample[i],
                     (double)expected[i]);
}

#endif
