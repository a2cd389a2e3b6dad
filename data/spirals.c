/* Arms of a spiral in the plane, a class each. */
#include "data/generator.h"

struct spirals {
    DatasetCommon common;
    SplitCounts counts;
    int64_t classes;
    double turns, noise;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct spirals, "samples", "1000", "200", "1000"),
    PARAM_INT(struct spirals, classes, 2, .min = 2, .max = 100, .help = "number of arms"),
    PARAM_FLOAT(struct spirals, turns, 1.5, .min = 0, .max = 20, .help = "how often an arm winds around the origin"),
    PARAM_FLOAT(struct spirals, noise, 0.03, .min = 0, .max = 1,
                .help = "standard deviation of the noise of each coordinate; arms are 1 long"),
    DATASET_COMMON_ROWS(struct spirals, "false"),
    PARAM_END,
};

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const struct spirals *self = context;
    int32_t arm = balanced_label(slot, self->classes);
    double t = random_uniform(&slot->random);
    double angle = 6.28318530717958648 * (self->turns * t + (double)arm / (double)self->classes);
    float *point = (float *)dataset->features + slot->index * 2;
    point[0] = (float)(t * cos(angle) + self->noise * random_normal(&slot->random));
    point[1] = (float)(t * sin(angle) + self->noise * random_normal(&slot->random));
    dataset->labels[slot->index] = arm;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct spirals *self = values;
    Dataset *dataset = vector_dataset_new(2, TARGET_CLASS, self->classes, split_counts_total(&self->counts));
    generate_samples(splits, dataset, &self->counts, generator_seed(&self->common, seed), "spirals", fill, self);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct spirals *self = values;
    vector_describe(2, TARGET_CLASS, self->classes, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

const DatasetDef dataset_spirals = {
    .component = {
        .name = "spirals", .summary = "interleaved arms of a spiral in the plane, a class each",
        .params = params, .size = sizeof(struct spirals),
        .formula = "x = t (cos a, sin a) + noise N(0, I), a = 2 pi (turns t + y / classes), t uniform in [0, 1)",
        .notes = "Sample i of a split is of arm i mod classes.",
    },
    .load = load, .describe = describe,
};
