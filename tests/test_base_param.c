/* Parameter tables: messages, defaults, and the way back to JSON. */
#include <string.h>

#include "tests/testing.h"

#include "core/base/component.h"

struct sample {
    int64_t epochs;
    double rate;
    bool shuffle;
    const char *name, *path;
    int mode;
    IntList hidden;
    FloatList weights;
    Instance loss;
    const cJSON *extra;
};

static const char *const modes[] = {"sum", "mean", NULL};
static const Param table[] = {
    PARAM_INT(struct sample, epochs, null, .min = 1),
    PARAM_FLOAT(struct sample, rate, 0.7, .min = 0, .max = 1),
    PARAM_BOOL(struct sample, shuffle, true),
    PARAM_REQUIRED(STRING, struct sample, name),
    PARAM_PATH(struct sample, path, null),
    PARAM_ENUM(struct sample, mode, "mean", .choices = modes),
    PARAM_INTS(struct sample, hidden, "[3, 4]", .min = 1, .min_count = 1),
    PARAM_FLOATS(struct sample, weights, "null"),
    PARAM_COMPONENT(struct sample, loss, "null", "loss"),
    PARAM_JSON(struct sample, extra, "{\"k\": [1]}"),
    PARAM_END,
};

static JsonSource *source;
static Arena *arena;
static Error error;

static int set_up(void **state)
{
    (void)state;
    source = json_source_new();
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_source_free(source);
    arena_free(arena);
    return 0;
}

static bool parse(const char *text, const char *prefix, struct sample *sample)
{
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    strcpy(context.path, prefix);
    const cJSON *tree = json_parse(source, "a.json", text, strlen(text), &error);
    assert_non_null(tree);
    return params_parse(&context, table, false, tree, sample);
}

static void test_base_param__messages(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"{}", "a.json:1: m: missing key \"name\""},
        {"[]", "a.json:1: m: expected an object, got a list"},
        {"{\"name\": \"x\",\n\"rat\": 1}", "a.json:2: m.rat: unknown key; did you mean \"rate\"?"},
        {"{\"zzzzzz\": 1}", "a.json:1: m.zzzzzz: unknown key"},
        {"{\"epochs\": 0}", "a.json:1: m.epochs: expected an integer >= 1, got 0"},
        {"{\"epochs\": 1.5}", "a.json:1: m.epochs: expected an integer >= 1, got 1.5"},
        {"{\"rate\": 2}", "a.json:1: m.rate: expected a number between 0 and 1, got 2"},
        {"{\"rate\": null}", "a.json:1: m.rate: expected a number between 0 and 1, got null"},
        {"{\"shuffle\": 1}", "a.json:1: m.shuffle: expected true or false, got 1"},
        {"{\"name\": {}}", "a.json:1: m.name: expected a string, got an object"},
        {"{\"name\": \"\", \"path\": \"\"}", "a.json:1: m.path: expected a path, got \"\""},
        {"{\"name\": \"\", \"mode\": \"meen\"}",
         "a.json:1: m.mode: expected one of \"sum\", \"mean\", got \"meen\"; did you mean \"mean\"?"},
        {"{\"name\": \"\", \"hidden\": [1,\n \"x\"]}", "a.json:2: m.hidden[1]: expected an integer >= 1, got \"x\""},
        {"{\"name\": \"\", \"hidden\": []}", "a.json:1: m.hidden: expected a list of at least 1, got 0"},
        {"{\"name\": \"\", \"loss\": 3}",
         "a.json:1: m.loss: expected the name of a loss or an object with \"type\", got 3"},
        {"{\"name\": \"\", \"loss\": {}}", "a.json:1: m.loss: missing key \"type\""},
        {"{\"name\": \"\", \"loss\": {\n\"type\": \"no such loss\"}}",
         "a.json:2: m.loss.type: unknown loss \"no such loss\" (\"xent list losses\" names all)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample sample;
        assert_false(parse(cases[i].text, "m", &sample));
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

static void test_base_param__defaults_and_round_trip(void **state)
{
    (void)state;
    struct sample sample, again;
    assert_true(parse("{\"name\": \"n\", \"path\": \"d/x\", \"weights\": [0.30000000000000004]}", "", &sample));
    assert_true(sample.epochs == PARAM_UNSET && sample.rate == 0.7 && sample.shuffle && sample.mode == 1);
    assert_true(sample.hidden.count == 2 && sample.hidden.items[1] == 4);
    assert_null(sample.loss.component);
    assert_int_equal(sample.path[0], '/');
    cJSON *json = params_to_json(table, &sample);
    char *text = cJSON_PrintUnformatted(json);
    assert_true(parse(text, "", &again));
    assert_true(again.weights.items[0] == sample.weights.items[0]);
    assert_string_equal(again.path, sample.path);
    assert_true(cJSON_Compare(again.extra, sample.extra, true));
    cJSON_free(text);
    cJSON_Delete(json);
}

static void test_base_param__nearest_name(void **state)
{
    (void)state;
    static const char *const names[] = {"ce", "gce", "momentum", NULL};
    assert_string_equal(nearest_name("cee", names), "ce");
    assert_string_equal(nearest_name("mom", names), "momentum");
    assert_null(nearest_name("xy", names));
    assert_null(nearest_name("", names));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* The real registry: a component that exists is found by either spelling and writes itself back. */
static void test_base_param__existing_component_is_found_and_written_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"accuracy\"", "{\"type\": \"accuracy\"}"};
    for (int i = 0; i < 2; i++) {
        Arena *arena = arena_new();
        Error error = {0};
        JsonSource *source = json_source_new();
        cJSON *value = json_parse(source, "a.json", texts[i], strlen(texts[i]), &error);
        assert_non_null(value);
        ParamContext context = {.source = source, .arena = arena, .error = &error};
        Instance instance;
        assert_true(instance_parse(&context, "metric", value, &instance));
        assert_ptr_equal(instance.component, component_find("metrics", "accuracy"));
        cJSON *written = instance_to_json(&instance);
        assert_string_equal(cJSON_GetObjectItem(written, "type")->valuestring, "accuracy");
        cJSON_Delete(written);
        json_source_free(source);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_base_param__messages),
        TEST(test_base_param__defaults_and_round_trip),
        TEST(test_base_param__nearest_name),
        TEST(test_base_param__existing_component_is_found_and_written_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
