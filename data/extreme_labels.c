/* Many labels, each sample with few of them, popular ones often: the miniature of Gupta et al. 2024 (DEXML). */
#include <math.h>

#include "data/generator.h"

struct extreme_labels {
    DatasetCommon common;
    SplitCounts counts;
    int64_t labels, dimensions, most;
    double popularity, score_noise, stop, noise, feature_noise;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct extreme_labels, "samples", "2500", "200", "800"),
    PARAM_INT(struct extreme_labels, labels, 200, .min = 2, .max = 1e6, .help = "number of labels"),
    PARAM_INT(struct extreme_labels, dimensions, 24, .min = 1, .max = 4096, .help = "of features, and of labels'"),
    PARAM_FLOAT(struct extreme_labels, popularity, 0.7, .min = 0, .max = 10,
                .help = "the label of rank r is a sample's anchor in proportion to r^-popularity"),
    PARAM_FLOAT(struct extreme_labels, stop, 0.25, .min = 0.001, .max = 1,
                .help = "the number of a sample's labels is geometric with this probability of stopping"),
    PARAM_INT(struct extreme_labels, most, 15, .min = 1, .max = 1e6, .help = "labels that a sample has at most"),
    PARAM_FLOAT(struct extreme_labels, score_noise, 0.075, .min = 0, .max = 100,
                .help = "deviation of what a label's similarity to the anchor is off by"),
    PARAM_FLOAT(struct extreme_labels, noise, 0.12, .min = 0, .max = 100, .help = "deviation of features"),
    PARAM_FLOAT(struct extreme_labels, feature_noise, 0.05, .min = 0, .max = 100,
                .help = "deviation of the labels' features"),
    DATASET_COMMON_ROWS(struct extreme_labels, "false"),
    PARAM_END,
};

typedef struct Truth {
    const struct extreme_labels *self;
    double *vectors;            /* [labels, dimensions], of length 1 */
    double *rotation;           /* [dimensions, dimensions] */
    double *popularity;         /* [labels], sum 1 */
} Truth;

static Truth draw_truth(const struct extreme_labels *self, uint64_t seed, Arena *arena)
{
    Random random = generator_truth(seed, "extreme-labels");
    int64_t labels = self->labels, n = self->dimensions;
    Truth truth = {self, arena_alloc(arena, (size_t)(labels * n) * sizeof(double)),
                   arena_alloc(arena, (size_t)(n * n) * sizeof(double)),
                   arena_alloc(arena, (size_t)labels * sizeof(double))};
    double sum = 0;
    for (int64_t l = 0; l < labels; l++) {
        double square = 0, *z = truth.vectors + l * n;
        for (int64_t i = 0; i < n; i++) {
            z[i] = random_normal(&random);
            square += z[i] * z[i];
        }
        for (int64_t i = 0; i < n; i++)
            z[i] /= sqrt(square);
        sum += truth.popularity[l] = pow((double)l + 1, -self->popularity);
    }
    for (int64_t l = 0; l < labels; l++)
        truth.popularity[l] /= sum;
    for (int64_t i = 0; i < n * n; i++)
        truth.rotation[i] = random_normal(&random) / sqrt((double)n);
    return truth;
}

/* The `count` labels of highest score, by selection: few of many. */
static void choose(double *scores, int64_t labels, int64_t count, float *chosen)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t best = 0;
        for (int64_t l = 1; l < labels; l++)
            if (scores[l] > scores[best])
                best = l;
        scores[best] = -INFINITY;
        chosen[best] = 1;
    }
}

static int64_t draw_count(const struct extreme_labels *self, Random *random)
{
    int64_t count = 1;
    while (count < self->most && count < self->labels && random_uniform(random) >= self->stop)
        count++;
    return count;
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct extreme_labels *self = truth->self;
    int64_t labels = self->labels, n = self->dimensions;
    Random *random = &slot->random;
    double *scores = memory_array((size_t)labels, sizeof *scores), *mean = memory_array((size_t)n, sizeof *mean);
    float *chosen = dataset->values + slot->index * labels;
    const double *anchor = truth->vectors + n * random_choice(truth->popularity, labels, random_uniform(random));
    int64_t count = draw_count(self, random);
    for (int64_t l = 0; l < labels; l++) {
        scores[l] = self->score_noise * random_normal(random);
        for (int64_t i = 0; i < n; i++)
            scores[l] += truth->vectors[l * n + i] * anchor[i];
    }
    choose(scores, labels, count, chosen);
    for (int64_t l = 0; l < labels; l++)
        for (int64_t i = 0; chosen[l] > 0 && i < n; i++)
            mean[i] += truth->vectors[l * n + i] / (double)count;
    for (int64_t i = 0; i < n; i++)
        mean[i] += self->noise * random_normal(random);
    float *features = (float *)dataset->features + slot->index * n;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += mean[k] * truth->rotation[k * n + i];
        features[i] = (float)sum;
    }
    memory_free(scores);
    memory_free(mean);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct extreme_labels *self = values;
    int64_t labels = self->labels, n = self->dimensions, count = split_counts_total(&self->counts);
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    Dataset *dataset = vector_dataset_new(n, TARGET_LABELS, labels, count);
    generate_samples(splits, dataset, &self->counts, seed, "extreme-labels", fill, &truth);
    float *features = arena_alloc(dataset->arena, (size_t)(labels * n) * sizeof *features);
    Random random = generator_truth(seed, "extreme-labels features");
    for (int64_t i = 0; i < labels * n; i++)
        features[i] = (float)(truth.vectors[i] + self->feature_noise * random_normal(&random));
    dataset->label_features = features;
    dataset->label_width = n;
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct extreme_labels *self = values;
    vector_describe(self->dimensions, TARGET_LABELS, self->labels, shape);
    shape->count = split_counts_total(&self->counts);
    shape->label_width = self->dimensions;
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct extreme_labels *self = values;
    int64_t labels = self->labels, count = split_counts_total(&self->counts);
    return (double)count * (double)labels <= 5e8 ||
           fail_usage(error, "labels: %lld samples of %lld labels are more than 2 GB; lower count or labels",
                      (long long)count, (long long)labels);
}

const DatasetDef dataset_extreme_labels = {
    .component = {
        .name = "extreme-labels", .summary = "few of very many labels, which have features of their own",
        .params = params, .size = sizeof(struct extreme_labels), .validate = validate,
        .formula = "x = R^T (mean of z over the sample's labels + noise N(0, I)), labels' features z + feature_noise "
                   "N(0, I)",
        .notes = "Label vectors z have length 1. A sample's labels are those that are nearest to z of a popular "
                 "anchor, by z_l . z_c + score_noise N(0, 1); R has elements N(0, 1 / dimensions).",
        .source = "after arXiv:2310.10636",
    },
    .load = load, .describe = describe,
};
