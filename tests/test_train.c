#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/train/gradients.h"

static Run *make(const char *config_text)
{
    Error error = {0};
    Config *config = config_parse("config", config_text, NULL, NULL, &error);
    Run *run = config ? run_new(config, NULL, &error) : NULL;
    if (!run)
        fail_msg("%s", error.message);
    return run;
}

static double step(Run *run)
{
    StepGradients result = step_gradients(run, run->progress.epoch, run->progress.batch, run->config->train.accumulate);
    optimizer_step(run->optimizer, result.gradients, 1, ++run->progress.step);
    run->progress.batch += run->config->train.accumulate;
    return result.loss;
}

static const char *const tiny[] = {
    "{\"data\": {\"type\": \"gaussian-mixture\", \"count\": 512}, \"model\": {\"type\": \"mlp\", \"hidden\": [32], "
    "\"norm\": \"batch_norm\", \"dropout\": 0.1},"
    " \"train\": {\"batch_size\": 16, \"clip_norm\": 0.1}}",
    "{\"data\": {\"type\": \"glyphs\", \"count\": 256, \"val_count\": 0, \"test_count\": 0}, \"model\": {\"type\": "
    "\"cnn\", \"channels\": [4, 8], \"norm\": \"batch_norm\", \"style\": \"residual\"},"
    " \"optimizer\": \"muon\", \"train\": {\"batch_size\": 8, \"accumulate\": 2, \"transforms\": [\"flip\"]}}",
    "{\"data\": \"markov-text\", \"model\": {\"type\": \"transformer\", \"layers\": 1, \"width\": 32, \"heads\": 2, "
    "\"dropout\": 0.1, \"positions\": \"rope\"},"
    " \"optimizer\": \"adamw\", \"train\": {\"batch_size\": 4}}",
    "{\"data\": \"markov-text\", \"model\": {\"type\": \"transformer\", \"layers\": 2, \"width\": 32, \"heads\": 2, "
    "\"dropout\": 0.1}, \"train\": {\"batch_size\": 4, \"recompute\": true}}",
    "{\"data\": {\"type\": \"gaussian-mixture\", \"count\": 512}, \"model\": {\"type\": \"mlp\", \"hidden\": [32], "
    "\"norm\": \"batch_norm\"}, \"optimizer\": {\"type\": \"adam\", \"lr\": 0.02}, \"objective\": {\"type\": "
    "\"trades\", "
    "\"attack\": {\"norm\": \"l2\", \"eps\": 0.05, \"iters\": 3, \"restarts\": 2}}, \"train\": {\"batch_size\": 32}}",
    NULL,
};

/* After the first steps have found their room, none asks the system for memory. */
static void test_train__a_step_allocates_nothing(void **state)
{
    (void)state;
    for (const char *const *text = tiny; *text; text++) {
        Run *run = make(*text);
        for (int i = 0; i < 3; i++)
            step(run);
        uint64_t before = memory_allocation_count();
        for (int i = 0; i < 5; i++)
            step(run);
        assert_int_equal(memory_allocation_count() - before, 0);
        run_free(run);
    }
}

/* Bytes that steps need, and the parameters after them. */
static size_t recomputed(const char *text, bool recompute, Arena *arena, float **parameters, int64_t *count)
{
    Run *run = make(text);
    run->config->train.recompute = recompute;
    for (int i = 0; i < 3; i++)
        step(run);
    const ParameterSet *set = run->model->parameters;
    *count = 0;
    for (int64_t i = 0; i < set->count; i++)
        *count += set->items[i].value->count;
    float *at = *parameters = arena_alloc(arena, (size_t)*count * sizeof *at);
    for (int64_t i = 0; i < set->count; at += set->items[i++].value->count)
        memcpy(at, set->items[i].value->data, (size_t)set->items[i].value->count * sizeof *at);
    size_t peak = tape_peak();
    run_free(run);
    return peak;
}

