/* Tables of numbers and categories with main effects and products of two columns. */
#include "data/generator.h"

enum { COLUMNS_MAX = 1000, CLASSES_MAX = 1000 };

typedef enum Task { CLASSIFICATION, REGRESSION } Task;
static const char *const tasks[] = {"classification", "regression", NULL};

struct tabular {
    DatasetCommon common;
    SplitCounts counts;
    int64_t numeric, categorical, levels, interactions, classes;
    int task;
    double signal, noise;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct tabular, "samples", "5000", "1000", "2000"),
    PARAM_INT(struct tabular, numeric, 6, .min = 0, .max = COLUMNS_MAX, .help = "columns of standard normal numbers"),
    PARAM_INT(struct tabular, categorical, 2, .min = 0, .max = COLUMNS_MAX, .help = "columns of categories, one-hot"),
    PARAM_INT(struct tabular, levels, 4, .min = 2, .max = 1000, .help = "categories a column, equally likely"),
    PARAM_INT(struct tabular, interactions, 4, .min = 0, .max = 100000,
              .help = "pairs of columns whose product has an effect"),
    PARAM_ENUM(struct tabular, task, "classification", .choices = tasks, .help = "what the target is"),
    PARAM_INT(struct tabular, classes, 2, .min = 2, .max = CLASSES_MAX,
              .help = "number of classes; of classification only"),
    PARAM_FLOAT(struct tabular, signal, 2, .min = 0, .max = 100,
                .help = "root mean square of a logit, or of the mean of the target"),
    PARAM_FLOAT(struct tabular, noise, 0.5, .min = 0, .max = 100,
                .help = "standard deviation of the target around its mean; of regression only"),
    DATASET_COMMON_ROWS(struct tabular, "true"),
    PARAM_END,
};

/* A column's value in a product: a number as it is, a category by its score. */
typedef struct Interaction {
    int64_t columns[2];         /* numeric ones first */
    const double *scores[2];    /* [levels] of categorical columns */
    const double *weights;      /* [outputs] */
} Interaction;

typedef struct Truth {
    const struct tabular *self;
    int64_t outputs;            /* classes, or 1 */
    double scale;               /* of all effects */
    const double *slopes;       /* [numeric, outputs] */
    const double *effects;      /* [categorical, levels, outputs] */
    Interaction *interactions;
} Truth;

