/* Merging of configs and values set by path. */
#include <string.h>

#include "tests/testing.h"

#include "core/base/json_edit.h"

static JsonSource *source;
static Error error;

static int set_up(void **state)
{
    (void)state;
    source = json_source_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_source_free(source);
    return 0;
}

static cJSON *parse(const char *text)
{
    cJSON *value = json_parse(source, "test", text, strlen(text), &error);
    assert_non_null(value);
    return value;
}

static void assert_json(const cJSON *value, const char *expected)
{
    char *text = cJSON_PrintUnformatted(value);
    if (strcmp(text, expected) != 0)
        fail_msg("%s\nis not\n%s", text, expected);
    cJSON_free(text);
}

static void test_json_edit__merge(void **state)
{
    (void)state;
    static const struct { const char *base, *over, *expected; } cases[] = {
        {"{\"a\": 1}", "{}", "{\"a\":1}"},
        {"{}", "{\"a\": {\"b\": 2}}", "{\"a\":{\"b\":2}}"},
        {"{\"a\": {\"b\": 1, \"c\": {\"d\": 2}}}", "{\"a\": {\"c\": {\"e\": 3}, \"b\": null}}",
         "{\"a\":{\"b\":null,\"c\":{\"d\":2,\"e\":3}}}"},
        {"{\"a\": [1, 2, 3]}", "{\"a\": [4]}", "{\"a\":[4]}"},
        {"{\"a\": {\"b\": 1}}", "{\"a\": 5}", "{\"a\":5}"},
        {"{\"a\": 5}", "{\"a\": {\"b\": 1}}", "{\"a\":{\"b\":1}}"},
        {"{\"A\": 1}", "{\"a\": 2}", "{\"A\":1,\"a\":2}"},
        /* Components: the same type merges, another one starts anew. */
        {"{\"m\": {\"type\": \"mlp\", \"x\": 1}}", "{\"m\": {\"y\": 2}}", "{\"m\":{\"type\":\"mlp\",\"x\":1,\"y\":2}}"},
        {"{\"m\": {\"type\": \"mlp\", \"x\": 1}}", "{\"m\": {\"type\": \"mlp\", \"y\": 2}}",
         "{\"m\":{\"type\":\"mlp\",\"x\":1,\"y\":2}}"},
        {"{\"m\": {\"type\": \"mlp\", \"x\": 1}}", "{\"m\": {\"type\": \"cnn\", \"y\": 2}}",
         "{\"m\":{\"type\":\"cnn\",\"y\":2}}"},
        {"{\"m\": {\"x\": 1}}", "{\"m\": {\"type\": \"cnn\"}}", "{\"m\":{\"type\":\"cnn\"}}"},
        /* A bare name is {"type": NAME}. */
        {"{\"m\": \"mlp\"}", "{\"m\": {\"y\": 2}}", "{\"m\":{\"type\":\"mlp\",\"y\":2}}"},
        {"{\"m\": \"mlp\"}", "{\"m\": {\"type\": \"mlp\", \"y\": 2}}", "{\"m\":{\"type\":\"mlp\",\"y\":2}}"},
        {"{\"m\": \"mlp\"}", "{\"m\": {\"type\": \"cnn\", \"y\": 2}}", "{\"m\":{\"type\":\"cnn\",\"y\":2}}"},
        {"{\"m\": {\"type\": \"mlp\", \"x\": 1}}", "{\"m\": \"mlp\"}", "{\"m\":{\"type\":\"mlp\",\"x\":1}}"},
        {"{\"m\": {\"type\": \"mlp\", \"x\": 1}}", "{\"m\": \"cnn\"}", "{\"m\":\"cnn\"}"},
        {"{\"m\": \"mlp\"}", "{\"m\": \"cnn\"}", "{\"m\":\"cnn\"}"},
        {"{\"m\": {\"x\": 1}}", "{\"m\": \"cnn\"}", "{\"m\":\"cnn\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_json(json_merge(source, parse(cases[i].base), parse(cases[i].over)), cases[i].expected);
}

/* Values keep the line that they were read from; equal texts of two files are not one value. */
static void test_json_edit__merge_keeps_places(void **state)
{
    (void)state;
    cJSON *base = json_parse(source, "base", "{\"a\": 1,\n\"b\": \"x\"}", 18, &error);
    cJSON *over = json_parse(source, "over", "{\n\n\"b\": \"x\"}", 12, &error);
    assert_true(base && over);
    json_merge(source, base, over);
    int line;
    assert_string_equal(json_place(source, cJSON_GetObjectItem(base, "a"), &line), "base");
    assert_int_equal(line, 1);
    assert_string_equal(json_place(source, cJSON_GetObjectItem(base, "b"), &line), "over");
    assert_int_equal(line, 3);
}

static void test_json_edit__set(void **state)
{
    (void)state;
    static const struct { const char *root, *assignment, *expected; } cases[] = {
        {"{}", "a=1", "{\"a\":1}"},
        {"{\"a\": 1}", "a=null", "{\"a\":null}"},
        {"{}", "a.b.c=true", "{\"a\":{\"b\":{\"c\":true}}}"},
        {"{\"a\": {\"b\": 1}}", "a.c=[1, 2]", "{\"a\":{\"b\":1,\"c\":[1,2]}}"},
        {"{\"a\": {\"b\": 1}}", "a={\"c\": 2}", "{\"a\":{\"c\":2}}"},
        {"{\"a\": [1, 2]}", "a[1]=5", "{\"a\":[1,5]}"},
        {"{\"a\": [1, 2]}", "a[2]=5", "{\"a\":[1,2,5]}"},
        {"{}", "a[0]=5", "{\"a\":[5]}"},
        {"{\"a\": [{\"b\": 1}]}", "a[0].b=2", "{\"a\":[{\"b\":2}]}"},
        {"{\"a\": [[1], [2]]}", "a[1][0]=3", "{\"a\":[[1],[3]]}"},
        {"{}", "a[0].b[0]=3", "{\"a\":[{\"b\":[3]}]}"},
        /* A word that is no JSON is a string; what begins as JSON has to be JSON. */
        {"{}", "a=word", "{\"a\":\"word\"}"},
        {"{}", "a=../data/x.csv", "{\"a\":\"../data/x.csv\"}"},
        {"{}", "a=two words", "{\"a\":\"two words\"}"},
        {"{}", "a=x=y", "{\"a\":\"x=y\"}"},
        {"{}", "a=\"1\"", "{\"a\":\"1\"}"},
        {"{}", "a=truth", "{\"a\":\"truth\"}"},
        {"{}", "a=/tmp/x", "{\"a\":\"/tmp/x\"}"},
        /* A component's bare name becomes an object when a key of it is set. */
        {"{\"m\": \"mlp\"}", "m.hidden=[3]", "{\"m\":{\"type\":\"mlp\",\"hidden\":[3]}}"},
        {"{\"m\": [\"mlp\"]}", "m[0].x=3", "{\"m\":[{\"type\":\"mlp\",\"x\":3}]}"},
        {"{\"m\": \"mlp\"}", "m=cnn", "{\"m\":\"cnn\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *root = parse(cases[i].root);
        if (!json_set(source, root, cases[i].assignment, &error))
            fail_msg("%s: %s", cases[i].assignment, error.message);
        assert_json(root, cases[i].expected);
    }
}

static void test_json_edit__set_names_the_option_in_errors(void **state)
{
    (void)state;
    static const struct { const char *assignment, *message; } cases[] = {
        {"", "--set : expected PATH=JSON"},
        {"a", "--set a: expected PATH=JSON"},
        {"=1", "--set =1: expected PATH=JSON"},
        {".a=1", "--set .a: a key is missing in the path"},
        {"a.=1", "--set a.: a key is missing in the path"},
        {"a..b=1", "--set a..b: a key is missing in the path"},
        {"[0]=1", "--set [0]: what is there is no list"},
        {"list[3]=1", "--set list[3]: the list has 2 elements"},
        {"list[3].x=1", "--set list[3].x: the list has 2 elements"},
        {"list[-1]=1", "--set list[-1]: expected an index such as [0]"},
        {"list[x]=1", "--set list[x]: expected an index such as [0]"},
        {"list[1=1", "--set list[1: expected an index such as [0]"},
        {"list[99999999999999999999]=1", "--set list[99999999999999999999]: expected an index such as [0]"},
        {"list[0]x=1", "--set list[0]x: expected . or [ before \"x\""},
        {"list.x=1", "--set list.x: what is there is no object"},
        {"number.x=1", "--set number.x: what is there is no object"},
        {"number[0]=1", "--set number[0]: what is there is no list"},
        {"name[0]=1", "--set name[0]: what is there is no list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *root = parse("{\"list\": [1, 2], \"number\": 3, \"name\": \"mlp\"}");
        error = (Error){0};
        assert_false(json_set(source, root, cases[i].assignment, &error));
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

/* What is malformed as JSON, or is no text at all. */
static void test_json_edit__set_refuses_malformed_values(void **state)
{
    (void)state;
    static const char *const values[] = {"", "{", "[1,", "\"x", "1x", "-", "01", "1e999", "NaN", "Infinity",
                                         "{\"a\": 1, \"a\": 2}", "\xff", "a\xc3"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char assignment[64];
        snprintf(assignment, sizeof assignment, "key=%s", values[i]);
        error = (Error){0};
        assert_false(json_set(source, parse("{}"), assignment, &error));
        assert_int_equal(strncmp(error.message, "--set key", 9), 0);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

static void test_json_edit__set_values_have_a_place(void **state)
{
    (void)state;
    cJSON *root = parse("{\"m\": \"mlp\"}");
    assert_true(json_set(source, root, "m.hidden=[1,\n2]", &error));
    const cJSON *hidden = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "m"), "hidden");
    int line;
    assert_string_equal(json_place(source, cJSON_GetArrayItem(hidden, 1), &line), "--set m.hidden");
    assert_int_equal(line, 2);
    assert_null(json_file(source, hidden));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json_edit__merge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_edit__merge_keeps_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_edit__set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_edit__set_names_the_option_in_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_edit__set_refuses_malformed_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_edit__set_values_have_a_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
