#include "core/base/file.h"
#include "data/dataset_arrays.h"
#include "data/npz.h"

struct npz {
    DatasetCommon common;
    const char *path;
    int targets;
    int64_t classes;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct npz, "false"),
    PARAM_REQUIRED(PATH, struct npz, path,
                   .help = "NPZ file of the arrays x and y, and x_val, y_val, x_test, y_test where there are such "
                           "splits"),
    PARAM_ENUM(struct npz, targets, "auto", .choices = target_reading_names,
               .help = "auto: integers are classes (0/1 in several columns labels), reals values"),
    PARAM_INT(struct npz, classes, null, .min = 1, .max = DATASET_MOST_CLASSES,
              .help = "number of classes; the largest target + 1 when absent"),
    PARAM_END
};

/* The pair x, y with `suffix` as a split; neither there: the split stays empty. */
static bool read_split(const struct npz *self, const Npz *npz, const char *suffix, DataSplits *splits, DataSplit *split,
                       Error *error)
{
    const char *names[2] = {arena_format(splits->arena, "x%s", suffix), arena_format(splits->arena, "y%s", suffix)};
    const NpzEntry *x = npz_find(npz, names[0]), *y = npz_find(npz, names[1]);
    if (!x && !y && suffix[0])
        return true;
    if (!x || !y)
        return fail(error, "%s: no array \"%s\"", npz->path, names[x ? 1 : 0]);
    Dataset *dataset = data_splits_add(splits);
    Array features, targets;
    const char *x_name = arena_format(splits->arena, "%s: %s", npz->path, names[0]);
    const char *y_name = arena_format(splits->arena, "%s: %s", npz->path, names[1]);
    if (!npz_array(npz, x, dataset->arena, &features, error) ||
        !dataset_take_features(dataset, x_name, &features, error) ||
        !npz_array(npz, y, dataset->arena, &targets, error) ||
        !dataset_take_targets(dataset, y_name, &targets, (TargetReading)self->targets, self->classes, error))
        return false;
    *split = data_split_all(splits->arena, dataset);
    return true;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct npz *self = values;
    Arena *scratch = arena_new();
    Npz npz;
    bool good = npz_open(self->path, scratch, &npz, error) &&
                read_split(self, &npz, "", splits, &splits->train, error) &&
                read_split(self, &npz, "_val", splits, &splits->val, error) &&
                read_split(self, &npz, "_test", splits, &splits->test, error);
    arena_free(scratch);
    for (int i = 1; good && i < 3; i++)
        for (int k = 0; splits->datasets[i] && k < i; k++)
            dataset_share_classes(splits->datasets[k], splits->datasets[i]);
    return good;
}

const DatasetDef dataset_npz = {
    .component = {
        .name = "npz",
        .summary = "features and targets from one NPZ file",
        .params = params,
        .size = sizeof(struct npz),
        .notes = "The arrays mean what they mean in npy.",
    },
    .load = load,
};
