/* Preference pairs as samples of a language model: each response behind its prompt, and of its tokens the targets. */
#include <string.h>

#include "data/dataset.h"
#include "data/preferences.h"
#include "data/tokenizer.h"

typedef enum Responses { PAIRS, CHOSEN } Responses;
static const char *const responses[] = {"pairs", "chosen", NULL};

struct preferences {
    DatasetCommon common;
    const char *path, *test_path, *end;
    Instance tokenizer;
    int64_t length;
    int responses;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct preferences, "false"),
    PARAM_REQUIRED(PATH, struct preferences, path,
                   .help = "a JSON object a line: prompt, chosen, rejected, and probability (1) that chosen is better"),
    PARAM_PATH(struct preferences, test_path, null, .help = "the same for the test split"),
    PARAM_ENUM(struct preferences, responses, "pairs", .choices = responses,
               .help = "pairs: both, side by side; chosen: the chosen alone, as demonstrations"),
    PARAM_STRING(struct preferences, end, "\n", .help = "what ends every response and begins a text without a prompt"),
    PARAM_COMPONENT(struct preferences, tokenizer, "\"char\"", "tokenizer", .help = "trained on all of `path`"),
    PARAM_INT(struct preferences, length, 128, .min = 1, .max = 1 << 20, .help = "tokens of a window"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const DatasetCommon *common = &((const struct preferences *)values)->common;
    return !(common->label_noise > 0 || common->normalize || common->balance || common->stratified) ||
           fail_usage(error, "label_noise, normalize, balance and stratified do not apply to preferences");
}

/* All texts, in the order of the file. */
static bool train_tokenizer(const struct preferences *self, const PreferenceList *list, Arena *arena,
                            Tokenizer *tokenizer, Error *error)
{
    size_t size = 0, at = 0, end = strlen(self->end);
    for (int64_t i = 0; i < list->count; i++)
        size += strlen(list->items[i].prompt) + strlen(list->items[i].chosen) + strlen(list->items[i].rejected) +
                2 * end;
    unsigned char *text = memory_new(size);
    for (int64_t i = 0; i < list->count; i++) {
        const Preference *item = &list->items[i];
        const char *const parts[] = {item->prompt, item->chosen, self->end, item->rejected, self->end};
        for (int p = 0; p < 5; p++) {
            size_t length = strlen(parts[p]);
            memcpy(text + at, parts[p], length);
            at += length;
        }
    }
    bool good = tokenizer_train(&self->tokenizer, text, size, arena, tokenizer, error);
    memory_free(text);
    return good || fail_at(error, "%s", self->path);
}

typedef struct Tokens { int32_t *items; int64_t count; } Tokens;

static bool encode(const Tokenizer *tokenizer, const char *text, const char *field, Arena *arena, Tokens *tokens,
                   Error *error)
{
    return tokenizer_encode(tokenizer, (const unsigned char *)text, strlen(text), arena, &tokens->items, &tokens->count,
                            error) ||
           fail_at(error, "%s", field);
}

/* The window of prompt and response: the targets are the tokens of the response alone. */
static bool set_window(const struct preferences *self, Tokens prompt, Tokens response, int32_t *window, int32_t *target,
                       const char *field, Error *error)
{
    int64_t count = prompt.count + response.count;
    if (count > self->length + 1)
        return fail(error, "prompt and %s are %lld tokens, a window of length %lld holds %lld; raise data.length",
                    field, (long long)count, (long long)self->length, (long long)self->length + 1);
    for (int64_t t = 0; t < self->length; t++) {
        window[t] = t < prompt.count ? prompt.items[t] : t < count ? response.items[t - prompt.count] : 0;
        int64_t next = t + 1;
        target[t] = next >= prompt.count && next < count ? response.items[next - prompt.count] : -1;
    }
    return true;
}

static bool set_pair(const struct preferences *self, const Preference *item, int64_t pair, Dataset *dataset,
                     Arena *scratch, Error *error)
{
    const Tokenizer *tokenizer = dataset->tokenizer;
    const char *const texts[] = {item->chosen, item->rejected}, *const fields[] = {"chosen", "rejected"};
    int64_t each = self->responses == PAIRS ? 2 : 1;
    Tokens prompt;
    if (!item->prompt[0] && !self->end[0])
        return fail(error, "prompt: is empty, and so is data.end; a response needs a token to begin from");
    if (!encode(tokenizer, item->prompt[0] ? item->prompt : self->end, "prompt", scratch, &prompt, error))
        return false;
    for (int64_t i = 0; i < each; i++) {
        Tokens response;
        int64_t at = (pair * each + i) * self->length;
        const char *text = arena_format(scratch, "%s%s", texts[i], self->end);
        if (!encode(tokenizer, text, fields[i], scratch, &response, error) ||
            !set_window(self, prompt, response, (int32_t *)dataset->features + at, dataset->labels + at, fields[i],
                        error))
            return false;
    }
    return true;
}

