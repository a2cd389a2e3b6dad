#include "data/only_classes.h"

bool only_classes_validate(const DatasetCommon *keys, Error *error)
{
    const IntList *only = &keys->only_classes;
    for (int64_t i = 0; i < only->count; i++)
        for (int64_t k = 0; k < i; k++)
            if (only->items[i] == only->items[k])
                return fail_usage(error, "only_classes: class %lld twice", (long long)only->items[i]);
    return true;
}

static bool check(const IntList *only, const Dataset *dataset, Error *error)
{
    if (dataset->target_kind != TARGET_CLASS)
        return fail_usage(error, "data.only_classes: the targets are not classes");
    if (dataset->group_count)
        return fail_usage(error, "data.only_classes: groups are taken whole, whatever their members' classes");
    for (int64_t k = 0; k < only->count; k++)
        if (only->items[k] >= dataset->classes)
            return fail_usage(error, "data.only_classes: %lld is outside 0..%lld", (long long)only->items[k],
                              (long long)dataset->classes - 1);
    return true;
}

/* p(y | x, y in the list), of the samples that stay. */
static void keep_posteriors(const IntList *only, Dataset *dataset)
{
    double *kept = arena_zero(dataset->arena, (size_t)(dataset->count * only->count), sizeof *kept);
    for (int64_t i = 0; i < dataset->count; i++) {
        double sum = 0;
        for (int64_t k = 0; k < only->count; k++)
            sum += kept[i * only->count + k] = dataset->posteriors[i * dataset->classes + only->items[k]];
        for (int64_t k = 0; sum > 0 && k < only->count; k++)
            kept[i * only->count + k] /= sum;
    }
    dataset->posteriors = kept;
}

static void keep_classes(const IntList *only, Dataset *dataset)
{
    int32_t *numbers = arena_alloc(dataset->arena, (size_t)dataset->classes * sizeof *numbers);
    for (int64_t c = 0; c < dataset->classes; c++)
        numbers[c] = -1;
    for (int64_t k = 0; k < only->count; k++)
        numbers[only->items[k]] = (int32_t)k;
    for (int64_t i = 0; i < dataset->count; i++)
        dataset->labels[i] = numbers[dataset->labels[i]];
    if (dataset->class_names) {
        const char **names = arena_alloc(dataset->arena, (size_t)only->count * sizeof *names);
        for (int64_t k = 0; k < only->count; k++)
            names[k] = dataset->class_names[only->items[k]];
        dataset->class_names = names;
    }
    if (dataset->posteriors)
        keep_posteriors(only, dataset);
    dataset->classes = only->count;
}

bool only_classes_apply(const DatasetCommon *keys, DataSplits *splits, Error *error)
{
    const IntList *only = &keys->only_classes;
    if (only->count == 0)
        return true;
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i] && !check(only, splits->datasets[i], error))
            return false;
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i])
            keep_classes(only, splits->datasets[i]);
    DataSplit *all[] = {&splits->train, &splits->val, &splits->test};
    for (int i = 0; i < 3; i++) {
        int64_t kept = 0;
        for (int64_t k = 0; k < all[i]->count; k++)
            if (all[i]->dataset->labels[all[i]->order[k]] >= 0)
                all[i]->order[kept++] = all[i]->order[k];
        all[i]->count = kept;
    }
    return splits->train.count > 0 || fail(error, "data.only_classes: no training sample is of these classes");
}

bool only_classes_describe(const DatasetCommon *keys, Dataset *shape)
{
    const IntList *only = &keys->only_classes;
    Error ignored = {0};
    if (only->count == 0)
        return true;
    if (!check(only, shape, &ignored))
        return false;
    shape->classes = only->count;
    shape->class_names = NULL;
    return true;
}
