/* What all generators promise: same bytes for any number of threads, splits of their own, errors that name
   the key. To add one: its name in `names`, its errors in `cases`, and a test of its truth beside the others. */
#include "tests/generators.h"

static const char *const names[] = {"clicks",      "extreme-labels", "flows",     "gaussian-mixture", "glyphs",
                                    "markov-text", "random-mdp",     "retrieval", "shapes",           "spirals",
                                    "tabular",     "traders",        "translation", "waves"};
enum { GENERATORS = sizeof names / sizeof *names };

static int64_t feature_bytes(const Dataset *dataset)
{
    int64_t size = dataset->target_kind == TARGET_TOKENS ? dataset->shape[0] : dataset->sample_stride;
    return ((dataset->count - 1) * dataset->sample_stride + size) * (int64_t)array_type_size(dataset->type);
}

static bool same_bytes(const void *a, const void *b, int64_t count, size_t size)
{
    return (!a && !b) || (a && b && memcmp(a, b, (size_t)count * size) == 0);
}

static bool same_dataset(const Dataset *a, const Dataset *b)
{
    return a->count == b->count && same_bytes(a->features, b->features, feature_bytes(a), 1) &&
           same_bytes(a->labels, b->labels, a->count * (a->own_tokens ? a->shape[0] : 1), sizeof(int32_t)) &&
           same_bytes(a->values, b->values, a->count * a->classes, sizeof(float)) &&
           same_bytes(a->posteriors, b->posteriors, a->count * a->classes, sizeof(double));
}

static void test_data_generators__same_bytes_for_any_number_of_threads(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 4};
    for (int i = 0; i < GENERATORS; i++) {
        static const char config[] = "{'type': '%s', 'count': 300, 'val_count': 70, 'test_count': 80}";
        DataSplits loaded[3], other;
        for (int t = 0; t < 3; t++) {
            threads_set(threads[t]);
            loaded[t] = load(5, config, names[i]);
        }
        other = load(6, config, names[i]);
        assert_true(same_dataset(loaded[0].train.dataset, loaded[1].train.dataset));
        assert_true(same_dataset(loaded[0].test.dataset, loaded[2].test.dataset));
        assert_false(same_dataset(loaded[0].train.dataset, other.train.dataset));
        for (int t = 0; t < 3; t++)
            data_free(&loaded[t]);
        data_free(&other);
    }
}

static void test_data_generators__splits_do_not_depend_on_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATORS; i++) {
        DataSplits a = load(3, "{'type': '%s', 'count': 100, 'val_count': 90, 'test_count': 90}", names[i]);
        DataSplits b = load(3, "{'type': '%s', 'count': 170, 'test_count': 90, 'val_count': 0}", names[i]);
        size_t bytes = (size_t)a.test.dataset->shape[0] * array_type_size(a.test.dataset->type);
        assert_int_equal(a.test.count, b.test.count);
        assert_int_equal(b.val.count, 0);
        assert_true(a.val.count > 0);
        assert_memory_equal(sample(&a.test, 0), sample(&b.test, 0), bytes);
        assert_memory_equal(sample(&a.test, a.test.count - 1), sample(&b.test, b.test.count - 1), bytes);
        assert_memory_not_equal(sample(&a.train, 0), sample(&a.test, 0), bytes);
        data_free(&a);
        data_free(&b);
    }
}

static void test_data_generators__data_seed_goes_before_the_seed_of_the_run(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATORS; i++) {
        DataSplits a = load(3, "{'type': '%s', 'count': 100, 'val_count': 0, 'test_count': 0}", names[i]);
        DataSplits b = load(4, "{'type': '%s', 'count': 100, 'val_count': 0, 'test_count': 0, 'data_seed': 3}",
                            names[i]);
        assert_true(same_dataset(a.train.dataset, b.train.dataset));
        data_free(&a);
        data_free(&b);
    }
}

