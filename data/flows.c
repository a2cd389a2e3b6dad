/* Connection records, normal or attack, as in GRU-SVM (Agarap 2018): numbers that tell a little each, two that tell
   only together, and numbers that tell nothing. */
#include "data/generator.h"

enum { FEATURES_MAX = 1000, BINS_MAX = 100, NORMAL = 0, ATTACK = 1 };

struct flows {
    DatasetCommon common;
    SplitCounts counts;
    int64_t features, informative, bins;
    double prior, shift, interaction;
    bool one_hot;
};

static const char *const class_names[] = {"normal", "attack"};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct flows, "records", "40000", "0", "10000"),
    PARAM_INT(struct flows, features, 21, .min = 2, .max = FEATURES_MAX, .help = "numbers of a record"),
    PARAM_INT(struct flows, informative, 6, .min = 0, .max = FEATURES_MAX - 2,
              .help = "numbers whose distribution depends on the class"),
    PARAM_FLOAT(struct flows, prior, 0.58, .min = 0.001, .max = 0.999, .help = "share of attacks"),
    PARAM_FLOAT(struct flows, shift, 0.4, .min = 0, .max = 10,
                .help = "mean distance of an informative number's logarithm from 0, up for one class, down for the "
                        "other, in standard deviations"),
    PARAM_FLOAT(struct flows, interaction, 0.9, .min = 0.5, .max = 0.999,
                .help = "probability that the bins of two numbers have an odd sum, given an attack, and an even one, "
                        "given none"),
    PARAM_INT(struct flows, bins, 10, .min = 2, .max = BINS_MAX,
              .help = "intervals of equal probability of a number; even"),
    PARAM_BOOL(struct flows, one_hot, true,
               .help = "samples are [features, bins], each number as its interval; false: the numbers themselves"),
    DATASET_COMMON_ROWS(struct flows, "false"),
    PARAM_END,
};

/* Columns in the order of the roles: the informative, the two that interact, the others. */
typedef struct Truth {
    const struct flows *self;
    int64_t *columns;
    double *shifts;             /* [informative], signed: of attacks */
    double *edges;              /* [informative, bins - 1], of logarithms */
    double *evidence;           /* [informative, bins]: ln p(bin | attack) / p(bin | normal) */
    double normal_edges[BINS_MAX]; /* of the others */
} Truth;

