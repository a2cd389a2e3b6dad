/* The data set "csv". */
#include "tests/data_testing.h"

#include <math.h>

static void test_data_tables__numbers_categories_and_classes(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "a.csv", "size,colour,kind\n 1.5 , red ,b\n-2,blue,a\n0,red,b\n");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"normalize\": false}");
    const Dataset *dataset = splits.train.dataset;
    assert_int_equal(dataset->count, 3);
    assert_int_equal(dataset->shape[0], 3);
    static const char *const names[] = {"size", "colour=blue", "colour=red"};
    for (int i = 0; i < 3; i++)
        assert_string_equal(dataset->feature_names[i], names[i]);
    assert_sample(&splits.train, 0, (float[]){1.5f, 0, 1});
    assert_sample(&splits.train, 1, (float[]){-2, 1, 0});
    assert_int_equal(dataset->target_kind, TARGET_CLASS);
    assert_int_equal(dataset->classes, 2);
    assert_string_equal(dataset->class_names[1], "b");
    assert_int_equal(dataset->labels[0], 1);
    assert_int_equal(dataset->labels[1], 0);
    data_free(&splits);
    files_drop(&files);
}

static void test_data_tables__header_detected_named_or_absent(void **state)
{
    (void)state;
    static const struct { const char *text, *keys; int64_t rows, width; const char *first; } cases[] = {
        {"a,b\n1,0\n2,1\n", "", 2, 1, "a"},
        {"1,0\n2,1\n", "", 2, 1, "0"},
        {"a,b\nx,y\nz,y\n", "", 3, 3, "0=a"},
        {"a,b\nx,y\nz,y\n", ", \"target\": \"b\"", 2, 2, "a=x"},
        {"a,b\nx,y\nz,y\n", ", \"header\": true", 2, 2, "a=x"},
        {"a,b\n1,0\n", ", \"header\": false, \"categorical\": [0]", 2, 2, "0=1"},
        {"1,0\n2,1\n", ", \"columns\": [\"u\", \"v\"], \"target\": \"u\"", 2, 1, "v"},
        {"2,1,x,y\n\n1,0\n2,1\n\n", ", \"skip_lines\": 1", 2, 1, "0"},
        {" 1 5  0\n2 6   1\n", ", \"separator\": \" \"", 2, 2, "0"},
        {"1\t5\t0\n2\t6\t1\n", ", \"ignore\": [0]", 2, 1, "1"},
    };
    Files files;
    files_make(&files);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        files_text(&files, "a.csv", cases[i].text);
        char config[256];
        snprintf(config, sizeof config, "{\"type\": \"csv\", \"path\": \"@/a.csv\"%s}", cases[i].keys);
        DataSplits splits = load_or_fail(&files, config);
        assert_int_equal(splits.train.count, cases[i].rows);
        assert_int_equal(splits.train.dataset->shape[0], cases[i].width);
        assert_string_equal(splits.train.dataset->feature_names[0], cases[i].first);
        data_free(&splits);
    }
    files_drop(&files);
}

static void test_data_tables__task(void **state)
{
    (void)state;
    static const struct { const char *text, *keys; TargetKind kind; int64_t classes; } cases[] = {
        {"1,10\n2,2\n3,10\n", "", TARGET_CLASS, 2},
        {"1,10\n2,2.5\n3,10\n", "", TARGET_VALUES, 1},
        {"1,10\n2,2.5\n3,10\n", ", \"task\": \"classification\"", TARGET_CLASS, 2},
        {"1,10\n2,2\n3,10\n", ", \"task\": \"regression\"", TARGET_VALUES, 1},
        {"1,1.0\n2,1\n3,2\n", "", TARGET_CLASS, 2},
        {"1,10,4\n2,2,5\n3,10,6\n", ", \"target\": [1, 2]", TARGET_VALUES, 2},
    };
    Files files;
    files_make(&files);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        files_text(&files, "a.csv", cases[i].text);
        char config[256];
        snprintf(config, sizeof config, "{\"type\": \"csv\", \"path\": \"@/a.csv\"%s}", cases[i].keys);
        DataSplits splits = load_or_fail(&files, config);
        assert_int_equal(splits.train.dataset->target_kind, cases[i].kind);
        assert_int_equal(splits.train.dataset->classes, cases[i].classes);
        data_free(&splits);
    }
    /* As numbers 2 comes before 10, as text it does not. */
    files_text(&files, "a.csv", "1,10\n2,2\n");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\"}");
    assert_string_equal(splits.train.dataset->class_names[0], "2");
    data_free(&splits);
    /* 51 different whole numbers are too many for classes. */
    char text[1024];
    int length = 0;
    for (int i = 0; i < 51; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "1,%d\n", i);
    files_text(&files, "a.csv", text);
    splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\"}");
    assert_int_equal(splits.train.dataset->target_kind, TARGET_VALUES);
    data_free(&splits);
    files_drop(&files);
}

