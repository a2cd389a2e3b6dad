/* What the objective preference minimises and measures, against the same computed token by token. */
#include "tests/testing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "core/train/gradients.h"

enum { PAIRS = 6, LENGTH = 6, WORDS = 256 };

static Temporary temporary;

static int set_up(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"prompt\": \"ab\", \"chosen\": \"cd\", \"rejected\": \"e\", \"probability\": 0.75}\n"
        "{\"prompt\": \"a\", \"chosen\": \"x\", \"rejected\": \"yzy\", \"probability\": 0.4}\n"
        "{\"prompt\": \"\", \"chosen\": \"cc\", \"rejected\": \"a\", \"probability\": 1}\n"
        "{\"prompt\": \"b\", \"chosen\": \"b\", \"rejected\": \"ba\", \"probability\": 0.5}\n"
        "{\"prompt\": \"bb\", \"chosen\": \"da\", \"rejected\": \"ad\", \"probability\": 0.9}\n"
        "{\"prompt\": \"c\", \"chosen\": \"zzz\", \"rejected\": \"e\", \"probability\": 0}\n";
    Error error;
    temporary_make(&temporary, "pairs.jsonl");
    return file_write(temporary.file, lines, strlen(lines), &error) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    temporary_drop(&temporary);
    return 0;
}

