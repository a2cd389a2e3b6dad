/* The sentences of translation, and how targets of their own reach a batch. */
#include "tests/generators.h"

#include "data/loader.h"

enum { WORDS = 20, LENGTH = 10 };

static const int32_t *source_of(const Dataset *dataset, int64_t i)
{
    return (const int32_t *)dataset->features + i * LENGTH;
}

static const int32_t *target_of(const Dataset *dataset, int64_t i)
{
    return dataset->labels + i * LENGTH;
}

/* What the clean test split translates each word to; asserts that it is a permutation. */
static void read_dictionary(const DataSplit *split, int32_t dictionary[WORDS])
{
    bool taken[WORDS] = {false};
    for (int w = 0; w < WORDS; w++)
        dictionary[w] = -1;
    for (int64_t k = 0; k < split->count; k++)
        for (int t = 0; t < LENGTH; t++) {
            int32_t word = source_of(split->dataset, split->order[k])[t];
            int32_t target = target_of(split->dataset, split->order[k])[t];
            assert_in_range(target, 0, WORDS - 1);
            assert_true(dictionary[word] == -1 || dictionary[word] == target);
            dictionary[word] = target;
        }
    for (int w = 0; w < WORDS; w++) {
        assert_false(taken[dictionary[w]]);
        taken[dictionary[w]] = true;
    }
}

static void test_data_translation__without_noise_word_for_word(void **state)
{
    (void)state;
    DataSplits splits = load(4, "{'type': 'translation', 'count': 200, 'test_count': 50, 'val_count': 10}");
    int32_t dictionary[WORDS];
    assert_int_equal(splits.train.dataset->classes, WORDS + 1);
    read_dictionary(&splits.test, dictionary);
    for (int64_t i = 0; i < splits.train.dataset->count; i++)
        for (int t = 0; t < LENGTH; t++)
            assert_int_equal(target_of(splits.train.dataset, i)[t],
                             dictionary[source_of(splits.train.dataset, i)[t]]);
    data_free(&splits);
}

/* Doubled words: going through the clean translation, each step takes one or two, and two in the given share. */
static void test_data_translation__repetition_doubles_words(void **state)
{
    (void)state;
    DataSplits splits =
        load(4, "{'type': 'translation', 'count': 3000, 'noise': 'repetition', 'noise_level': 0.3}");
    const Dataset *dataset = splits.train.dataset;
    int32_t dictionary[WORDS];
    read_dictionary(&splits.test, dictionary);
    double doubled = 0, seen = 0;
    for (int64_t i = 0; i < splits.train.count; i++) {
        const int32_t *source = source_of(dataset, i), *target = target_of(dataset, i);
        for (int from = 0, to = 0; to < LENGTH; from++) {
            int32_t word = dictionary[source[from]];
            assert_int_equal(target[to++], word);
            if (to == LENGTH || dictionary[source[from + 1]] == word)
                break; /* cut; or whether it was doubled cannot be told */
            seen++;
            if (target[to] == word) {
                doubled++;
                to++;
            }
        }
    }
    assert_true(seen > 5000 && fabs(doubled / seen - 0.3) < 0.02);
    data_free(&splits);
}

static void test_data_translation__shuffle_keeps_the_words(void **state)
{
    (void)state;
    DataSplits splits = load(4, "{'type': 'translation', 'count': 500, 'noise': 'shuffle', 'noise_level': 0.4}");
    const Dataset *dataset = splits.train.dataset;
    int32_t dictionary[WORDS];
    read_dictionary(&splits.test, dictionary);
    int most = 0;
    double moved = 0;
    for (int64_t i = 0; i < splits.train.count; i++) {
        int balance[WORDS] = {0}, changed = 0;
        for (int t = 0; t < LENGTH; t++) {
            int32_t clean = dictionary[source_of(dataset, i)[t]], target = target_of(dataset, i)[t];
            balance[clean]++;
            balance[target]--;
            changed += clean != target;
        }
        for (int w = 0; w < WORDS; w++)
            assert_int_equal(balance[w], 0);
        most = changed > most ? changed : most;
        moved += changed;
    }
    /* three of four chosen places change in the mean, but where words are alike */
    assert_int_equal(most, 4);
    assert_true(fabs(moved / 500 - 3 * (1 - 1.0 / WORDS)) < 0.2);
    data_free(&splits);
}

static void test_data_translation__blanks_have_a_word_of_their_own(void **state)
{
    (void)state;
    DataSplits splits = load(4, "{'type': 'translation', 'count': 1000, 'noise': 'blank', 'noise_level': 0.6}");
    const Dataset *dataset = splits.train.dataset;
    int32_t dictionary[WORDS];
    read_dictionary(&splits.test, dictionary);
    double blanks = 0;
    for (int64_t i = 0; i < splits.train.count; i++)
        for (int t = 0; t < LENGTH; t++) {
            int32_t target = target_of(dataset, i)[t];
            blanks += target == WORDS;
            assert_true(target == WORDS || target == dictionary[source_of(dataset, i)[t]]);
        }
    assert_true(fabs(blanks / (1000 * LENGTH) - 0.6) < 0.02);
    data_free(&splits);
}

static void test_data_translation__batches_have_the_targets(void **state)
{
    (void)state;
    DataSplits splits = load(4, "{'type': 'translation', 'count': 9, 'test_count': 0}");
    Loader *loader = loader_new(&splits.train, (LoaderOptions){.batch_size = 4, .shuffle = true, .seed = 1});
    for (int64_t b = 0; b < loader_batches(loader); b++) {
        const Batch *batch = loader_batch(loader, 0, b);
        for (int64_t row = 0; row < batch->count; row++) {
            assert_memory_equal(batch->tokens + row * LENGTH, source_of(splits.train.dataset, batch->ids[row]),
                                LENGTH * sizeof(int32_t));
            assert_memory_equal(batch->labels + row * LENGTH, target_of(splits.train.dataset, batch->ids[row]),
                                LENGTH * sizeof(int32_t));
        }
    }
    loader_free(loader);
    data_free(&splits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_translation__without_noise_word_for_word),
        TEST(test_data_translation__repetition_doubles_words),
        TEST(test_data_translation__shuffle_keeps_the_words),
        TEST(test_data_translation__blanks_have_a_word_of_their_own),
        TEST(test_data_translation__batches_have_the_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
