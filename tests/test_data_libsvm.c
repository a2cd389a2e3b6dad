/* The sparse text format, its groups, and what it refuses. */
#include "tests/data_testing.h"

static void test_data_libsvm__samples_and_classes(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "a.txt", "+1 1:0.5 3:-2 # seen\n\n# all of it\n-1 2:1e1\r\n1\t4:7");
    files_text(&files, "b.txt", "-1 1:9\n");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"libsvm\", \"path\": \"@/a.txt\", \"test_path\": "
                                             "\"@/b.txt\", "
                                             "\"normalize\": false}");
    assert_int_equal(splits.train.count, 3);
    const Dataset *dataset = splits.train.dataset;
    assert_int_equal(dataset->shape[0], 4);
    assert_int_equal(dataset->classes, 2);
    assert_string_equal(dataset->class_names[0], "-1");
    static const int32_t labels[] = {1, 0, 1};
    assert_memory_equal(dataset->labels, labels, sizeof labels);
    assert_sample(&splits.train, 0, (float[]){0.5f, 0, -2, 0});
    assert_sample(&splits.train, 1, (float[]){0, 10, 0, 0});
    assert_sample(&splits.train, 2, (float[]){0, 0, 0, 7});
    assert_sample(&splits.test, 0, (float[]){9, 0, 0, 0});
    assert_int_equal(splits.test.dataset->labels[0], 0);
    assert_int_equal(dataset->group_count, 0);
    data_free(&splits);
    files_drop(&files);
}

static void test_data_libsvm__groups_by_qid_or_by_sizes(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "q.txt", "2 qid:7 1:1\n0 qid:7 1:2\n1 qid:3 1:3\n");
    files_text(&files, "s.txt", "2 1:1\n0 1:2\n1 1:3\n");
    files_text(&files, "s.query", "2\n1\n");
    static const char *const configs[] = {
        "{\"type\": \"libsvm\", \"path\": \"@/q.txt\"}",
        "{\"type\": \"libsvm\", \"path\": \"@/s.txt\", \"query_path\": \"@/s.query\"}"};
    for (int i = 0; i < 2; i++) {
        DataSplits splits = load_or_fail(&files, configs[i]);
        const Dataset *dataset = splits.train.dataset;
        static const int32_t groups[] = {0, 0, 1};
        assert_int_equal(dataset->group_count, 2);
        assert_memory_equal(dataset->groups, groups, sizeof groups);
        assert_int_equal(dataset->target_kind, TARGET_VALUES);
        assert_true(dataset->values[0] == 2 && dataset->values[2] == 1);
        data_free(&splits);
    }
    char both[1400];
    snprintf(both, sizeof both, "q.txt: its samples have a qid, and %s/s.query gives groups too; leave one out",
             files.temporary.folder);
    assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/q.txt\", \"query_path\": \"@/s.query\"}", both);
    files_drop(&files);
}

static void test_data_libsvm__errors_name_the_line(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    static const struct { const char *text, *message; } cases[] = {
        {"1 1:2\nx 1:2\n", "t.txt:2: expected a number as label, got \"x\""},
        {"1 0:2\n", "t.txt:1: expected index:value with an index from 1, got \"0\""},
        {"1 2\n", "t.txt:1: expected index:value with an index from 1, got \"2\""},
        {"1 1.5:2\n", "t.txt:1: expected index:value with an index from 1, got \"1.5\""},
        {"1 99999999999:2\n", "t.txt:1: expected index:value with an index from 1, got \"99999999999\""},
        {"1 2:1 2:3\n", "t.txt:1: expected indices that rise, got \"2\""},
        {"1 2:1\n\n1 3:inf\n", "t.txt:3: expected a number as value, got \"inf\""},
        {"1 2:\n", "t.txt:1: expected a number as value, got \"\""},
        {"1 qid:1 2:1\n1 2:1\n", "t.txt:2: no qid, but the samples before have one"},
        {"1 2:1\n1 qid:1 2:1\n", "t.txt:2: a qid, but the samples before have none"},
        {"1 qid:1 1:1\n1 qid:2 1:1\n1 qid:1 1:1\n",
         "t.txt: row 2: group 1 goes on after another began; sort the samples by group"},
        {"1 qid:x 1:1\n", "t.txt:1: expected a whole number as qid, got \"x\""},
        {"# none\n", "t.txt: no samples"},
        {"1\n0\n", "t.txt: no sample has a feature"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        files.count = 0;
        files_text(&files, "t.txt", cases[i].text);
        assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/t.txt\"}", cases[i].message);
    }
    files_text(&files, "s.txt", "1 1:1\n2 1:2\n");
    files_text(&files, "few.query", "1\n");
    files_text(&files, "many.query", "1 2\n");
    files_text(&files, "bad.query", "1\n-1\n");
    files_text(&files, "u.txt", "7 1:1\n");
    char few[700], many[700];
    snprintf(few, sizeof few, "few.query: the groups have 1 samples, %s/s.txt has 2", files.temporary.folder);
    snprintf(many, sizeof many, "many.query: the groups have more samples than %s/s.txt (2)", files.temporary.folder);
    assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/s.txt\", \"query_path\": \"@/few.query\"}", few);
    assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/s.txt\", \"query_path\": \"@/many.query\"}", many);
    assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/s.txt\", \"query_path\": \"@/bad.query\"}",
                   "bad.query: group 1: expected a number of samples, got \"-1\"");
    assert_refused(&files, "{\"type\": \"libsvm\", \"path\": \"@/s.txt\", \"test_path\": \"@/u.txt\"}",
                   "u.txt:1: 7 is no class of the training file");
    files_drop(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_libsvm__samples_and_classes),
        cmocka_unit_test(test_data_libsvm__groups_by_qid_or_by_sizes),
        cmocka_unit_test(test_data_libsvm__errors_name_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
