/* Gaussian mixtures, one a class, whose posteriors are known exactly. */
#include "data/generator.h"

enum { DIMENSIONS_MAX = 4096, REFLECTIONS = 4 };

struct gaussian_mixture {
    DatasetCommon common;
    SplitCounts counts;
    int64_t classes, dimensions, components, embedding;
    double separation, spread;
    FloatList priors;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct gaussian_mixture, "samples", "2000", "500", "2000"),
    PARAM_INT(struct gaussian_mixture, classes, 3, .min = 2, .max = 10000, .help = "number of classes"),
    PARAM_INT(struct gaussian_mixture, dimensions, 2, .min = 1, .max = DIMENSIONS_MAX,
              .help = "number of features without embedding"),
    PARAM_INT(struct gaussian_mixture, components, 1, .min = 1, .max = 1000,
              .help = "Gaussians a class, equally likely"),
    PARAM_INT(struct gaussian_mixture, embedding, 0, .min = 0, .max = DIMENSIONS_MAX,
              .help = "number of features where more than dimensions: a curved surface; 0: no embedding"),
    PARAM_FLOAT(struct gaussian_mixture, separation, 4, .min = 0, .max = 1000,
                .help = "root mean square distance between two means, whose Gaussians have deviation 1"),
    PARAM_FLOAT(struct gaussian_mixture, spread, 0, .min = 0, .max = 3,
                .help = "largest |ln| of a Gaussian's deviation along its own axes; 0: the covariance is the identity"),
    PARAM_FLOATS(struct gaussian_mixture, priors, "[]", .min = 0, .max = 1,
                 .help = "probability of every class, sum 1; empty: all equal"),
    DATASET_COMMON_ROWS(struct gaussian_mixture, "false"),
    PARAM_END,
};

/* Gaussian g: x = mean + H_1 ... H_4 (deviation * z), z normal, H a reflection I - 2 v v^T with |v| = 1. The
   axes' deviations are bounded, so a density is as exact as the features at any number of dimensions. */
typedef struct Truth {
    int64_t classes, components, dimensions;
    int64_t features;           /* dimensions, or the embedding's */
    double *priors;             /* [classes] */
    double *means;              /* [classes, components, dimensions] */
    double *deviations;         /* [classes, components, dimensions] along the Gaussian's own axes */
    double *reflections;        /* [classes, components, REFLECTIONS, dimensions], unit vectors v */
    double *log_determinants;   /* [classes, components], sum of ln deviation */
    double *bends;              /* [features - dimensions, dimensions] */
} Truth;

static void draw_gaussian(const struct gaussian_mixture *self, Random *random, Truth *truth, int64_t g)
{
    int64_t d = truth->dimensions;
    double distance = self->separation / sqrt(2 * (double)d);
    for (int64_t i = 0; i < d; i++)
        truth->means[g * d + i] = distance * random_normal(random);
    for (int64_t i = 0; i < d; i++) {
        double log_deviation = self->spread * (2 * random_uniform(random) - 1);
        truth->deviations[g * d + i] = exp(log_deviation);
        truth->log_determinants[g] += log_deviation;
    }
    for (int64_t r = g * REFLECTIONS; r < (g + 1) * REFLECTIONS; r++) {
        double *v = truth->reflections + r * d, square = 0;
        for (int64_t i = 0; i < d; i++) {
            v[i] = random_normal(random);
            square += v[i] * v[i];
        }
        for (int64_t i = 0; i < d; i++)
            v[i] /= sqrt(square);
    }
}

/* x - 2 v (v . x), in place. */
static void reflect(const double *v, int64_t d, double *x)
{
    double dot = 0;
    for (int64_t i = 0; i < d; i++)
        dot += v[i] * x[i];
    for (int64_t i = 0; i < d; i++)
        x[i] -= 2 * dot * v[i];
}

static int64_t features_of(const struct gaussian_mixture *self)
{
    return self->embedding ? self->embedding : self->dimensions;
}

static Truth draw_truth(const struct gaussian_mixture *self, uint64_t seed, Arena *arena)
{
    int64_t d = self->dimensions, gaussians = self->classes * self->components;
    Truth truth = {
        self->classes, self->components, d, features_of(self),
        .priors = arena_zero(arena, (size_t)self->classes, sizeof(double)),
        .means = arena_zero(arena, (size_t)(gaussians * d), sizeof(double)),
        .deviations = arena_zero(arena, (size_t)(gaussians * d), sizeof(double)),
        .reflections = arena_zero(arena, (size_t)(gaussians * REFLECTIONS * d), sizeof(double)),
        .log_determinants = arena_zero(arena, (size_t)gaussians, sizeof(double)),
        .bends = arena_zero(arena, (size_t)((features_of(self) - d) * d), sizeof(double)),
    };
    double sum = 0; /* 1 but for rounding, where priors are given */
    for (int64_t c = 0; c < self->classes; c++)
        sum += truth.priors[c] = self->priors.count ? self->priors.items[c] : 1;
    for (int64_t c = 0; c < self->classes; c++)
        truth.priors[c] /= sum;
    Random random = generator_truth(seed, "gaussian-mixture");
    for (int64_t g = 0; g < gaussians; g++)
        draw_gaussian(self, &random, &truth, g);
    for (int64_t i = 0; i < (truth.features - d) * d; i++)
        truth.bends[i] = random_normal(&random) / sqrt((double)d);
    return truth;
}

