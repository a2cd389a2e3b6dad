/* Files of samples as a trained model takes them. */
#include <string.h>

#include "core/base/file.h"
#include "core/train/features.h"
#include "data/npy.h"
#include "tests/testing.h"

/* As much of a saved model as reading features looks at. */
typedef struct Fake {
    Model model;
    SavedModel saved;
} Fake;

static void make(Fake *fake, int rank, const int64_t *sizes)
{
    *fake = (Fake){.model.input = {.shape = shape_of(rank, sizes), .outputs = 2}};
    fake->saved = (SavedModel){.path = "model.safetensors", .model = &fake->model};
}

static Dataset *read_npy(const Fake *fake, int rank, const int64_t *shape, ArrayType type, void *data, Error *error)
{
    Temporary temporary;
    temporary_make(&temporary, "x.npy");
    Array array = {.type = type, .rank = rank, .count = 1, .data = data};
    for (int i = 0; i < rank; i++) {
        array.shape[i] = shape[i];
        array.count *= shape[i];
    }
    assert_true(npy_write(temporary.file, &array, error));
    Dataset *dataset = features_read(&fake->saved, temporary.file, error);
    temporary_drop(&temporary);
    return dataset;
}

static Dataset *read_text(const Fake *fake, const char *name, const char *text, Error *error)
{
    Temporary temporary;
    temporary_make(&temporary, name);
    assert_true(file_write(temporary.file, text, strlen(text), error));
    Dataset *dataset = features_read(&fake->saved, temporary.file, error);
    temporary_drop(&temporary);
    return dataset;
}

static void test_train_features__npy_may_leave_out_axes_of_one(void **state)
{
    (void)state;
    Fake fake;
    Error error = {0};
    unsigned char bytes[12] = {0, 51, 255};
    make(&fake, 3, (int64_t[]){1, 2, 3});
    const int64_t shapes[][4] = {{2, 1, 2, 3}, {2, 2, 3}, {2, 6}, {2, 2, 3, 1}};
    const int ranks[] = {4, 3, 2, 4};
    for (int i = 0; i < 4; i++) {
        Dataset *dataset = read_npy(&fake, ranks[i], shapes[i], ARRAY_U8, bytes, &error);
        assert_non_null(dataset);
        assert_int_equal(dataset->count, 2);
        float sample[6];
        dataset_sample(dataset, 0, sample);
        assert_true(sample[1] == 0.2f && sample[2] == 1);
        dataset_free(dataset);
    }
    const int64_t others[][4] = {{2, 3, 2}, {4, 3}, {12}, {2, 2, 3, 1}};
    for (int i = 0; i < 3; i++)
        assert_null(read_npy(&fake, 3 - i, others[i], ARRAY_U8, bytes, &error));
    assert_int_equal(error.status, STATUS_FAILED);
}

static void test_train_features__tokens_are_in_range(void **state)
{
    (void)state;
    Fake fake;
    Error error = {0};
    int64_t tokens[] = {0, 4, 2, 5};
    make(&fake, 1, (int64_t[]){2});
    fake.model.input.shape.vocabulary = 5;
    assert_null(read_npy(&fake, 2, (int64_t[]){2, 2}, ARRAY_I64, tokens, &error));
    assert_non_null(strstr(error.message, "row 1: token 5 is outside 0..4"));
    tokens[3] = 1;
    Dataset *dataset = read_npy(&fake, 2, (int64_t[]){2, 2}, ARRAY_I64, tokens, &error);
    assert_non_null(dataset);
    assert_int_equal(((const int32_t *)dataset->features)[1], 4);
    dataset_free(dataset);
}

static const char *const names[] = {"age", "color=blue", "color=red", "1"};

static void check_row(const Dataset *dataset, int64_t row, const float *expected)
{
    float sample[4];
    assert_non_null(dataset);
    dataset_sample(dataset, row, sample);
    for (int k = 0; k < 4; k++)
        assert_true(sample[k] == expected[k]);
}

static void test_train_features__csv_columns_by_name_and_by_place(void **state)
{
    (void)state;
    Fake fake;
    Error error = {0};
    static const float expected[][4] = {{3, 0, 1, -2}, {4, 1, 0, 5}, {0, 0, 0, 0}};
    make(&fake, 1, (int64_t[]){4});
    fake.saved.feature_names = names;
    Dataset *named = read_text(&fake, "x.csv", "color;1;other;age\nred;-2;?; 3\nblue;5;?;4\ngreen;0;?;0\n", &error);
    Dataset *placed = read_text(&fake, "x.csv", "3,red,-2\n4,blue,5\n0,green,0\n", &error);
    for (int i = 0; i < 3; i++) {
        check_row(named, i, expected[i]);
        check_row(placed, i, expected[i]);
    }
    dataset_free(named);
    dataset_free(placed);
}

static void test_train_features__csv_errors_name_the_line(void **state)
{
    (void)state;
    Fake fake;
    static const char *const rows[][2] = {
        {"color,age\nred,3\n", ":1: no column \"1\", which the model needs"},
        {"age,1,color,age\n3,1,red,2\n", ":1: two columns are named \"age\""},
        {"3,red,1\n3,red,x\n", ":2: column 3: expected a number, got \"x\""},
        {"3,red,1\n3,red,1e99\n", ":2: column 3: expected a number, got \"1e99\""},
        {"3,red\n", ":1: 2 columns, the model takes 3"},
        {"3,,1\n", ":1: column 2: no value"},
        {"age,color,1\n", ": no rows"},
    };
    make(&fake, 1, (int64_t[]){4});
    fake.saved.feature_names = names;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Error error = {0};
        assert_null(read_text(&fake, "x.csv", rows[i][0], &error));
        if (!strstr(error.message, rows[i][1]))
            fail_msg("%s", error.message);
        assert_int_equal(error.status, STATUS_FAILED);
    }
}

static void test_train_features__normalisation_is_the_models(void **state)
{
    (void)state;
    Fake fake;
    Error error = {0};
    static const float mean[] = {1, 2}, deviation[] = {2, 4};
    make(&fake, 1, (int64_t[]){2});
    fake.saved.normalized = 2;
    fake.saved.mean = mean;
    fake.saved.deviation = deviation;
    Dataset *dataset = read_text(&fake, "x.csv", "a,b\n5,10\n", &error);
    float sample[2];
    assert_non_null(dataset);
    dataset_sample(dataset, 0, sample);
    assert_true(sample[0] == 2 && sample[1] == 2);
    dataset_free(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_features__npy_may_leave_out_axes_of_one),
        cmocka_unit_test(test_train_features__tokens_are_in_range),
        cmocka_unit_test(test_train_features__csv_columns_by_name_and_by_place),
        cmocka_unit_test(test_train_features__csv_errors_name_the_line),
        cmocka_unit_test(test_train_features__normalisation_is_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
