#include "core/base/threads.h"
#include "data/dataset_arrays.h"
#include "data/idx.h"

struct idx {
    DatasetCommon common;
    const char *path, *train_images, *train_labels, *test_images, *test_labels;
    int64_t classes;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct idx, "true"),
    PARAM_PATH(struct idx, path, null,
               .help = "folder of the official files, train-images-idx3-ubyte and so on, plain or .gz"),
    PARAM_PATH(struct idx, train_images, null, .help = "instead of path: the training images"),
    PARAM_PATH(struct idx, train_labels, null, .help = "instead of path: the training labels"),
    PARAM_PATH(struct idx, test_images, null, .help = "instead of path: the test images"),
    PARAM_PATH(struct idx, test_labels, null, .help = "instead of path: the test labels"),
    PARAM_INT(struct idx, classes, null, .min = 1, .max = DATASET_MOST_CLASSES,
              .help = "number of classes; the largest label + 1 when absent"),
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

/* Training and test files are unpacked side by side. */
typedef struct Pairs {
    const struct idx *idx;
    const char *paths[4];
    Dataset *datasets[2];
    bool good[2];
    Error errors[2];
} Pairs;

static void read_pairs(void *context, int64_t begin, int64_t end)
{
    Pairs *pairs = context;
    for (int64_t i = begin; i < end; i++)
        pairs->good[i] = read_pair(pairs->idx, pairs->paths[2 * i], pairs->paths[2 * i + 1], pairs->datasets[i],
                                   &pairs->errors[i]);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    Pairs pairs = {.idx = values};
    if (!find_files(values, splits->arena, pairs.paths, error))
        return false;
    int count = pairs.paths[2] ? 2 : 1;
    for (int i = 0; i < count; i++)
        pairs.datasets[i] = data_splits_add(splits);
    parallel_for(count, 1, read_pairs, &pairs);
    for (int i = 0; i < count; i++)
        if (!pairs.good[i]) {
            *error = pairs.errors[i];
            return false;
        }
    splits->train = data_split_all(splits->arena, pairs.datasets[0]);
    if (count == 2) {
        dataset_share_classes(pairs.datasets[0], pairs.datasets[1]);
        splits->test = data_split_all(splits->arena, pairs.datasets[1]);
    }
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
