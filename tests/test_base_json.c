/* Strict JSON: what is refused, on which line, and where values stand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/testing.h"

#include "core/base/file.h"
#include "core/base/json.h"

static JsonSource *source;

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
    Error error = {0};
    cJSON *tree = json_parse(source, "a.json", text, strlen(text), &error);
    if (!tree)
        print_error("%s\n", error.message);
    assert_non_null(tree);
    return tree;
}

static void assert_refused_bytes(const char *text, size_t size, const char *message)
{
    Error error = {0};
    assert_null(json_parse(source, "a.json", text, size, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.status, STATUS_USAGE);
}

static void test_base_json__refusals_name_file_and_line(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"", "a.json:1: expected a value"},
        {"\n\n{\"a\" 1}", "a.json:3: expected \":\" after a key"},
        {"{a: 1}", "a.json:1: expected a key in double quotes"},
        {"{\"a\": 1,\n}", "a.json:2: trailing comma"},
        {"[1, 2,]", "a.json:1: trailing comma"},
        {"[1,, 2]", "a.json:1: expected a value"},
        {"[1\n2]", "a.json:2: expected \",\" or \"]\""},
        {"{\"a\": 1\n\"b\": 2}", "a.json:2: expected \",\" or \"}\""},
        {"{\"a\": 1", "a.json:1: expected \",\" or \"}\""},
        {"{}\n x", "a.json:2: text after the value"},
        {"\xef\xbb\xbf{}", "a.json:1: byte order mark; save the file as UTF-8 without one"},
        {"NaN", "a.json:1: NaN and Infinity are not JSON"},
        {"[\nInfinity]", "a.json:2: NaN and Infinity are not JSON"},
        {"-Infinity", "a.json:1: NaN and Infinity are not JSON"},
        {"truely", "a.json:1: expected a value"},
        {"1e999", "a.json:1: number too large for a double"},
        {"-1e999", "a.json:1: number too large for a double"},
        {"01", "a.json:1: number with a leading zero"},
        {"-00.5", "a.json:1: number with a leading zero"},
        {"1.", "a.json:1: number without a digit after the point"},
        {"1e+", "a.json:1: number without an exponent after \"e\""},
        {"+1", "a.json:1: expected a value"},
        {".5", "a.json:1: expected a value"},
        {"-", "a.json:1: expected a value"},
        {"0x10", "a.json:1: text after the value"},
        {"1000000000000000000000000000000000000000000000000000000000000000",
         "a.json:1: number of more than 63 characters"},
        {"\"a", "a.json:1: string without an end"},
        {"\"a\\", "a.json:1: unknown escape in a string"},
        {"\"\\x\"", "a.json:1: unknown escape in a string"},
        {"\"\\u12g4\"", "a.json:1: \\u needs four hexadecimal digits"},
        {"\"\\u12", "a.json:1: \\u needs four hexadecimal digits"},
        {"\"\\u0000\"", "a.json:1: \\u0000 in a string"},
        {"\"\\ud800\"", "a.json:1: lone surrogate in a string"},
        {"\"\\udc00\\ud800\"", "a.json:1: lone surrogate in a string"},
        {"\"\\ud800\\u0041\"", "a.json:1: lone surrogate in a string"},
        {"\"a\tb\"", "a.json:1: control character in a string"},
        {"\"a\nb\"", "a.json:1: control character in a string"},
        {"\n/* never\nclosed", "a.json:2: comment without an end"},
        {"/*/ 1", "a.json:1: comment without an end"},
        {"{} /", "a.json:1: text after the value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused_bytes(cases[i].text, strlen(cases[i].text), cases[i].message);
}

static void test_base_json__duplicate_keys_are_compared_decoded(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": 1,\n \"b\": {\"a\": 1},\n \"\\u0061\": 2}";
    assert_refused_bytes(text, sizeof text - 1, "a.json:3: duplicate key \"a\" (first on line 1)");
    parse("{\"a\": {\"a\": 1}, \"A\": [{\"a\": 1}, {\"a\": 2}]}");
}

static void test_base_json__bytes_that_are_not_text(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "\n\"\xff\"", "\n\"\xc0\x80\"", "\n\"\xe0\x80\x80\"", "\n\"\xed\xa0\x80\"", "\n\"\xf4\x90\x80\x80\"",
        "\n\"\xc3\"", "\n// \x80", "\n\xe2\x82",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        assert_refused_bytes(invalid[i], strlen(invalid[i]), "a.json:2: not valid UTF-8");
    assert_refused_bytes("\"a\0b\"", 5, "a.json:1: NUL byte");
    assert_refused_bytes("1\n\0", 3, "a.json:2: NUL byte");
}

static void test_base_json__depth_and_size_have_limits(void **state)
{
    (void)state;
    char deep[2 * JSON_MAX_DEPTH + 3] = {0};
    memset(deep, '[', JSON_MAX_DEPTH);
    memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    parse(deep);
    memset(deep, '[', JSON_MAX_DEPTH + 1);
    memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    assert_refused_bytes(deep, strlen(deep), "a.json:1: nested deeper than 64");

    char *large = malloc(JSON_MAX_BYTES + 1);
    memset(large, ' ', JSON_MAX_BYTES + 1);
    large[0] = '1';
    Error error;
    assert_non_null(json_parse(source, "a.json", large, JSON_MAX_BYTES, &error));
    assert_refused_bytes(large, JSON_MAX_BYTES + 1, "a.json:1: more than 4194304 bytes");
    free(large);
}