static double *draw_normals(Random *random, int64_t count, Arena *arena)
{
    double *values = arena_zero(arena, (size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = random_normal(random);
    return values;
}

static int64_t columns_of(const struct tabular *self)
{
    return self->numeric + self->categorical;
}

static int64_t features_of(const struct tabular *self)
{
    return self->numeric + self->categorical * self->levels;
}

static int64_t outputs_of(const struct tabular *self)
{
    return self->task == REGRESSION ? 1 : self->classes;
}

/* Different pairs of different columns. */
static void draw_interactions(Truth *truth, Random *random, Arena *arena)
{
    const struct tabular *self = truth->self;
    int64_t columns = columns_of(self), pairs = columns * (columns - 1) / 2;
    int64_t *order = arena_zero(arena, (size_t)pairs, sizeof *order);
    random_permutation(random, pairs, order);
    truth->interactions = arena_zero(arena, (size_t)self->interactions, sizeof *truth->interactions);
    for (int64_t i = 0; i < self->interactions; i++) {
        Interaction *interaction = &truth->interactions[i];
        int64_t a = 0, rest = order[i]; /* pairs (0, 1), (0, 2), ..., (1, 2), ... */
        while (rest >= columns - 1 - a)
            rest -= columns - 1 - a++;
        interaction->columns[0] = a;
        interaction->columns[1] = a + 1 + rest;
        for (int side = 0; side < 2; side++)
            if (interaction->columns[side] >= self->numeric)
                interaction->scores[side] = draw_normals(random, self->levels, arena);
        interaction->weights = draw_normals(random, truth->outputs, arena);
    }
}

static Truth draw_truth(const struct tabular *self, uint64_t seed, Arena *arena)
{
    Random random = generator_truth(seed, "tabular");
    Truth truth = {.self = self, .outputs = outputs_of(self)};
    /* Every effect has variance 1 over truths and samples. */
    truth.scale = self->signal / sqrt((double)(columns_of(self) + self->interactions));
    truth.slopes = draw_normals(&random, self->numeric * truth.outputs, arena);
    truth.effects = draw_normals(&random, self->categorical * self->levels * truth.outputs, arena);
    draw_interactions(&truth, &random, arena);
    return truth;
}

/* Logits, or the mean of the target. numbers [numeric], categories [categorical], out [outputs]. */
static void add_effects(const Truth *truth, const float *numbers, const int32_t *categories, double *out)
{
    const struct tabular *self = truth->self;
    for (int64_t o = 0; o < truth->outputs; o++) {
        double sum = 0;
        for (int64_t j = 0; j < self->numeric; j++)
            sum += truth->slopes[j * truth->outputs + o] * numbers[j];
        for (int64_t j = 0; j < self->categorical; j++)
            sum += truth->effects[(j * self->levels + categories[j]) * truth->outputs + o];
        out[o] = sum;
    }
    for (int64_t i = 0; i < self->interactions; i++) {
        const Interaction *interaction = &truth->interactions[i];
        double product = 1;
        for (int side = 0; side < 2; side++) {
            int64_t column = interaction->columns[side];
            product *= column < self->numeric ? numbers[column]
                                              : interaction->scores[side][categories[column - self->numeric]];
        }
        for (int64_t o = 0; o < truth->outputs; o++)
            out[o] += interaction->weights[o] * product;
    }
    for (int64_t o = 0; o < truth->outputs; o++)
        out[o] *= truth->scale;
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct tabular *self = truth->self;
    Random *random = &slot->random;
    float *row = (float *)dataset->features + slot->index * dataset->sample_stride;
    int32_t categories[COLUMNS_MAX];
    for (int64_t j = 0; j < self->numeric; j++)
        row[j] = (float)random_normal(random);
    for (int64_t j = 0; j < self->categorical; j++) {
        categories[j] = (int32_t)random_below(random, self->levels);
        row[self->numeric + j * self->levels + categories[j]] = 1;
    }
    if (self->task == REGRESSION) {
        double mean;
        add_effects(truth, row, categories, &mean);
        dataset->values[slot->index] = (float)(mean + self->noise * random_normal(random));
        return;
    }
    double *posterior = (double *)dataset->posteriors + slot->index * truth->outputs;
    add_effects(truth, row, categories, posterior);
    softmax_in_place(posterior, truth->outputs);
    dataset->labels[slot->index] = (int32_t)random_choice(posterior, truth->outputs, random_uniform(random));
}

static TargetKind target_kind(const struct tabular *self)
{
    return self->task == REGRESSION ? TARGET_VALUES : TARGET_CLASS;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct tabular *self = values;
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    Truth truth = draw_truth(self, seed, scratch);
    int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = vector_dataset_new(features_of(self), target_kind(self), truth.outputs, count);
    if (self->task == CLASSIFICATION)
        dataset->posteriors = arena_zero(dataset->arena, (size_t)(count * truth.outputs), sizeof(double));
    generate_samples(splits, dataset, &self->counts, seed, "tabular", fill, &truth);
    arena_free(scratch);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct tabular *self = values;
    vector_describe(features_of(self), target_kind(self), outputs_of(self), shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct tabular *self = values;
    int64_t columns = columns_of(self), pairs = columns * (columns - 1) / 2;
    if (columns == 0)
        return fail_usage(error, "numeric and categorical are both 0; a table needs a column");
    if (self->interactions > pairs)
        return fail_usage(error, "interactions: %lld columns have %lld pairs, got %lld", (long long)columns,
                          (long long)pairs, (long long)self->interactions);
    return true;
}

const DatasetDef dataset_tabular = {
    .component = {
        .name = "tabular", .summary = "numbers and categories with main effects and products of two columns",
        .params = params, .size = sizeof(struct tabular), .validate = validate,
        .formula = "f_o = signal / sqrt(columns + interactions) "
                   "(sum_j w_oj x_j + sum_j e_o,j,level + sum_i v_oi s_a(x_a) s_b(x_b))",
        .notes = "Features are the numeric columns and then one-hot categories. All w, e and v are N(0, 1); s is the "
                 "number itself, or an N(0, 1) score of the category, another one in every product.\n\n"
                 "Classification: p(y | x) = softmax(f), known exactly; labels are drawn from it, and the shares of "
                 "the classes follow. Regression: y = f + noise N(0, 1), so that no prediction is expected to have a "
                 "root mean square error below noise.",
    },
    .load = load, .describe = describe,
};
