/* Groups and further columns: that nothing takes a group apart, and that columns go with their samples. */
#include "tests/data_testing.h"

#include "data/loader.h"

/* Twelve groups of 1 to 4 rows; a is the number of the row. */
static void make_table(Files *files)
{
    char text[2000];
    int length = snprintf(text, sizeof text, "q,a,p,double\n"), row = 0;
    for (int group = 0; group < 12; group++)
        for (int member = 0; member <= group % 4; member++, row++)
            length += snprintf(text + length, sizeof text - (size_t)length, "g%d,%d,%d.5,%d\n", group, row, row % 3,
                               2 * row);
    files_text(files, "t.csv", text);
}

#define TABLE                                                                                             \
    "'type': 'csv', 'path': '@/t.csv', 'target': 'p', 'task': 'regression', " \
    "'group': 'q', 'normalize': false, 'extras': {'reward': 'a'}"

static DataSplits load_table(const Files *files, const char *keys)
{
    char text[600];
    snprintf(text, sizeof text, "{%s%s}", TABLE, keys);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return load_or_fail(files, text);
}

/* Every group that occurs is there whole, side by side. Returns how many there are. */
static int assert_whole(const DataSplit *split)
{
    int groups = 0;
    for (int64_t i = 0; i < split->count; groups++) {
        int64_t group = split->dataset->groups[split->order[i]], members = 0;
        for (; i < split->count && split->dataset->groups[split->order[i]] == group; i++)
            members++;
        assert_int_equal(members, group % 4 + 1);
    }
    return groups;
}

static void test_data_groups__a_table_has_groups_and_columns(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    make_table(&files);
    DataSplits splits;
    static const char *const bad = "{\"type\": \"csv\", \"path\": \"@/t.csv\", \"group\": \"q\", \"target\": \"p\", "
                                   "\"task\": \"regression\", \"extras\": {\"reward\": \"a\", "
                                   "\"pair\": [\"a\", \"double\"]}}";
    assert_string_equal(load_data(&files, bad, &splits), "t.csv: no column is left beside the target");
    files_text(&files, "u.csv", "q,a,p,x\n1,3,5,1\n1,4,6,2\n0,5,7,3\n");
    splits = load_or_fail(&files, "{\"type\": \"csv\", \"path\": \"@/u.csv\", \"group\": 0, \"target\": \"p\", "
                                  "\"extras\": {\"reward\": \"a\", \"pair\": [\"a\", \"p\"]}, \"normalize\": false}");
    const Dataset *dataset = splits.train.dataset;
    assert_int_equal(dataset->shape[0], 1);
    assert_string_equal(dataset->feature_names[0], "x");
    assert_int_equal(dataset->group_count, 2);
    static const int32_t expected[] = {0, 0, 1};
    assert_memory_equal(dataset->groups, expected, sizeof expected);
    const DatasetColumn *reward = dataset_column(dataset, "reward"), *pair = dataset_column(dataset, "pair");
    assert_int_equal(reward->width, 1);
    assert_int_equal(pair->width, 2);
    assert_true(reward->values[1] == 4 && pair->values[2] == 4 && pair->values[3] == 6);
    assert_null(dataset_column(dataset, "profit"));
    data_free(&splits);
    files_text(&files, "v.csv", "q,a,p,x\n1,3,5,1\n1,?,6,2\n");
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/v.csv\", \"target\": \"p\", \"extras\": {\"reward\": "
                           "\"a\"}}",
                   "v.csv:3: column a: expected a number for the extra \"reward\", got \"?\"");
    files_text(&files, "w.csv", "q,p,x\n1,5,1\n,6,2\n");
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/w.csv\", \"target\": \"p\", \"group\": \"q\"}",
                   "w.csv:3: column q: no group");
    files_drop(&files);
}

static void test_data_groups__splits_folds_and_subsets_take_groups_whole(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    make_table(&files);
    DataSplits splits = load_table(&files, ", 'split': [0.5, 0.25, 0.25]");
    assert_int_equal(assert_whole(&splits.train), 6);
    assert_int_equal(assert_whole(&splits.val), 3);
    assert_int_equal(assert_whole(&splits.test), 3);
    assert_int_equal(splits.train.count + splits.val.count + splits.test.count, 30);
    data_free(&splits);
    splits = load_table(&files, ", 'folds': 4, 'fold': 1, 'subset': 5");
    assert_int_equal(assert_whole(&splits.test), 3);
    assert_int_equal(assert_whole(&splits.train), 5);
    data_free(&splits);
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/t.csv\", \"target\": \"p\", \"group\": \"q\", \"task\": "
                           "\"classification\", \"stratified\": true, \"split\": [0.5, 0.5]}",
                   "data.stratified: groups are drawn whole, whatever their members' classes");
    assert_refused(&files, "{\"type\": \"csv\", \"path\": \"@/t.csv\", \"target\": \"p\", \"group\": \"q\", "
                           "\"subset\": 13}",
                   "data.subset: 13 asked for, the training split has 12 groups");
    files_drop(&files);
}

/* Batches of 5 groups of 12: every group once an epoch, columns beside their samples, another order each epoch. */
static void test_data_groups__batches_take_groups_whole(void **state)
{
    (void)state;
    Files files;
    files_make(&files);
    make_table(&files);
    DataSplits splits = load_table(&files, "");
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        Loader *loader = loader_new(&splits.train, (LoaderOptions){.batch_size = 5, .shuffle = shuffle, .seed = 2,
                                                                   .prefetch = true});
        assert_int_equal(loader_batches(loader), 3);
        int32_t first[2];
        for (int epoch = 0; epoch < 2; epoch++) {
            int seen[12] = {0};
            for (int index = 0; index < 3; index++) {
                const Batch *batch = loader_batch(loader, epoch, index);
                int groups = 0;
                for (int64_t i = 0; i < batch->count; i++) {
                    assert_int_equal(batch->groups[i], splits.train.dataset->groups[batch->ids[i]]);
                    assert_true(batch->columns[0][i] == (float)batch->ids[i]);
                    groups += i == 0 || batch->groups[i] != batch->groups[i - 1];
                    seen[batch->groups[i]]++;
                }
                assert_int_equal(groups, index < 2 ? 5 : 2);
                first[epoch] = index == 0 ? batch->groups[0] * 100 + batch->groups[batch->count - 1] : first[epoch];
            }
            for (int group = 0; group < 12; group++)
                assert_int_equal(seen[group], group % 4 + 1);
        }
        assert_int_equal(first[0] == first[1], !shuffle);
        loader_free(loader);
    }
    data_free(&splits);
    files_drop(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_groups__a_table_has_groups_and_columns),
        cmocka_unit_test(test_data_groups__splits_folds_and_subsets_take_groups_whole),
        cmocka_unit_test(test_data_groups__batches_take_groups_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
