#include "data/dataset_arrays.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/file.h"

const char *const target_reading_names[] = {"auto", "class", "soft", "labels", "values", NULL};

char *find_file(Arena *arena, const char *folder, const char *name)
{
    char *path = path_join(arena, folder, name);
    if (file_exists(path))
        return path;
    path = arena_format(arena, "%s.gz", path);
    return file_exists(path) ? path : NULL;
}

const char *const *copy_names(Arena *arena, const char *const *names, int64_t count)
{
    if (!names)
        return NULL;
    const char **copy = arena_alloc(arena, (size_t)count * sizeof *copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, names[i]);
    return copy;
}

/* As f32, all finite. */
static float *to_floats(Arena *arena, const char *name, const Array *array, Error *error)
{
    float *out = array->type == ARRAY_F32 ? array->data : arena_alloc(arena, (size_t)array->count * sizeof *out);
    for (int64_t i = 0; i < array->count; i++) {
        float value = array->type == ARRAY_F32 ? out[i] : (float)array_value(array, i);
        if (!isfinite(value)) {
            fail(error, "%s: element %lld is %g, not a finite f32", name, (long long)i, array_value(array, i));
            return NULL;
        }
        out[i] = value;
    }
    return out;
}

bool dataset_take_features(Dataset *dataset, const char *name, const Array *array, Error *error)
{
    if (array->rank < 1 || array->rank > 5)
        return fail(error, "%s: expected features of 1 to 5 dimensions, got %d", name, array->rank);
    if (array->count == 0)
        return fail(error, "%s: the features are empty", name);
    dataset->count = array->shape[0];
    dataset->rank = array->rank == 1 ? 1 : array->rank - 1;
    for (int i = 0; i < dataset->rank; i++)
        dataset->shape[i] = array->rank == 1 ? 1 : array->shape[i + 1];
    dataset->sample_stride = dataset_sample_size(dataset);
    dataset->type = array->type == ARRAY_U8 ? ARRAY_U8 : ARRAY_F32;
    dataset->features = array->type == ARRAY_U8 ? array->data : to_floats(dataset->arena, name, array, error);
    return dataset->features != NULL;
}

static bool take_classes(Dataset *dataset, const char *name, const Array *array, int64_t classes, Error *error)
{
    bool flat = array->rank == 1 || (array->rank == 2 && array->shape[1] == 1);
    if (!flat || !array_is_integer(array))
        return fail(error, "%s: classes are integers [N], got %s of %d dimensions", name,
                    array_is_integer(array) ? "integers" : "reals", array->rank);
    int64_t limit = classes == PARAM_UNSET ? DATASET_MOST_CLASSES : classes, largest = 0;
    dataset->labels = arena_alloc(dataset->arena, (size_t)array->count * sizeof *dataset->labels);
    for (int64_t i = 0; i < array->count; i++) {
        int64_t label = array_integer(array, i);
        if (label < 0 || label >= limit)
            return fail(error, "%s: element %lld: class %lld, expected 0 to %lld", name, (long long)i, (long long)label,
                        (long long)limit - 1);
        largest = label > largest ? label : largest;
        dataset->labels[i] = (int32_t)label;
    }
    dataset->target_kind = TARGET_CLASS;
    dataset->classes = classes == PARAM_UNSET ? largest + 1 : classes;
    return true;
}

static bool check_soft(const Dataset *dataset, const char *name, Error *error)
{
    for (int64_t i = 0; i < dataset->count; i++) {
        double sum = 0;
        for (int64_t c = 0; c < dataset->classes; c++) {
            double value = (double)dataset->values[i * dataset->classes + c];
            if (value < 0)
                return fail(error, "%s: row %lld: a probability of %g", name, (long long)i, value);
            sum += value;
        }
        if (fabs(sum - 1) > 1e-3)
            return fail(error, "%s: row %lld: the probabilities sum to %g", name, (long long)i, sum);
    }
    return true;
}

static int64_t find_not_binary(const Array *array)
{
    for (int64_t i = 0; i < array->count; i++) {
        double value = array_value(array, i);
        if (value != 0 && value != 1)
            return i;
    }
    return -1;
}