static void test_data_generators__described_as_loaded(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "'clicks'",
        "'extreme-labels'",
        "{'type': 'flows', 'count': 20, 'test_count': 0}",
        "{'type': 'flows', 'one_hot': false, 'count': 20}",
        "'gaussian-mixture'",
        "{'type': 'glyphs', 'count': 20, 'test_count': 0, 'channels': 3, 'size': 32}",
        "{'type': 'markov-text', 'stride': 7}",
        "{'type': 'shapes', 'count': 20, 'test_count': 0, 'classes': 5}",
        "'random-mdp'",
        "'retrieval'",
        "'spirals'",
        "'tabular'",
        "'waves'",
        "{'type': 'tabular', 'task': 'regression'}",
        "{'type': 'traders', 'members': 3, 'target': 'label'}",
        "{'type': 'traders', 'members': 3, 'volatility': 2}",
        "{'type': 'translation', 'length': 4}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Instance instance;
        assert_true(parse(texts[i], &instance));
        Dataset shape = {0};
        assert_true(((const DatasetDef *)instance.component)->describe(instance.values, &shape));
        DataSplits splits = load(1, "%s", texts[i]);
        const Dataset *dataset = splits.train.dataset;
        assert_int_equal(shape.type, dataset->type);
        assert_int_equal(shape.rank, dataset->rank);
        assert_memory_equal(shape.shape, dataset->shape, sizeof shape.shape);
        assert_int_equal(shape.sample_stride, dataset->sample_stride);
        assert_int_equal(shape.target_kind, dataset->target_kind);
        assert_int_equal(shape.classes, dataset->classes);
        assert_ptr_equal(shape.class_names, dataset->class_names);
        assert_ptr_equal(shape.feature_names, dataset->feature_names);
        assert_int_equal(shape.group_count, dataset->group_count);
        assert_int_equal(shape.label_width, dataset->label_width);
        assert_int_equal(shape.own_tokens, dataset->own_tokens);
        assert_int_equal(shape.column_count, dataset->column_count);
        for (int c = 0; c < shape.column_count; c++) {
            assert_string_equal(shape.columns[c].name, dataset->columns[c].name);
            assert_int_equal(shape.columns[c].width, dataset->columns[c].width);
        }
        assert_int_equal(shape.count, splits.train.count + splits.val.count + splits.test.count);
        data_free(&splits);
    }
}

static void test_data_generators__classes_are_balanced(void **state)
{
    (void)state;
    static const char *const balanced[] = {"glyphs", "shapes", "spirals"};
    for (int i = 0; i < 3; i++) {
        DataSplits splits = load(1, "{'type': '%s', 'count': 123, 'val_count': 57, 'test_count': 0}", balanced[i]);
        const DataSplit *const parts[] = {&splits.train, &splits.val};
        for (int part = 0; part < 2; part++) {
            int64_t counts[10] = {0}, classes = splits.datasets[0]->classes;
            for (int64_t k = 0; k < parts[part]->count; k++)
                counts[splits.datasets[0]->labels[parts[part]->order[k]]]++;
            for (int64_t c = 0; c < classes; c++)
                assert_in_range(counts[c], parts[part]->count / classes, parts[part]->count / classes + 1);
        }
        data_free(&splits);
    }
}

static void test_data_generators__every_key_has_help(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATORS; i++) {
        const Component *component = component_find("dataset", names[i]);
        assert_non_null(component);
        for (const Param *param = component->params; param->type != PARAM_TYPE_END; param++)
            assert_true(param->help && strlen(param->help) > 5);
    }
}

