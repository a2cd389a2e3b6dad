/* Text from a Markov chain whose entropy rate is known. */
#include "data/markov_text.h"

#include <string.h>

#include "data/generator.h"

enum { SYMBOLS_MAX = 94, TABLE_MAX = 1 << 22, ROUNDS_MAX = 20000 };

struct markov_text {
    DatasetCommon common;
    SplitCounts counts;         /* tokens */
    int64_t classes, order, length, stride;
    double concentration, smoothing;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct markov_text, "tokens", "200000", "20000", "20000"),
    PARAM_INT(struct markov_text, classes, 26, .min = 2, .max = SYMBOLS_MAX,
              .help = "size of the alphabet: a to z, A to Z, 0 to 9, ..."),
    PARAM_INT(struct markov_text, order, 1, .min = 1, .max = 8, .help = "how many symbols the next one depends on"),
    PARAM_FLOAT(struct markov_text, concentration, 0.2, .min = 0.001, .max = 1e6,
                .help = "of the Dirichlet distribution of each row; small: few likely symbols, large: nearly uniform"),
    PARAM_FLOAT(struct markov_text, smoothing, 0.01, .min = 0.002, .max = 1,
                .help = "share of every row that is uniform, so that every context is reached; 1: independent symbols"),
    PARAM_INT(struct markov_text, length, 64, .min = 1, .max = 1000000, .help = "tokens of a window, a sample"),
    PARAM_INT(struct markov_text, stride, null, .min = 1, .max = 1000000, .optional = true,
              .help = "tokens from the start of a window to the start of the next; length when absent"),
    DATASET_COMMON_ROWS(struct markov_text, "false"),
    PARAM_END,
};

static const char *const alphabet[SYMBOLS_MAX] = {
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u",
    "v", "w", "x", "y", "z", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P",
    "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".",
    ",", ";", ":", "!", "?", "'", "\"", "(", ")", "[", "]", "{", "}", "<", ">", "+", "-", "*", "/", "=", "_",
    "&", "|", "^", "~", "@", "#", "$", "%", "\\", "`",
};

/* ln of a gamma variate, exact where the variate itself would underflow. Marsaglia and Tsang 2000;
   below 1 by gamma(a) = gamma(a + 1) U^(1/a). */
static double random_log_gamma(Random *random, double shape)
{
    double boost = 0, a = shape;
    if (shape < 1) {
        boost = log1p(-random_uniform(random)) / shape;
        a = shape + 1;
    }
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = random_normal(random), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log1p(-random_uniform(random)) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

void markov_draw_transition(Random *random, double concentration, double smoothing, int64_t symbols, int64_t contexts,
                            double *transition)
{
    for (int64_t c = 0; c < contexts; c++) {
        double *row = transition + c * symbols;
        for (int64_t s = 0; s < symbols; s++)
            row[s] = random_log_gamma(random, concentration);
        softmax_in_place(row, symbols); /* gamma variates over their sum */
        for (int64_t s = 0; s < symbols; s++)
            row[s] = (1 - smoothing) * row[s] + smoothing / (double)symbols;
    }
}

static int64_t next_context(int64_t context, int64_t symbol, int64_t symbols, int64_t contexts)
{
    return context % (contexts / symbols) * symbols + symbol;
}

/* next = now * transition; returns the sum of absolute changes. */
static double advance(int64_t symbols, int64_t contexts, const double *transition, const double *now, double *next)
{
    memset(next, 0, (size_t)contexts * sizeof *next);
    for (int64_t c = 0; c < contexts; c++)
        for (int64_t s = 0; s < symbols; s++)
            next[next_context(c, s, symbols, contexts)] += now[c] * transition[c * symbols + s];
    double sum = 0, change = 0;
    for (int64_t c = 0; c < contexts; c++)
        sum += next[c];
    for (int64_t c = 0; c < contexts; c++) {
        next[c] /= sum;
        change += fabs(next[c] - now[c]);
    }
    return change;
}

bool markov_stationary(int64_t symbols, int64_t contexts, const double *transition, double *stationary, double *scratch)
{
    for (int64_t c = 0; c < contexts; c++)
        stationary[c] = 1 / (double)contexts;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        double change = advance(symbols, contexts, transition, stationary, scratch);
        memcpy(stationary, scratch, (size_t)contexts * sizeof *stationary);
        if (change <= 1e-13)
            return true;
    }
    return false;
}

double markov_entropy_rate(int64_t symbols, int64_t contexts, const double *transition, const double *stationary)
{
    double rate = 0;
    for (int64_t c = 0; c < contexts; c++) {
        double entropy = 0;
        for (int64_t s = 0; s < symbols; s++) {
            double p = transition[c * symbols + s];
            entropy -= p > 0 ? p * log(p) : 0;
        }
        rate += stationary[c] * entropy;
    }
    return rate;
}

static int64_t stride_of(const struct markov_text *self)
{
    return self->stride == PARAM_UNSET ? self->length : self->stride;
}