static void test_data_tables__missing_values(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "a.csv", "u,v,y\n1,a,0\n,b,1\n3,,1\n?,a,0\n5,a,1\n");
#define TABLE "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"target\": \"y\", \"normalize\": false"
    assert_refused(&files, TABLE "}", "a.csv:3: column u: no value; set data.missing to \"mean\" or \"drop\"");
    DataSplits splits = load_or_fail(&files, TABLE ", \"missing\": \"mean\"}");
    assert_int_equal(splits.train.count, 5);
    assert_sample(&splits.train, 1, (float[]){3, 0, 0, 1});
    assert_sample(&splits.train, 2, (float[]){3, 1, 0, 0}); /* the empty cell is a category of its own */
    assert_sample(&splits.train, 3, (float[]){3, 0, 1, 0});
    data_free(&splits);
    splits = load_or_fail(&files, TABLE ", \"missing\": \"drop\"}");
    assert_int_equal(splits.train.count, 2);
    assert_sample(&splits.train, 1, (float[]){5, 1});
    assert_int_equal(splits.train.dataset->labels[1], 1);
    data_free(&splits);
#undef TABLE
    files_drop(&files);
}

/* Ten intervals of ten numbers each; a constant lies in the first; a test row is held to the training table's edges. */
static void test_data_tables__numbers_in_intervals(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    char text[4096];
    int length = snprintf(text, sizeof text, "n,c,y\n");
    for (int i = 0; i < 100; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%d,7,%d\n", 37 * i % 100, i % 2);
    files_text(&files, "a.csv", text);
    files_text(&files, "b.csv", "n,c,y\n-5,6,0\n9.9,7,1\n9.91,8,1\n1000,7,0\n");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"test_path\": \"@/b.csv\", "
                                             "\"bins\": 10, \"normalize\": false}");
    const Dataset *dataset = splits.train.dataset;
    assert_int_equal(dataset->shape[0], 20);
    assert_string_equal(dataset->feature_names[0], "n<=9.9");
    assert_string_equal(dataset->feature_names[9], "n<=inf");
    assert_string_equal(dataset->feature_names[10], "c<=7");
    int counts[20] = {0};
    for (int i = 0; i < 100; i++) {
        float sample[20];
        dataset_sample(dataset, i, sample);
        for (int k = 0; k < 20; k++)
            counts[k] += (int)sample[k];
    }
    for (int k = 0; k < 10; k++)
        assert_int_equal(counts[k], 10);
    assert_int_equal(counts[10], 100);
    static const int expected[4][2] = {{0, 10}, {0, 10}, {1, 19}, {9, 10}};
    for (int i = 0; i < 4; i++) {
        float sample[20];
        dataset_sample(splits.test.dataset, i, sample);
        for (int k = 0; k < 20; k++)
            assert_true(sample[k] == (k == expected[i][0] || k == expected[i][1]));
    }
    data_free(&splits);
    files_drop(&files);
}

static void test_data_tables__test_file_uses_what_the_training_file_taught(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "a.csv", "1,red,no\n3,blue,yes\n2,red,no\n");
    files_text(&files, "b.csv", "9,green,yes.\n,red,no.\n\n");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"test_path\": \"@/b.csv\", "
                                     "\"label_suffix\": \".\", \"missing\": \"mean\", \"normalize\": false}");
    assert_int_equal(splits.test.count, 2);
    assert_sample(&splits.test, 0, (float[]){9, 0, 0});
    assert_sample(&splits.test, 1, (float[]){2, 0, 1});
    assert_int_equal(splits.test.dataset->labels[0], 1);
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"test_path\": \"@/b.csv\", "
                          "\"label_suffix\": \".\", \"missing\": \"mean\"}");
    assert_true(splits.test.dataset->mean[0] == 2); /* normalised by default, with train's mean */
    data_free(&splits);
    assert_refused(&files,
                   "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"test_path\": \"@/b.csv\", \"missing\": \"mean\"}",
                   "b.csv:1: column 2: \"yes.\" is no class of the training file");
    files_text(&files, "b.csv", "x,red,no\n");
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"test_path\": \"@/b.csv\"}",
                   "b.csv:1: column 0: expected a number, got \"x\"");
    files_drop(&files);
}

static void test_data_tables__targets_in_a_file_of_their_own(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    files_text(&files, "x.csv", "1 2\n3 4\n5 ?\n");
    files_text(&files, "y.csv", "p q\n10 0.5\n20 1.5\n30 2.5\n");
#define PAIR "{\"type\": \"csv\", \"path\": \"@/x.csv\", \"target_path\": \"@/y.csv\", " \
             "\"separator\": \" \", \"missing\": \"drop\""
    DataSplits splits = load_or_fail(&files, PAIR ", \"target\": [\"q\", \"p\"], \"normalize\": false}");
    assert_int_equal(splits.train.count, 2);
    assert_sample(&splits.train, 1, (float[]){3, 4});
    assert_true(splits.train.dataset->values[2] == 1.5f && splits.train.dataset->values[3] == 20);
    data_free(&splits);
    files_text(&files, "y.csv", "1\n2\n");
    const char *message = load_data(&files, PAIR "}", &splits);
    assert_non_null(message);
    assert_int_equal(strncmp(message, "y.csv: 2 rows, ", 15), 0);
    assert_non_null(strstr(message, "x.csv has 3"));
#undef PAIR
    files_drop(&files);
}

