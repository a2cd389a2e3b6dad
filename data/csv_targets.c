#include "data/csv_targets.h"

#include <math.h>

#include "data/dataset_arrays.h"

const char *const csv_task_names[] = {"auto", "classification", "regression", NULL};

static bool are_classes(const CsvCategories *found)
{
    if (!found->numeric)
        return true;
    for (int64_t i = 0; i < found->count; i++) {
        double value = 0;
        csv_number(found->names[i], &value);
        if (value != floor(value))
            return false;
    }
    return found->count <= CSV_MOST_CLASSES;
}

bool csv_targets_fit(const CsvFile *file, CsvTask task, Arena *arena, CsvTargets *targets, Error *error)
{
    if (task == CSV_CLASSIFICATION && targets->count != 1)
        return fail(error, "%s: data.task: %lld target columns cannot be classes", file->path,
                    (long long)targets->count);
    for (int64_t i = 0; i < file->rows; i++)
        for (int64_t k = 0; k < targets->count; k++)
            if (csv_is_mark(csv_cell(file, i, targets->columns[k])))
                return csv_fail(file, i, targets->columns[k], error,
                                "no target; \"missing\": \"drop\" leaves such rows out");
    if (targets->count == 1)
        csv_categories_fit(file, targets->columns[0], arena, &targets->classes);
    targets->classification = task == CSV_CLASSIFICATION ||
                              (task == CSV_AUTO && targets->count == 1 && are_classes(&targets->classes));
    return true;
}

static bool encode_classes(const CsvFile *file, const CsvTargets *targets, Dataset *dataset, Error *error)
{
    dataset->target_kind = TARGET_CLASS;
    dataset->classes = targets->classes.count;
    dataset->class_names = copy_names(dataset->arena, targets->classes.names, targets->classes.count);
    dataset->labels = arena_alloc(dataset->arena, (size_t)file->rows * sizeof *dataset->labels);
    for (int64_t i = 0; i < file->rows; i++) {
        const char *cell = csv_cell(file, i, targets->columns[0]);
        int64_t label = csv_category_find(&targets->classes, cell);
        if (label < 0)
            return csv_fail(file, i, targets->columns[0], error, "\"%.40s\" is no class of the training file", cell);
        dataset->labels[i] = (int32_t)label;
    }
    return true;
}

bool csv_targets_encode(const CsvFile *file, const CsvTargets *targets, Dataset *dataset, Error *error)
{
    if (targets->classification)
        return encode_classes(file, targets, dataset, error);
    dataset->target_kind = TARGET_VALUES;
    dataset->classes = targets->count;
    dataset->values = arena_alloc(dataset->arena, (size_t)(file->rows * targets->count) * sizeof *dataset->values);
    for (int64_t i = 0; i < file->rows; i++)
        for (int64_t k = 0; k < targets->count; k++) {
            const char *cell = csv_cell(file, i, targets->columns[k]);
            double value;
            if (!csv_number(cell, &value) || !isfinite((float)value))
                return csv_fail(file, i, targets->columns[k], error, "expected a number as target, got \"%.40s\"",
                                cell);
            dataset->values[i * targets->count + k] = (float)value;
        }
    return true;
}