static void test_data_generators__errors_name_the_key(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        {"{'type': 'flows', 'features': 7}",
         "a.json:1: data.informative: 6 and the 2 that interact are more than the 7 features"},
        {"{'type': 'flows', 'bins': 5}", "a.json:1: data.bins: expected an even number, got 5"},
        {"{'type': 'glyphs', 'count': 0}",
         "a.json:1: data.count: expected an integer between 1 and 1000000000, got 0"},
        {"{'type': 'glyphs', 'channels': 2}", "a.json:1: data.channels: expected 1 or 3, got 2"},
        {"{'type': 'glyphs', 'size': 8}", "a.json:1: data.size: expected an integer between 16 and 64, got 8"},
        {"{'type': 'glyphs', 'width': [3, 2]}", "a.json:1: data.width: expected two numbers, the smaller first"},
        {"{'type': 'glyphs', 'rotatio': 3}", "a.json:1: data.rotatio: unknown key; did you mean \"rotation\"?"},
        {"{'type': 'shapes', 'classes': 9}", "a.json:1: data.classes: expected an integer between 2 and 8, got 9"},
        {"{'type': 'shapes', 'radius': [0.3]}", "a.json:1: data.radius: expected a list of at least 2, got 1"},
        {"{'type': 'spirals', 'noise': -1}", "a.json:1: data.noise: expected a number between 0 and 1, got -1"},
        {"{'type': 'gaussian-mixture', 'priors': [1]}",
         "a.json:1: data.priors: expected one for each of the 3 classes, got 1"},
        {"{'type': 'gaussian-mixture', 'priors': [0.5, 0.5, 0.5]}",
         "a.json:1: data.priors: expected a sum of 1, got 1.5"},
        {"{'type': 'gaussian-mixture', 'classes': 10000, 'components': 1000, 'dimensions': 3}",
         "a.json:1: data: classes * components * dimensions is more than 1e7"},
        {"{'type': 'gaussian-mixture', 'dimensions': 4, 'embedding': 4}",
         "a.json:1: data.embedding: 4 features are not more than the 4 dimensions"},
        {"{'type': 'markov-text', 'length': 200000}",
         "a.json:1: data.count: a window of 200000 tokens and the one that follows need 200001, got 200000"},
        {"{'type': 'markov-text', 'order': 8}",
         "a.json:1: data.order: classes^(order + 1), the size of the transition table, is more than 4194304"},
        {"{'type': 'random-mdp', 'states': 2}", "a.json:1: data.successors: 3 of 2 states"},
        {"{'type': 'tabular', 'numeric': 0, 'categorical': 0}",
         "a.json:1: data: numeric and categorical are both 0; a table needs a column"},
        {"{'type': 'traders', 'count': 20000000, 'members': 100}",
         "a.json:1: data.count: groups of 100 members are more than 1e+09 traders"},
        {"{'type': 'translation', 'noise_level': 0.5}",
         "a.json:1: data.noise_level: 0.5, but \"noise\" is \"none\""},
        {"{'type': 'tabular', 'interactions': 29}", "a.json:1: data.interactions: 8 columns have 28 pairs, got 29"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance instance;
        assert_false(parse(cases[i].text, &instance));
        assert_string_equal(error.message, cases[i].message);
        assert_int_equal(error.status, STATUS_USAGE);
    }
}

static void test_data_generators__a_chain_that_does_not_mix_is_refused(void **state)
{
    (void)state;
    Instance instance;
    assert_true(parse("{'type': 'markov-text', 'classes': 2, 'order': 8, 'smoothing': 0.002, 'concentration': 0.001}",
                      &instance));
    DataSplits splits = {.arena = arena_new()};
    assert_false(((const DatasetDef *)instance.component)->load(instance.values, 7, &splits, &error));
    assert_non_null(strstr(error.message, "raise smoothing"));
    assert_null(splits.datasets[0]);
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_generators__same_bytes_for_any_number_of_threads),
        TEST(test_data_generators__splits_do_not_depend_on_each_other),
        TEST(test_data_generators__data_seed_goes_before_the_seed_of_the_run),
        TEST(test_data_generators__described_as_loaded),
        TEST(test_data_generators__classes_are_balanced),
        TEST(test_data_generators__every_key_has_help),
        TEST(test_data_generators__errors_name_the_key),
        TEST(test_data_generators__a_chain_that_does_not_mix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