/* Running statistics of batch normalisation and dropout's draws included. */
static void test_train__recomputation_takes_less_memory_for_the_same_bits(void **state)
{
    (void)state;
    static const char *const deep[] = {
        "{\"data\": {\"type\": \"glyphs\", \"count\": 256, \"val_count\": 0, \"test_count\": 0}, \"model\": {\"type\": "
        "\"cnn\", \"channels\": [8], \"blocks\": 6, \"norm\": \"batch_norm\", \"style\": \"residual\", \"dropout\": "
        "0.1}, "
        "\"train\": {\"batch_size\": 16}}",
        "{\"data\": {\"type\": \"spirals\", \"count\": 2048}, \"model\": {\"type\": \"mlp\", \"hidden\": "
        "[32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32]}, "
        "\"train\": {\"batch_size\": 512}}",
        "{\"data\": \"markov-text\", \"model\": {\"type\": \"transformer\", \"layers\": 6, \"width\": 32, \"heads\": "
        "2, "
        "\"dropout\": 0.1}, \"train\": {\"batch_size\": 8}}",
    };
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        Arena *arena = arena_new();
        float *kept, *again;
        int64_t count, same;
        size_t all = recomputed(deep[i], false, arena, &kept, &count),
               little = recomputed(deep[i], true, arena, &again, &same);
        assert_int_equal(count, same);
        assert_memory_equal(kept, again, (size_t)count * sizeof *kept);
        if (little > all * 3 / 4)
            fail_msg("%zu bytes with recomputation, %zu without: %s", little, all, deep[i]);
        arena_free(arena);
    }
}

static void test_train__the_loss_falls(void **state)
{
    (void)state;
    for (const char *const *text = tiny; *text; text++) {
        Run *run = make(*text);
        double first = 0, last = 0;
        for (int i = 0; i < 12; i++) {
            double loss = step(run);
            first += i < 4 ? loss : 0;
            last += i >= 8 ? loss : 0;
        }
        assert_true(isfinite(last) && last < first);
        run_free(run);
    }
}

/* Two batches of 8 accumulated have the gradient of one of 16, where nothing couples samples. */
static void test_train__accumulation_is_the_mean(void **state)
{
    (void)state;
    static const char base[] = "{\"data\": {\"type\": \"spirals\", \"count\": 64}, \"model\": {\"type\": \"mlp\", "
                               "\"hidden\": [8]}, \"train\": {\"shuffle\": false, %s}}";
    char texts[2][256];
    snprintf(texts[0], sizeof texts[0], base, "\"batch_size\": 16");
    snprintf(texts[1], sizeof texts[1], base, "\"batch_size\": 8, \"accumulate\": 2");
    Run *runs[2] = {make(texts[0]), make(texts[1])};
    StepGradients steps[2];
    double norms[2] = {0};
    for (int k = 0; k < 2; k++) {
        tape_use(runs[k]->tape);
        steps[k] = step_gradients(runs[k], 0, 0, k + 1);
    }
    assert_true(fabs(steps[0].loss - steps[1].loss) < 1e-6);
    for (int64_t i = 0; i < runs[0]->model->parameters->count; i++)
        for (int64_t j = 0; j < runs[0]->model->parameters->items[i].value->count; j++) {
            assert_true(fabsf(steps[0].gradients[i][j] - steps[1].gradients[i][j]) < 1e-6f);
            norms[0] += fabs((double)steps[0].gradients[i][j]);
        }
    assert_true(norms[0] > 0);
    for (int k = 0; k < 2; k++) {
        tape_use(runs[k]->tape);
        run_free(runs[k]);
    }
}

static void test_train__clipping_bounds_the_norm(void **state)
{
    (void)state;
    Run *run = make("{\"data\": {\"type\": \"spirals\", \"count\": 64}, \"model\": \"mlp\", \"train\": {\"clip_norm\": "
                    "0.01, \"clip_value\": 0.5}}");
    StepGradients result = step_gradients(run, 0, 0, 1);
    double sum = 0;
    for (int64_t i = 0; i < run->model->parameters->count; i++)
        for (int64_t j = 0; j < run->model->parameters->items[i].value->count; j++)
            sum += (double)result.gradients[i][j] * (double)result.gradients[i][j];
    assert_true(fabs(sqrt(sum) - 0.01) < 1e-5);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train__a_step_allocates_nothing),
        cmocka_unit_test(test_train__recomputation_takes_less_memory_for_the_same_bits),
        cmocka_unit_test(test_train__the_loss_falls),
        cmocka_unit_test(test_train__accumulation_is_the_mean),
        cmocka_unit_test(test_train__clipping_bounds_the_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
