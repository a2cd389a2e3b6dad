/* Sentences of random words and their translation word for word, with noise in the targets of training: what losses of
   sequences are compared on (Liu et al. 2022). */
#include <math.h>

#include "data/generator.h"

typedef enum Noise { NONE, REPETITION, SHUFFLE, BLANK } Noise;
static const char *const noises[] = {"none", "repetition", "shuffle", "blank", NULL};

struct translation {
    DatasetCommon common;
    SplitCounts counts;
    int64_t words, length;
    int noise;
    double noise_level;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct translation, "sentences", "2000", "0", "500"),
    PARAM_INT(struct translation, words, 20, .min = 2, .max = 100000, .help = "number of words"),
    PARAM_INT(struct translation, length, 10, .min = 1, .max = 1000, .help = "words of a sentence"),
    PARAM_ENUM(struct translation, noise, "none", .choices = noises, .help = "what is done to the training targets"),
    PARAM_FLOAT(struct translation, noise_level, 0, .min = 0, .max = 1, .help = "how much of it"),
    DATASET_COMMON_ROWS(struct translation, "false"),
    PARAM_END,
};

typedef struct Truth {
    const struct translation *self;
    const int64_t *dictionary;          /* [words], a permutation */
} Truth;

/* Each word is doubled at random, and what passes the end is cut. */
static void repeat_words(const Truth *truth, Random *random, const int32_t *words, int32_t *target)
{
    const struct translation *self = truth->self;
    for (int64_t from = 0, to = 0; to < self->length; from++) {
        target[to++] = (int32_t)truth->dictionary[words[from]];
        if (random_uniform(random) < self->noise_level && to < self->length)
            target[to++] = (int32_t)truth->dictionary[words[from]];
    }
}

/* The words at floor(level length) random places change places at random. */
static void shuffle_words(const Truth *truth, Random *random, const int32_t *words, int32_t *target)
{
    const struct translation *self = truth->self;
    int64_t count = (int64_t)floor(self->noise_level * (double)self->length + 1e-9);
    int64_t *places = memory_array((size_t)self->length * 2, sizeof *places), *order = places + self->length;
    random_permutation(random, self->length, places);
    if (count > 0)
        random_permutation(random, count, order);
    for (int64_t k = 0; k < count; k++)
        target[places[k]] = (int32_t)truth->dictionary[words[places[order[k]]]];
    memory_free(places);
}

static void blank_words(const Truth *truth, Random *random, int32_t *target)
{
    const struct translation *self = truth->self;
    for (int64_t t = 0; t < self->length; t++)
        if (random_uniform(random) < self->noise_level)
            target[t] = (int32_t)self->words;
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const Truth *truth = context;
    const struct translation *self = truth->self;
    Random *random = &slot->random;
    int32_t *words = (int32_t *)dataset->features + slot->index * self->length;
    int32_t *target = dataset->labels + slot->index * self->length;
    for (int64_t t = 0; t < self->length; t++) {
        words[t] = (int32_t)random_below(random, self->words);
        target[t] = (int32_t)truth->dictionary[words[t]];
    }
    bool training = slot->index == slot->place;
    if (training && self->noise == REPETITION)
        repeat_words(truth, random, words, target);
    if (training && self->noise == SHUFFLE)
        shuffle_words(truth, random, words, target);
    if (training && self->noise == BLANK)
        blank_words(truth, random, target);
}

static void describe_sentences(const struct translation *self, Dataset *dataset)
{
    dataset->type = ARRAY_I32;
    dataset->rank = 1;
    dataset->shape[0] = dataset->sample_stride = self->length;
    dataset->target_kind = TARGET_TOKENS;
    dataset->own_tokens = true;
    dataset->classes = self->words + 1;
    dataset->count = split_counts_total(&self->counts);
    dataset->entropy_rate = NAN;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct translation *self = values;
    seed = generator_seed(&self->common, seed);
    Dataset *dataset = dataset_new();
    describe_sentences(self, dataset);
    size_t tokens = (size_t)(dataset->count * self->length);
    dataset->features = arena_zero(dataset->arena, tokens, sizeof(int32_t));
    dataset->labels = arena_zero(dataset->arena, tokens, sizeof(int32_t));
    int64_t *dictionary = memory_array((size_t)self->words, sizeof *dictionary);
    Random random = generator_truth(seed, "translation");
    random_permutation(&random, self->words, dictionary);
    Truth truth = {self, dictionary};
    generate_samples(splits, dataset, &self->counts, seed, "translation", fill, &truth);
    memory_free(dictionary);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    describe_sentences(values, shape);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct translation *self = values;
    return self->noise != NONE || self->noise_level == 0 ||
           fail_usage(error, "noise_level: %g, but \"noise\" is \"none\"", self->noise_level);
}

const DatasetDef dataset_translation = {
    .component = {
        .name = "translation", .summary = "sentences of random words and their translation word for word, with noise",
        .params = params, .size = sizeof(struct translation), .validate = validate,
        .source = "the miniature task of arXiv:2106.15078",
        .notes = "The words of a sentence are drawn uniformly from 0, ..., words - 1; the target at each position is "
                 "that word under a fixed permutation. Targets of the training split alone have noise: with repetition "
                 "each word is doubled with probability noise_level, and the sentence cut at its length; with shuffle "
                 "the words at floor(noise_level length) random positions change places at random; with blank each "
                 "becomes the word number `words`, one more than the permutation has, with probability noise_level.",
    },
    .load = load, .describe = describe,
};
