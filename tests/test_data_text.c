/* Text in windows. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "data/dataset.h"
#include "data/tokenizer.h"

static Arena *arena;
static JsonSource *source;
static Error error;
static DataSplits splits;
static Temporary temporary;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    source = json_source_new();
    temporary_make(&temporary, "a.txt");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temporary_drop(&temporary);
    json_source_free(source);
    arena_free(arena);
    return 0;
}

static void write_text(const char *text)
{
    assert_true(file_write(temporary.file, text, strlen(text), &error));
}

static bool parse(const char *config, Instance *instance)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    const cJSON *value = json_parse(source, "c.json", config, strlen(config), &error);
    assert_non_null(value);
    return instance_parse(&context, "dataset", value, instance);
}

/* The text at `path` with further keys; data_free(&splits) follows in both cases. */
static bool load(const char *path, const char *keys)
{
    Instance instance;
    char config[1500];
    snprintf(config, sizeof config, "{\"type\": \"text\", \"path\": \"%s\"%s}", path, keys);
    assert_true(parse(config, &instance));
    splits = (DataSplits){.arena = arena_new()};
    return ((const DatasetDef *)instance.component)->load(instance.values, 1, &splits, &error);
}

static const int32_t *window(const DataSplit *split, int64_t i)
{
    return (const int32_t *)split->dataset->features + split->order[i] * split->dataset->sample_stride;
}

static void test_data_text__windows_and_their_targets(void **state)
{
    (void)state;
    write_text("0123456789");
    assert_true(load(temporary.file, ", \"shares\": [1, 0, 0], \"length\": 3, \"tokenizer\": \"byte\""));
    const Dataset *dataset = splits.train.dataset;
    assert_int_equal(splits.train.count, 3);
    assert_int_equal(splits.val.count, 0);
    assert_int_equal(splits.test.count, 0);
    assert_true(dataset->type == ARRAY_I32 && dataset->rank == 1 && dataset->shape[0] == 3);
    assert_true(dataset->target_kind == TARGET_TOKENS && dataset->classes == 256 && dataset->count == 3);
    assert_true(dataset->bytes_per_token == 1 && isnan(dataset->entropy_rate));
    for (int64_t i = 0; i < 3; i++)
        for (int64_t t = 0; t <= 3; t++) /* one further: the target of the last */
            assert_int_equal(window(&splits.train, i)[t], '0' + 3 * i + t);
    data_free(&splits);
}

/* A window less than would need a token behind the end. */
static void test_data_text__number_of_windows(void **state)
{
    (void)state;
    static const struct { const char *keys; int64_t count; } cases[] = {
        {"\"length\": 9", 1}, {"\"length\": 5", 1}, {"\"length\": 4", 2}, {"\"length\": 1", 9},
        {"\"length\": 4, \"stride\": 1", 6}, {"\"length\": 4, \"stride\": 2", 3}, {"\"length\": 4, \"stride\": 9", 1},
    };
    write_text("0123456789");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char keys[100];
        snprintf(keys, sizeof keys, ", \"shares\": [1, 0, 0], %s", cases[i].keys);
        assert_true(load(temporary.file, keys));
        assert_int_equal(splits.train.count, cases[i].count);
        const int32_t *last = window(&splits.train, cases[i].count - 1), *begin = splits.train.dataset->features;
        assert_true(last - begin + splits.train.dataset->shape[0] <= 9);
        data_free(&splits);
    }
}

static void test_data_text__splits_are_blocks(void **state)
{
    (void)state;
    write_text("aaaaaaaaaabbbbbaaaaa");
    assert_true(load(temporary.file,
                     ", \"shares\": [0.5, 0.25, 0.25], \"length\": 2, \"stride\": 1, \"tokenizer\": \"byte\""));
    assert_int_equal(splits.train.count, 8);
    assert_int_equal(splits.val.count, 2);
    assert_int_equal(splits.test.count, 2);
    assert_int_equal(splits.val.dataset->sample_stride, 2); /* tokens are predicted once */
    const DataSplit *const parts[] = {&splits.train, &splits.val, &splits.test};
    for (int p = 0; p < 3; p++)
        for (int64_t i = 0; i < parts[p]->count; i++)
            for (int64_t t = 0; t <= 2; t++)
                assert_int_equal(window(parts[p], i)[t], "aba"[p]);
    data_free(&splits);
}

