/* Configs: what they extend, what --set changes, what is refused where, and that a resolved one says it all. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/testing.h"

#include "core/base/file.h"
#include "core/train/config.h"

static Error error;
static Temporary temporary;     /* temporary.file is main.json */
static char made[8][640];       /* the other files */
static int made_count;

static int set_up(void **state)
{
    (void)state;
    temporary_make(&temporary, "main.json");
    made_count = 0;
    error = (Error){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char folder[640];
    for (int i = 0; i < made_count; i++)
        unlink(made[i]);
    snprintf(folder, sizeof folder, "%s/sub", temporary.folder);
    rmdir(folder);
    temporary_drop(&temporary);
    return 0;
}

/* Writes NAME, which may begin with sub/; the path is in made[]. */
static const char *write_config(const char *name, const char *text)
{
    char *path = made[made_count++], folder[640];
    snprintf(folder, sizeof folder, "%s/sub", temporary.folder);
    mkdir(folder, 0777);
    snprintf(path, sizeof *made, "%s/%s", temporary.folder, name);
    assert_true(file_write(path, text, strlen(text), &error));
    return path;
}

static Config *load(const char *argument, const char *const *sets)
{
    Config *config = config_load(argument, sets, NULL, &error);
    if (!config)
        fail_msg("%s", error.message);
    return config;
}

static void assert_refused(const char *argument, const char *const *sets, const char *part)
{
    error = (Error){0};
    assert_null(config_load(argument, sets, NULL, &error));
    if (!strstr(error.message, part))
        fail_msg("\"%s\" does not hold \"%s\"", error.message, part);
    assert_int_equal(error.status, STATUS_USAGE);
}

/* Paths are relative to the file that they stand in, wherever that is extended from. */
static void test_config__extends_a_chain(void **state)
{
    (void)state;
    write_config("sub/last.json", "{\"seed\": 1, \"data\": {\"type\": \"npy\", \"x\": \"x.npy\", \"y\": \"../y.npy\"}, "
                                  "\"train\": {\"epochs\": 3, \"batch_size\": 5}}");
    write_config("sub/middle.json", "{\"extends\": \"last.json\", \"seed\": 2, \"train\": {\"batch_size\": 6}}");
    write_config("main.json", "{\"extends\": \"sub/middle.json\", \"data\": {\"test_x\": \"x.npy\", \"test_y\": "
                              "\"/y.npy\"}, \"train\": {\"init_from\": \"w\"}}");
    Config *config = load(temporary.file, (const char *const[]){"train.steps=7", NULL});
    assert_int_equal(config->seed, 2);
    assert_int_equal(config->train.epochs, 3);
    assert_int_equal(config->train.batch_size, 6);
    assert_int_equal(config->train.steps, 7);
    cJSON *resolved = config_resolved(config);
    const cJSON *data = cJSON_GetObjectItem(resolved, "data");
    static const struct { const char *key, *path; } paths[] = {
        {"x", "sub/x.npy"}, {"y", "sub/../y.npy"}, {"test_x", "x.npy"}};
    for (int i = 0; i < 3; i++) {
        char expected[1024];
        snprintf(expected, sizeof expected, "%s/%s", temporary.folder, paths[i].path);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(data, paths[i].key)), expected);
    }
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(data, "test_y")), "/y.npy");
    assert_null(cJSON_GetObjectItem(resolved, "extends"));
    assert_int_equal(strncmp(config->train.init_from, temporary.folder, strlen(temporary.folder)), 0);
    cJSON_Delete(resolved);
    config_free(config);
}

/* The same text in two files is two paths. */
static void test_config__an_equal_path_of_another_file_is_another_path(void **state)
{
    (void)state;
    write_config("sub/base.json", "{\"train\": {\"init_from\": \"w.safetensors\"}}");
    write_config("main.json", "{\"extends\": \"sub/base.json\", \"train\": {\"init_from\": \"w.safetensors\"}}");
    char expected[1024];
    snprintf(expected, sizeof expected, "%s/w.safetensors", temporary.folder);
    Config *config = load(temporary.file, NULL);
    assert_string_equal(config->train.init_from, expected);
    config_free(config);
    /* What --set gives is relative to the current folder. */
    char folder[512];
    assert_non_null(getcwd(folder, sizeof folder));
    snprintf(expected, sizeof expected, "%s/v.safetensors", folder);
    config = load(temporary.file, (const char *const[]){"train.init_from=v.safetensors", NULL});
    assert_string_equal(config->train.init_from, expected);
    config_free(config);
}

static void test_config__extends_in_a_circle(void **state)
{
    (void)state;
    write_config("sub/other.json", "{\n\"extends\": \"../main.json\"}");
    write_config("main.json", "{\"extends\": \"sub/other.json\"}");
    assert_refused(temporary.file, NULL, "extends: deeper than 16 files; is there a circle?");
    write_config("sub/self.json", "{\n\n\"extends\": \"self.json\"}");
    assert_refused(made[made_count - 1], NULL, "self.json:3: extends: deeper");
}

