#include "data/dataset_arrays.h"
#include "data/npy.h"

struct npy {
    DatasetCommon common;
    const char *x, *y, *test_x, *test_y;
    int targets;
    int64_t classes;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct npy, "false"),
    PARAM_REQUIRED(PATH, struct npy, x, .help = "NPY file of features [N, ...]"),
    PARAM_REQUIRED(PATH, struct npy, y, .help = "NPY file of targets [N] or [N, K]"),
    PARAM_PATH(struct npy, test_x, null, .help = "features of the test split"),
    PARAM_PATH(struct npy, test_y, null, .help = "targets of the test split"),
    PARAM_ENUM(struct npy, targets, "auto", .choices = target_reading_names,
               .help = "auto: integers are classes (0/1 in several columns labels), reals values"),
    PARAM_INT(struct npy, classes, null, .min = 1, .max = DATASET_MOST_CLASSES,
              .help = "number of classes; the largest target + 1 when absent"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct npy *npy = values;
    return !npy->test_x == !npy->test_y || fail_usage(error, "test_x and test_y go together");
}

static bool read_pair(const struct npy *npy, const char *x, const char *y, Dataset *dataset, Error *error)
{
    Array features, targets;
    return npy_read(x, dataset->arena, &features, error) && dataset_take_features(dataset, x, &features, error) &&
           npy_read(y, dataset->arena, &targets, error) &&
           dataset_take_targets(dataset, y, &targets, (TargetReading)npy->targets, npy->classes, error);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct npy *npy = values;
    Dataset *train = data_splits_add(splits);
    if (!read_pair(npy, npy->x, npy->y, train, error))
        return false;
    splits->train = data_split_all(splits->arena, train);
    if (!npy->test_x)
        return true;
    Dataset *test = data_splits_add(splits);
    if (!read_pair(npy, npy->test_x, npy->test_y, test, error))
        return false;
    dataset_share_classes(train, test);
    splits->test = data_split_all(splits->arena, test);
    return true;
}

const DatasetDef dataset_npy = {
    .component = {
        .name = "npy",
        .summary = "features and targets from NPY files",
        .params = params,
        .size = sizeof(struct npy),
        .notes = "A sample has the shape that follows the first dimension: images are [N, channels, height, width], "
                 "tables [N, columns]. Unsigned bytes are scaled to 0..1, other numbers are used as they are.",
        .validate = validate,
    },
    .load = load,
};
