#include "data/dataset.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/memory_limit.h"
#include "data/blank.h"
#include "data/label_noise.h"
#include "data/normalize.h"
#include "data/only_classes.h"
#include "data/parts.h"
#include "data/split.h"

Dataset *dataset_new(void)
{
    Arena *arena = arena_new();
    Dataset *dataset = arena_zero(arena, 1, sizeof *dataset);
    dataset->arena = arena;
    dataset->entropy_rate = dataset->discount = NAN;
    return dataset;
}

void dataset_free(Dataset *dataset)
{
    if (dataset)
        arena_free(dataset->arena);
}

Dataset *data_splits_add(DataSplits *splits)
{
    int at = 0;
    while (at < 3 && splits->datasets[at])
        at++;
    assert(at < 3);
    return splits->datasets[at] = dataset_new();
}

DataSplit data_split_all(Arena *arena, Dataset *dataset)
{
    DataSplit split = {dataset, dataset->count, arena_alloc(arena, (size_t)dataset->count * sizeof *split.order)};
    for (int64_t i = 0; i < dataset->count; i++)
        split.order[i] = i;
    return split;
}

void data_free(DataSplits *splits)
{
    for (int i = 0; i < 3; i++)
        dataset_free(splits->datasets[i]);
    arena_free(splits->arena);
    *splits = (DataSplits){0};
}

int64_t dataset_sample_size(const Dataset *dataset)
{
    int64_t size = 1;
    for (int i = 0; i < dataset->rank; i++)
        size *= dataset->shape[i];
    return size;
}

void dataset_add_column(Dataset *dataset, const char *name, int64_t width, const float *values)
{
    assert(dataset->column_count < DATASET_MOST_COLUMNS && !dataset_column(dataset, name));
    dataset->columns[dataset->column_count++] = (DatasetColumn){arena_string(dataset->arena, name), width, values};
}

const DatasetColumn *dataset_column(const Dataset *dataset, const char *name)
{
    for (int i = 0; i < dataset->column_count; i++)
        if (strcmp(dataset->columns[i].name, name) == 0)
            return &dataset->columns[i];
    return NULL;
}

int64_t dataset_group_end(const Dataset *dataset, const int64_t *order, int64_t begin, int64_t count)
{
    int64_t end = begin + 1;
    while (end < count && dataset->groups[order[end]] == dataset->groups[order[begin]])
        end++;
    return end;
}

static void normalize_sample(const Dataset *dataset, int64_t size, float *out)
{
    const float *mean = dataset->mean, *deviation = dataset->deviation;
    if (dataset->rank < 3) {
        for (int64_t i = 0; i < size; i += dataset->normalized)
            for (int64_t c = 0; c < dataset->normalized; c++)
                out[i + c] = (out[i + c] - mean[c]) / deviation[c];
        return;
    }
    int64_t plane = size / dataset->normalized;
    for (int64_t c = 0; c < dataset->normalized; c++)
        for (int64_t i = 0; i < plane; i++)
            out[c * plane + i] = (out[c * plane + i] - mean[c]) / deviation[c];
}

void dataset_sample(const Dataset *dataset, int64_t index, float *out)
{
    assert(dataset->type == ARRAY_F32 || dataset->type == ARRAY_U8);
    int64_t size = dataset_sample_size(dataset), start = index * dataset->sample_stride;
    if (dataset->type == ARRAY_F32) {
        memcpy(out, (const float *)dataset->features + start, (size_t)size * sizeof *out);
    } else {
        const uint8_t *bytes = (const uint8_t *)dataset->features + start;
        for (int64_t i = 0; i < size; i++)
            out[i] = (float)bytes[i] / 255.0f;
    }
    if (dataset->normalized)
        normalize_sample(dataset, size, out);
}

void dataset_next_sample(const Dataset *dataset, int64_t index, float *out)
{
    const DatasetColumn *next = dataset_column(dataset, COLUMN_NEXT);
    int64_t size = dataset_sample_size(dataset);
    assert(next && next->width == size && dataset->type == ARRAY_F32);
    memcpy(out, next->values + index * size, (size_t)size * sizeof *out);
    if (dataset->normalized)
        normalize_sample(dataset, size, out);
}

bool dataset_common_validate(const void *values, Error *error)
{
    const DatasetCommon *keys = values;
    if (!only_classes_validate(keys, error))
        return false;
    if (keys->folds == 1)
        return fail_usage(error, "folds: one part leaves nothing to train on; give 0 or at least 2");
    if (keys->folds ? keys->fold >= keys->folds : keys->fold > 0)
        return fail_usage(error, "fold: expected below folds (%lld), got %lld", (long long)keys->folds,
                          (long long)keys->fold);
    if (keys->split.count == 0)
        return true;
    if (keys->split.count != 2 && keys->split.count != 3)
        return fail_usage(error, "split: expected 2 shares (train, val) or 3 (train, val, test), got %lld",
                          (long long)keys->split.count);
    if (keys->split.count == 3 && keys->folds)
        return fail_usage(error, "split: with folds the test split is a fold; give two shares (train, val) or none");
    double sum = 0;
    for (int64_t i = 0; i < keys->split.count; i++)
        sum += keys->split.items[i];
    if (fabs(sum - 1) > 1e-6)
        return fail_usage(error, "split: expected shares that sum to 1, got a sum of %g", sum);
    return keys->split.items[0] > 0 || fail_usage(error, "split: the share of train is 0");
}