static int line_of(const cJSON *value)
{
    int line;
    assert_string_equal(json_place(source, value, &line), "a.json");
    return line;
}

static void test_base_json__values_know_their_line(void **state)
{
    (void)state;
    const cJSON *tree =
        parse("// first\n{\n  \"a\": [1, /* two\n lines */ 2],\n\n  \"b\": {\"c\": \"// no comment\"} // end\n}\n");
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(tree, "a"), *b = cJSON_GetObjectItemCaseSensitive(tree, "b");
    assert_int_equal(line_of(tree), 2);
    assert_int_equal(line_of(a), 3);
    assert_int_equal(line_of(cJSON_GetArrayItem(a, 0)), 3);
    assert_int_equal(line_of(cJSON_GetArrayItem(a, 1)), 4);
    assert_int_equal(line_of(b), 6);
    assert_int_equal(line_of(b->child), 6);
    assert_string_equal(b->child->valuestring, "// no comment");
    assert_null(json_file(source, tree));
}

static void test_base_json__made_values_have_no_place(void **state)
{
    (void)state;
    int line = 7;
    cJSON *made = cJSON_CreateNumber(1);
    assert_null(json_place(source, made, &line));
    assert_int_equal(line, 0);
    assert_null(json_place(source, NULL, NULL));
    cJSON_Delete(made);
}

static void test_base_json__copies_keep_places(void **state)
{
    (void)state;
    cJSON *tree = parse("{\"base\":\n {\"x\": [1,\n 2]}}");
    cJSON *copy = json_copy(source, tree->child);
    cJSON_AddItemToObject(tree, "other", copy);
    assert_int_equal(line_of(copy), 2);
    assert_int_equal(line_of(cJSON_GetArrayItem(copy->child, 1)), 3);
    assert_true(cJSON_Compare(copy, tree->child, true));
}

static void test_base_json__escapes_and_scalars(void **state)
{
    (void)state;
    assert_string_equal(parse("\"\\ud83d\\ude00 \\u00e9\\n\\/\"")->valuestring, "\xf0\x9f\x98\x80 \xc3\xa9\n/");
    assert_true(parse("-0.5e-3")->valuedouble == -0.5e-3);
    assert_true(parse(" 1.7976931348623157e308 ")->valuedouble > 1e308);
    assert_true(cJSON_IsNull(parse("null")));
    assert_true(cJSON_IsArray(parse("[ ]")));
    assert_true(cJSON_IsObject(parse("{ // nothing\n}")));
}

static void test_base_json__many_values(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    char *text = malloc(COUNT * 16), *end = text;
    *end++ = '{';
    for (int i = 0; i < COUNT; i++)
        end += sprintf(end, "%s\"k%d\":1", i ? ",\n" : "", i);
    strcpy(end, "}");
    const cJSON *item, *tree = parse(text);
    int line = 1;
    cJSON_ArrayForEach(item, tree)
        assert_int_equal(line_of(item), line++);
    assert_int_equal(line, COUNT + 1);
    free(text);
}

static void test_base_json__files(void **state)
{
    (void)state;
    char path[] = "/tmp/xent-json-XXXXXX";
    int descriptor = mkstemp(path), line;
    assert_true(descriptor >= 0);
    close(descriptor);
    Error error = {0};
    assert_true(file_write(path, "\n[1]", 4, &error));
    const cJSON *tree = json_parse_file(source, path, &error);
    assert_non_null(tree);
    assert_string_equal(json_place(source, tree->child, &line), path);
    assert_int_equal(line, 2);
    assert_string_equal(json_file(source, tree->child), path);
    unlink(path);
    assert_null(json_parse_file(source, path, &error));
    assert_int_equal(error.status, STATUS_USAGE);
    assert_non_null(strstr(error.message, path));
}

static void assert_prints(cJSON *value, const char *expected)
{
    char *text = cJSON_PrintUnformatted(value);
    assert_string_equal(text, expected);
    cJSON_free(text);
    cJSON_Delete(value);
}

static void test_base_json__numbers_of_nine_digits(void **state)
{
    (void)state;
    assert_prints(json_number9(1.0 / 3), "0.333333333");
    assert_prints(json_number9(0.1), "0.1");
    assert_prints(json_number9(-2), "-2");
    assert_prints(json_number9(NAN), "null");
    assert_prints(json_number9(-INFINITY), "null");
    const double values[] = {1, 2.5, INFINITY};
    assert_prints(json_numbers9(values, 3), "[1,2.5,null]");
    assert_prints(json_numbers9(values, 0), "[]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_base_json__refusals_name_file_and_line),
        TEST(test_base_json__duplicate_keys_are_compared_decoded),
        TEST(test_base_json__bytes_that_are_not_text),
        TEST(test_base_json__depth_and_size_have_limits),
        TEST(test_base_json__values_know_their_line),
        TEST(test_base_json__made_values_have_no_place),
        TEST(test_base_json__copies_keep_places),
        TEST(test_base_json__escapes_and_scalars),
        TEST(test_base_json__many_values),
        TEST(test_base_json__files),
        TEST(test_base_json__numbers_of_nine_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
