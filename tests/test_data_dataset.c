/* What data_load does with a data set: dividing, thinning out, label noise, normalisation. */
#include "tests/dataset_made.h"

#include <math.h>

#include "core/base/threads.h"

static void assert_ascending(const DataSplit *split)
{
    for (int64_t i = 1; i < split->count; i++)
        assert_true(split->order[i] > split->order[i - 1]);
}

/* Marks the split's samples; none may have been marked. */
static void mark_once(const DataSplit *split, char *marks)
{
    assert_ascending(split);
    for (int64_t i = 0; i < split->count; i++)
        assert_int_equal(marks[split->order[i]]++, 0);
}

static void count_classes(const DataSplit *split, int64_t counts[CLASSES])
{
    memset(counts, 0, CLASSES * sizeof *counts);
    for (int64_t i = 0; i < split->count; i++)
        counts[split->dataset->labels[split->order[i]]]++;
}

static bool same_order(const DataSplit *a, const DataSplit *b)
{
    return a->count == b->count && memcmp(a->order, b->order, (size_t)a->count * sizeof *a->order) == 0;
}

static void test_data_dataset__splits_partition_with_exact_sizes(void **state)
{
    (void)state;
    static const struct { const char *keys; int64_t train, val, test; } cases[] = {
        {"{}", 100, 0, 0},
        {"{\"split\": [0.7, 0.2, 0.1]}", 70, 20, 10},
        {"{\"split\": [0.7, 0.3]}", 70, 30, 0},
        {"{\"split\": [0.5, 0, 0.5]}", 50, 0, 50},
        {"{\"split\": [0.7, 0.15, 0.15], \"count\": 10}", 7, 2, 1},
        {"{\"split\": [0.333, 0.333, 0.334], \"count\": 7}", 2, 2, 3},
        {"{\"split\": [0.9, 0.1], \"own_test\": 30}", 90, 10, 30},
        {"{\"split\": [0.75, 0.25], \"folds\": 5}", 60, 20, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DataSplits splits = load_keys(cases[i].keys, 3);
        assert_int_equal(splits.train.count, cases[i].train);
        assert_int_equal(splits.val.count, cases[i].val);
        assert_int_equal(splits.test.count, cases[i].test);
        char marks[100] = {0};
        mark_once(&splits.train, marks);
        mark_once(&splits.val, marks);
        if (splits.test.dataset == splits.train.dataset)
            mark_once(&splits.test, marks);
        data_free(&splits);
    }
}

static void test_data_dataset__draws_are_functions_of_the_seed(void **state)
{
    (void)state;
    static const char *const keys[] = {"{\"split\": [0.5, 0.5]}", "{\"subset\": 50}", "{\"folds\": 2}",
                                       "{\"balance\": true}"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        DataSplits a = load_keys(keys[i], 1), b = load_keys(keys[i], 1), c = load_keys(keys[i], 2);
        assert_true(same_order(&a.train, &b.train));
        assert_false(same_order(&a.train, &c.train));
        data_free(&a);
        data_free(&b);
        data_free(&c);
    }
    DataSplits a = load_keys("{\"split\": [0.5, 0.5], \"data_seed\": 9}", 1),
               b = load_keys("{\"split\": [0.5, 0.5]}", 9);
    assert_true(same_order(&a.train, &b.train));
    data_free(&a);
    data_free(&b);
}

static void test_data_dataset__stratified_shares_are_within_one(void **state)
{
    (void)state;
    static const double shares[3] = {0.63, 0.2, 0.17};
    DataSplits splits = load_keys("{\"count\": 1010, \"stratified\": true, \"split\": [0.63, 0.2, 0.17]}", 4);
    DataSplits whole = load_keys("{\"count\": 1010}", 4);
    int64_t all[CLASSES];
    count_classes(&whole.train, all);
    const DataSplit *parts[3] = {&splits.train, &splits.val, &splits.test};
    for (int i = 0; i < 3; i++) {
        int64_t counts[CLASSES];
        count_classes(parts[i], counts);
        for (int c = 0; c < CLASSES; c++)
            assert_true(fabs((double)counts[c] - shares[i] * (double)all[c]) < 1.5);
    }
    data_free(&splits);
    data_free(&whole);
}

static void check_folds(const char *extra)
{
    char marks[103] = {0};
    for (int fold = 0; fold < 4; fold++) {
        char keys[128];
        snprintf(keys, sizeof keys, "{\"count\": 103, \"folds\": 4, \"fold\": %d%s}", fold, extra);
        DataSplits splits = load_keys(keys, 8);
        assert_true(splits.test.count == 25 || splits.test.count == 26);
        assert_int_equal(splits.train.count + splits.test.count, 103);
        mark_once(&splits.test, marks);
        char rest[103] = {0};
        mark_once(&splits.test, rest);
        mark_once(&splits.train, rest);
        if (extra[0]) {
            int64_t counts[CLASSES];
            count_classes(&splits.test, counts);
            assert_in_range(counts[0], 2, 3); /* of 11 */
            assert_in_range(counts[4], 7, 8); /* of 30 or 31 */
        }
        data_free(&splits);
    }
    for (int i = 0; i < 103; i++)
        assert_int_equal(marks[i], 1);
}

static void test_data_dataset__folds_partition(void **state)
{
    (void)state;
    check_folds("");
    check_folds(", \"stratified\": true");
}

static void test_data_dataset__what_is_divided_is_not_divided_again(void **state)
{
    (void)state;
    static const struct { const char *keys, *message; int status; } cases[] = {
        {"{\"own_test\": 9, \"split\": [0.8, 0.1, 0.1]}",
         "data.split: three shares, but there is a test split already; give two shares (train, val) or none", 1},
        {"{\"own_val\": 9, \"split\": [0.8, 0.1, 0.1]}",
         "data.split: three shares, but there is a val split already; give two shares (train, val) or none", 1},
        {"{\"own_val\": 9, \"split\": [0.8, 0.2]}",
         "data.split: the data set has a val split of its own; remove the key", 1},
        {"{\"own_test\": 9, \"folds\": 3}",
         "data.folds: the data set has a test split of its own; remove the key", 1},
        {"{\"tokens\": true, \"folds\": 3}",
         "data.folds: windows of text overlap; give split, which cuts them in order", 1},
        {"{\"folds\": 200}", "data.folds: 200 parts of 100 samples", 1},
        {"{\"subset\": 101}", "data.subset: 101 asked for, the training split has 100 samples", 1},
        {"{\"count\": 2, \"split\": [0.1, 0.9]}", "data.split: no training samples are left of 2", 1},
        {"{\"regression\": true, \"stratified\": true}", "data.stratified: the targets are not classes", 1},
        {"{\"regression\": true, \"balance\": true}", "data.balance: the targets are not classes", 1},
        {"{\"regression\": true, \"label_noise\": 0.1}", "data.label_noise: the targets are not classes", 1},
        {"{\"standardize_targets\": true}", "data.standardize_targets: the targets are not values", 1},
        {"{\"split\": [1]}", "data: split: expected 2 shares (train, val) or 3 (train, val, test), got 1", 2},
        {"{\"split\": [0.5, 0.4]}", "data: split: expected shares that sum to 1, got a sum of 0.9", 2},
        {"{\"split\": [0, 1]}", "data: split: the share of train is 0", 2},
        {"{\"folds\": 1}", "data: folds: one part leaves nothing to train on; give 0 or at least 2", 2},
        {"{\"folds\": 3, \"fold\": 3}", "data: fold: expected below folds (3), got 3", 2},
        {"{\"fold\": 1}", "data: fold: expected below folds (0), got 1", 2},
        {"{\"folds\": 3, \"split\": [0.8, 0.1, 0.1]}",
         "data: split: with folds the test split is a fold; give two shares (train, val) or none", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DataSplits splits;
        assert_false(try_load(cases[i].keys, 1, &splits));
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(error.status, cases[i].status);
        assert_null(splits.arena); /* nothing is left to free */
    }
}

static void test_data_dataset__balance_and_subset(void **state)
{
    (void)state;
    int64_t counts[CLASSES];
    DataSplits splits = load_keys("{\"balance\": true, \"own_test\": 20}", 1);
    count_classes(&splits.train, counts);
    for (int c = 0; c < CLASSES; c++)
        assert_int_equal(counts[c], 10);
    assert_int_equal(splits.test.count, 20);
    data_free(&splits);
    splits = load_keys("{\"balance\": true, \"subset\": 23}", 1);
    assert_int_equal(splits.train.count, 23);
    count_classes(&splits.train, counts);
    for (int c = 0; c < CLASSES; c++)
        assert_in_range(counts[c], 4, 5);
    data_free(&splits);
    splits = load_keys("{\"stratified\": true, \"subset\": 50}", 1);
    count_classes(&splits.train, counts);
    static const int64_t halves[CLASSES] = {5, 5, 10, 15, 15};
    assert_memory_equal(counts, halves, sizeof halves);
    assert_ascending(&splits.train);
    data_free(&splits);
}

static void test_data_dataset__text_is_cut_in_order(void **state)
{
    (void)state;
    DataSplits splits = load_keys("{\"tokens\": true, \"split\": [0.8, 0.1, 0.1]}", 1);
    assert_int_equal(splits.train.order[79], 79);
    assert_int_equal(splits.val.order[0], 80);
    assert_int_equal(splits.test.order[9], 99);
    data_free(&splits);
    splits = load_keys("{\"tokens\": true, \"own_test\": 5, \"split\": [0.8, 0.1, 0.1]}", 1);
    assert_int_equal(splits.train.count, 100); /* such a set has applied its shares itself */
    data_free(&splits);
}

/* The tokenizer of text belongs to the splits that a part leaves behind. */
static void test_data_dataset__text_is_no_part(void **state)
{
    (void)state;
    static const DatasetCommon unset = {.subset = PARAM_UNSET, .data_seed = PARAM_UNSET};
    struct made made = {.common = unset, .count = 10, .rank = 1, .tokens = true};
    Parts parts = {.common = unset, .train = {&made_definition.component, &made}};
    DataSplits splits;
    assert_false(data_load(&(Instance){&dataset_parts.component, &parts}, 1, &splits, &error));
    assert_string_equal(error.message,
                        "data.train: each part would train a tokenizer of its own; made has keys for val and test");
    made.tokens = false;
    assert_true(data_load(&(Instance){&dataset_parts.component, &parts}, 1, &splits, &error));
    assert_int_equal(splits.train.count, 10);
    data_free(&splits);
}

static void check_noise(const char *keys, int64_t expected, int64_t steps[CLASSES])
{
    DataSplits splits = load_keys(keys, 6);
    const Dataset *dataset = splits.train.dataset;
    assert_non_null(dataset->clean_labels);
    int64_t changed = 0, changed_in_train = 0;
    for (int64_t i = 0; i < dataset->count; i++) {
        assert_int_equal(dataset->clean_labels[i], class_of(i));
        changed += dataset->labels[i] != class_of(i);
    }
    memset(steps, 0, CLASSES * sizeof *steps);
    for (int64_t i = 0; i < splits.train.count; i++) {
        int64_t index = splits.train.order[i], step = (dataset->labels[index] - class_of(index) + CLASSES) % CLASSES;
        steps[step]++;
        changed_in_train += step != 0;
    }
    assert_int_equal(changed, expected);
    assert_int_equal(changed_in_train, expected);
    data_free(&splits);
}

static void test_data_dataset__label_noise_is_exact_and_on_train_only(void **state)
{
    (void)state;
    int64_t steps[CLASSES];
    check_noise("{\"count\": 8001, \"split\": [0.5, 0.5], \"label_noise\": 0.4}", 1600, steps);
    for (int k = 1; k < CLASSES; k++) /* 400 of each, deviation 17 */
        assert_in_range(steps[k], 315, 485);
    check_noise("{\"count\": 1000, \"label_noise\": 0.255, \"noise_type\": \"asymmetric\"}", 255, steps);
    assert_int_equal(steps[1], 255);
    check_noise("{\"count\": 50, \"label_noise\": 1}", 50, steps);
    DataSplits clean = load_keys("{}", 6);
    assert_null(clean.train.dataset->clean_labels);
    data_free(&clean);
}

/* Mean and deviation of channel c over a split, of what dataset_sample gives. */
static void measure(const DataSplit *split, int64_t c, double *mean, double *deviation)
{
    float sample[EXTENT * EXTENT * EXTENT * EXTENT];
    int64_t size = dataset_sample_size(split->dataset), seen = 0;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < split->count; i++) {
        dataset_sample(split->dataset, split->order[i], sample);
        for (int64_t k = 0; k < size; k++)
            if ((split->dataset->rank < 3 ? k % EXTENT : k / (size / EXTENT)) == c) {
                sum += (double)sample[k];
                squares += (double)sample[k] * (double)sample[k];
                seen++;
            }
    }
    *mean = sum / (double)seen;
    *deviation = sqrt(fmax(0, squares / (double)seen - *mean * *mean));
}

static void test_data_dataset__normalised_with_the_training_split(void **state)
{
    (void)state;
    for (int rank = 1; rank <= 4; rank++)
        for (int bytes = 0; bytes < 2; bytes++) {
            char keys[160];
            snprintf(keys, sizeof keys,
                     "{\"count\": 700, \"own_test\": 50, \"split\": [0.9, 0.1], \"rank\": %d, \"bytes\": %s, "
                     "\"normalize\": true}",
                     rank, bytes ? "true" : "false");
            DataSplits splits = load_keys(keys, 2);
            assert_int_equal(splits.train.dataset->normalized, EXTENT);
            for (int64_t c = 0; c < EXTENT; c++) {
                double mean, deviation;
                measure(&splits.train, c, &mean, &deviation);
                assert_true(fabs(mean) < 1e-5);
                assert_true(fabs(deviation - (c == EXTENT - 1 ? 0 : 1)) < 1e-5);
                assert_true(splits.test.dataset->mean[c] == splits.train.dataset->mean[c]);
                assert_true(splits.test.dataset->deviation[c] == splits.train.dataset->deviation[c]);
            }
            assert_true(splits.train.dataset->deviation[EXTENT - 1] == 1);
            /* The test features are shifted by 2, which normalisation with their own mean would hide. */
            double mean, deviation;
            measure(&splits.test, EXTENT - 1, &mean, &deviation);
            assert_true(fabs(mean - (bytes ? 0 : 2)) < 1e-4);
            data_free(&splits);
        }
}

static void test_data_dataset__statistics_do_not_depend_on_threads(void **state)
{
    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        char keys[96];
        snprintf(keys, sizeof keys, "{\"count\": 3000, \"rank\": 3, \"bytes\": %s, \"normalize\": true}",
                 bytes ? "true" : "false");
        threads_set(1);
        DataSplits one = load_keys(keys, 1);
        threads_set(3);
        DataSplits three = load_keys(keys, 1);
        threads_stop();
        threads_set(1);
        assert_memory_equal(one.train.dataset->mean, three.train.dataset->mean, EXTENT * sizeof(float));
        assert_memory_equal(one.train.dataset->deviation, three.train.dataset->deviation, EXTENT * sizeof(float));
        data_free(&one);
        data_free(&three);
    }
}

