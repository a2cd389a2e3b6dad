/* JSONL: the data set and preference pairs. */
#include "tests/testing.h"

#include <string.h>

#include "core/base/file.h"
#include "data/dataset.h"
#include "data/preferences.h"
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
    temporary_make(&temporary, "a.jsonl");
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

static void write_to(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text), &error));
}

static void write_text(const char *text)
{
    write_to(temporary.file, text);
}

static bool parse(const char *keys, Instance *instance)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    const char *config = arena_format(arena, "{\"type\": \"jsonl\", \"path\": \"%s\", %s}", temporary.file, keys);
    const cJSON *value = json_parse(source, "c.json", config, strlen(config), &error);
    assert_non_null(value);
    return instance_parse(&context, "dataset", value, instance);
}

/* data_free(&splits) follows in both cases. */
static bool load(const char *text, const char *keys)
{
    Instance instance;
    write_text(text);
    assert_true(parse(keys, &instance));
    splits = (DataSplits){.arena = arena_new()};
    return ((const DatasetDef *)instance.component)->load(instance.values, 1, &splits, &error);
}

static void check_refused(const char *text, const char *keys, const char *message)
{
    assert_false(load(text, keys));
    data_free(&splits);
    if (!strstr(error.message, message))
        fail_msg("%s: %s", message, error.message);
    assert_int_equal(error.status, STATUS_FAILED);
}

static void test_data_jsonl__texts_with_named_classes(void **state)
{
    (void)state;
    assert_true(
        load("{\"text\": \"abc\", \"target\": \"dog\", \"more\": [1]}\r\n\n{\"text\": \"\", \"target\": \"cat\"}\n"
             "{\"target\": \"dog\", \"text\": \"cccba\"}",
             "\"text\": \"text\", \"length\": 4"));
    const Dataset *dataset = splits.train.dataset;
    static const int32_t tokens[] = {1, 2, 3, 4, 4, 4, 4, 4, 3, 3, 3, 2}, labels[] = {1, 0, 1};
    assert_true(splits.train.count == 3 && splits.test.count == 0 && dataset->count == 3);
    assert_true(dataset->type == ARRAY_I32 && dataset->rank == 1 && dataset->shape[0] == 4 &&
                dataset->sample_stride == 4);
    assert_int_equal(dataset->tokenizer->vocabulary, 4); /* the line feed between texts, a, b, c; 4 pads */
    assert_memory_equal(dataset->features, tokens, sizeof tokens);
    assert_true(dataset->target_kind == TARGET_CLASS && dataset->classes == 2);
    assert_memory_equal(dataset->labels, labels, sizeof labels);
    assert_string_equal(dataset->class_names[0], "cat");
    assert_string_equal(dataset->class_names[1], "dog");
    assert_true(dataset->bytes_per_token == 1);
    data_free(&splits);
}

static void test_data_jsonl__numbers(void **state)
{
    (void)state;
    assert_true(
        load("{\"x\": [1, 2.5], \"y\": 3}\n{\"x\": [-1, 0], \"y\": 0}\n", "\"features\": \"x\", \"target\": \"y\""));
    const Dataset *dataset = splits.train.dataset;
    static const float features[] = {1, 2.5f, -1, 0}, values[] = {3, 0}, fractions[] = {0.5f, 2};
    static const int32_t labels[] = {3, 0};
    assert_true(dataset->type == ARRAY_F32 && dataset->shape[0] == 2 && dataset->sample_stride == 2 &&
                dataset->classes == 4);
    assert_true(dataset->tokenizer == NULL && dataset->class_names == NULL);
    assert_memory_equal(dataset->features, features, sizeof features);
    assert_memory_equal(dataset->labels, labels, sizeof labels);
    data_free(&splits);

    assert_true(load("{\"x\": [1], \"y\": 3}\n{\"x\": [-1], \"y\": 0}\n",
                     "\"features\": \"x\", \"target\": \"y\", \"target_kind\": \"values\""));
    assert_true(splits.train.dataset->target_kind == TARGET_VALUES && splits.train.dataset->classes == 1);
    assert_memory_equal(splits.train.dataset->values, values, sizeof values);
    data_free(&splits);

    assert_true(load("{\"x\": [1], \"y\": 0.5}\n{\"x\": [-1], \"y\": 2}\n", "\"features\": \"x\", \"target\": \"y\""));
    assert_true(splits.train.dataset->target_kind == TARGET_VALUES);
    assert_memory_equal(splits.train.dataset->values, fractions, sizeof fractions);
    data_free(&splits);
}

