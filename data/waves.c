/* A smooth function of several numbers, learnt from targets with heavy-tailed noise and measured without it. */
#include "core/base/random_distributions.h"
#include "data/generator.h"

enum { DIMENSIONS_MAX = 1000 };

struct waves {
    DatasetCommon common;
    SplitCounts counts;
    int64_t dimensions;
    double frequency, noise, noise_freedom;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct waves, "samples", "4000", "0", "2000"),
    PARAM_INT(struct waves, dimensions, 6, .min = 1, .max = DIMENSIONS_MAX, .help = "features, uniform in [-1, 1)"),
    PARAM_FLOAT(struct waves, frequency, 4, .min = 0, .max = 1000, .help = "largest of the waves, in radians"),
    PARAM_FLOAT(struct waves, noise, 0, .min = 0, .max = 1000,
                .help = "factor of what is added to the training targets, Student's t"),
    PARAM_FLOAT(struct waves, noise_freedom, 2.5, .min = 1, .max = 1e6,
                .help = "degrees of freedom of that t; above 2 its variance is finite"),
    DATASET_COMMON_ROWS(struct waves, "false"),
    PARAM_END,
};

typedef struct Truth {
    const struct waves *self;
    double frequencies[DIMENSIONS_MAX], phases[DIMENSIONS_MAX];
} Truth;

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct waves *self = truth->self;
    Random *random = &slot->random;
    float *row = (float *)dataset->features + slot->index * dataset->sample_stride;
    double value = 0;
    for (int64_t j = 0; j < self->dimensions; j++) {
        const double x = 2 * random_uniform(random) - 1;
        row[j] = (float)x;
        value += sqrt(2 / (double)self->dimensions) * sin(truth->frequencies[j] * x + truth->phases[j]);
    }
    const double chi_square = 2 * random_gamma(random, self->noise_freedom / 2), normal = random_normal(random);
    if (slot->index == slot->place) /* training */
        value += self->noise * normal / sqrt(chi_square / self->noise_freedom);
    dataset->values[slot->index] = (float)value;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct waves *self = values;
    seed = generator_seed(&self->common, seed);
    Random random = generator_truth(seed, "waves");
    Truth truth = {.self = self};
    for (int64_t j = 0; j < self->dimensions; j++) {
        truth.frequencies[j] = self->frequency * random_uniform(&random);
        truth.phases[j] = 2 * M_PI * random_uniform(&random);
    }
    Dataset *dataset = vector_dataset_new(self->dimensions, TARGET_VALUES, 1, split_counts_total(&self->counts));
    generate_samples(splits, dataset, &self->counts, seed, "waves", fill, &truth);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct waves *self = values;
    vector_describe(self->dimensions, TARGET_VALUES, 1, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

const DatasetDef dataset_waves = {
    .component = {
        .name = "waves", .summary = "a sum of sines, its training targets with heavy-tailed noise",
        .params = params, .size = sizeof(struct waves),
        .formula = "y = sqrt(2 / d) sum_j sin(w_j x_j + phi_j) + noise t",
        .notes = "Frequencies w are uniform in [0, frequency), phases in [0, 2 pi). Targets of val and test have no "
                 "noise: errors are those of the function. Its values lie within sqrt(2 d) of 0.",
    },
    .load = load, .describe = describe,
};