static void test_data_dataset__bytes_are_scaled_without_normalisation(void **state)
{
    (void)state;
    DataSplits splits = load_keys("{\"bytes\": true}", 1);
    float sample[EXTENT];
    dataset_sample(splits.train.dataset, 4, sample);
    const uint8_t *bytes = splits.train.dataset->features;
    for (int k = 0; k < EXTENT; k++)
        assert_true(sample[k] == (float)bytes[4 * EXTENT + k] / 255.0f);
    data_free(&splits);
}

static void test_data_dataset__targets_are_standardised_per_output(void **state)
{
    (void)state;
    DataSplits splits =
        load_keys("{\"count\": 70, \"own_test\": 7, \"regression\": true, \"standardize_targets\": true}", 1);
    const Dataset *train = splits.train.dataset, *test = splits.test.dataset;
    assert_true(fabs(train->target_mean[0] - 3) < 1e-12);
    assert_true(fabs(train->target_deviation[0] - 2) < 1e-12);
    assert_true(train->target_mean[1] == 4 && train->target_deviation[1] == 1);
    assert_true(train->values[0] == -1.5f && train->values[1] == 0);
    assert_true(test->values[0] == -0.5f); /* 2, with the training values' mean */
    data_free(&splits);
    splits = load_keys("{\"regression\": true}", 1);
    assert_null(splits.train.dataset->target_mean);
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_dataset__splits_partition_with_exact_sizes),
        cmocka_unit_test(test_data_dataset__draws_are_functions_of_the_seed),
        cmocka_unit_test(test_data_dataset__stratified_shares_are_within_one),
        cmocka_unit_test(test_data_dataset__folds_partition),
        cmocka_unit_test(test_data_dataset__what_is_divided_is_not_divided_again),
        cmocka_unit_test(test_data_dataset__balance_and_subset),
        cmocka_unit_test(test_data_dataset__text_is_cut_in_order),
        cmocka_unit_test(test_data_dataset__text_is_no_part),
        cmocka_unit_test(test_data_dataset__label_noise_is_exact_and_on_train_only),
        cmocka_unit_test(test_data_dataset__normalised_with_the_training_split),
        cmocka_unit_test(test_data_dataset__statistics_do_not_depend_on_threads),
        cmocka_unit_test(test_data_dataset__bytes_are_scaled_without_normalisation),
        cmocka_unit_test(test_data_dataset__targets_are_standardised_per_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
