#include "core/base/file.h"
#include "core/base/threads.h"
#include "data/cifar.h"
#include "data/dataset_arrays.h"

enum { MOST_BATCHES = 64 };

struct cifar {
    DatasetCommon common;
    const char *path;
    int64_t classes;
    int labels;
};

enum { LABELS_FINE, LABELS_COARSE };
static const char *const label_choices[] = {"fine", "coarse", NULL};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct cifar, "true"),
    PARAM_REQUIRED(PATH, struct cifar, path,
                   .help = "folder of data_batch_1.bin, ..., test_batch.bin (CIFAR-100: train.bin, test.bin), "
                           "plain or .gz, or one file"),
    PARAM_INT(struct cifar, classes, 10, .min = 10, .max = 100,
              .help = "10 or 100: which of the two sets the records are of"),
    PARAM_ENUM(struct cifar, labels, "fine", .choices = label_choices,
               .help = "CIFAR-100: the 100 classes or the 20 groups"),
    PARAM_END
};

static const char *const names10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};

static const size_t cifar_limit = (size_t)2 << 30; /* of one file and of all together */

static bool validate(const void *values, Error *error)
{
    const struct cifar *cifar = values;
    if (cifar->classes != 10 && cifar->classes != 100)
        return fail_usage(error, "classes: expected 10 or 100, got %lld", (long long)cifar->classes);
    return cifar->classes == 100 || cifar->labels == LABELS_FINE ||
           fail_usage(error, "labels: CIFAR-10 has no coarse labels");
}

static CifarFormat format_of(const struct cifar *cifar)
{
    if (cifar->classes == 10)
        return (CifarFormat){.label_bytes = 1, .label_at = 0, .limits = {10, 0}};
    return (CifarFormat){.label_bytes = 2, .label_at = cifar->labels == LABELS_COARSE ? 0 : 1, .limits = {20, 100}};
}

static bool describe(const void *values, Dataset *shape)
{
    const struct cifar *cifar = values;
    shape->type = ARRAY_U8;
    shape->rank = 3;
    shape->shape[0] = 3;
    shape->shape[1] = shape->shape[2] = 32;
    shape->sample_stride = CIFAR_PIXELS;
    shape->target_kind = TARGET_CLASS;
    shape->classes = cifar->labels == LABELS_COARSE ? 20 : cifar->classes;
    shape->class_names = shape->classes == 10 ? names10 : NULL;
    return true;
}

/* A file in memory, checked; files are read side by side. */
typedef struct Batch {
    const char *path;
    CifarFormat format;
    Arena *arena;
    unsigned char *bytes;
    size_t size;
    int64_t count;
    bool good;
    Error error;
} Batch;

static void read_batches(void *context, int64_t begin, int64_t end)
{
    for (Batch *batch = (Batch *)context + begin; batch < (Batch *)context + end; batch++) {
        batch->arena = arena_new();
        batch->good = file_read(batch->path, cifar_limit, batch->arena, &batch->bytes, &batch->size, &batch->error) &&
                      cifar_check(batch->path, batch->bytes, batch->size, &batch->format, &batch->count, &batch->error);
    }
}

static bool check_batches(const Batch *batches, int files, Error *error)
{
    size_t total = 0;
    for (int i = 0; i < files; i++) {
        if (!batches[i].good) {
            *error = batches[i].error;
            return false;
        }
        total += batches[i].size;
        if (total > cifar_limit)
            return fail(error, "%s: the batches up to this one have more than %zu bytes", batches[i].path, cifar_limit);
    }
    return true;
}

/* One data set of the files' records in turn. */
static bool read_files(const struct cifar *cifar, char *const *paths, int files, Dataset *dataset, Error *error)
{
    Batch batches[MOST_BATCHES] = {0};
    for (int i = 0; i < files; i++)
        batches[i] = (Batch){.path = paths[i], .format = format_of(cifar)};
    parallel_for(files, 1, read_batches, batches);
    bool good = check_batches(batches, files, error);
    describe(cifar, dataset);
    for (int i = 0; i < files && good; i++)
        dataset->count += batches[i].count;
    if (good) {
        dataset->labels = arena_alloc(dataset->arena, (size_t)dataset->count * sizeof *dataset->labels);
        unsigned char *pixels = arena_alloc(dataset->arena, (size_t)dataset->count * CIFAR_PIXELS);
        dataset->features = pixels;
        for (int64_t i = 0, at = 0; i < files; at += batches[i++].count)
            cifar_unpack(batches[i].bytes, batches[i].count, &batches[i].format, dataset->labels + at,
                         pixels + at * CIFAR_PIXELS);
    }
    for (int i = 0; i < files; i++)
        arena_free(batches[i].arena);
    return good;
}

/* data_batch_1, 2, ... up to the first that is missing; the official set has five, a part of it fewer. */
static int find_batches(const struct cifar *cifar, Arena *arena, char **paths)
{
    if (cifar->classes == 100) {
        paths[0] = find_file(arena, cifar->path, "train.bin");
        return paths[0] != NULL;
    }
    int files = 0;
    while (files < MOST_BATCHES) {
        paths[files] = find_file(arena, cifar->path, arena_format(arena, "data_batch_%d.bin", files + 1));
        if (!paths[files])
            break;
        files++;
    }
    return files;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct cifar *cifar = values;
    bool folder = file_is_folder(cifar->path);
    char *paths[MOST_BATCHES] = {arena_string(splits->arena, cifar->path)};
    int files = folder ? find_batches(cifar, splits->arena, paths) : 1;
    if (files == 0) {
        const char *expected = cifar->classes == 100 ? "train.bin" : "data_batch_1.bin";
        return fail(error, "%s: no file %s or %s.gz", cifar->path, expected, expected);
    }
    Dataset *train = data_splits_add(splits);
    if (!read_files(cifar, paths, files, train, error))
        return false;
    splits->train = data_split_all(splits->arena, train);
    char *test_path =
        folder ? find_file(splits->arena, cifar->path, cifar->classes == 100 ? "test.bin" : "test_batch.bin") : NULL;
    if (!test_path)
        return true;
    Dataset *test = data_splits_add(splits);
    if (!read_files(cifar, &test_path, 1, test, error))
        return false;
    splits->test = data_split_all(splits->arena, test);
    return true;
}

const DatasetDef dataset_cifar = {
    .component = {
        .name = "cifar",
        .summary = "CIFAR-10 and CIFAR-100 in their binary form",
        .params = params,
        .size = sizeof(struct cifar),
        .source = "Krizhevsky 2009, Learning multiple layers of features from tiny images",
        .validate = validate,
        .notes = "The batches of a folder are read from data_batch_1.bin on up to the first number that is missing. "
                 "One file as path gives training samples only.",
    },
    .load = load,
    .describe = describe,
};
