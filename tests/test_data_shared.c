/* Real data, where the environment variable XENT_SHARED_DATA names a folder of it; skipped otherwise. */
#include "tests/data_testing.h"

#include <math.h>

/* A row: a config, with the folder for every @, and what must come of it. */
typedef struct Case {
    const char *config;
    int64_t train, test, features, classes;
    int64_t first_class, last_class;    /* training samples of the first and the last class; -1: values */
} Case;

#define TABLE(file, keys) "{\"type\": \"csv\", \"path\": \"@/tables/" file "\"" keys "}"
#define FIRST_LINE ", \"skip_lines\": 1"

static const Case cases[] = {
    {"{\"type\": \"idx\", \"path\": \"@/fashion-mnist\"}", 60000, 10000, 784, 10, 6000, 6000},
    {"{\"type\": \"idx\", \"path\": \"@/mnist\"}", 60000, 10000, 784, 10, 5923, 5949},
    {"{\"type\": \"cifar\", \"path\": \"@/cifar10\"}", 12000, 10000, 3072, 10, 1200, 1200},
    {TABLE("iris.csv", FIRST_LINE), 150, 0, 4, 3, 50, 50},
    {TABLE("wine_data.csv", FIRST_LINE), 178, 0, 13, 3, 59, 48},
    {TABLE("breast_cancer.csv", FIRST_LINE), 569, 0, 30, 2, 212, 357},
    {TABLE("digits.csv.gz", ""), 1797, 0, 64, 10, 178, 180},
    {TABLE("diabetes_data.csv.gz", ", \"target_path\": \"@/tables/diabetes_target.csv.gz\", \"separator\": \" \""),
     442, 0, 10, 1, -1, -1},
    {TABLE("boston_house_prices.csv", FIRST_LINE), 506, 0, 13, 1, -1, -1},
    {TABLE("linnerud_physiological.csv", ", \"target_path\": \"@/tables/linnerud_exercise.csv\", \"separator\": "
           "\" \", \"target\": [\"Chins\", \"Situps\", \"Jumps\"], \"standardize_targets\": true"),
     20, 0, 3, 3, -1, -1},
    {TABLE("california_housing.csv.gz", ", \"target\": \"median_house_value\", \"missing\": \"mean\""),
     20640, 0, 13, 1, -1, -1},
    {TABLE("california_housing.csv.gz", ", \"target\": \"median_house_value\", \"missing\": \"drop\""),
     20433, 0, 13, 1, -1, -1},
    {TABLE("adult-train.csv.gz", ", \"test_path\": \"@/tables/adult-test.csv.gz\", \"label_suffix\": \".\""),
     32561, 16281, 108, 2, 24720, 7841},
    {TABLE("german.csv", ""), 1000, 0, 61, 2, 700, 300},
    {TABLE("mammography.csv.gz", ""), 11183, 0, 6, 2, 10923, 260},
    {TABLE("oil-spill.csv.gz", ""), 937, 0, 49, 2, 896, 41},
    {TABLE("phoneme.csv.gz", ""), 5404, 0, 5, 2, 3818, 1586},
    {TABLE("abalone.csv.gz", ""), 4177, 0, 10, 28, 1, 1},
    {TABLE("winequality-red.csv", ""), 1599, 0, 11, 6, 10, 18},
    {TABLE("winequality-white.csv", ""), 4898, 0, 11, 7, 20, 5},
    {TABLE("glass.csv", ""), 214, 0, 9, 6, 70, 29},
    {TABLE("ecoli.csv", ""), 336, 0, 7, 8, 143, 52},
    {TABLE("sonar.csv", ""), 208, 0, 60, 2, 111, 97},
    {TABLE("ionosphere.csv", ""), 351, 0, 34, 2, 126, 225},
    {TABLE("pima-indians-diabetes.csv", ""), 768, 0, 8, 2, 500, 268},
    {TABLE("banknote_authentication.csv", ""), 1372, 0, 4, 2, 762, 610},
    {"{\"type\": \"csv\", \"path\": \"@/criteo-sample/criteo_sample.csv\", \"target\": \"label\", \"missing\": "
     "\"mean\"}",
     200, 0, 2291, 2, 151, 49},
    {"{\"type\": \"csv\", \"path\": \"@/tabular-libsvm/binary.train.tsv.gz\", \"test_path\": "
     "\"@/tabular-libsvm/binary.test.tsv.gz\", \"target\": 0}",
     7000, 500, 28, 2, 3284, 3716},
};

