/* The key blank of data sets. */
#include "tests/dataset_made.h"

#include <math.h>

/* Of bytes and of reals: the differences to the mean shrink to a twentieth, for so many samples of train alone. */
static void test_data_blank__samples_are_exact_and_in_train_only(void **state)
{
    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        DataSplits splits = load_keys(bytes ? "{\"count\": 1000, \"rank\": 2, \"bytes\": true, \"blank\": 0.255}"
                                            : "{\"count\": 1000, \"rank\": 2, \"blank\": 0.255}", 6),
                   plain = load_keys(bytes ? "{\"count\": 1000, \"rank\": 2, \"bytes\": true}"
                                           : "{\"count\": 1000, \"rank\": 2}", 6);
        const Dataset *dataset = splits.train.dataset;
        const DatasetColumn *marked = dataset_column(dataset, "marked");
        int64_t size = dataset_sample_size(dataset), faded = 0, moved = 0;
        for (int64_t i = 0; i < dataset->count; i++) {
            float sample[EXTENT * EXTENT], before[EXTENT * EXTENT];
            dataset_sample(dataset, i, sample);
            dataset_sample(plain.train.dataset, i, before);
            double mean = 0, left = marked->values[i] != 0 ? 0.05 : 1;
            for (int64_t k = 0; k < size; k++)
                mean += (double)before[k] / (double)size;
            for (int64_t k = 0; k < size; k++)
                assert_true(fabs(mean + left * ((double)before[k] - mean) - (double)sample[k]) <
                            (bytes ? 0.5 / 255 : 0) + 1e-5);
            faded += marked->values[i] != 0;
            moved += dataset->labels[i] != class_of(i);
            assert_true(marked->values[i] != 0 || dataset->labels[i] == class_of(i));
        }
        assert_int_equal(faded, 255);
        assert_in_range(moved, 255 * (CLASSES - 1) / CLASSES - 30, 255);
        data_free(&splits);
        data_free(&plain);
    }
    DataSplits splits = load_keys("{\"count\": 100, \"split\": [0.5, 0.5], \"blank\": 1}", 6);
    for (int64_t i = 0; i < 50; i++) {
        assert_true(dataset_column(splits.train.dataset, "marked")->values[splits.train.order[i]] == 1);
        assert_true(dataset_column(splits.val.dataset, "marked")->values[splits.val.order[i]] == 0);
    }
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_blank__samples_are_exact_and_in_train_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