/* What reads samples finds in the columns and groups which of them belong together. */
static void set_groups(const PreferenceList *list, Dataset *dataset)
{
    size_t count = (size_t)dataset->count;
    int32_t *groups = arena_alloc(dataset->arena, count * sizeof *groups);
    float *probabilities = arena_alloc(dataset->arena, count * sizeof *probabilities);
    for (int64_t i = 0; i < dataset->count; i++) {
        double p = list->items[i / 2].probability;
        groups[i] = (int32_t)(i / 2);
        probabilities[i] = (float)(i % 2 ? 1 - p : p);
    }
    dataset->groups = groups;
    dataset->group_count = list->count;
    dataset_add_column(dataset, "preference", 1, probabilities);
}

/* The token that ends a response; -1: an end of no or several tokens is none. */
static bool find_end(const struct preferences *self, const Tokenizer *tokenizer, Arena *scratch, int32_t *end,
                     Error *error)
{
    Tokens tokens;
    *end = -1;
    if (self->end[0] && !encode(tokenizer, self->end, "data.end", scratch, &tokens, error))
        return false;
    if (self->end[0] && tokens.count == 1)
        *end = tokens.items[0];
    return true;
}

static bool fill(const struct preferences *self, const PreferenceList *list, const char *path,
                 const Tokenizer *tokenizer, Dataset *dataset, Error *error)
{
    int64_t each = self->responses == PAIRS ? 2 : 1;
    dataset->count = list->count * each;
    dataset->type = ARRAY_I32;
    dataset->rank = 1;
    dataset->shape[0] = dataset->sample_stride = self->length;
    dataset->target_kind = TARGET_TOKENS;
    dataset->own_tokens = dataset->masks_targets = true;
    dataset->classes = tokenizer->vocabulary;
    dataset->tokenizer = tokenizer;
    dataset->features = arena_alloc(dataset->arena, (size_t)(dataset->count * self->length) * sizeof(int32_t));
    dataset->labels = arena_alloc(dataset->arena, (size_t)(dataset->count * self->length) * sizeof(int32_t));
    Arena *scratch = arena_new();
    bool good = find_end(self, tokenizer, scratch, &dataset->end_token, error);
    for (int64_t i = 0; i < list->count && good; i++) {
        good = set_pair(self, &list->items[i], i, dataset, scratch, error) ||
               fail_at(error, "%s:%d", path, list->items[i].line);
        arena_reset(scratch);
    }
    arena_free(scratch);
    if (good && self->responses == PAIRS)
        set_groups(list, dataset);
    return good;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct preferences *self = values;
    Arena *scratch = arena_new();
    Tokenizer *tokenizer = arena_zero(splits->arena, 1, sizeof *tokenizer);
    PreferenceList lists[2];
    const char *const paths[] = {self->path, self->test_path};
    int count = self->test_path ? 2 : 1;
    bool good = preferences_read(self->path, scratch, &lists[0], error) &&
                (count == 1 || preferences_read(self->test_path, scratch, &lists[1], error)) &&
                train_tokenizer(self, &lists[0], splits->arena, tokenizer, error);
    for (int i = 0; i < count && good; i++) {
        Dataset *dataset = data_splits_add(splits);
        good = fill(self, &lists[i], paths[i], tokenizer, dataset, error);
        if (good)
            *(i ? &splits->test : &splits->train) = data_split_all(splits->arena, dataset);
    }
    arena_free(scratch);
    return good;
}

const DatasetDef dataset_preferences = {
    .component = {
        .name = "preferences", .summary = "pairs of responses to a prompt, one better than the other",
        .params = params, .size = sizeof(struct preferences), .validate = validate,
        .notes = "For the objective preference, whose losses compare the two responses of a pair: they are a group, "
                 "and train.batch_size counts pairs. For the objective supervised every response is a text to learn, "
                 "with responses \"chosen\" the better ones alone. The targets are the tokens of the responses, `end` "
                 "included; prompts and padding have none. The tokenizer is trained on all of `path`, so that runs on "
                 "the same file share it; byte is the same everywhere.",
    },
    .load = load,
};
