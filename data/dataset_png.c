#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "data/dataset_arrays.h"
#include "data/png_image.h"

struct png {
    DatasetCommon common;
    const char *path, *test_path;
    IntList size;
    int64_t channels;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct png, "true"),
    PARAM_REQUIRED(PATH, struct png, path, .help = "folder with a folder of PNG files for each class"),
    PARAM_PATH(struct png, test_path, null, .help = "the same for the test split; its classes are among those of path"),
    PARAM_INTS(struct png, size, "[]", .min = 1, .max = PNG_LARGEST_SIDE,
               .help = "height and width that every image must have; empty: those of the first"),
    PARAM_INT(struct png, channels, null, .min = 1, .max = 3,
              .help = "1 (grey) or 3 (red, green, blue); those of the first image when absent"),
    PARAM_END
};

static const size_t pixel_limit = (size_t)1 << 30;

static bool validate(const void *values, Error *error)
{
    const struct png *self = values;
    if (self->size.count != 0 && self->size.count != 2)
        return fail_usage(error, "size: expected [height, width], got a list of %lld", (long long)self->size.count);
    return self->channels != 2 || fail_usage(error, "channels: expected 1 or 3, got 2");
}

typedef struct Names {
    int64_t count, room;
    char **items;
} Names;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_name(Names *names, Arena *arena, const char *name)
{
    if (names->count == names->room) {
        int64_t room = names->room ? names->room * 2 : 64;
        names->items = memory_grow(names->items, (size_t)names->room * sizeof(char *), (size_t)room * sizeof(char *));
        names->room = room;
    }
    names->items[names->count++] = arena_string(arena, name);
}

/* Sorted by bytes, so that numbers do not depend on the file system: folders, or files *.png. Names that
   begin with a dot are not looked at. The list is the caller's, the strings are the arena's. */
static bool list_names(const char *folder, bool folders, Arena *arena, Names *names, Error *error)
{
    *names = (Names){0};
    DIR *stream = opendir(folder);
    if (!stream)
        return fail_errno(error, "%s", folder);
    Arena *scratch = arena_new();
    for (struct dirent *entry; errno = 0, (entry = readdir(stream)) != NULL; arena_reset(scratch)) {
        size_t length = strlen(entry->d_name);
        bool image = length > 4 && strcmp(entry->d_name + length - 4, ".png") == 0;
        if (entry->d_name[0] != '.' && (folders ? file_is_folder(path_join(scratch, folder, entry->d_name)) : image))
            add_name(names, arena, entry->d_name);
    }
    bool good = errno == 0 || fail_errno(error, "%s: cannot list", folder);
    arena_free(scratch);
    closedir(stream);
    if (good && names->count)
        qsort(names->items, (size_t)names->count, sizeof *names->items, compare_names);
    return good;
}

typedef struct Files {
    int64_t count, room;
    struct { const char *path; int32_t label; } *items;
} Files;

/* What all images of a split have in common, and their pixels in the order of the files. */
typedef struct Images {
    int64_t channels, height, width;    /* 0: not known yet */
    unsigned char *pixels;
    int32_t *labels;
} Images;

static bool add_class(const char *folder, int32_t label, Arena *arena, Files *files, Error *error)
{
    Names names;
    bool good = list_names(folder, false, arena, &names, error);
    for (int64_t i = 0; i < names.count && good; i++) {
        if (files->count == files->room) {
            size_t room = files->room ? (size_t)files->room * 2 : 64, size = sizeof *files->items;
            files->items = memory_grow(files->items, (size_t)files->room * size, room * size);
            files->room = (int64_t)room;
        }
        files->items[files->count].path = path_join(arena, folder, names.items[i]);
        files->items[files->count++].label = label;
    }
    memory_free(names.items);
    return good;
}

static bool check_size(const Images *images, const char *path, int64_t height, int64_t width, Error *error)
{
    return (height == images->height && width == images->width) ||
           fail(error, "%s: %lld x %lld pixels (height x width), expected %lld x %lld", path, (long long)height,
                (long long)width, (long long)images->height, (long long)images->width);
}

/* Sizes stand in the headers: a folder that does not fit is refused before its pixels are unpacked. The first image
   decides what the keys leave open. */
static bool check_headers(const Files *files, Images *images, Error *error)
{
    for (int64_t i = 0; i < files->count; i++) {
        int64_t height, width;
        if (!png_image_size(files->items[i].path, &height, &width, error))
            return false;
        if (height == 0)
            continue; /* no PNG file, or a packed one: reading it will tell */
        if (images->height == 0) {
            images->height = height;
            images->width = width;
        }
        if (!check_size(images, files->items[i].path, height, width, error))
            return false;
    }
    return true;
}

