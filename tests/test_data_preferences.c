/* Preference pairs as windows of a language model: what of them is a target, and which belong together. */
#include "tests/data_testing.h"
#include "tests/instances.h"

#include "data/loader.h"

static Files files;
static Texts texts;

static int set_up(void **state)
{
    (void)state;
    files_make(&files);
    texts = texts_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    texts_close(&texts);
    files_drop(&files);
    return 0;
}

static const char two[] = "{\"prompt\": \"ab\", \"chosen\": \"cd\", \"rejected\": \"e\", \"probability\": 0.75}\n"
                          "{\"prompt\": \"\", \"chosen\": \"x\", \"rejected\": \"yz\"}\n";

/* Of a file with `text`, with further keys; NULL after an error. */
static DataSplits *load_pairs(const char *text, const char *keys)
{
    static DataSplits splits;
    char json[800];
    files_put(&files, "pairs.jsonl", text, strlen(text));
    snprintf(json, sizeof json, "{\"type\": \"preferences\", \"path\": \"%s/pairs.jsonl\", \"tokenizer\": \"byte\"%s}",
             files.temporary.folder, keys);
    Instance instance;
    ParamContext context = {.source = texts.source, .arena = texts.arena, .error = &texts.error};
    const cJSON *value = json_parse(texts.source, "test", json, strlen(json), &texts.error);
    if (!data_instance_parse(&context, value, &instance) || !data_load(&instance, 1, &splits, &texts.error))
        return NULL;
    return &splits;
}

/* Bytes of the window, with . for padding, and of its targets, with . for none. */
static void check_window(const Dataset *dataset, int64_t i, const char *window, const char *targets)
{
    int64_t length = dataset->shape[0];
    assert_int_equal(length, (int64_t)strlen(window));
    for (int64_t t = 0; t < length; t++) {
        assert_int_equal(((const int32_t *)dataset->features)[i * length + t], window[t] == '.' ? 0 : window[t]);
        assert_int_equal(dataset->labels[i * length + t], targets[t] == '.' ? -1 : targets[t]);
    }
}

static void test_data_preferences__the_responses_are_the_targets(void **state)
{
    (void)state;
    DataSplits *splits = load_pairs(two, ", \"length\": 5");
    assert_non_null(splits);
    const Dataset *dataset = splits->train.dataset;
    assert_int_equal(dataset->count, 4);
    check_window(dataset, 0, "abcd\n", ".cd\n.");
    check_window(dataset, 1, "abe\n.", ".e\n..");
    check_window(dataset, 2, "\nx\n..", "x\n...");
    check_window(dataset, 3, "\nyz\n.", "yz\n..");
    assert_int_equal(dataset->end_token, '\n');
    assert_int_equal(dataset->group_count, 2);
    const float *p = dataset_column(dataset, "preference")->values;
    assert_true(p[0] == 0.75f && p[1] == 0.25f && p[2] == 1 && p[3] == 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(dataset->groups[i], i / 2);
    data_free(splits);
}

static void test_data_preferences__other_ends_and_the_chosen_alone(void **state)
{
    (void)state;
    static const char text[] = "{\"prompt\": \"ab\", \"chosen\": \"cd\", \"rejected\": \"e\"}\n";
    DataSplits *splits = load_pairs(text, ", \"length\": 3, \"end\": \"\"");
    assert_non_null(splits);
    check_window(splits->train.dataset, 0, "abc", ".cd");
    check_window(splits->train.dataset, 1, "abe", ".e.");
    assert_int_equal(splits->train.dataset->end_token, -1);
    data_free(splits);
    splits = load_pairs(two, ", \"length\": 6, \"end\": \"##\", \"responses\": \"chosen\"");
    assert_non_null(splits);
    assert_int_equal(splits->train.dataset->count, 2);
    assert_int_equal(splits->train.dataset->group_count, 0);
    check_window(splits->train.dataset, 0, "abcd##", ".cd##.");
    check_window(splits->train.dataset, 1, "##x##.", ".x##..");
    assert_int_equal(splits->train.dataset->end_token, -1);
    data_free(splits);
}

/* A batch holds pairs, the chosen before the rejected, in whatever order the pairs come. */
static void test_data_preferences__pairs_stay_together(void **state)
{
    (void)state;
    char text[4000] = "";
    for (int i = 0; i < 20; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "{\"prompt\": \"p\", \"chosen\": \"%c\", \"rejected\": \"%c\"}\n", 'A' + i, 'a' + i);
    DataSplits *splits = load_pairs(text, ", \"length\": 4, \"split\": [0.5, 0.25, 0.25]");
    assert_non_null(splits);
    assert_int_equal(splits->train.count, 20);
    assert_int_equal(splits->test.count, 10);
    Loader *loader = loader_new(&splits->train, (LoaderOptions){.batch_size = 4, .shuffle = true, .seed = 3});
    assert_int_equal(loader_batches(loader), 3);
    for (int64_t b = 0; b < 3; b++) {
        const Batch *batch = loader_batch(loader, 0, b);
        assert_int_equal(batch->count % 2, 0);
        for (int64_t row = 0; row < batch->count; row += 2) {
            assert_in_range(batch->labels[row * 4], 'A', 'T');
            assert_int_equal(batch->labels[(row + 1) * 4], batch->labels[row * 4] - 'A' + 'a');
        }
    }
    loader_free(loader);
    data_free(splits);
}

static void check_refused(const char *text, const char *keys, int status, const char *message)
{
    assert_null(load_pairs(text, keys));
    assert_error(&texts, status, message);
    files.count--; /* the same file again */
}

static void test_data_preferences__errors_name_the_line(void **state)
{
    (void)state;
    check_refused(two, ", \"length\": 2", STATUS_FAILED,
                  "pairs.jsonl:1: prompt and chosen are 5 tokens, a window of length 2 holds 3; raise data.length");
    check_refused(two, ", \"end\": \"\"", STATUS_FAILED, "pairs.jsonl:2: prompt: is empty, and so is data.end");
    check_refused(two, ", \"normalize\": true", STATUS_USAGE,
                  "label_noise, normalize, balance and stratified do not apply to preferences");
    check_refused("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\", \"probability\": 2}", "", STATUS_FAILED,
                  "pairs.jsonl:1: probability: expected a number between 0 and 1");
    files.count++;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_preferences__the_responses_are_the_targets),
        TEST(test_data_preferences__other_ends_and_the_chosen_alone),
        TEST(test_data_preferences__pairs_stay_together),
        TEST(test_data_preferences__errors_name_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
