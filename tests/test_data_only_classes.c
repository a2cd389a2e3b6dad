/* The key only_classes, on generators whose classes and posteriors are known. */
#include "tests/instances.h"

#include <math.h>
#include <string.h>

#include "data/dataset.h"

static bool try_load(Texts *texts, const char *json, DataSplits *splits)
{
    Instance data;
    ParamContext context = {.source = texts->source, .arena = texts->arena, .path = "data", .error = &texts->error};
    const cJSON *value = json_parse(texts->source, "data", json, strlen(json), &texts->error);
    return value && data_instance_parse(&context, value, &data) && data_load(&data, 3, splits, &texts->error);
}

#define MIXTURE(keys)                                                                                                  \
    "{\"type\": \"gaussian-mixture\", \"classes\": 4, \"count\": 200, \"val_count\": 50, \"test_count\": "             \
    "60" keys "}"

static void test_data_only_classes__keeps_and_renumbers(void **state)
{
    (void)state;
    Texts texts = texts_open();
    DataSplits all, some;
    assert_true(try_load(&texts, MIXTURE(""), &all));
    assert_true(try_load(&texts, MIXTURE(", \"only_classes\": [3, 1]"), &some));
    const DataSplit *whole[] = {&all.train, &all.val, &all.test}, *kept[] = {&some.train, &some.val, &some.test};
    assert_int_equal(some.train.dataset->classes, 2);
    for (int s = 0; s < 3; s++) {
        int64_t at = 0;
        for (int64_t i = 0; i < whole[s]->count; i++) {
            int64_t sample = whole[s]->order[i];
            int32_t label = all.train.dataset->labels[sample];
            if (label != 1 && label != 3)
                continue;
            assert_int_equal(kept[s]->order[at], sample);
            assert_int_equal(some.train.dataset->labels[sample], label == 1);
            const double *before = all.train.dataset->posteriors + 4 * sample,
                         *after = some.train.dataset->posteriors + 2 * sample;
            assert_true(fabs(after[0] + after[1] - 1) < 1e-12);
            assert_true(fabs(after[0] * before[1] - after[1] * before[3]) < 1e-12);
            at++;
        }
        assert_true(at > 0 && at == kept[s]->count);
    }
    data_free(&all);
    data_free(&some);
    texts_close(&texts);
}

static void test_data_only_classes__comes_before_splits_and_noise(void **state)
{
    (void)state;
    Texts texts = texts_open();
    DataSplits splits;
    assert_true(try_load(&texts, "{\"type\": \"glyphs\", \"count\": 100, \"val_count\": 0, \"test_count\": 0, "
                         "\"only_classes\": [0, 7], \"split\": [0.5, 0.5], \"label_noise\": 0.2}", &splits));
    assert_int_equal(splits.train.count, 10);
    assert_int_equal(splits.val.count, 10);
    assert_string_equal(splits.train.dataset->class_names[1], "7");
    int changed = 0;
    for (int64_t i = 0; i < splits.train.count; i++) {
        int64_t sample = splits.train.order[i];
        assert_in_range(splits.train.dataset->labels[sample], 0, 1);
        changed += splits.train.dataset->labels[sample] != splits.train.dataset->clean_labels[sample];
    }
    assert_int_equal(changed, 2);
    data_free(&splits);
    texts_close(&texts);
}

static void test_data_only_classes__errors(void **state)
{
    (void)state;
    static const struct { const char *json, *message; } cases[] = {
        {MIXTURE(", \"only_classes\": [1, 2, 1]"), "only_classes: class 1 twice"},
        {MIXTURE(", \"only_classes\": [1, 4]"), "data.only_classes: 4 is outside 0..3"},
        {"{\"type\": \"tabular\", \"task\": \"regression\", \"only_classes\": [0]}",
         "data.only_classes: the targets are not classes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts = texts_open();
        DataSplits splits;
        assert_false(try_load(&texts, cases[i].json, &splits));
        assert_non_null(strstr(texts.error.message, cases[i].message));
        assert_int_equal(texts.error.status, STATUS_USAGE);
        texts_close(&texts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_only_classes__keeps_and_renumbers),
        cmocka_unit_test(test_data_only_classes__comes_before_splits_and_noise),
        cmocka_unit_test(test_data_only_classes__errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