/* A share that ends within a character is moved behind it. */
static void test_data_text__blocks_keep_characters_whole(void **state)
{
    (void)state;
    write_text("aaaa\xE2\x98\x83\xE2\x98\x83\xE2\x98\x83");
    assert_true(load(temporary.file, ", \"shares\": [0.4, 0.6, 0], \"length\": 1"));
    assert_int_equal(splits.train.count, 4);
    assert_int_equal(splits.val.count, 1);
    assert_int_equal(splits.train.dataset->classes, 2);
    assert_true(splits.train.dataset->bytes_per_token == 7.0 / 5 && splits.val.dataset->bytes_per_token == 3);
    data_free(&splits);
}

static void test_data_text__files_of_their_own(void **state)
{
    (void)state;
    char val[700], keys[1000];
    write_text("abcabc");
    snprintf(val, sizeof val, "%s/val.txt", temporary.folder);
    assert_true(file_write(val, "cab", 3, &error));
    snprintf(keys, sizeof keys, ", \"length\": 2, \"val_path\": \"%s\"", val);
    assert_true(load(temporary.file, keys));
    assert_int_equal(splits.train.count, 2);
    assert_int_equal(splits.val.count, 1);
    assert_int_equal(splits.test.count, 0);
    assert_ptr_equal(splits.val.dataset->tokenizer, splits.train.dataset->tokenizer);
    assert_int_equal(window(&splits.val, 0)[0], 2);
    assert_int_equal(window(&splits.val, 0)[1], 0);
    data_free(&splits);

    assert_true(file_write(val, "cax", 3, &error));
    assert_false(load(temporary.file, keys));
    assert_non_null(
        strstr(error.message, "/val.txt: val, from byte 0 on: byte 2: character U+0078 is not in the training text"));
    data_free(&splits);
    unlink(val);
    assert_false(load(temporary.file, keys));
    assert_non_null(strstr(error.message, "/val.txt: No such file"));
    data_free(&splits);
}