static void test_config__extends_what_cannot_be(void **state)
{
    (void)state;
    write_config("main.json", "{\n\"extends\": \"none.json\"}");
    assert_refused(temporary.file, NULL, "main.json:2: extends: ");
    assert_non_null(strstr(error.message, "none.json"));
    write_config("main.json", "{\n\"extends\": 3}");
    assert_refused(temporary.file, NULL, "main.json:2: extends: expected a path");
    write_config("sub/list.json", "[]");
    write_config("main.json", "{\"extends\": \"sub/list.json\"}");
    assert_refused(temporary.file, NULL, "sub/list.json:1: expected an object");
    write_config("sub/list.json", "{\"seed\": }");
    assert_refused(temporary.file, NULL, "sub/list.json:1: ");
}

/* Of a base and of its own, a value's line is that of its file. */
static void test_config__errors_name_file_and_line(void **state)
{
    (void)state;
    write_config("sub/base.json", "{\n\n\"train\": {\n\"batch_siz\": 4}}");
    write_config("main.json", "{\"extends\": \"sub/base.json\",\n\"model\": {\"type\": \"mlp\",\n\"hidden\": [3, 0]}}");
    assert_refused(temporary.file, NULL, "/main.json:3: model.hidden[1]: expected an integer");
    write_config("main.json", "{\"extends\": \"sub/base.json\"}");
    assert_refused(temporary.file, NULL, "/sub/base.json:4: train.batch_siz: unknown key; did you mean "
                                         "\"batch_size\"?");
    assert_refused(temporary.file, (const char *const[]){"train={}", "train.epochs=x", NULL},
                   "--set train.epochs:1: train.epochs: expected");
}