static bool same_names(const char *const *a, const char *const *b, int64_t count)
{
    for (int64_t i = 0; a && b && i < count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

/* What trains and what is tested must mean the same. */
static bool check_agreement(const DataSplit *split, const char *name, const Dataset *train, Error *error)
{
    const Dataset *other = split->dataset;
    if (!other || other == train)
        return true;
    bool same = other->rank == train->rank && (other->type == ARRAY_I32) == (train->type == ARRAY_I32);
    for (int i = 0; i < train->rank && same; i++)
        same = other->shape[i] == train->shape[i];
    if (!same)
        return fail(error, "data.%s: its samples are of another shape than those of train (%lld and %lld elements)",
                    name, (long long)dataset_sample_size(other), (long long)dataset_sample_size(train));
    if (other->target_kind != train->target_kind || other->classes != train->classes)
        return fail(error, "data.%s: its targets are others than those of train (%lld and %lld classes or values)",
                    name, (long long)other->classes, (long long)train->classes);
    bool columns = other->column_count == train->column_count && !other->group_count == !train->group_count;
    for (int i = 0; i < train->column_count && columns; i++)
        columns = strcmp(other->columns[i].name, train->columns[i].name) == 0 &&
                  other->columns[i].width == train->columns[i].width;
    if (other->label_width != train->label_width)
        return fail(error, "data.%s: its labels have other features than those of train", name);
    if (!columns)
        return fail(error, "data.%s: its extras or groups are others than those of train", name);
    if (!same_names(other->class_names, train->class_names, train->classes))
        return fail(error, "data.%s: its classes have other names than those of train", name);
    return same_names(other->feature_names, train->feature_names, train->rank ? train->shape[0] : 0) ||
           fail(error, "data.%s: its columns are others than those of train; read both files as one data set", name);
}

static bool prepare(const Instance *data, uint64_t seed, DataSplits *splits, Error *error)
{
    const DatasetDef *def = (const DatasetDef *)(const void *)data->component;
    const DatasetCommon *keys = data->values;
    if (!dataset_common_validate(keys, error))
        return fail_at(error, "data");
    if (keys->data_seed != PARAM_UNSET)
        seed = (uint64_t)keys->data_seed;
    if (!def->load(data->values, seed, splits, error) || !only_classes_apply(keys, splits, error))
        return false;
    if (splits->train.count == 0)
        return fail(error, "data: %s gives no training samples", data->component->name);
    const Dataset *train = splits->train.dataset;
    return check_agreement(&splits->val, "val", train, error) && check_agreement(&splits->test, "test", train, error) &&
           split_divide(keys, seed, splits, error) && split_reduce(keys, seed, splits, error) &&
           label_noise_apply(keys, seed, splits, error) && blank_apply(keys, seed, splits, error);
}

bool data_load_unfitted(const Instance *data, uint64_t seed, DataSplits *splits, Error *error)
{
    *splits = (DataSplits){.arena = arena_new()};
    size_t before = memory_limit(INPUT_MOST_MEMORY);
    bool good = prepare(data, seed, splits, error);
    if (!good)
        data_free(splits);
    memory_limit_restore(before);
    return good;
}

static void fit_propensities(DataSplits *splits)
{
    const Dataset *train = splits->train.dataset;
    if (train->target_kind != TARGET_LABELS || splits->train.count < 3) /* C would not be positive */
        return;
    double *propensities = arena_zero(splits->arena, (size_t)train->classes, sizeof *propensities);
    for (int64_t i = 0; i < splits->train.count; i++)
        for (int64_t l = 0; l < train->classes; l++)
            propensities[l] += train->values[splits->train.order[i] * train->classes + l] > 0;
    double factor = (log((double)splits->train.count) - 1) * pow(2.5, 0.55);
    for (int64_t l = 0; l < train->classes; l++)
        propensities[l] = 1 / (1 + factor * pow(propensities[l] + 1.5, -0.55));
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i])
            splits->datasets[i]->propensities = propensities;
}

bool data_load(const Instance *data, uint64_t seed, DataSplits *splits, Error *error)
{
    if (!data_load_unfitted(data, seed, splits, error))
        return false;
    const DatasetCommon *keys = parts_fitting_keys(data);
    if ((keys->normalize && !normalize_features(splits, error)) ||
        (keys->standardize_targets && !normalize_targets(splits, error))) {
        data_free(splits);
        return false;
    }
    fit_propensities(splits);
    return true;
}

bool data_describe(const Instance *data, Dataset *shape)
{
    const DatasetDef *def = (const DatasetDef *)(const void *)data->component;
    if (!def->describe || !def->describe(data->values, shape) || !only_classes_describe(data->values, shape))
        return false;
    blank_describe(data->values, shape);
    return true;
}

/* Parses an object as parts: it has no "type" for instance_parse to go by. */
static bool parse_parts(ParamContext *context, const cJSON *value, Instance *instance)
{
    const Component *component = &dataset_parts.component;
    Parts *parts = arena_zero(context->arena, 1, component->size);
    if (!params_parse(context, component->params, false, value, parts))
        return false;
    *instance = (Instance){component, parts};
    return component->validate(parts, context->error) || param_refused(context, value);
}

bool data_instance_parse(ParamContext *context, const cJSON *value, Instance *instance)
{
    static const char *const names[] = {"train", "val", "test"};
    bool parts = false;
    for (int i = 0; i < 3; i++)
        parts |= cJSON_GetObjectItemCaseSensitive(value, names[i]) != NULL;
    if (parts && !cJSON_GetObjectItemCaseSensitive(value, "type"))
        return parse_parts(context, value, instance);
    return instance_parse(context, "dataset", value, instance) &&
           (dataset_common_validate(instance->values, context->error) || param_refused(context, value));
}