static void test_data_text__short_texts_are_refused(void **state)
{
    (void)state;
    static const struct { const char *text, *keys, *message; } cases[] = {
        {"abc", ", \"shares\": [1, 0, 0], \"length\": 3",
         "/a.txt: train has 3 tokens, windows of length 3 need 4; shorten \"length\" or give more text"},
        {"abababab", ", \"shares\": [0.75, 0.25, 0], \"length\": 2",
         "/a.txt: val has 2 tokens, windows of length 2 need 3"},
        {"", ", \"length\": 2", "/a.txt: no text to take characters from"},
        {"", ", \"length\": 2, \"tokenizer\": \"bpe\"", "/a.txt: train has 0 tokens"},
        {"aaaa\xFF", ", \"length\": 2, \"shares\": [1, 0, 0]", "/a.txt: byte 4: not valid UTF-8"},
        {"aaaabbbb", ", \"length\": 2, \"shares\": [0.5, 0.5, 0]",
         "/a.txt: val, from byte 4 on: byte 0: character U+0062 is not in the training text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(cases[i].text);
        assert_false(load(temporary.file, cases[i].keys));
        data_free(&splits);
        if (!strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(error.status, STATUS_FAILED);
    }
}

static void test_data_text__keys_that_do_not_apply(void **state)
{
    (void)state;
    static const struct { const char *keys, *message; } cases[] = {
        {"\"split\": [0.8, 0.1, 0.1]",
         "split: text is cut into blocks and never drawn; use \"shares\", \"val_path\", \"test_path\""},
        {"\"folds\": 3", "folds, stratified, balance, label_noise and normalize do not apply to text"},
        {"\"normalize\": true", "folds, stratified, balance, label_noise and normalize do not apply to text"},
        {"\"shares\": [0.5, 0.5, 0.5]", "shares: expected a sum of 1, got 1.5"},
        {"\"shares\": [0.5, 0.5, 0, 0]", "shares: expected 3, got 4"},
        {"\"shares\": [0, 0.5, 0.5]", "shares: the training split must have some"},
        {"\"length\": 0", "length: expected an integer between 1 and 16777216, got 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[300];
        Instance instance;
        snprintf(config, sizeof config, "{\"type\": \"text\", \"path\": \"x\", %s}", cases[i].keys);
        assert_false(parse(config, &instance));
        if (!strstr(error.message, cases[i].message))
            fail_msg("case %zu: %s", i, error.message);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

static void test_data_text__bytes_are_described_without_reading(void **state)
{
    (void)state;
    static const struct { const char *config; bool known; } cases[] = {
        {"{\"type\": \"text\", \"path\": \"absent\", \"length\": 7, \"tokenizer\": \"byte\"}", true},
        {"{\"type\": \"text\", \"path\": \"absent\"}", false},
    };
    for (int i = 0; i < 2; i++) {
        Instance instance;
        Dataset shape = {0};
        assert_true(parse(cases[i].config, &instance));
        assert_int_equal(((const DatasetDef *)instance.component)->describe(instance.values, &shape), cases[i].known);
        if (cases[i].known)
            assert_true(shape.type == ARRAY_I32 && shape.rank == 1 && shape.shape[0] == 7 && shape.classes == 256);
    }
}

/* Real texts, where XENT_SHARED_DATA names a folder that has them. */
static const char *shared_file(const char *name)
{
    const char *folder = getenv("XENT_SHARED_DATA");
    if (!folder)
        skip();
    const char *path = path_join(arena, folder, name);
    if (!file_exists(path))
        skip();
    return path;
}

static void test_data_text__tiny_shakespeare(void **state)
{
    (void)state;
    const char *path = shared_file("tiny-shakespeare/input.txt");
    assert_true(load(path, ""));
    assert_int_equal(splits.train.dataset->classes, 65); /* all its characters are in the first nine tenths */
    assert_int_equal(splits.train.count, (1003855 - 1) / 128);
    assert_true(splits.val.dataset->bytes_per_token == 1);
    data_free(&splits);

    assert_true(load(path, ", \"tokenizer\": {\"type\": \"bpe\", \"vocabulary\": 4352}"));
    assert_int_equal(splits.train.dataset->classes, 4352);
    assert_true(splits.train.dataset->bytes_per_token > 3 && splits.test.dataset->bytes_per_token > 2.5);
    size_t size, whole;
    unsigned char *bytes;
    const Dataset *dataset = splits.train.dataset;
    unsigned char *text = tokenizer_decode(dataset->tokenizer, dataset->features, dataset->count * 128, arena, &size);
    assert_true(file_read(path, 1 << 21, arena, &bytes, &whole, &error));
    assert_memory_equal(text, bytes, size);
    data_free(&splits);
}

static void test_data_text__penn_treebank(void **state)
{
    (void)state;
    const char *path = shared_file("ptb/ptb.train.txt.gz");
    char keys[1000];
    snprintf(keys, sizeof keys, ", \"val_path\": \"%s\", \"test_path\": \"%s\"", shared_file("ptb/ptb.valid.txt.gz"),
             shared_file("ptb/ptb.test.txt.gz"));
    assert_true(load(path, keys));
    assert_int_equal(splits.train.dataset->classes, 50);
    data_free(&splits);

    /* The published numbers of tokens, each line's end among them, and of words: 9,999 and the line's end. */
    snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s",
             ", \"length\": 1, \"tokenizer\": {\"type\": \"word\", \"vocabulary\": 20000, \"punctuation\": false}");
    assert_true(load(path, keys));
    assert_int_equal(splits.train.dataset->classes, 10000 + 1);
    assert_int_equal(splits.train.count + 1, 929589);
    assert_int_equal(splits.val.count + 1, 73760);
    assert_int_equal(splits.test.count + 1, 82430);
    data_free(&splits);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_text__windows_and_their_targets),
        TEST(test_data_text__number_of_windows),
        TEST(test_data_text__splits_are_blocks),
        TEST(test_data_text__blocks_keep_characters_whole),
        TEST(test_data_text__files_of_their_own),
        TEST(test_data_text__short_texts_are_refused),
        TEST(test_data_text__keys_that_do_not_apply),
        TEST(test_data_text__bytes_are_described_without_reading),
        TEST(test_data_text__tiny_shakespeare),
        TEST(test_data_text__penn_treebank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
