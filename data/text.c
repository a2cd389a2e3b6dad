/* Windows of text for language models. */
#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "data/dataset.h"
#include "data/tokenizer.h"

static const size_t text_limit = (size_t)256 << 20; /* tokens take four bytes each */

struct text {
    DatasetCommon common;
    const char *path, *val_path, *test_path;
    FloatList shares;
    Instance tokenizer;
    int64_t length, stride;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct text, "false"),
    PARAM_REQUIRED(PATH, struct text, path, .help = "the text; gzip allowed"),
    PARAM_PATH(struct text, val_path, null, .help = "text of the validation split; `path` is then all for training"),
    PARAM_PATH(struct text, test_path, null, .help = "text of the test split; `path` is then all for training"),
    PARAM_FLOATS(struct text, shares, "[0.9, 0.05, 0.05]", .min = 0, .max = 1, .min_count = 3,
                 .help = "shares of train, val and test, cut from `path` as three blocks where it is the only text"),
    PARAM_COMPONENT(struct text, tokenizer, "\"char\"", "tokenizer", .help = "trained on the training split alone"),
    PARAM_INT(struct text, length, 128, .min = 1, .max = 1 << 24, .help = "tokens of a window"),
    PARAM_INT(struct text, stride, 0, .min = 0, .max = 1 << 24,
              .help = "tokens from a training window to the next; 0: length, so that windows do not overlap"),
    PARAM_END
};

enum { TRAIN, VAL, TEST, PARTS };
static const char *const part_names[PARTS] = {"train", "val", "test"};

typedef struct Part {
    const char *path;               /* NULL: there is none */
    const unsigned char *bytes;
    size_t begin, size;             /* bytes of the file */
} Part;

static bool validate(const void *values, Error *error)
{
    const struct text *self = values;
    const DatasetCommon *common = &self->common;
    const FloatList *shares = &self->shares;
    if (common->split.count)
        return fail_usage(
            error, "split: text is cut into blocks and never drawn; use \"shares\", \"val_path\", \"test_path\"");
    if (common->only_classes.count || common->folds || common->stratified || common->balance ||
        common->label_noise > 0 || common->normalize)
        return fail_usage(error,
                          "only_classes, folds, stratified, balance, label_noise and normalize do not apply to text");
    if (shares->count != 3)
        return fail_usage(error, "shares: expected 3, got %lld", (long long)shares->count);
    double sum = shares->items[0] + shares->items[1] + shares->items[2];
    if (fabs(sum - 1) > 1e-6)
        return fail_usage(error, "shares: expected a sum of 1, got %g", sum);
    return shares->items[0] > 0 || fail_usage(error, "shares: the training split must have some");
}

/* The byte at a share of the text, moved on to where a UTF-8 character begins. */
static size_t cut_at(const unsigned char *bytes, size_t size, double share)
{
    size_t at = (size_t)llround((double)size * share), limit = at + 3;
    if (at > size)
        at = size;
    while (at < size && at < limit && (bytes[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static bool read_part(const char *path, Arena *arena, Part *part, Error *error)
{
    unsigned char *bytes;
    if (!file_read(path, text_limit, arena, &bytes, &part->size, error))
        return false;
    part->path = path;
    part->bytes = bytes;
    return true;
}

static bool read_parts(const struct text *self, Arena *arena, Part parts[PARTS], Error *error)
{
    if (!read_part(self->path, arena, &parts[TRAIN], error) ||
        (self->val_path && !read_part(self->val_path, arena, &parts[VAL], error)) ||
        (self->test_path && !read_part(self->test_path, arena, &parts[TEST], error)))
        return false;
    if (self->val_path || self->test_path)
        return true;
    Part whole = parts[TRAIN];
    const double *shares = self->shares.items;
    double sum = 0;
    size_t begin = 0;
    for (int i = 0; i < PARTS; i++) {
        sum += shares[i];
        size_t end = i == TEST ? whole.size : cut_at(whole.bytes, whole.size, sum);
        if (shares[i] > 0)
            parts[i] = (Part){whole.path, whole.bytes + begin, begin, end - begin};
        begin = end;
    }
    return true;
}

/* Window i is tokens[i * stride] to tokens[i * stride + length - 1]; the token that follows each is the
   one behind it, and so behind the last window one more is kept. Tokens that fill no window are left out. */
static bool set_windows(const struct text *self, const Part *part, int which, const Tokenizer *tokenizer,
                        Dataset *dataset, Error *error)
{
    int32_t *tokens;
    int64_t count, stride = which == TRAIN && self->stride ? self->stride : self->length;
    if (!tokenizer_encode(tokenizer, part->bytes, part->size, dataset->arena, &tokens, &count, error))
        return fail_at(error, "%s: %s, from byte %zu on", part->path, part_names[which], part->begin);
    if (count < self->length + 1)
        return fail(
            error, "%s: %s has %lld tokens, windows of length %lld need %lld; shorten \"length\" or give more text",
            part->path, part_names[which], (long long)count, (long long)self->length, (long long)self->length + 1);
    dataset->count = (count - 1 - self->length) / stride + 1;
    dataset->type = ARRAY_I32;
    dataset->rank = 1;
    dataset->shape[0] = self->length;
    dataset->sample_stride = stride;
    dataset->features = tokens;
    dataset->target_kind = TARGET_TOKENS;
    dataset->classes = tokenizer->vocabulary;
    dataset->tokenizer = tokenizer;
    dataset->bytes_per_token = (double)part->size / (double)count;
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct text *self = values;
    shape->type = ARRAY_I32;
    shape->rank = 1;
    shape->shape[0] = self->length;
    shape->target_kind = TARGET_TOKENS;
    shape->classes = ((const TokenizerDef *)self->tokenizer.component)->vocabulary;
    return shape->classes > 0;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct text *self = values;
    Arena *scratch = arena_new();
    Part parts[PARTS] = {0};
    Tokenizer *tokenizer = arena_zero(splits->arena, 1, sizeof *tokenizer);
    bool good = read_parts(self, scratch, parts, error);
    if (good &&
        !tokenizer_train(&self->tokenizer, parts[TRAIN].bytes, parts[TRAIN].size, splits->arena, tokenizer, error))
        good = fail_at(error, "%s", self->path);
    DataSplit *const out[PARTS] = {&splits->train, &splits->val, &splits->test};
    for (int i = 0, sets = 0; i < PARTS && good; i++) {
        if (!parts[i].path)
            continue;
        Dataset *dataset = splits->datasets[sets++] = dataset_new();
        good = set_windows(self, &parts[i], i, tokenizer, dataset, error);
        if (good)
            *out[i] = data_split_all(splits->arena, dataset);
    }
    arena_free(scratch);
    return good;
}

const DatasetDef dataset_text = {
    .component = {
        .name = "text",
        .summary = "plain text cut into windows, to predict each next token",
        .params = params,
        .size = sizeof(struct text),
        .notes = "Splits are contiguous blocks of the text, in the order train, val, test, so that no window of one "
                 "overlaps a window of another; every split keeps the order of the text. Windows of val and test never "
                 "overlap, so that each token is predicted once; tokens that do not fill a last window are left out. "
                 "The tokenizer is trained on the training block alone.",
        .validate = validate,
    },
    .load = load, .describe = describe,
};