static Files shared;

static void need_data(void)
{
    const char *folder = getenv("XENT_SHARED_DATA");
    if (!folder || !file_is_folder(folder))
        skip();
    snprintf(shared.temporary.folder, sizeof shared.temporary.folder, "%s", folder);
}

static void test_data_shared__sizes_and_classes(void **state)
{
    (void)state;
    need_data();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *expected = &cases[i];
        DataSplits splits = load_or_fail(&shared, expected->config);
        const Dataset *train = splits.train.dataset;
        int64_t first = 0, last = 0;
        for (int64_t k = 0; k < splits.train.count && train->labels; k++) {
            first += train->labels[splits.train.order[k]] == 0;
            last += train->labels[splits.train.order[k]] == train->classes - 1;
        }
        bool good = splits.train.count == expected->train && splits.test.count == expected->test &&
                    dataset_sample_size(train) == expected->features && train->classes == expected->classes &&
                    (train->labels ? first : -1) == expected->first_class &&
                    (train->labels ? last : -1) == expected->last_class;
        if (!good)
            fail_msg("%s: %lld + %lld samples, %lld features, %lld classes, %lld and %lld of the outer ones",
                     expected->config, (long long)splits.train.count, (long long)splits.test.count,
                     (long long)dataset_sample_size(train), (long long)train->classes, (long long)first,
                     (long long)last);
        data_free(&splits);
    }
}

/* The data's own description gives these to four digits. */
static void test_data_shared__statistics_of_the_images(void **state)
{
    (void)state;
    need_data();
    static const struct { const char *config; double mean, deviation; } sets[] = {
        {"{\"type\": \"idx\", \"path\": \"@/fashion-mnist\"}", 0.2860, 0.3530},
        {"{\"type\": \"idx\", \"path\": \"@/mnist\"}", 0.1307, 0.3081},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        DataSplits splits = load_or_fail(&shared, sets[i].config);
        assert_true(fabs((double)splits.train.dataset->mean[0] - sets[i].mean) < 1e-4);
        assert_true(fabs((double)splits.test.dataset->deviation[0] - sets[i].deviation) < 1e-4);
        data_free(&splits);
    }
}

static void test_data_shared__quirks_are_errors_that_say_what_to_do(void **state)
{
    (void)state;
    need_data();
    assert_refused(&shared, TABLE("iris.csv", ""), "tables/iris.csv:1: column 2: \"setosa\" among 150 numbers; "
                   "skip the line (skip_lines), or name the column in ignore or categorical");
    assert_refused(&shared, TABLE("california_housing.csv.gz", ", \"target\": \"median_house_value\""),
                   "tables/california_housing.csv.gz:292: column total_bedrooms: no value; set data.missing to "
                   "\"mean\" or \"drop\"");
    assert_refused(&shared, TABLE("adult-train.csv.gz", ", \"test_path\": \"@/tables/adult-test.csv.gz\""),
                   "tables/adult-test.csv.gz:1: column 14: \"<=50K.\" is no class of the training file");
    assert_refused(&shared, "{\"type\": \"cifar\", \"path\": \"@/cifar10/test_batch.bin.gz\", \"classes\": 100}",
                   "cifar10/test_batch.bin.gz: truncated at byte 30730000, the record from byte 30727704 on has 3074 "
                   "bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_shared__sizes_and_classes),
        cmocka_unit_test(test_data_shared__statistics_of_the_images),
        cmocka_unit_test(test_data_shared__quirks_are_errors_that_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