/* Windows of `tokens` whose every position has a next token. */
static int64_t windows_of(const struct markov_text *self, int64_t tokens)
{
    return tokens > self->length ? (tokens - 1 - self->length) / stride_of(self) + 1 : 0;
}

static int64_t contexts_of(const struct markov_text *self)
{
    int64_t contexts = 1;
    for (int64_t i = 0; i < self->order && contexts <= TABLE_MAX; i++)
        contexts *= self->classes;
    return contexts;
}

static void describe_windows(const struct markov_text *self, Dataset *dataset)
{
    dataset->type = ARRAY_I32;
    dataset->rank = 1;
    dataset->shape[0] = self->length;
    dataset->sample_stride = stride_of(self);
    dataset->target_kind = TARGET_TOKENS;
    dataset->classes = self->classes;
    dataset->class_names = alphabet;
    dataset->bytes_per_token = 1;
    dataset->entropy_rate = NAN;
}

/* The chain starts in its stationary distribution. The first `order` symbols are those of the context. */
static void write_tokens(const struct markov_text *self, const double *transition, const double *stationary,
                         Random random, int64_t count, int32_t *tokens)
{
    int64_t symbols = self->classes, contexts = contexts_of(self);
    int64_t context = random_choice(stationary, contexts, random_uniform(&random)), rest = context;
    for (int64_t i = self->order - 1; i >= 0; i--, rest /= symbols)
        if (i < count)
            tokens[i] = (int32_t)(rest % symbols);
    for (int64_t i = self->order; i < count; i++) {
        int64_t symbol = random_choice(transition + context * symbols, symbols, random_uniform(&random));
        tokens[i] = (int32_t)symbol;
        context = next_context(context, symbol, symbols, contexts);
    }
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    const struct markov_text *self = values;
    int64_t symbols = self->classes, contexts = contexts_of(self);
    seed = generator_seed(&self->common, seed);
    Arena *scratch = arena_new();
    double *transition = arena_zero(scratch, (size_t)(contexts * symbols), sizeof *transition);
    double *stationary = arena_zero(scratch, (size_t)contexts, sizeof *stationary);
    double *next = arena_zero(scratch, (size_t)contexts, sizeof *next);
    Random truth = generator_truth(seed, "markov-text");
    markov_draw_transition(&truth, self->concentration, self->smoothing, symbols, contexts, transition);
    bool good = markov_stationary(symbols, contexts, transition, stationary, next);
    if (!good) {
        fail_usage(error, "markov-text: the chain mixes too slowly for its entropy rate; raise smoothing");
        goto out;
    }
    const int64_t counts[] = {self->counts.train, self->counts.val, self->counts.test};
    DataSplit *const parts[] = {&splits->train, &splits->val, &splits->test};
    for (int part = PART_TRAIN; part <= PART_TEST; part++) {
        if (counts[part] == 0)
            continue;
        Dataset *dataset = splits->datasets[part] = dataset_new();
        describe_windows(self, dataset);
        dataset->count = windows_of(self, counts[part]);
        dataset->entropy_rate = markov_entropy_rate(symbols, contexts, transition, stationary);
        int32_t *tokens = arena_zero(dataset->arena, (size_t)counts[part], sizeof *tokens);
        Random random = generator_sample(seed, "markov-text", (SplitPart)part, 0);
        write_tokens(self, transition, stationary, random, counts[part], tokens);
        dataset->features = tokens;
        *parts[part] = split_range(splits->arena, dataset, 0, dataset->count);
    }
out:
    arena_free(scratch);
    return good;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct markov_text *self = values;
    describe_windows(self, shape);
    const SplitCounts *counts = &self->counts;
    shape->count = windows_of(self, counts->train) + windows_of(self, counts->val) + windows_of(self, counts->test);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct markov_text *self = values;
    static const char *const keys[] = {"count", "val_count", "test_count"};
    const int64_t counts[] = {self->counts.train, self->counts.val, self->counts.test};
    for (int part = PART_TRAIN; part <= PART_TEST; part++)
        if (counts[part] != 0 && counts[part] <= self->length)
            return fail_usage(error, "%s: a window of %lld tokens and the one that follows need %lld, got %lld",
                              keys[part], (long long)self->length, (long long)self->length + 1,
                              (long long)counts[part]);
    if (contexts_of(self) * self->classes > TABLE_MAX)
        return fail_usage(error, "order: classes^(order + 1), the size of the transition table, is more than %d",
                          TABLE_MAX);
    return true;
}

const DatasetDef dataset_markov_text = {
    .component = {
        .name = "markov-text", .summary = "text from a Markov chain of known entropy rate",
        .params = params, .size = sizeof(struct markov_text), .validate = validate,
        .formula = "entropy rate = - sum_c pi_c sum_s P(s | c) ln P(s | c), c the last `order` symbols, pi P = pi",
        .notes = "Splits are texts of the same chain, each started in the stationary distribution. A sample is a "
                 "window of `length` tokens; its targets are the tokens that follow each. The entropy rate is the "
                 "least expected loss of a model that sees `order` tokens or more; the first order - 1 positions of "
                 "a window see fewer.",
    },
    .load = load, .describe = describe,
};