/* Room for all, once the first image has shown how many channels there are. */
static bool make_room(const Files *files, const PngImage *first, Images *images, Arena *arena, Error *error)
{
    if (!images->channels)
        images->channels = first->channels;
    if (images->height == 0) {
        images->height = first->height;
        images->width = first->width;
    }
    size_t bytes = (size_t)(images->channels * images->height * images->width), count = (size_t)files->count;
    if (count > pixel_limit / bytes)
        return fail(error, "%s: %zu images of %lld x %lld x %lld (channels x height x width) are more than %zu bytes",
                    files->items[0].path, count, (long long)images->channels, (long long)images->height,
                    (long long)images->width, pixel_limit);
    images->pixels = arena_alloc(arena, count * bytes);
    images->labels = arena_alloc(arena, count * sizeof *images->labels);
    return true;
}

static bool read_images(const Files *files, Images *images, Arena *arena, Error *error)
{
    Arena *scratch = arena_new();
    bool good = check_headers(files, images, error);
    for (int64_t i = 0; i < files->count && good; i++, arena_reset(scratch)) {
        const char *path = files->items[i].path;
        PngImage image;
        good = png_image_read(path, (int)images->channels, scratch, &image, error) &&
               (images->pixels || make_room(files, &image, images, arena, error)) &&
               check_size(images, path, image.height, image.width, error);
        if (!good)
            break;
        size_t bytes = (size_t)(images->channels * images->height * images->width);
        memcpy(images->pixels + (size_t)i * bytes, image.pixels, bytes);
        images->labels[i] = files->items[i].label;
    }
    arena_free(scratch);
    return good;
}

static int32_t find_class(const Dataset *classes, const char *name)
{
    for (int64_t c = 0; c < classes->classes; c++)
        if (strcmp(classes->class_names[c], name) == 0)
            return (int32_t)c;
    return -1;
}

/* The folder's own names are the classes, unless they are `known` (a data set's). Paths are the scratch arena's. */
static bool list_files(const char *path, const Dataset *known, Dataset *dataset, Arena *scratch, Files *files,
                       Error *error)
{
    Names folders;
    bool good = list_names(path, true, dataset->arena, &folders, error);
    if (good && folders.count == 0)
        good = fail(error, "%s: no folders in it; there must be one for each class", path);
    dataset->classes = known ? known->classes : folders.count;
    dataset->class_names = copy_names(dataset->arena, known ? known->class_names : (const char *const *)folders.items,
                                      dataset->classes);
    for (int64_t i = 0; i < folders.count && good; i++) {
        const char *folder = path_join(scratch, path, folders.items[i]);
        int32_t label = find_class(dataset, folders.items[i]);
        good = label >= 0 ? add_class(folder, label, scratch, files, error)
                          : fail(error, "%s: a class that the training images do not have", folder);
    }
    memory_free(folders.items);
    return good && (files->count > 0 || fail(error, "%s: no files *.png in its folders", path));
}

static bool read_split(const struct png *self, const char *path, const Dataset *known, Dataset *dataset, Error *error)
{
    Images images = {.channels = self->channels == PARAM_UNSET ? 0 : self->channels};
    if (self->size.count) {
        images.height = self->size.items[0];
        images.width = self->size.items[1];
    }
    if (known)
        images = (Images){.channels = known->shape[0], .height = known->shape[1], .width = known->shape[2]};
    Files files = {0};
    Arena *scratch = arena_new();
    bool good = list_files(path, known, dataset, scratch, &files, error) &&
                read_images(&files, &images, dataset->arena, error);
    if (good) {
        dataset->features = images.pixels;
        dataset->labels = images.labels;
        dataset->type = ARRAY_U8;
        dataset->rank = 3;
        dataset->shape[0] = images.channels;
        dataset->shape[1] = images.height;
        dataset->shape[2] = images.width;
        dataset->count = files.count;
        dataset->sample_stride = dataset_sample_size(dataset);
        dataset->target_kind = TARGET_CLASS;
    }
    memory_free(files.items);
    arena_free(scratch);
    return good;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct png *self = values;
    Dataset *train = data_splits_add(splits);
    if (!read_split(self, self->path, NULL, train, error))
        return false;
    splits->train = data_split_all(splits->arena, train);
    if (!self->test_path)
        return true;
    Dataset *test = data_splits_add(splits);
    if (!read_split(self, self->test_path, train, test, error))
        return false;
    splits->test = data_split_all(splits->arena, test);
    return true;
}

const DatasetDef dataset_png = {
    .component = {
        .name = "png",
        .summary = "folders of PNG images, a folder a class",
        .params = params,
        .size = sizeof(struct png),
        .notes = "Classes and files are taken in the order of their names' bytes. 16 bits become 8, palettes colours; "
                 "transparency is left out; grey is (299 R + 587 G + 114 B) / 1000. Files that are not named *.png and "
                 "names that begin with a dot are passed over.",
        .validate = validate,
    },
    .load = load,
};