static double normal_below(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* Where the mixture of N(shift, 1) with share `prior` and N(-shift, 1) has the probability `share` below it. */
static double mixture_quantile(double prior, double shift, double share)
{
    double low = -fabs(shift) - 40, high = fabs(shift) + 40;
    for (int i = 0; i < 100; i++) {
        const double middle = 0.5 * (low + high);
        const double below = prior * normal_below(middle - shift) + (1 - prior) * normal_below(middle + shift);
        *(below < share ? &low : &high) = middle;
    }
    return 0.5 * (low + high);
}

static void bin_informative(Truth *truth, int64_t j)
{
    const struct flows *self = truth->self;
    const double shift = truth->shifts[j];
    double *edges = truth->edges + j * (self->bins - 1), *evidence = truth->evidence + j * self->bins;
    double attack = 0, normal = 0;
    for (int64_t k = 0; k < self->bins; k++) {
        double attack_below = 1, normal_below_edge = 1;
        if (k < self->bins - 1) {
            edges[k] = mixture_quantile(self->prior, shift, (double)(k + 1) / (double)self->bins);
            attack_below = normal_below(edges[k] - shift);
            normal_below_edge = normal_below(edges[k] + shift);
        }
        evidence[k] = log((attack_below - attack) / (normal_below_edge - normal));
        attack = attack_below;
        normal = normal_below_edge;
    }
}

static Truth draw_truth(const struct flows *self, uint64_t seed, Arena *arena)
{
    Random random = generator_truth(seed, "flows");
    Truth truth = {.self = self};
    truth.columns = arena_zero(arena, (size_t)self->features, sizeof *truth.columns);
    random_permutation(&random, self->features, truth.columns);
    truth.shifts = arena_zero(arena, (size_t)self->informative, sizeof *truth.shifts);
    truth.edges = arena_zero(arena, (size_t)(self->informative * (self->bins - 1)), sizeof *truth.edges);
    truth.evidence = arena_zero(arena, (size_t)(self->informative * self->bins), sizeof *truth.evidence);
    for (int64_t j = 0; j < self->informative; j++) {
        const double size = self->shift * (0.5 + random_uniform(&random));
        truth.shifts[j] = random_uniform(&random) < 0.5 ? -size : size;
        bin_informative(&truth, j);
    }
    for (int64_t k = 0; k < self->bins - 1; k++)
        truth.normal_edges[k] = mixture_quantile(1, 0, (double)(k + 1) / (double)self->bins);
    return truth;
}

static int64_t bin_of(const double *edges, int64_t bins, double z)
{
    int64_t bin = 0;
    while (bin < bins - 1 && edges[bin] < z)
        bin++;
    return bin;
}

static void set_number(const Truth *truth, float *row, int64_t column, int64_t bin, double number)
{
    if (truth->self->one_hot)
        row[column * truth->self->bins + bin] = 1;
    else
        row[column] = (float)number;
}

/* A bin whose sum with `other` is odd where `odd`, each equally likely. */
static int64_t draw_partner(Random *random, int64_t bins, int64_t other, bool odd)
{
    return 2 * (int64_t)random_below(random, bins / 2) + ((other + odd) & 1);
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct flows *self = truth->self;
    Random *random = &slot->random;
    float *row = (float *)dataset->features + slot->index * dataset->sample_stride;
    const int label = random_uniform(random) < self->prior ? ATTACK : NORMAL;
    double evidence = log(self->prior / (1 - self->prior));
    for (int64_t j = 0; j < self->informative; j++) {
        const double shift = truth->shifts[j], z = random_normal(random) + (label == ATTACK ? shift : -shift);
        const int64_t bin = bin_of(truth->edges + j * (self->bins - 1), self->bins, z);
        set_number(truth, row, truth->columns[j], bin, exp(z));
        evidence += self->one_hot ? truth->evidence[j * self->bins + bin] : 2 * shift * z;
    }
    const bool odd = (random_uniform(random) < self->interaction) == (label == ATTACK);
    const int64_t first = random_below(random, self->bins), second = draw_partner(random, self->bins, first, odd);
    const double inside[2] = {random_uniform(random), random_uniform(random)};
    set_number(truth, row, truth->columns[self->informative], first, (double)first + inside[0]);
    set_number(truth, row, truth->columns[self->informative + 1], second, (double)second + inside[1]);
    evidence += (odd ? 1 : -1) * log(self->interaction / (1 - self->interaction));
    for (int64_t j = self->informative + 2; j < self->features; j++) {
        const double z = random_normal(random);
        set_number(truth, row, truth->columns[j], bin_of(truth->normal_edges, self->bins, z), exp(z));
    }
    dataset->labels[slot->index] = label;
    double *posterior = (double *)dataset->posteriors + 2 * slot->index;
    posterior[NORMAL] = 0;
    posterior[ATTACK] = evidence;
    softmax_in_place(posterior, 2);
}

static void shape_samples(const struct flows *self, Dataset *dataset)
{
    dataset->class_names = class_names;
    if (!self->one_hot)
        return;
    dataset->rank = 2;
    dataset->shape[0] = self->features;
    dataset->shape[1] = self->bins;
}

static int64_t size_of(const struct flows *self)
{
    return self->features * (self->one_hot ? self->bins : 1);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct flows *self = values;
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    const int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = vector_dataset_new(size_of(self), TARGET_CLASS, 2, count);
    shape_samples(self, dataset);
    dataset->posteriors = arena_zero(dataset->arena, (size_t)(2 * count), sizeof(double));
    generate_samples(splits, dataset, &self->counts, seed, "flows", fill, &truth);
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct flows *self = values;
    vector_describe(size_of(self), TARGET_CLASS, 2, shape);
    shape_samples(self, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct flows *self = values;
    if (self->informative + 2 > self->features)
        return fail_usage(error, "informative: %lld and the 2 that interact are more than the %lld features",
                          (long long)self->informative, (long long)self->features);
    if (self->bins % 2)
        return fail_usage(error, "bins: expected an even number, got %lld", (long long)self->bins);
    return true;
}

const DatasetDef dataset_flows = {
    .component = {
        .name = "flows", .summary = "connection records, normal or attack, with exact posteriors",
        .params = params, .size = sizeof(struct flows), .validate = validate,
        .source = "arXiv:1709.03082",
        .formula = "ln x_j ~ N(+-m_j, 1), + of attacks; P(bin_a + bin_b is odd | attack) = interaction",
        .notes = "The m_j are shift times a uniform number in [0.5, 1.5), of either sign, and 0 for the numbers that "
                 "tell nothing. The two that interact are uniform in [0, bins), alone and given the class. Which of "
                 "the features plays which role is drawn. Intervals are those of equal probability over all records, "
                 "known exactly, not estimated. The posteriors are those of the features as given, without label "
                 "noise.",
    },
    .load = load, .describe = describe,
};
