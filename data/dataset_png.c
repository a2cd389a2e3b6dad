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

static const size_t pixel_limit = (size_t)2 << 30;

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

/* Images are appended to one growing block. */
typedef struct Images {
    unsigned char *pixels;
    int32_t *labels;
    int64_t count, room, channels, height, width;
} Images;

static bool append(Images *images, const PngImage *image, int32_t label, const char *path, Error *error)
{
    size_t bytes = (size_t)(images->channels * images->height * images->width), used = (size_t)images->count;
    if ((used + 1) * bytes > pixel_limit)
        return fail(error, "%s: with this image there are more than %zu bytes of pixels", path, pixel_limit);
    if (images->count == images->room) {
        size_t room = used ? used * 2 : 16;
        images->pixels = memory_grow(images->pixels, used * bytes, room * bytes);
        images->labels = memory_grow(images->labels, used * sizeof(int32_t), room * sizeof(int32_t));
        images->room = (int64_t)room;
    }
    memcpy(images->pixels + used * bytes, image->pixels, bytes);
    images->labels[images->count++] = label;
    return true;
}

/* The first image decides what the keys leave open. */
static bool add_image(const struct png *self, const char *path, int32_t label, Images *images, Error *error)
{
    Arena *scratch = arena_new();
    PngImage image;
    int channels = images->channels ? (int)images->channels : self->channels == PARAM_UNSET ? 0 : (int)self->channels;
    bool good = png_image_read(path, channels, scratch, &image, error);
    if (good && !images->channels) {
        images->channels = image.channels;
        images->height = self->size.count ? self->size.items[0] : image.height;
        images->width = self->size.count ? self->size.items[1] : image.width;
    }
    if (good && (image.height != images->height || image.width != images->width))
        good = fail(error, "%s: %lld x %lld pixels (height x width), expected %lld x %lld", path,
                    (long long)image.height, (long long)image.width, (long long)images->height,
                    (long long)images->width);
    good = good && append(images, &image, label, path, error);
    arena_free(scratch);
    return good;
}

static bool add_class(const struct png *self, const char *folder, int32_t label, Images *images, Error *error)
{
    Arena *scratch = arena_new();
    Names files;
    bool good = list_names(folder, false, scratch, &files, error);
    for (int64_t i = 0; i < files.count && good; i++)
        good = add_image(self, path_join(scratch, folder, files.items[i]), label, images, error);
    memory_free(files.items);
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

/* The folder's own names are the classes, unless they are `known` (a data set's). */
static bool read_folder(const struct png *self, const char *path, const Dataset *known, Dataset *dataset,
                        Images *images, Error *error)
{
    Names folders;
    bool good = list_names(path, true, dataset->arena, &folders, error);
    if (good && folders.count == 0)
        good = fail(error, "%s: no folders in it; there must be one for each class", path);
    dataset->classes = known ? known->classes : folders.count;
    dataset->class_names = copy_names(dataset->arena, known ? known->class_names : (const char *const *)folders.items,
                                      dataset->classes);
    for (int64_t i = 0; i < folders.count && good; i++) {
        const char *folder = path_join(dataset->arena, path, folders.items[i]);
        int32_t label = find_class(dataset, folders.items[i]);
        good = label >= 0 ? add_class(self, folder, label, images, error)
                          : fail(error, "%s: a class that the training images do not have", folder);
    }
    memory_free(folders.items);
    return good && (images->count > 0 || fail(error, "%s: no files *.png in its folders", path));
}

static bool read_split(const struct png *self, const char *path, const Dataset *known, Dataset *dataset, Error *error)
{
    Images images = {0};
    if (known) {
        images.channels = known->shape[0];
        images.height = known->shape[1];
        images.width = known->shape[2];
    }
    bool good = read_folder(self, path, known, dataset, &images, error);
    if (good) {
        size_t bytes = (size_t)(images.count * images.channels * images.height * images.width);
        dataset->features = memcpy(arena_alloc(dataset->arena, bytes), images.pixels, bytes);
        size_t label_bytes = (size_t)images.count * sizeof *images.labels;
        dataset->labels = memcpy(arena_alloc(dataset->arena, label_bytes), images.labels, label_bytes);
        dataset->type = ARRAY_U8;
        dataset->rank = 3;
        dataset->shape[0] = images.channels;
        dataset->shape[1] = images.height;
        dataset->shape[2] = images.width;
        dataset->count = images.count;
        dataset->sample_stride = dataset_sample_size(dataset);
        dataset->target_kind = TARGET_CLASS;
    }
    memory_free(images.pixels);
    memory_free(images.labels);
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