static void test_config__what_is_refused(void **state)
{
    (void)state;
    static const struct { const char *text, *part; } cases[] = {
        {"{", "config:1: "},
        {"{\"sed\": 1}", "config:1: sed: unknown key; did you mean \"seed\"?"},
        {"{\"task\": 1}", "config:1: task: unknown key"},
        {"{\"seed\": -1}", "seed: expected"},
        {"{\"seed\": 1.5}", "seed: expected"},
        {"{\"seed\": 9007199254740993}", "config:1: seed: numbers above 2^53 are not exact"},
        {"{\"seed\": \"-1\"}", "config:1: seed: expected decimal digits"},
        {"{\"seed\": \"9223372036854775808\"}", "seed: expected decimal digits"},
        {"{\"seed\": \"\"}", "seed: expected decimal digits"},
        {"{\"model\": \"mpl\"}", "did you mean \"mlp\"?"},
        {"{\"model\": {\"hidden\": [3]}}", "model: missing key \"type\""},
        {"{\"model\": {\"type\": \"mlp\", \"typ\": 1}}", "model.typ: unknown key"},
        {"{\"data\": \"spiral\"}", "did you mean \"spirals\"?"},
        {"{\"data\": {\"type\": \"spirals\", \"counts\": 3}}", "data.counts: unknown key; did you mean \"count\"?"},
        {"{\"optimizer\": {\"lrate\": 1}}", "optimizer.lrate: unknown key"},
        {"{\"train\": []}", "train: expected"},
        {"{\"train\": {\"batch_size\": 0}}", "train.batch_size: expected"},
        {"{\"train\": {\"shuffle\": 1}}", "train.shuffle: expected"},
        {"{\"metrics\": \"accuracy\"}", "metrics: expected a list of names"},
        {"{\"metrics\": [1]}", "metrics: expected a name"},
        {"{\"metrics\": [\"accuracy\", \"acuracy\"]}", "metrics: unknown metric \"acuracy\""},
        {"{\"model\": {\"type\": \"sequential\", \"layers\": [\"flatten\", {\"type\": \"linear\", \"unit\": 3}]}}",
         "model.layers[1].unit: unknown key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, NULL, cases[i].part);
    write_config("main.json", "[1]");
    assert_refused(temporary.file, NULL, "main.json:1: expected an object");
}

static void test_config__defaults(void **state)
{
    (void)state;
    write_config("main.json", "{}");
    Config *config = load(temporary.file, NULL);
    assert_int_equal(config->seed, 0);
    assert_int_equal(config->train.epochs, 10);
    assert_string_equal(config->optimizer.component->name, "adam");
    assert_null(config->model.component);
    assert_false(config_require(config, "data model", &error));
    assert_non_null(strstr(error.message, "main.json:1: missing key \"data\""));
    assert_int_equal(error.status, STATUS_USAGE);
    assert_true(config_require(config, "", &error));
    config_free(config);
    config = load("{\"train\": {\"steps\": 5}}", NULL);
    assert_int_equal(config->train.epochs, PARAM_UNSET);
    config_free(config);
    config = load("{\"train\": {\"seconds\": 0.5}}", NULL);
    assert_int_equal(config->train.epochs, PARAM_UNSET);
    config_free(config);
}

/* Repeated sets apply in order, after what is extended; the seed of the command line comes last. */
static void test_config__sets_and_seed(void **state)
{
    (void)state;
    const char *sets[] = {"seed=3", "model.hidden=[7, 8]", "model.hidden[1]=9", "optimizer.lr=0.5", "schedule.warmup=4",
                          "train.transforms[0]=flip", NULL};
    Config *config = load("{\"model\": \"mlp\", \"seed\": 1}", sets);
    assert_int_equal(config->seed, 3);
    assert_string_equal(config->optimizer.component->name, "adam");
    assert_string_equal(config->schedule.component->name, "constant");
    assert_int_equal(config->train.transforms.count, 1);
    cJSON *model = instance_to_json(&config->model);
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(model, "hidden"));
    assert_string_equal(text, "[7,9]");
    cJSON_free(text);
    cJSON_Delete(model);
    config_free(config);
    static const uint64_t seeds[] = {0, 5, 9007199254740991, 9007199254740993, INT64_MAX};
    for (int i = 0; i < 5; i++) {
        config = config_load("{\"seed\": 1}", (const char *const[]){"seed=2", NULL}, &seeds[i], &error);
        assert_non_null(config);
        assert_true((uint64_t)config->seed == seeds[i]);
        config_free(config);
    }
}

static char *resolved_text(const Config *config)
{
    cJSON *resolved = config_resolved(config);
    char *text = cJSON_Print(resolved);
    cJSON_Delete(resolved);
    return text;
}

/* Read again, a resolved config resolves to the same text. */
static void test_config__resolved_is_a_fixed_point(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"seed\": 9007199254740991, \"data\": \"spirals\", \"model\": \"mlp\"}",
        "{\"seed\": \"9223372036854775807\"}",
        "{\"optimizer\": {\"type\": \"adamw\", \"lr\": 0.1, \"betas\": [0.30000000000000004, 0.9], \"epsilon\": 1e-30, "
        "\"groups\": [{\"match\": \"*\", \"lr_scale\": 0.1}]}}",
        "{\"train\": {\"epochs\": null, \"seconds\": 0.1, \"clip_norm\": 3.3333333333333335, \"ema\": 0.999, "
        "\"init_from\": \"a/b.safetensors\"}}",
        "{\"train\": {\"epochs\": 0, \"transforms\": [\"flip\", {\"type\": \"mixup\"}]}}",
        "{\"model\": {\"type\": \"sequential\", \"layers\": ["
        "{\"type\": \"convolution\", \"channels\": 3, \"kernel\": [3, 5]}, "
        "{\"type\": \"residual\", \"layers\": ["
        "{\"type\": \"activation\", \"activation\": {\"type\": \"elu\", \"alpha\": 0.7}}]}], "
        "\"init\": \"orthogonal\"}}",
        "{\"model\": {\"type\": \"transformer\", \"positions\": \"rope\", \"activation\": \"swiglu\"}, "
        "\"schedule\": {\"type\": \"cosine\", \"warmup\": 3}}",
        "{\"data\": {\"train\": {\"type\": \"spirals\", \"count\": 9}, \"val\": {\"type\": \"spirals\"}}, "
        "\"metrics\": [\"accuracy\", \"loss\"]}",
        "{\"data\": {\"type\": \"text\", \"path\": \"t.txt\", \"tokenizer\": {\"type\": \"bpe\"}}, "
        "\"loss\": \"ce\", \"calibrate\": \"temperature\"}",
        "{\"analyze\": [1, 2.5, \"a\"]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Config *config = load(texts[i], NULL);
        char *first = resolved_text(config);
        Config *again = config_parse("again", first, NULL, NULL, &error);
        if (!again)
            fail_msg("%s\n%s", error.message, first);
        char *second = resolved_text(again);
        assert_string_equal(first, second);
        assert_true(again->seed == config->seed);
        assert_true(again->train.clip_norm == config->train.clip_norm || isnan(config->train.clip_norm));
        cJSON_free(first);
        cJSON_free(second);
        config_free(config);
        config_free(again);
    }
}

int main(void)
{
#define CONFIG_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_config__extends_a_chain),
        CONFIG_TEST(test_config__an_equal_path_of_another_file_is_another_path),
        CONFIG_TEST(test_config__extends_in_a_circle),
        CONFIG_TEST(test_config__extends_what_cannot_be),
        CONFIG_TEST(test_config__errors_name_file_and_line),
        CONFIG_TEST(test_config__what_is_refused),
        CONFIG_TEST(test_config__defaults),
        CONFIG_TEST(test_config__sets_and_seed),
        CONFIG_TEST(test_config__resolved_is_a_fixed_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