static bool take_values(Dataset *dataset, const char *name, const Array *array, TargetReading reading, Error *error)
{
    if (array->rank != 1 && array->rank != 2)
        return fail(error, "%s: expected targets [N] or [N, K], got %d dimensions", name, array->rank);
    if (reading == READ_LABELS) {
        int64_t wrong = find_not_binary(array);
        if (wrong >= 0)
            return fail(error, "%s: element %lld: expected a label 0 or 1, got %g", name, (long long)wrong,
                        array_value(array, wrong));
    }
    dataset->classes = array->rank == 2 ? array->shape[1] : 1;
    if (dataset->classes == 0)
        return fail(error, "%s: the targets are empty", name);
    dataset->values = to_floats(dataset->arena, name, array, error);
    if (!dataset->values)
        return false;
    dataset->target_kind = reading == READ_SOFT ? TARGET_SOFT : reading == READ_LABELS ? TARGET_LABELS : TARGET_VALUES;
    return reading != READ_SOFT || check_soft(dataset, name, error);
}

bool dataset_take_targets(Dataset *dataset, const char *name, const Array *array, TargetReading reading,
                          int64_t classes, Error *error)
{
    if (array->rank < 1 || array->shape[0] != dataset->count)
        return fail(error, "%s: %lld targets for %lld samples", name, (long long)(array->rank ? array->shape[0] : 1),
                    (long long)dataset->count);
    if (reading == READ_AUTO) {
        bool column = array->rank == 1 || (array->rank == 2 && array->shape[1] == 1);
        if (!array_is_integer(array))
            reading = READ_VALUES;
        else if (column)
            reading = READ_CLASS;
        else if (find_not_binary(array) < 0)
            reading = READ_LABELS;
        else
            return fail(error,
                        "%s: integers of several columns that are not 0 or 1; say what they are with \"targets\"",
                        name);
    }
    return reading == READ_CLASS ? take_classes(dataset, name, array, classes, error)
                                 : take_values(dataset, name, array, reading, error);
}

void dataset_share_classes(Dataset *a, Dataset *b)
{
    if (a->target_kind == TARGET_CLASS && b->target_kind == TARGET_CLASS)
        a->classes = b->classes = a->classes > b->classes ? a->classes : b->classes;
}

bool dataset_take_column(Dataset *dataset, const char *name, const char *column, const Array *array, Error *error)
{
    if (array->rank < 1 || array->rank > 2 || array->shape[0] != dataset->count || array->count == 0)
        return fail(error, "%s: expected [%lld] or [%lld, width], a row a sample", name, (long long)dataset->count,
                    (long long)dataset->count);
    const float *values = to_floats(dataset->arena, name, array, error);
    if (values)
        dataset_add_column(dataset, column, array->rank == 2 ? array->shape[1] : 1, values);
    return values != NULL;
}

typedef struct GroupStart { int64_t group, row; } GroupStart;

static int compare_starts(const void *a, const void *b)
{
    const GroupStart *left = a, *right = b;
    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

/* Two runs of one number are a group that was left and entered again. */
static bool check_apart(const char *name, GroupStart *starts, int64_t count, Error *error)
{
    qsort(starts, (size_t)count, sizeof *starts, compare_starts);
    for (int64_t i = 1; i < count; i++)
        if (starts[i].group == starts[i - 1].group)
            return fail(error, "%s: row %lld: group %lld goes on after another began; sort the samples by group", name,
                        (long long)starts[i].row, (long long)starts[i].group);
    return true;
}

bool dataset_take_groups(Dataset *dataset, const char *name, const Array *array, Error *error)
{
    if (array->rank != 1 || array->shape[0] != dataset->count || !array_is_integer(array))
        return fail(error, "%s: expected integers [%lld], the group of each sample", name, (long long)dataset->count);
    int32_t *groups = arena_alloc(dataset->arena, (size_t)dataset->count * sizeof *groups);
    GroupStart *starts = memory_array((size_t)dataset->count, sizeof *starts);
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->count; i++) {
        int64_t group = array_integer(array, i);
        if (count == 0 || group != starts[count - 1].group)
            starts[count++] = (GroupStart){group, i};
        groups[i] = (int32_t)(count - 1);
    }
    dataset->groups = groups;
    dataset->group_count = count;
    bool good = check_apart(name, starts, count, error);
    memory_free(starts);
    return good;
}

bool dataset_take_label_features(Dataset *dataset, const char *name, const Array *array, Error *error)
{
    if (dataset->target_kind != TARGET_LABELS)
        return fail(error, "%s: features of labels, but the targets are no labels", name);
    if (array->rank != 2 || array->shape[0] != dataset->classes || array->count == 0)
        return fail(error, "%s: expected [%lld, width], a row a label", name, (long long)dataset->classes);
    dataset->label_width = array->shape[1];
    dataset->label_features = to_floats(dataset->arena, name, array, error);
    return dataset->label_features != NULL;
}