/* ln N(x; mean, covariance) without the constant that all Gaussians share. */
static double log_density(const Truth *truth, int64_t g, const float *x)
{
    int64_t d = truth->dimensions;
    double z[DIMENSIONS_MAX], square = 0;
    for (int64_t i = 0; i < d; i++)
        z[i] = x[i] - truth->means[g * d + i];
    for (int64_t r = 0; r < REFLECTIONS; r++)
        reflect(truth->reflections + (g * REFLECTIONS + r) * d, d, z);
    for (int64_t i = 0; i < d; i++)
        square += pow(z[i] / truth->deviations[g * d + i], 2);
    return -0.5 * square - truth->log_determinants[g];
}

/* p(y | x), Bayes' rule; log p(x | c) is a log-sum-exp over the class's Gaussians, one at a time. */
static void posterior(const Truth *truth, const float *x, double *out)
{
    for (int64_t c = 0; c < truth->classes; c++) {
        double largest = -INFINITY, sum = 0;
        for (int64_t k = 0; k < truth->components; k++) {
            double value = log_density(truth, c * truth->components + k, x);
            if (value > largest) {
                sum = sum * exp(largest - value) + 1;
                largest = value;
            } else {
                sum += exp(value - largest);
            }
        }
        out[c] = log(truth->priors[c]) + largest + log(sum);
    }
    softmax_in_place(out, truth->classes);
}

/* The features after the first, which are the point itself. */
static void embed(const Truth *truth, float *x)
{
    int64_t d = truth->dimensions;
    for (int64_t i = d; i < truth->features; i++) {
        double dot = 0;
        for (int64_t k = 0; k < d; k++)
            dot += truth->bends[(i - d) * d + k] * (double)x[k];
        x[i] = (float)(2 * sin(dot / 2));
    }
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    int64_t d = truth->dimensions;
    int64_t label = random_choice(truth->priors, truth->classes, random_uniform(&slot->random));
    int64_t g = label * truth->components + random_below(&slot->random, truth->components);
    double value[DIMENSIONS_MAX];
    float *x = (float *)dataset->features + slot->index * truth->features;
    for (int64_t i = 0; i < d; i++)
        value[i] = truth->deviations[g * d + i] * random_normal(&slot->random);
    for (int64_t r = REFLECTIONS - 1; r >= 0; r--)
        reflect(truth->reflections + (g * REFLECTIONS + r) * d, d, value);
    for (int64_t i = 0; i < d; i++)
        x[i] = (float)(truth->means[g * d + i] + value[i]);
    dataset->labels[slot->index] = (int32_t)label;
    embed(truth, x);
    posterior(truth, x, (double *)dataset->posteriors + slot->index * truth->classes);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct gaussian_mixture *self = values;
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = vector_dataset_new(features_of(self), TARGET_CLASS, self->classes, count);
    dataset->posteriors = arena_zero(dataset->arena, (size_t)(count * self->classes), sizeof(double));
    generate_samples(splits, dataset, &self->counts, seed, "gaussian-mixture", fill, &truth);
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct gaussian_mixture *self = values;
    vector_describe(features_of(self), TARGET_CLASS, self->classes, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct gaussian_mixture *self = values;
    if (self->classes * self->components * self->dimensions > 10000000)
        return fail_usage(error, "classes * components * dimensions is more than 1e7");
    if (self->embedding && self->embedding <= self->dimensions)
        return fail_usage(error, "embedding: %lld features are not more than the %lld dimensions",
                          (long long)self->embedding, (long long)self->dimensions);
    double sum = 0;
    for (int64_t c = 0; c < self->priors.count; c++)
        sum += self->priors.items[c];
    if (self->priors.count && self->priors.count != self->classes)
        return fail_usage(error, "priors: expected one for each of the %lld classes, got %lld",
                          (long long)self->classes, (long long)self->priors.count);
    if (self->priors.count && fabs(sum - 1) > 1e-6)
        return fail_usage(error, "priors: expected a sum of 1, got %g", sum);
    return true;
}

const DatasetDef dataset_gaussian_mixture = {
    .component = {
        .name = "gaussian-mixture", .summary = "Gaussian mixtures, one a class, with exact posteriors",
        .params = params, .size = sizeof(struct gaussian_mixture), .validate = validate,
        .formula = "p(y | x) = prior_y sum_k N(x; m_yk, S_yk) / sum_c prior_c sum_k N(x; m_ck, S_ck)",
        .notes = "Means are N(0, separation^2 / (2 dimensions) I). A covariance is Q D^2 Q^T, where Q is a product "
                 "of four random reflections and ln D_ii is uniform within spread of 0. Labels are drawn from the "
                 "priors, so classes are balanced on average only. With embedding, the features after the first "
                 "`dimensions` are 2 sin(b_i . x / 2), x the first ones and b_i ~ N(0, I / dimensions).\n\n"
                 "The posteriors are those of the stored features. The mean over samples of 1 - max_y p(y | x) "
                 "estimates the Bayes error, and that of the entropy of p(. | x) the least expected cross-entropy, "
                 "without bias.",
    },
    .load = load, .describe = describe,
};