static void test_data_jsonl__soft_labels(void **state)
{
    (void)state;
    static const float soft[] = {0.25f, 0.75f, 1, 0};
    static const char *const text = "{\"x\": [1], \"target\": [0.25, 0.75]}\n{\"x\": [2], \"target\": [1, 0]}\n";
    assert_true(load(text, "\"features\": \"x\""));
    assert_true(splits.train.dataset->target_kind == TARGET_SOFT && splits.train.dataset->classes == 2);
    assert_memory_equal(splits.train.dataset->values, soft, sizeof soft);
    data_free(&splits);
    assert_true(load("{\"x\": [1], \"target\": [3, -7]}", "\"features\": \"x\", \"target_kind\": \"values\""));
    assert_true(splits.train.dataset->target_kind == TARGET_VALUES && splits.train.dataset->classes == 2);
    data_free(&splits);
    assert_true(load("{\"x\": [1], \"target\": [0.5, 0.5009]}", "\"features\": \"x\""));
    data_free(&splits);
    check_refused("{\"x\": [1], \"target\": [0, 1]}\n{\"x\": [1], \"target\": [0.5, 0.502]}", "\"features\": \"x\"",
                  "a.jsonl:2: target: expected probabilities with sum 1, got a sum of 1.002");
    check_refused("{\"x\": [1], \"target\": [-0.5, 1.5]}", "\"features\": \"x\"",
                  "a.jsonl:1: target[0]: expected a probability, got -0.5");
    check_refused("{\"x\": [1], \"target\": [0, 1]}\n{\"x\": [1], \"target\": [1]}", "\"features\": \"x\"",
                  "a.jsonl:2: target: expected 2 numbers as in the first row, got 1");
}

static void test_data_jsonl__test_file(void **state)
{
    (void)state;
    char path[700], keys[1000];
    snprintf(path, sizeof path, "%s/test.jsonl", temporary.folder);
    snprintf(keys, sizeof keys, "\"text\": \"t\", \"target\": \"y\", \"length\": 2, \"test_path\": \"%s\"", path);
    static const char *const train = "{\"t\": \"ab\", \"y\": \"p\"}\n{\"t\": \"ba\", \"y\": \"q\"}\n";
    static const struct { const char *test, *message; } cases[] = {
        {"{\"t\": \"b\", \"y\": \"q\"}", NULL},
        {"{\"t\": \"b\", \"y\": \"q\"}\n{\"t\": \"b\", \"y\": \"r\"}",
         "test.jsonl:2: y: class \"r\" is not in the training file"},
        {"{\"t\": \"b\", \"y\": 1}", "test.jsonl:1: y: expected a string as in the first row, got a number"},
        {"{\"t\": \"bz\", \"y\": \"q\"}", "test.jsonl:1: t: byte 1: character U+007A is not in the training text"},
        {"\n", "test.jsonl: no rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_to(path, cases[i].test);
        if (cases[i].message) {
            check_refused(train, keys, cases[i].message);
            continue;
        }
        assert_true(load(train, keys));
        assert_true(splits.train.count == 2 && splits.test.count == 1 && splits.val.count == 0);
        assert_int_equal(splits.test.dataset->labels[0], 1);
        assert_int_equal(((const int32_t *)splits.test.dataset->features)[1], 3);
        assert_ptr_equal(splits.test.dataset->tokenizer, splits.train.dataset->tokenizer);
        data_free(&splits);
    }
    write_to(path, "{\"t\": \"a\", \"y\": 2}");
    check_refused("{\"t\": \"a\", \"y\": 1}", keys,
                  "test.jsonl:1: y: class 2 is not in the training file, its classes are 0 to 1");
    write_to(path, "{\"t\": \"a\", \"y\": -1e300}");
    check_refused("{\"t\": \"a\", \"y\": 1}", keys, "test.jsonl:1: y: class -1e+300 is not in the training file");
    unlink(path);
}

static void test_data_jsonl__errors_name_the_line(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"", "a.jsonl: no rows"},
        {"{\"x\": [1], \"y\": 0}\n\n{\"x\": [1], \"y\": }\n", "a.jsonl:3: expected a value"},
        {"{\"x\": [1], \"y\": 0}\n{\"x\": [1], \"x\": [1], \"y\": 1}",
         "a.jsonl:2: duplicate key \"x\" (first on line 2)"},
        {"{\"x\": [1], \"y\": 0}\n[1]", "a.jsonl:2: expected an object"},
        {"{\"x\": [1], \"y\": 0} {}", "a.jsonl:1: text after the value"},
        {"{\"x\": [1],\n \"y\": 0}", "a.jsonl:1: expected a key in double quotes"},
        {"{\"y\": 0}", "a.jsonl:1: missing key \"x\""},
        {"{\"x\": [1]}", "a.jsonl:1: missing key \"y\""},
        {"{\"x\": [], \"y\": 0}", "a.jsonl:1: x: expected at least 1 number"},
        {"{\"x\": [1, \"2\"], \"y\": 0}", "a.jsonl:1: x[1]: expected a number"},
        {"{\"x\": [1e39], \"y\": 0}", "a.jsonl:1: x[0]: too large for 32-bit floating point"},
        {"{\"x\": [1], \"y\": 0}\n{\"x\": [1, 2], \"y\": 0}",
         "a.jsonl:2: x: expected 1 numbers as in the first row, got 2"},
        {"{\"x\": [1], \"y\": null}", "a.jsonl:1: y: expected a class name, a number or a list of numbers"},
        {"{\"x\": [1], \"y\": \"a\"}\n{\"x\": [1], \"y\": 2}",
         "a.jsonl:2: y: expected a string as in the first row, got a number"},
        {"{\"x\": [1], \"y\": 0}\n{\"x\": [1], \"y\": -1}", "a.jsonl:2: y: expected a class between 0 and 1048575, "
                                                            "got -1; real values need \"target_kind\": \"values\""},
        {"{\"x\": [1], \"y\": 3e9}", "a.jsonl:1: y: expected a class between 0 and 1048575, got 3e+09"},
        {"{\"x\": [1], \"y\": \"\xFF\"}", "a.jsonl:1: not valid UTF-8"},
        {"{\"x\": [1], \"y\": 1e39, \"z\": 0}\n{\"x\": [1], \"y\": 0.5}",
         "a.jsonl:1: y: 1e+39 is too large for 32-bit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(cases[i].text, "\"features\": \"x\", \"target\": \"y\"", cases[i].message);
    check_refused("{\"x\": [1], \"target\": \"a\"}", "\"features\": \"x\", \"target_kind\": \"values\"",
                  "a.jsonl:1: target: \"target_kind\": \"values\" does not go with a string");
    check_refused("{\"x\": [1], \"target\": 1}", "\"features\": \"x\", \"target_kind\": \"soft\"",
                  "a.jsonl:1: target: \"target_kind\": \"soft\" does not go with a number");
    check_refused("{\"x\": 1, \"target\": 1}", "\"text\": \"x\"", "a.jsonl:1: x: expected a string");
}

