#include "core/base/file.h"
#include "data/dataset_arrays.h"
#include "data/npz.h"

struct npz {
    DatasetCommon common;
    const char *path, *group, *label_features;
    int targets;
    int64_t classes;
    const cJSON *extras;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct npz, "false"),
    PARAM_REQUIRED(PATH, struct npz, path,
                   .help = "NPZ file of the arrays x and y, and x_val, y_val, x_test, y_test where there are such "
                           "splits"),
    PARAM_ENUM(struct npz, targets, "auto", .choices = target_reading_names,
               .help = "auto: integers are classes (0/1 in several columns labels), reals values"),
    PARAM_STRING(struct npz, group, null,
                 .help = "array of integers [N] that samples of a group (a query, a session) share, side by side; "
                         "batches, splits and metrics take groups whole"),
    PARAM_JSON(struct npz, extras, "[]",
               .help = "list of names of arrays [N] or [N, width] that losses and metrics take beside the targets"),
    PARAM_STRING(struct npz, label_features, null,
                 .help = "array [labels, width] of features of the labels, for models that encode labels"),
    PARAM_INT(struct npz, classes, null, .min = 1, .max = DATASET_MOST_CLASSES,
              .help = "number of classes; the largest target + 1 when absent"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct npz *self = values;
    bool list = cJSON_IsArray(self->extras) && cJSON_GetArraySize(self->extras) <= DATASET_MOST_COLUMNS;
    for (const cJSON *item = list ? self->extras->child : NULL; item; item = item->next) {
        list &= cJSON_IsString(item);
        for (const cJSON *other = item->next; list && other; other = other->next)
            list &= !cJSON_Compare(item, other, true);
    }
    return list || fail_usage(error, "extras: expected a list of at most %d different names of arrays",
                              DATASET_MOST_COLUMNS);
}

static bool find_array(const Npz *npz, const char *name, Arena *arena, const char **full, Array *array, Error *error)
{
    const NpzEntry *entry = npz_find(npz, name);
    if (!entry)
        return fail(error, "%s: no array \"%s\"", npz->path, name);
    *full = arena_format(arena, "%s: %s", npz->path, name);
    return npz_array(npz, entry, arena, array, error);
}

/* Groups, extras and features of labels; the first two are of a split. */
static bool read_further(const struct npz *self, const Npz *npz, const char *suffix, Dataset *dataset, Error *error)
{
    Arena *arena = dataset->arena;
    const char *name;
    Array array;
    const char *group = self->group ? arena_format(arena, "%s%s", self->group, suffix) : NULL;
    if (group && (!find_array(npz, group, arena, &name, &array, error) ||
                  !dataset_take_groups(dataset, name, &array, error)))
        return false;
    for (const cJSON *item = self->extras->child; item; item = item->next)
        if (!find_array(npz, arena_format(arena, "%s%s", item->valuestring, suffix), arena, &name, &array, error) ||
            !dataset_take_column(dataset, name, item->valuestring, &array, error))
            return false;
    return !self->label_features || (find_array(npz, self->label_features, arena, &name, &array, error) &&
                                     dataset_take_label_features(dataset, name, &array, error));
}

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
        !dataset_take_targets(dataset, y_name, &targets, (TargetReading)self->targets, self->classes, error) ||
        !read_further(self, npz, suffix, dataset, error))
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
        .notes = "The arrays mean what they mean in npy. Those that group and extras name have the same endings "
                 "_val and _test.",
        .validate = validate,
    },
    .load = load,
};