static void test_data_tables__errors_name_file_line_and_column(void **state)
{
    (void)state;
    static const struct { const char *text, *keys, *message; } cases[] = {
        {"1,2\n3\n", "", "a.csv:2: expected 2 columns, got 1"},
        {"a,b\n", ", \"header\": true", "a.csv: a header and no rows"},
        {"1,2\n3,4\n", ", \"target\": 2", "a.csv: data.target: no column 2, there are 0 to 1"},
        {"u,v\n3,4\n", ", \"target\": \"w\"", "a.csv: data.target: no column is named \"w\""},
        {"u,u\n3,4\n", ", \"target\": \"u\"", "a.csv: data.target: 2 columns are named \"u\"; give the number"},
        {"3,4\n", ", \"header\": false, \"ignore\": [\"u\"]",
         "a.csv: data.ignore: no column is named \"u\" (the file is read without a header)"},
        {"1,2\n", ", \"columns\": [\"u\"]", "a.csv:1: 2 columns, data.columns names 1"},
        {"1,2\n", ", \"ignore\": [0]", "a.csv: no column is left beside the target"},
        {"?,2\nNA,3\n", ", \"missing\": \"mean\"", "a.csv: column 0 has no values; name it in ignore"},
        {"1,?\n2,NA\n", ", \"missing\": \"drop\"", "a.csv: every row lacks a value"},
        {"1,2\n2,?\n", ", \"missing\": \"mean\"",
         "a.csv:2: column 1: no target; \"missing\": \"drop\" leaves such rows out"},
        {"1,2\n,3\n", ", \"target\": 0", "a.csv:2: column 0: no target; \"missing\": \"drop\" leaves such rows out"},
        {"1,2\n1,x\n", ", \"task\": \"regression\"", "a.csv:2: column 1: expected a number as target, got \"x\""},
        {"1,2\n1e39,3\n", "", "a.csv:2: column 0: 1e39 is beyond f32"},
        {"1,2,3\n1,2,3\n", ", \"target\": [0, 1], \"task\": \"classification\"",
         "a.csv: data.task: 2 target columns cannot be classes"},
        {"1,2\n1,3\n", ", \"header\": 1", "inline:1: data.header: expected true, false or null"},
        {"1,2\n1,3\n", ", \"target\": -1",
         "inline:1: data.target: expected a column's name, its number from 0, or a list of such"},
        {"1,2\n1,3\n", ", \"separator\": \"|\"",
         "inline:1: data.separator: expected \",\", \";\", \"\\t\" or \" \""},
        {"1,2\n1,3\n", ", \"split\": [2]", "inline:1: data.split[0]: expected a number between 0 and 1, got 2"},
        {"1,2\n1,3\n", ", \"split\": [0.5, 0.1]",
         "inline:1: data.split: expected shares that sum to 1, got a sum of 0.6"},
    };
    Files files;
    files_make(&files);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        files_text(&files, "a.csv", cases[i].text);
        char config[256];
        snprintf(config, sizeof config, "{\"type\": \"csv\", \"path\": \"@/a.csv\"%s}", cases[i].keys);
        assert_refused(&files, config, cases[i].message);
    }
    files_drop(&files);
}

/* One line of text above 40 numbers is a mistake, half of them are categories. */
static void test_data_tables__text_among_numbers(void **state)
{
    (void)state;
    char text[1024];
    int length = snprintf(text, sizeof text, "1,setosa,0\n");
    for (int i = 0; i < 40; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%d,%d,%d\n", i, i % 2, i % 3);
    Files files;
    files_make(&files);
    files_text(&files, "a.csv", text);
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\"}",
                   "a.csv:1: column 1: \"setosa\" among 40 numbers; "
                   "skip the line (skip_lines), or name the column in ignore or categorical");
    DataSplits splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"categorical\": [1]}");
    assert_int_equal(splits.train.dataset->shape[0], 4);
    data_free(&splits);
    splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/a.csv\", \"skip_lines\": 1}");
    assert_int_equal(splits.train.dataset->shape[0], 2);
    data_free(&splits);
    files_drop(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_tables__numbers_categories_and_classes),
        cmocka_unit_test(test_data_tables__header_detected_named_or_absent),
        cmocka_unit_test(test_data_tables__task),
        cmocka_unit_test(test_data_tables__missing_values),
        cmocka_unit_test(test_data_tables__numbers_in_intervals),
        cmocka_unit_test(test_data_tables__test_file_uses_what_the_training_file_taught),
        cmocka_unit_test(test_data_tables__targets_in_a_file_of_their_own),
        cmocka_unit_test(test_data_tables__errors_name_file_line_and_column),
        cmocka_unit_test(test_data_tables__text_among_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
