#include "data/blank.h"

#include <math.h>

#include "core/base/random.h"

#define CONTRAST_LEFT 0.05

/* What is left of the differences to the sample's mean is a twentieth. */
static void fade(Dataset *dataset, int64_t index)
{
    int64_t size = dataset_sample_size(dataset), begin = index * dataset->sample_stride;
    uint8_t *bytes = dataset->type == ARRAY_U8 ? (uint8_t *)dataset->features + begin : NULL;
    float *reals = bytes ? NULL : (float *)dataset->features + begin;
    double mean = 0;
    for (int64_t i = 0; i < size; i++)
        mean += (bytes ? bytes[i] : (double)reals[i]) / (double)size;
    for (int64_t i = 0; i < size; i++) {
        if (bytes)
            bytes[i] = (uint8_t)(mean + (bytes[i] - mean) * CONTRAST_LEFT + 0.5);
        else
            reals[i] = (float)(mean + ((double)reals[i] - mean) * CONTRAST_LEFT);
    }
}

static bool check(const Dataset *dataset, Error *error)
{
    if (dataset->type == ARRAY_I32)
        return fail_usage(error, "data.blank: tokens have no contrast");
    if (dataset->target_kind != TARGET_CLASS)
        return fail_usage(error, "data.blank: the targets are not classes");
    if (dataset_column(dataset, BLANK_COLUMN) || dataset->column_count == DATASET_MOST_COLUMNS)
        return fail_usage(error, "data.blank: the data have an extra \"" BLANK_COLUMN "\", or too many extras");
    return true;
}

bool blank_apply(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (keys->blank == 0)
        return true;
    float *marks = NULL;
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i]) {
            Dataset *dataset = splits->datasets[i];
            if (!check(dataset, error))
                return false;
            float *values = arena_zero(dataset->arena, (size_t)dataset->count, sizeof *values);
            dataset_add_column(dataset, BLANK_COLUMN, 1, values);
            if (dataset == splits->train.dataset)
                marks = values;
        }
    Arena *scratch = arena_new();
    Dataset *dataset = splits->train.dataset;
    int64_t count = splits->train.count, *order = arena_alloc(scratch, (size_t)count * sizeof *order);
    int64_t faded = llround(keys->blank * (double)count);
    Random draw = random_start(seed, "data.blank", 0), choice = random_start(seed, "data.blank", 1);
    random_permutation(&draw, count, order);
    for (int64_t i = 0; i < faded; i++) {
        int64_t index = splits->train.order[order[i]];
        fade(dataset, index);
        dataset->labels[index] = (int32_t)random_below(&choice, dataset->classes);
        marks[index] = 1;
    }
    arena_free(scratch);
    return true;
}

void blank_describe(const DatasetCommon *keys, Dataset *shape)
{
    if (keys->blank > 0)
        shape->columns[shape->column_count++] = (DatasetColumn){BLANK_COLUMN, 1, NULL};
}
