#include "core/base/file.h"
#include "data/dataset_arrays.h"
#include "data/idx.h"

struct idx {
    DatasetCommon common;
    const char *path, *train_images, *train_labels, *test_images, *test_labels;
    int64_t classes;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct idx, "true"),
    PARAM_PATH(struct idx, path, null, .help = "folder of the official files, train-images-idx3-ubyte and so on, plain or .gz"),
    PARAM_PATH(struct idx, train_images, null, .help = "instead of path: the training images"),
    PARAM_PATH(struct idx, train_labels, null, .help = "instead of path: the training labels"),
    PARAM_PATH(struct idx, test_images, null, .help = "instead of path: the test images"),
    PARAM_PATH(struct idx, test_labels, null, .help = "instead of path: the test labels"),
    PARAM_INT(struct idx, classes, null, .min = 1, .max = INT32_MAX, .help = "number of classes; the largest label + 1 when absent"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct idx *idx = values;
    if (idx->path && (idx->train_images || idx->train_labels || idx->test_images || idx->test_labels))
        return fail_usage(error, "path: given beside single files; give one or the other");
    if (!idx->path && !(idx->train_images && idx->train_labels))
        return fail_usage(error, "path: missing; give the folder, or train_images and train_labels");
    return !idx->test_images == !idx->test_labels || fail_usage(error, "test_images and test_labels go together");
}

static bool read_pair(const struct idx *idx, const char *images, const char *labels, Dataset *dataset, Error *error)
{
    Array features, targets;
    Arena *scratch = arena_new();
    bool good = idx_read(images, dataset->arena, &features, error) &&
                dataset_take_features(dataset, images, &features, error) &&
                idx_read(labels, scratch, &targets, error) &&
                dataset_take_targets(dataset, labels, &targets, READ_CLASS, idx->classes, error);
    arena_free(scratch);
    if (good && dataset->rank == 2) { /* grey images have one channel */
        dataset->rank = 3;
        dataset->shape[2] = dataset->shape[1];
        dataset->shape[1] = dataset->shape[0];
        dataset->shape[0] = 1;
    }
    return good;
}

/* The four paths; false with a message where one of the two training files is missing. */
static bool find_files(const struct idx *idx, Arena *arena, const char *paths[4], Error *error)
{
    static const char *const names[4] = {
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
    };
    const char *const given[4] = {idx->train_images, idx->train_labels, idx->test_images, idx->test_labels};
    for (int i = 0; i < 4; i++)
        paths[i] = idx->path ? find_file(arena, idx->path, names[i]) : given[i];
    for (int i = 0; i < 4; i++)
        if (!paths[i] && (i < 2 || paths[5 - i]))
            return fail(error, "%s: no file %s or %s.gz", idx->path, names[i], names[i]);
    return true;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const char *paths[4];
    if (!find_files(values, splits->arena, paths, error))
        return false;
    Dataset *train = data_splits_add(splits);
    if (!read_pair(values, paths[0], paths[1], train, error))
        return false;
    splits->train = data_split_all(splits->arena, train);
    if (!paths[2])
        return true;
    Dataset *test = data_splits_add(splits);
    if (!read_pair(values, paths[2], paths[3], test, error))
        return false;
    dataset_share_classes(train, test);
    splits->test = data_split_all(splits->arena, test);
    return true;
}

const DatasetDef dataset_idx = {
    .component = {
        .name = "idx",
        .summary = "IDX files of images and labels, as MNIST and Fashion-MNIST come",
        .params = params,
        .size = sizeof(struct idx),
        .source = "LeCun, Cortes, Burges, The MNIST database",
        .notes = "Images [N, height, width] have one channel, [N, channels, height, width] several. Bytes stay bytes "
                 "in memory and are scaled to 0..1 when a sample is taken.",
        .validate = validate,
    },
    .load = load,
};
