/* Metrics of predicted sequences, by hand. */
#include <math.h>
#include <string.h>

#include "tests/testing.h"

#include "core/metrics/metric.h"

enum { WORDS = 8, MOST_ROWS = 32 };

static Arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

typedef struct Sequences {
    double logits[MOST_ROWS][WORDS], weights[MOST_ROWS];
    int64_t targets[MOST_ROWS];
    int32_t groups[MOST_ROWS];
    PredictionInput input;
} Sequences;

/* Digits for tokens, a space between sequences; the sequences of both texts are equally long. */
static const PredictionInput *sequences(Sequences *s, const char *predicted, const char *targets)
{
    int64_t rows = 0;
    int32_t group = 0;
    memset(s, 0, sizeof *s);
    for (int i = 0; predicted[i]; i++) {
        if (predicted[i] == ' ') {
            group++;
            continue;
        }
        s->logits[rows][predicted[i] - '0'] = 1;
        s->targets[rows] = targets[i] - '0';
        s->weights[rows] = 1;
        s->groups[rows++] = group;
    }
    s->input = (PredictionInput){.kind = PREDICTION_TOKENS, .count = rows, .classes = WORDS, .logits = s->logits[0],
                                 .targets = s->targets, .weights = s->weights, .groups = s->groups};
    return &s->input;
}

static double measured(const char *name, const PredictionInput *input)
{
    const MetricDef *metric = (const MetricDef *)component_find("metric", name);
    Predictions *p = predictions_new(arena, input);
    assert_non_null(metric);
    assert_true(metric_applies(metric, p));
    return metric_value(metric, p);
}

static void check(const char *name, const PredictionInput *input, double expected)
{
    double value = measured(name, input);
    if (!(fabs(value - expected) <= 1e-12))
        fail_msg("%s: %.15g, expected %.15g", name, value, expected);
}

/* Shifted by one: 4 of 5 words, 3 of 4 pairs, 2 of 3, 1 of 2; one word to insert and one to remove. */
static void test_metrics_sequence__a_shift_costs_little(void **state)
{
    (void)state;
    Sequences s;
    const PredictionInput *input = sequences(&s, "12345", "01234");
    check("bleu", input, pow(4.0 / 5 * 3 / 4 * 2 / 3 * 1 / 2, 0.25));
    check("edit_distance", input, 2.0 / 5);
    check("exact_match", input, 0);
    input = sequences(&s, "12345", "12345");
    check("bleu", input, 1);
    check("edit_distance", input, 0);
    check("exact_match", input, 1);
}

/* A word that the target has once counts once. */
static void test_metrics_sequence__matches_are_clipped(void **state)
{
    (void)state;
    Sequences s;
    check("bleu", sequences(&s, "1111 12345", "1222 12345"),
          pow((1 + 5.0) / 9 * (0 + 4.0) / 7 * (0 + 3.0) / 5 * (0 + 2.0) / 3, 0.25));
    check("bleu", sequences(&s, "1111", "1222"), 0);
    assert_true(isnan(measured("bleu", sequences(&s, "123", "123"))));
}

/* The counts are summed over the corpus, the others are means over sequences. */
static void test_metrics_sequence__of_a_corpus_with_weights(void **state)
{
    (void)state;
    Sequences s;
    const PredictionInput *input = sequences(&s, "12345 1234 5", "12345 2134 6");
    check("exact_match", input, 1.0 / 3);
    check("edit_distance", input, (0 + 2.0 / 4 + 1) / 3);
    for (int i = 5; i < 9; i++)
        s.weights[i] = 3;
    check("exact_match", input, 1.0 / 5);
    check("edit_distance", input, (0 + 3 * 2.0 / 4 + 1) / 5);
    double pairs = (4 + 3 * 1.0) / (4 + 3 * 3);
    check("bleu", input, pow((5 + 3 * 4.0) / (5 + 3 * 4 + 1) * pairs * 3 / (3 + 3 * 2) * 2 / (2 + 3), 0.25));
}

static void test_metrics_sequence__windows_of_text_are_no_sequences(void **state)
{
    (void)state;
    Sequences s;
    sequences(&s, "123", "123");
    s.input.groups = NULL;
    Predictions *p = predictions_new(arena, &s.input);
    assert_false(metric_applies((const MetricDef *)component_find("metric", "bleu"), p));
    assert_true(metric_applies((const MetricDef *)component_find("metric", "perplexity"), p));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_metrics_sequence__a_shift_costs_little),
        TEST(test_metrics_sequence__matches_are_clipped),
        TEST(test_metrics_sequence__of_a_corpus_with_weights),
        TEST(test_metrics_sequence__windows_of_text_are_no_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
