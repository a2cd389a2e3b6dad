/* Queries and the documents that answer them, in clusters that are confusable to different degrees: the miniature of
   Sheikholeslami et al. 2025. */
#include <math.h>

#include "data/generator.h"

struct retrieval {
    DatasetCommon common;
    SplitCounts counts;
    int64_t documents, clusters, latent, dimensions;
    double least_spread, most_spread, query_noise, noise;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct retrieval, "queries", "600", "0", "200"),
    PARAM_INT(struct retrieval, documents, 800, .min = 2, .max = 1e6, .help = "number of documents, the classes"),
    PARAM_INT(struct retrieval, clusters, 20, .min = 1, .max = 1e6, .help = "that documents are drawn from"),
    PARAM_INT(struct retrieval, latent, 16, .min = 1, .max = 4096, .help = "dimensions of what a document is about"),
    PARAM_INT(struct retrieval, dimensions, 24, .min = 1, .max = 4096, .help = "features of queries, and of documents"),
    PARAM_FLOAT(struct retrieval, least_spread, 0.15, .min = 0, .max = 100, .help = "of a cluster, times 0.5"),
    PARAM_FLOAT(struct retrieval, most_spread, 1.5, .min = 0, .max = 100, .help = "of a cluster, times 0.5"),
    PARAM_FLOAT(struct retrieval, query_noise, 0.35, .min = 0, .max = 100,
                .help = "deviation of what a query asks for from its document"),
    PARAM_FLOAT(struct retrieval, noise, 0.05, .min = 0, .max = 100, .help = "deviation of features"),
    DATASET_COMMON_ROWS(struct retrieval, "false"),
    PARAM_END,
};

typedef struct Truth {
    const struct retrieval *self;
    double *vectors;            /* [documents, latent] */
    double *of_documents, *of_queries; /* [latent, dimensions] */
} Truth;

static void draw_documents(const struct retrieval *self, Random *random, Arena *arena, double *vectors)
{
    int64_t n = self->latent;
    double *centres = arena_alloc(arena, (size_t)(self->clusters * n) * sizeof *centres),
           *spreads = arena_alloc(arena, (size_t)self->clusters * sizeof *spreads);
    for (int64_t c = 0; c < self->clusters; c++) {
        spreads[c] = self->least_spread + (self->most_spread - self->least_spread) * random_uniform(random);
        for (int64_t i = 0; i < n; i++)
            centres[c * n + i] = random_normal(random);
    }
    for (int64_t d = 0; d < self->documents; d++) {
        int64_t c = random_below(random, self->clusters);
        for (int64_t i = 0; i < n; i++)
            vectors[d * n + i] = centres[c * n + i] + spreads[c] * 0.5 * random_normal(random);
    }
}

static Truth draw_truth(const struct retrieval *self, uint64_t seed, Arena *arena)
{
    Random random = generator_truth(seed, "retrieval");
    size_t map = (size_t)(self->latent * self->dimensions);
    Truth truth = {self, arena_alloc(arena, (size_t)(self->documents * self->latent) * sizeof(double)),
                   arena_alloc(arena, map * sizeof(double)), arena_alloc(arena, map * sizeof(double))};
    draw_documents(self, &random, arena, truth.vectors);
    for (size_t i = 0; i < map; i++)
        truth.of_documents[i] = random_normal(&random) / sqrt((double)self->latent);
    for (size_t i = 0; i < map; i++)
        truth.of_queries[i] = random_normal(&random) / sqrt((double)self->latent);
    return truth;
}

/* features = z map + noise N(0, I), of z off by `off` N(0, I). */
static void describe_latent(const Truth *truth, const double *map, int64_t document, double off, Random *random,
                            float *features)
{
    int64_t n = truth->self->latent, dimensions = truth->self->dimensions;
    double *sums = memory_array((size_t)dimensions, sizeof *sums);
    for (int64_t i = 0; i < n; i++) {
        double z = truth->vectors[document * n + i] + off * random_normal(random);
        for (int64_t k = 0; k < dimensions; k++)
            sums[k] += z * map[i * dimensions + k];
    }
    for (int64_t k = 0; k < dimensions; k++)
        features[k] = (float)(sums[k] + truth->self->noise * random_normal(random));
    memory_free(sums);
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    int64_t document = slot->place % truth->self->documents;
    if (slot->index >= truth->self->counts.train)
        document = truth->self->documents - 1 - document;
    dataset->labels[slot->index] = (int32_t)document;
    describe_latent(truth, truth->of_queries, document, truth->self->query_noise, &slot->random,
                    (float *)dataset->features + slot->index * truth->self->dimensions);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct retrieval *self = values;
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    Dataset *dataset = vector_dataset_new(self->dimensions, TARGET_CLASS, self->documents,
                                          split_counts_total(&self->counts));
    generate_samples(splits, dataset, &self->counts, seed, "retrieval", fill, &truth);
    float *features = arena_alloc(dataset->arena, (size_t)(self->documents * self->dimensions) * sizeof *features);
    Random random = generator_truth(seed, "retrieval documents");
    for (int64_t d = 0; d < self->documents; d++)
        describe_latent(&truth, truth.of_documents, d, 0, &random, features + d * self->dimensions);
    dataset->label_features = features;
    dataset->label_width = self->dimensions;
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct retrieval *self = values;
    vector_describe(self->dimensions, TARGET_CLASS, self->documents, shape);
    shape->count = split_counts_total(&self->counts);
    shape->label_width = self->dimensions;
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct retrieval *self = values;
    return self->least_spread <= self->most_spread ||
           fail_usage(error, "least_spread is %g, most_spread %g", self->least_spread, self->most_spread);
}

const DatasetDef dataset_retrieval = {
    .component =
        {
            .name = "retrieval",
            .summary = "queries, and the documents with features of their own that answer them",
            .params = params,
            .size = sizeof(struct retrieval),
            .validate = validate,
            .formula =
                "document z A + noise N(0, I), query (z + query_noise N(0, I)) B + noise N(0, I), z = centre + 0.5 "
                "spread N(0, I)",
            .notes = "Centres are N(0, I), spreads uniform between their bounds, one of each a cluster; A and B have "
                     "elements "
                     "N(0, 1 / latent). Training queries ask for the documents in their order, "
                     "those of val and test from the last one backwards, each around again if they are more: a "
                     "document that "
                     "is asked for in training is none in the test, while both together are no more than documents.",
            .source = "after arXiv:2510.00137",
        },
    .load = load, .describe = describe,
};
