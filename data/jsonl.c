/* Samples from JSONL: text or features, with classes, soft labels or values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/jsonl_table.h"
#include "data/tokenizer.h"

struct jsonl {
    DatasetCommon common;
    const char *path, *test_path, *text, *features, *target;
    int target_kind;
    Instance tokenizer;
    int64_t length;
};

enum { AUTO, CLASS, SOFT, VALUES };
static const char *const target_kinds[] = {"auto", "class", "soft", "values", NULL};

/* Far above any real number of classes, far below what a stray id would ask of a model. */
enum { MOST_CLASSES = 1 << 20 };
static const double sum_tolerance = 1e-3;

static const Param params[] = {
    DATASET_COMMON_ROWS(struct jsonl, "false"),
    PARAM_REQUIRED(PATH, struct jsonl, path, .help = "a JSON object a line; gzip allowed"),
    PARAM_PATH(struct jsonl, test_path, null, .help = "the same for the test split"),
    PARAM_STRING(struct jsonl, text, null, .help = "name of the field that holds a text"),
    PARAM_STRING(struct jsonl, features, null, .help = "name of the field that holds a list of numbers"),
    PARAM_STRING(struct jsonl, target, "target", .help = "name of the field that holds the target"),
    PARAM_ENUM(struct jsonl, target_kind, "auto", .choices = target_kinds,
               .help = "auto: strings and integers are classes, other numbers values, lists soft labels"),
    PARAM_COMPONENT(struct jsonl, tokenizer, "\"char\"", "tokenizer", .help = "of texts; trained on all of `path`"),
    PARAM_INT(struct jsonl, length, 128, .min = 1, .max = 1 << 24,
              .help = "tokens of a text: longer ones are cut, shorter ones padded"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    const struct jsonl *self = values;
    if (!self->text == !self->features)
        return fail_usage(error, "exactly one of \"text\" and \"features\" names the field of the input");
    if (self->text && self->common.normalize)
        return fail_usage(error, "normalize: tokens are not normalised; it goes with \"features\"");
    return true;
}

/* What the training file settles for both. */
typedef struct Meaning {
    const struct jsonl *self;
    TargetKind kind;
    int64_t classes;
    const char **names;         /* sorted; NULL: classes are numbers */
    const Tokenizer *tokenizer; /* NULL: features */
} Meaning;

static bool fail_row(const JsonlTable *table, int64_t i, Error *error)
{
    return fail_at(error, "%s:%d", table->path, table->rows[i].line);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(const JsonlTable *table, Arena *arena, Meaning *meaning)
{
    const char **names = arena_alloc(arena, (size_t)table->count * sizeof *names);
    for (int64_t i = 0; i < table->count; i++)
        names[i] = table->rows[i].name;
    qsort(names, (size_t)table->count, sizeof *names, compare_names);
    int64_t count = 0;
    for (int64_t i = 0; i < table->count; i++)
        if (count == 0 || strcmp(names[i], names[count - 1]) != 0)
            names[count++] = names[i];
    for (int64_t i = 0; i < count; i++)
        names[i] = arena_string(arena, names[i]);
    meaning->names = names;
    meaning->classes = count;
}

static bool collect_numbers(const JsonlTable *table, Meaning *meaning, Error *error)
{
    double largest = 0;
    for (int64_t i = 0; i < table->count; i++) {
        double number = table->rows[i].number;
        if (number != floor(number) || number < 0 || number >= MOST_CLASSES) {
            fail(error, "%s: expected a class between 0 and %d, got %.9g; real values need \"target_kind\": \"values\"",
                 meaning->self->target, MOST_CLASSES - 1, number);
            return fail_row(table, i, error);
        }
        largest = number > largest ? number : largest;
    }
    meaning->classes = (int64_t)largest + 1;
    return true;
}

static bool has_fraction(const JsonlTable *table)
{
    for (int64_t i = 0; i < table->count; i++)
        if (table->rows[i].number != floor(table->rows[i].number))
            return true;
    return false;
}

/* Kind and classes from the training file. */
static bool decide(const JsonlTable *table, Arena *arena, Meaning *meaning, Error *error)
{
    int wanted = meaning->self->target_kind;
    JsonlForm form = table->form;
    if (wanted == AUTO)
        wanted = form == JSONL_LIST ? SOFT : form == JSONL_NUMBER && has_fraction(table) ? VALUES : CLASS;
    bool fits = wanted == CLASS ? form != JSONL_LIST : wanted == SOFT ? form == JSONL_LIST : form != JSONL_NAME;
    if (!fits) {
        fail(error, "%s: \"target_kind\": \"%s\" does not go with %s", meaning->self->target, target_kinds[wanted],
             form == JSONL_LIST ? "a list" : form == JSONL_NAME ? "a string" : "a number");
        return fail_row(table, 0, error);
    }
    meaning->kind = wanted == CLASS ? TARGET_CLASS : wanted == SOFT ? TARGET_SOFT : TARGET_VALUES;
    meaning->classes = form == JSONL_LIST ? table->list_count : 1;
    if (wanted == CLASS && form == JSONL_NAME)
        collect_names(table, arena, meaning);
    return wanted != CLASS || form == JSONL_NAME || collect_numbers(table, meaning, error);
}

/* Trains on all texts, each ended by a line feed so that no word spans two. */
static bool train_tokenizer(const JsonlTable *table, Arena *arena, Meaning *meaning, Error *error)
{
    size_t size = 0;
    for (int64_t i = 0; i < table->count; i++)
        size += strlen(table->rows[i].text) + 1;
    unsigned char *text = memory_new(size), *out = text;
    for (int64_t i = 0; i < table->count; i++) {
        size_t length = strlen(table->rows[i].text);
        memcpy(out, table->rows[i].text, length);
        out[length] = '\n';
        out += length + 1;
    }
    Tokenizer *tokenizer = arena_zero(arena, 1, sizeof *tokenizer);
    bool good = tokenizer_train(&meaning->self->tokenizer, text, size, arena, tokenizer, error);
    memory_free(text);
    meaning->tokenizer = tokenizer;
    return good || fail_at(error, "%s", table->path);
}

static bool set_tokens(const JsonlTable *table, const Meaning *meaning, Dataset *dataset, Error *error)
{
    int64_t length = meaning->self->length, bytes = 0, total = 0;
    int32_t padding = (int32_t)meaning->tokenizer->vocabulary;
    int32_t *all = arena_zero(dataset->arena, (size_t)table->count, (size_t)length * sizeof *all);
    Arena *scratch = arena_new();
    bool good = true;
    for (int64_t i = 0; i < table->count && good; i++) {
        const char *text = table->rows[i].text;
        int32_t *tokens;
        int64_t count;
        good = tokenizer_encode(meaning->tokenizer, (const unsigned char *)text, strlen(text), scratch, &tokens,
                                &count, error);
        if (!good) {
            fail_at(error, "%s", meaning->self->text);
            fail_row(table, i, error);
            break;
        }
        for (int64_t t = 0, at = i * length; t < length; t++)
            all[at + t] = t < count ? tokens[t] : padding;
        bytes += (int64_t)strlen(text);
        total += count;
        arena_reset(scratch);
    }
    arena_free(scratch);
    dataset->type = ARRAY_I32;
    dataset->shape[0] = length;
    dataset->features = all;
    dataset->tokenizer = meaning->tokenizer;
    dataset->bytes_per_token = total ? (double)bytes / (double)total : 0;
    return good;
}

static void set_features(const JsonlTable *table, Dataset *dataset)
{
    int64_t count = table->feature_count;
    float *out = arena_zero(dataset->arena, (size_t)table->count, (size_t)count * sizeof *out);
    for (int64_t i = 0; i < table->count; i++)
        memcpy(out + i * count, table->rows[i].features, (size_t)count * sizeof *out);
    dataset->type = ARRAY_F32;
    dataset->shape[0] = count;
    dataset->features = out;
}

static bool find_class(const JsonlRow *row, const Meaning *meaning, int32_t *label, Error *error)
{
    if (!meaning->names) {
        if (row->number >= 0 && row->number < (double)meaning->classes && row->number == floor(row->number)) {
            *label = (int32_t)row->number;
            return true;
        }
        return fail(error, "%s: class %.9g is not in the training file, its classes are 0 to %lld",
                    meaning->self->target, row->number, (long long)meaning->classes - 1);
    }
    const char **found = bsearch(&row->name, meaning->names, (size_t)meaning->classes, sizeof *found, compare_names);
    if (!found)
        return fail(error, "%s: class \"%.100s\" is not in the training file", meaning->self->target, row->name);
    *label = (int32_t)(found - meaning->names);
    return true;
}

static bool find_values(const JsonlTable *table, const JsonlRow *row, const Meaning *meaning, float *out, Error *error)
{
    const double *list = table->form == JSONL_LIST ? row->list : &row->number;
    double sum = 0;
    for (int64_t k = 0; k < meaning->classes; k++) {
        out[k] = (float)list[k];
        sum += list[k];
        if (meaning->kind == TARGET_SOFT && list[k] < 0)
            return fail(error, "%s[%lld]: expected a probability, got %.9g", meaning->self->target, (long long)k,
                        list[k]);
        if (!isfinite(out[k]))
            return fail(error, "%s: %.9g is too large for 32-bit floating point", meaning->self->target, list[k]);
    }
    if (meaning->kind == TARGET_SOFT && !(fabs(sum - 1) <= sum_tolerance))
        return fail(error, "%s: expected probabilities with sum 1, got a sum of %.9g", meaning->self->target, sum);
    return true;
}

static bool set_targets(const JsonlTable *table, const Meaning *meaning, Dataset *dataset, Error *error)
{
    size_t count = (size_t)table->count, classes = (size_t)meaning->classes;
    dataset->target_kind = meaning->kind;
    dataset->classes = meaning->classes;
    dataset->class_names = meaning->names;
    if (meaning->kind == TARGET_CLASS)
        dataset->labels = arena_zero(dataset->arena, count, sizeof *dataset->labels);
    else
        dataset->values = arena_zero(dataset->arena, count, classes * sizeof *dataset->values);
    for (int64_t i = 0; i < table->count; i++) {
        const JsonlRow *row = &table->rows[i];
        bool good = meaning->kind == TARGET_CLASS
                        ? find_class(row, meaning, &dataset->labels[i], error)
                        : find_values(table, row, meaning, dataset->values + i * meaning->classes, error);
        if (!good)
            return fail_row(table, i, error);
    }
    return true;
}

static bool set_samples(const JsonlTable *table, const Meaning *meaning, Dataset *dataset, Error *error)
{
    dataset->count = table->count;
    dataset->rank = 1;
    if (!meaning->tokenizer)
        set_features(table, dataset);
    else if (!set_tokens(table, meaning, dataset, error))
        return false;
    dataset->sample_stride = dataset->shape[0];
    return set_targets(table, meaning, dataset, error);
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct jsonl *self = values;
    const JsonlKeys keys = {self->text, self->features, self->target};
    JsonlTable train, test;
    Meaning meaning = {.self = self};
    Arena *scratch = arena_new();
    bool good = jsonl_table_read(self->path, &keys, NULL, scratch, &train, error) &&
                (!self->test_path || jsonl_table_read(self->test_path, &keys, &train, scratch, &test, error)) &&
                decide(&train, splits->arena, &meaning, error) &&
                (!self->text || train_tokenizer(&train, splits->arena, &meaning, error));
    for (int i = 0; i < (self->test_path ? 2 : 1) && good; i++) {
        Dataset *dataset = splits->datasets[i] = dataset_new();
        good = set_samples(i ? &test : &train, &meaning, dataset, error);
        if (good)
            *(i ? &splits->test : &splits->train) = data_split_all(splits->arena, dataset);
    }
    arena_free(scratch);
    return good;
}

const DatasetDef dataset_jsonl = {
    .component = {
        .name = "jsonl",
        .summary = "a JSON object a line: text or numbers, with classes, soft labels or values",
        .params = params,
        .size = sizeof(struct jsonl),
        .notes = "Classes are names, numbered in the order of their bytes, or integers from 0; the test file may "
                 "only hold classes of the training file. Soft labels are probabilities, at least 0 and with sum 1 "
                 "within 0.001. Other keys of a line are ignored.\n\n"
                 "Texts become `length` tokens: longer ones are cut at the end, shorter ones are padded at the end "
                 "with the token `vocabulary`, one above the tokenizer's, so that a model's embedding has a row "
                 "more than the tokenizer has tokens. The tokenizer is trained on all of `path`, before `split` "
                 "divides it.",
        .validate = validate,
    },
    .load = load,
};
