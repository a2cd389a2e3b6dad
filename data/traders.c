/* Traders in groups (a day, a market) whose profits have heavy tails: the miniature of Li and Ma 2025. A regime that
   all members of a group share hides skill from whoever looks at one trader alone. */
#include <math.h>
#include <stdlib.h>

#include "data/generator.h"

enum { FEATURES = 12, REGIME_FEATURES = 4, RISK_END = 8, VOLATILITY_FEATURES = 4 };

typedef enum Target { TARGET_PROFIT, TARGET_LABEL } Target;
static const char *const targets[] = {"profit", "label", NULL};

struct traders {
    DatasetCommon common;
    SplitCounts counts;         /* groups */
    int64_t members;
    int target;
    double risky, regime, volatility;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct traders, "groups", "400", "100", "100"),
    PARAM_INT(struct traders, members, 50, .min = 1, .max = 1000, .help = "traders of each group"),
    PARAM_ENUM(struct traders, target, "profit", .choices = targets,
               .help = "what is predicted: the profit, or the label 1 of the risky ones"),
    PARAM_FLOAT(struct traders, risky, 0.05, .min = 0, .max = 1,
                .help = "share of a group, rounded up, that is risky: those of most profit"),
    PARAM_FLOAT(struct traders, regime, 2, .min = 0, .max = 1000,
                .help = "standard deviation of what the members of a group share"),
    PARAM_FLOAT(struct traders, volatility, 0, .min = 0, .max = 1000,
                .help = "standard deviation of chance in a profit, of the median trader; above 0 four features show v"),
    DATASET_COMMON_ROWS(struct traders, "true"),
    PARAM_END,
};

static int64_t feature_count(const struct traders *self)
{
    return self->volatility > 0 ? FEATURES + VOLATILITY_FEATURES : FEATURES;
}

/* Chance of mean 0 in a profit, wider for some traders, and the features that show how wide. Labels of the most profit
   favour traders of wide chance, who are worth no more than others. */
static double fill_chance(const struct traders *self, float *features, Random *random)
{
    double log_scale = random_normal(random);
    for (int j = 0; j < VOLATILITY_FEATURES; j++)
        features[j] = (float)(log_scale + 0.5 * random_normal(random));
    return self->volatility * exp(log_scale) * random_normal(random);
}

/* The profit, and the features. */
static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const struct traders *self = context;
    Random shared = slot->random, *random = &slot->random;
    shared.stream ^= random_stream("regime");
    shared.step = (uint32_t)(slot->place / self->members);
    double regime = self->regime * random_normal(&shared);
    double skill = random_normal(random), log_risk = 0.5 * random_normal(random);
    double q = 0.8 * skill + 0.5 * exp(log_risk) * skill + 0.4 * random_normal(random);
    float *features = (float *)dataset->features + slot->index * feature_count(self);
    for (int j = 0; j < FEATURES; j++) {
        double noise = random_normal(random);
        features[j] = (float)(j < REGIME_FEATURES ? skill + regime + 0.5 * noise
                              : j < RISK_END ? log_risk + 0.5 * noise : 0.3 * skill + noise);
    }
    double chance = self->volatility > 0 ? fill_chance(self, features + FEATURES, random) : 0;
    dataset->values[slot->index] = (float)(q * q * q + chance);
    ((int32_t *)dataset->groups)[slot->index] = (int32_t)(slot->index / self->members);
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* 1 for the members of most profit. */
static void label_group(const struct traders *self, const float *profits, float *labels, float *sorted)
{
    int64_t risky = (int64_t)ceil(self->risky * (double)self->members - 1e-9);
    for (int64_t i = 0; i < self->members; i++)
        sorted[i] = profits[i];
    qsort(sorted, (size_t)self->members, sizeof *sorted, descending);
    for (int64_t i = 0; i < self->members; i++)
        labels[i] = risky > 0 && profits[i] >= sorted[risky - 1];
}

static void set_shape(const struct traders *self, Dataset *dataset)
{
    vector_describe(feature_count(self), self->target == TARGET_LABEL ? TARGET_LABELS : TARGET_VALUES, 1, dataset);
    dataset->group_count = split_counts_total(&self->counts);
    dataset->count = dataset->group_count * self->members;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct traders *self = values;
    int64_t members = self->members;
    SplitCounts samples = {self->counts.train * members, self->counts.val * members, self->counts.test * members};
    Dataset *dataset = vector_dataset_new(feature_count(self), TARGET_VALUES, 1, split_counts_total(&samples));
    set_shape(self, dataset);
    dataset->groups = arena_alloc(dataset->arena, (size_t)dataset->count * sizeof *dataset->groups);
    generate_samples(splits, dataset, &samples, generator_seed(&self->common, seed), "traders", fill, self);
    float *profits = dataset->values, *sorted = memory_array((size_t)members, sizeof *sorted),
          *labels = arena_alloc(dataset->arena, (size_t)dataset->count * sizeof *labels);
    for (int64_t i = 0; i < dataset->count; i += members)
        label_group(self, profits + i, labels + i, sorted);
    memory_free(sorted);
    if (self->target == TARGET_LABEL)
        dataset->values = labels;
    dataset_add_column(dataset, "profit", 1, profits);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    set_shape(values, shape);
    shape->columns[shape->column_count++] = (DatasetColumn){"profit", 1, NULL};
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct traders *self = values;
    double most = (double)self->members * fmax(fmax((double)self->counts.train, (double)self->counts.val),
                                               (double)self->counts.test);
    return most <= SPLIT_COUNT_MAX || fail_usage(error, "count: groups of %lld members are more than %g traders",
                                                 (long long)self->members, SPLIT_COUNT_MAX);
}

const DatasetDef dataset_traders = {
    .component = {
        .name = "traders", .summary = "traders in groups, to be ranked by profits with heavy tails",
        .params = params, .size = sizeof(struct traders), .validate = validate,
        .formula = "profit = q^3 + volatility v N(0, 1), q = 0.8 u + 0.5 r u + 0.4 N(0, 1), u N(0, 1), "
                   "log r N(0, 0.25), log v N(0, 1)",
        .notes = "Four features are u + m + 0.5 N(0, 1) with m N(0, regime^2) the group's, four log r + 0.5 N(0, 1), "
                 "four 0.3 u + N(0, 1); with a volatility four more log v + 0.5 N(0, 1). The profit is the extra "
                 "\"profit\" too, by which metrics of ranking measure.",
        .source = "after arXiv:2509.16616",
    },
    .load = load, .describe = describe,
};