static void test_data_jsonl__keys_that_do_not_go_together(void **state)
{
    (void)state;
    static const char *const keys[] = {"\"length\": 3", "\"text\": \"a\", \"features\": \"b\"",
                                       "\"text\": \"a\", \"normalize\": true"};
    static const char *const messages[] = {"exactly one of \"text\" and \"features\"",
                                           "exactly one of \"text\" and \"features\"",
                                           "normalize: tokens are not normalised"};
    write_text("");
    for (int i = 0; i < 3; i++) {
        Instance instance;
        assert_false(parse(keys[i], &instance));
        assert_non_null(strstr(error.message, messages[i]));
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

static void test_data_jsonl__preferences(void **state)
{
    (void)state;
    PreferenceList list;
    write_text("{\"prompt\": \"\", \"chosen\": \"yes\", \"rejected\": \"no\", \"id\": 7}\n\n"
               "{\"prompt\": \"\\u00fc\", \"chosen\": \"a\", \"rejected\": \"b\", \"probability\": 0.75}\n");
    assert_true(preferences_read(temporary.file, arena, &list, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].prompt, "");
    assert_string_equal(list.items[0].chosen, "yes");
    assert_string_equal(list.items[0].rejected, "no");
    assert_true(list.items[0].probability == 1 && list.items[1].probability == 0.75);
    assert_string_equal(list.items[1].prompt, "\xC3\xBC");
    assert_int_equal(list.items[1].line, 3);
    static const struct { const char *text, *message; } cases[] = {
        {"\n", "a.jsonl: no preferences"},
        {"{\"prompt\": \"\", \"chosen\": \"a\"}", "a.jsonl:1: missing key \"rejected\""},
        {"{\"prompt\": \"\", \"chosen\": \"a\", \"rejected\": 3}", "a.jsonl:1: rejected: expected a string"},
        {"{\"prompt\": \"\", \"chosen\": \"\", \"rejected\": \"a\"}",
         "a.jsonl:1: chosen: expected a string that is not empty"},
        {"{\"prompt\": \"\", \"chosen\": \"b\", \"rejected\": \"a\", \"probability\": 1.5}",
         "a.jsonl:1: probability: expected a number between 0 and 1"},
        {"{\"prompt\": \"\", \"chosen\": \"b\", \"rejected\": \"a\", \"probability\": \"1\"}",
         "a.jsonl:1: probability: expected a number between 0 and 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(cases[i].text);
        assert_false(preferences_read(temporary.file, arena, &list, &error));
        assert_non_null(strstr(error.message, cases[i].message));
        assert_int_equal(error.status, STATUS_FAILED);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_jsonl__texts_with_named_classes),
        TEST(test_data_jsonl__numbers),
        TEST(test_data_jsonl__soft_labels),
        TEST(test_data_jsonl__test_file),
        TEST(test_data_jsonl__errors_name_the_line),
        TEST(test_data_jsonl__keys_that_do_not_go_together),
        TEST(test_data_jsonl__preferences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
