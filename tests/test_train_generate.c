/* Sampling of tokens, against what its options promise. */
#include <math.h>
#include <string.h>

#include "core/train/generate.h"
#include "tests/testing.h"

/* Probabilities 0.4, 0.3, 0.2, 0.1 in the order of tokens 2, 0, 3, 1. */
static const float logits[] = {-1.2039728f, -2.3025851f, -0.9162907f, -1.6094379f};

static const SamplingOptions all = {.temperature = 1, .top_p = 1, .seed = 7};

static void count(const float *row, const SamplingOptions *options, int64_t draws, int64_t counts[4])
{
    Arena *arena = arena_new();
    memset(counts, 0, 4 * sizeof *counts);
    for (int64_t i = 0; i < draws; i++) {
        int32_t token = sample_token(row, 4, options, i, arena);
        assert_in_range(token, 0, 3);
        counts[token]++;
        arena_reset(arena);
    }
    arena_free(arena);
}

static void test_train_generate__frequencies_are_the_softmax(void **state)
{
    (void)state;
    static const double expected[] = {0.3, 0.1, 0.4, 0.2};
    int64_t counts[4];
    count(logits, &all, 20000, counts);
    for (int k = 0; k < 4; k++)
        assert_true(fabs((double)counts[k] / 20000 - expected[k]) < 0.015); /* 4 deviations */
}

static void test_train_generate__temperature(void **state)
{
    (void)state;
    int64_t counts[4];
    SamplingOptions options = all;
    options.temperature = 0;
    count(logits, &options, 50, counts);
    assert_int_equal(counts[2], 50);
    options.temperature = 0.5; /* probabilities squared: 16 : 9 : 4 : 1 */
    count(logits, &options, 20000, counts);
    assert_true(fabs((double)counts[2] / 20000 - 16.0 / 30) < 0.015);
    const float equal[] = {0, 1, 1, 1};
    options.temperature = 0;
    count(equal, &options, 10, counts);
    assert_int_equal(counts[1], 10);
}

static void test_train_generate__top_k_and_top_p(void **state)
{
    (void)state;
    int64_t counts[4];
    SamplingOptions options = all;
    options.top_k = 2;
    count(logits, &options, 20000, counts);
    assert_int_equal(counts[1] + counts[3], 0);
    assert_true(fabs((double)counts[2] / 20000 - 4.0 / 7) < 0.015);
    options.top_k = 0;
    options.top_p = 0.75; /* 0.4 + 0.3 do not reach it, 0.2 more do */
    count(logits, &options, 2000, counts);
    assert_int_equal(counts[1], 0);
    assert_true(counts[3] > 0);
    options.top_p = 0;
    count(logits, &options, 50, counts);
    assert_int_equal(counts[2], 50);
}

static void test_train_generate__a_draw_depends_on_seed_and_position_alone(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    SamplingOptions other = all;
    other.seed = 8;
    int differ = 0;
    for (int64_t i = 0; i < 50; i++) {
        int32_t token = sample_token(logits, 4, &all, i, arena);
        assert_int_equal(token, sample_token(logits, 4, &all, i, arena));
        differ += token != sample_token(logits, 4, &other, i, arena);
    }
    assert_true(differ > 10);
    arena_free(arena);
}

static void test_train_generate__impossible_tokens(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    const float some[] = {-INFINITY, NAN, 0, -INFINITY}, none[] = {-INFINITY, NAN, NAN, -INFINITY};
    for (int64_t i = 0; i < 20; i++)
        assert_int_equal(sample_token(some, 4, &all, i, arena), 2);
    assert_int_equal(sample_token(none, 4, &all, 0, arena), -1);
    arena_free(arena);
}

enum { WINDOW = 12, VOCABULARY = 5 };

/* One token at a time with what was kept of the others, against all at once. */
static void check_cache(const char *positions)
{
    Error error = {0};
    Instance instance;
    Arena *arena = arena_new();
    JsonSource *source = json_source_new();
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    const char *text =
        arena_format(arena,
                     "{\"type\": \"transformer\", \"layers\": 2, \"width\": 16, \"heads\": 4, \"kv_heads\": 2, "
                     "\"positions\": \"%s\", \"init\": {\"type\": \"normal\", \"deviation\": 0.5}}",
                     positions);
    const cJSON *json = json_parse(source, "model", text, strlen(text), &error);
    if (!json || !instance_parse(&context, "model", json, &instance))
        fail_msg("%s", error.message);
    ModelInput input = {.shape = shape_of(1, (int64_t[]){WINDOW}), .outputs = VOCABULARY, .per_position = true};
    input.shape.vocabulary = VOCABULARY;
    Config config = {.loss = instance_default(arena, "loss", "ce")};
    SavedModel saved = {.config = &config,
                        .classes = VOCABULARY,
                        .target_kind = TARGET_TOKENS,
                        .model = model_new(&instance, input, 3, &error)};
    assert_non_null(saved.model);
    Tape *tape = tape_new();
    tape_use(tape);
    static const int32_t tokens[] = {0, 3, 1, 4, 2, 2, 0, 1, 3, 3, 4, 1, 0, 2, 4};
    Generator *kept = generator_new(&saved);
    for (int64_t count = 2; count <= 15; count++) {
        Generator *fresh = generator_new(&saved);
        const float *expected = generator_logits(fresh, tokens, count), *actual = generator_logits(kept, tokens, count);
        for (int k = 0; k < VOCABULARY; k++)
            assert_true(fabsf(actual[k] - expected[k]) <= 1e-5f * (1 + fabsf(expected[k])));
        generator_free(fresh);
        tape_reset();
    }
    generator_free(kept);
    model_free(saved.model);
    tape_free(tape);
    json_source_free(source);
    arena_free(arena);
}

static void test_train_generate__kept_keys_and_values_change_nothing(void **state)
{
    (void)state;
    static const char *const all_positions[] = {"learned", "sinusoidal", "rope", "alibi", "none"};
    for (int i = 0; i < 5; i++)
        check_cache(all_positions[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_generate__frequencies_are_the_softmax),
        cmocka_unit_test(test_train_generate__temperature),
        cmocka_unit_test(test_train_generate__top_k_and_top_p),
        cmocka_unit_test(test_train_generate__a_draw_depends_on_seed_and_position_alone),
        cmocka_unit_test(test_train_generate__impossible_tokens),
        cmocka_unit_test(test_train_generate__kept_keys_and_values_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