static Run *make(const char *loss, const char *objective)
{
    char text[1200];
    Error error = {0};
    snprintf(text, sizeof text,
             "{\"data\": {\"type\": \"preferences\", \"path\": \"%s\", \"tokenizer\": \"byte\", \"length\": %d}, "
             "\"model\": {\"type\": \"transformer\", \"layers\": 1, \"width\": 8, \"heads\": 2}, \"loss\": %s, "
             "\"objective\": %s, \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.5}, \"train\": {\"batch_size\": %d, "
             "\"prefetch\": false, \"shuffle\": false}}",
             temporary.file, LENGTH, loss, objective, PAIRS);
    Config *config = config_parse("config", text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static void step(Run *run)
{
    StepGradients result = step_gradients(run, 0, 0, 1);
    optimizer_step(run->optimizer, result.gradients, 1, ++run->progress.step);
}

/* log p of response `i` of the data under the model, and how many tokens it has. */
static double likelihood(const Run *run, int64_t i, int *tokens)
{
    const Dataset *dataset = run->splits.train.dataset;
    Forward forward = {0};
    tape_reset();
    Tensor *x = t_wrap(ARRAY_I32, SHAPE(1, LENGTH), (int32_t *)dataset->features + i * LENGTH);
    const Tensor *logits = model_forward(run->model, &forward, x);
    double sum = 0;
    *tokens = 0;
    for (int64_t t = 0; t < LENGTH; t++) {
        int32_t target = dataset->labels[i * LENGTH + t];
        double total = 0;
        for (int64_t k = 0; k < WORDS; k++)
            total += exp(tensor_value(logits, t * WORDS + k));
        if (target >= 0) {
            sum += tensor_value(logits, t * WORDS + target) - log(total);
            ++*tokens;
        }
    }
    return sum;
}

static void test_train_preference__the_loss_is_that_of_log_ratios(void **state)
{
    (void)state;
    static const double p[PAIRS] = {0.75, 0.4, 1, 0.5, 0.9, 0};
    static const char *const losses[] = {"{\"type\": \"spce\", \"beta\": 0.5}", "{\"type\": \"dpo\", \"beta\": 0.5}"};
    for (int l = 0; l < 2; l++) {
        Run *run = make(losses[l], "\"preference\"");
        double reference[2 * PAIRS], expected = 0, right = 0, away = 0;
        int tokens;
        for (int i = 0; i < 2 * PAIRS; i++)
            reference[i] = likelihood(run, i, &tokens);
        for (int i = 0; i < 3; i++)
            step(run);
        double value = step_gradients(run, 0, 0, 1).loss;
        for (int i = 0; i < PAIRS; i++) {
            double chosen = likelihood(run, 2 * i, &tokens) - reference[2 * i];
            double h = 0.5 * (chosen - likelihood(run, 2 * i + 1, &tokens) + reference[2 * i + 1]);
            expected += (log1p(exp(h)) - (l == 0 ? p[i] : 1) * h) / PAIRS;
            right += p[i] != 0.5 && (h > 0) == (p[i] > 0.5);
            away += fabs(1 / (1 + exp(-h)) - p[i]) / PAIRS;
        }
        assert_true(fabs(value - expected) < 1e-5 && fabs(value - log(2)) > 1e-3);
        Measure measure = run_measure(run, &run->splits.train);
        assert_int_equal(measure.count, 2 * PAIRS);
        assert_true(fabs(measure.loss - expected) < 1e-5);
        assert_string_equal(measure.figures.items[1].name, "implicit_accuracy");
        assert_true(fabs(measure.figures.items[1].value - right / (PAIRS - 1)) < 1e-12);
        assert_string_equal(measure.figures.items[2].name, "calibration");
        assert_true(fabs(measure.figures.items[2].value - away) < 1e-5);
        run_free(run);
    }
}

/* At first policy and reference are the same: h = 0, the divergence 0; later it is what the draws' ratios say. */
static void test_train_preference__begins_at_the_reference(void **state)
{
    (void)state;
    Run *run = make("{\"type\": \"spce\", \"beta\": 2}", "{\"type\": \"preference\", \"samples\": 5}");
    Measure measure = run_measure(run, &run->splits.train);
    assert_true(fabs(measure.loss - log(2)) < 1e-6);
    assert_int_equal(measure.figures.count, 5);
    assert_string_equal(measure.figures.items[3].name, "kl_reference");
    assert_true(fabs(measure.figures.items[3].value) < 1e-5);
    assert_true(measure.figures.items[4].value > 1 && measure.figures.items[4].value <= LENGTH);
    for (int i = 0; i < 40; i++)
        step(run);
    double divergence = run_measure(run, &run->splits.train).figures.items[3].value;
    assert_true(divergence > 0.01);
    assert_true(run_measure(run, &run->splits.train).figures.items[3].value == divergence);
    run_free(run);
    run = make("\"spce\"", "{\"type\": \"preference\", \"samples\": 0}");
    assert_int_equal(run_measure(run, &run->splits.train).figures.count, 3);
    run_free(run);
}

static void test_train_preference__the_reference_stands_still(void **state)
{
    (void)state;
    Run *run = make("\"spce\"", "\"preference\"");
    const ParameterSet *kept = run->objective->kept(&run->context);
    ParameterSet *start = parameters_copy(run->model->parameters);
    for (int i = 0; i < 3; i++)
        step(run);
    bool moved = false;
    for (int64_t p = 0; p < kept->count; p++) {
        size_t bytes = (size_t)kept->items[p].value->count * sizeof(float);
        assert_memory_equal(kept->items[p].value->data, start->items[p].value->data, bytes);
        assert_null(kept->items[p].value->gradient);
        moved |= memcmp(run->model->parameters->items[p].value->data, start->items[p].value->data, bytes) != 0;
    }
    assert_true(moved);
    parameters_free(start);
    run_free(run);
}

/* The mean over the tokens of all responses: prompts and padding count nothing. */
static void test_train_preference__supervised_learns_the_responses(void **state)
{
    (void)state;
    Run *run = make("\"ce\"", "\"supervised\"");
    double value = step_gradients(run, 0, 0, 1).loss, sum = 0, count = 0;
    for (int i = 0; i < 2 * PAIRS; i++) {
        int tokens;
        sum -= likelihood(run, i, &tokens);
        count += tokens;
    }
    assert_true(fabs(value - sum / count) < 1e-5);
    Measure measure = run_measure(run, &run->splits.train);
    assert_int_equal(measure.count, (int64_t)count);
    assert_true(fabs(measure.loss - sum / count) < 1e-5);
    assert_int_equal(measure.figures.count, 0);
    run_free(run);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_train_preference__the_loss_is_that_of_log_ratios),
        TEST(test_train_preference__begins_at_the_reference),
        TEST(test_train_preference__the_reference_stands_still),
        TEST(test_train_preference__supervised_learns_the_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
