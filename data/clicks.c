/* Clicks on what eight categories say, by products of their hidden values: the miniature of Li et al. 2024 (FCN). */
#include <math.h>

#include "data/generator.h"

enum { FIELDS = 8, LEVELS = 10, FEATURES = FIELDS * LEVELS, CLASSES = 2 };

struct clicks {
    DatasetCommon common;
    SplitCounts counts;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct clicks, "samples", "12000", "2000", "8000"),
    DATASET_COMMON_ROWS(struct clicks, "false"),
    PARAM_END,
};

#define FIELD(f) f "=0", f "=1", f "=2", f "=3", f "=4", f "=5", f "=6", f "=7", f "=8", f "=9"
static const char *const feature_names[FEATURES] = {FIELD("f0"), FIELD("f1"), FIELD("f2"), FIELD("f3"),
                                                    FIELD("f4"), FIELD("f5"), FIELD("f6"), FIELD("f7")};

/* context: the values of the categories, [FIELDS][LEVELS]. */
static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const double *values = context;
    float *row = (float *)dataset->features + slot->index * FEATURES;
    double a[FIELDS], *posterior = (double *)dataset->posteriors + slot->index * CLASSES;
    for (int f = 0; f < FIELDS; f++) {
        int64_t level = random_below(&slot->random, LEVELS);
        row[f * LEVELS + level] = 1;
        a[f] = values[f * LEVELS + level];
    }
    posterior[0] = 0;
    posterior[1] = 1.2 * a[0] * a[1] + 1.2 * a[2] * a[3] * (a[4] < 0 ? -1 : 1) + 0.6 * a[5] * a[6] - 0.5;
    softmax_in_place(posterior, CLASSES);
    dataset->labels[slot->index] = random_uniform(&slot->random) < posterior[1];
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct clicks *self = values;
    seed = generator_seed(&self->common, seed);
    Random random = generator_truth(seed, "clicks");
    double truth[FEATURES];
    for (int i = 0; i < FEATURES; i++)
        truth[i] = random_normal(&random);
    int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = vector_dataset_new(FEATURES, TARGET_CLASS, CLASSES, count);
    dataset->feature_names = feature_names;
    dataset->posteriors = arena_zero(dataset->arena, (size_t)(count * CLASSES), sizeof(double));
    generate_samples(splits, dataset, &self->counts, seed, "clicks", fill, truth);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    vector_describe(FEATURES, TARGET_CLASS, CLASSES, shape);
    shape->feature_names = feature_names;
    shape->count = split_counts_total(&((const struct clicks *)values)->counts);
    return true;
}

const DatasetDef dataset_clicks = {
    .component = {
        .name = "clicks", .summary = "clicks on what eight categories say, by products of their hidden values",
        .params = params, .size = sizeof(struct clicks),
        .formula = "logit = 1.2 a_0 a_1 + 1.2 a_2 a_3 sign(a_4) + 0.6 a_5 a_6 - 0.5",
        .notes = "Eight fields f0 to f7 of ten equally likely categories, one-hot, each category with a value a from "
                 "N(0, 1). No field has an effect alone; f7 has none. p(click) is known exactly.",
        .source = "after arXiv:2407.13349",
    },
    .load = load, .describe = describe,
};
