/* Factors at the steps where schedules bend. */
#include "tests/instances.h"

#include "core/schedules/weight.h"

enum { TOTAL = 100, EPOCH = 10 };

typedef struct Point { int64_t step; double factor; } Point;

static void check_points(const char *json, int count, const Point *points)
{
    Texts texts = texts_open();
    Instance schedule = instance_of(&texts, "schedule", json);
    for (int i = 0; i < count; i++) {
        ScheduleContext context = {points[i].step, TOTAL, EPOCH};
        double factor = schedule_factor(&schedule, &context);
        if (!(fabs(factor - points[i].factor) < 1e-12))
            fail_msg("%s: %.15g at step %lld, not %.15g", json, factor, (long long)points[i].step, points[i].factor);
    }
    texts_close(&texts);
}
#define POINTS(json, ...) \
    check_points(json, (int)(sizeof((Point[]){__VA_ARGS__}) / sizeof(Point)), (Point[]){__VA_ARGS__})

static void test_schedules__constant(void **state)
{
    (void)state;
    POINTS("\"constant\"", {0, 1}, {99, 1}, {1000, 1});
    POINTS("{\"type\": \"constant\", \"warmup\": 4}", {0, 0.25}, {2, 0.75}, {3, 1}, {4, 1}, {99, 1});
}

static void test_schedules__step_and_exponential_go_by_epochs(void **state)
{
    (void)state;
    POINTS("{\"type\": \"step\", \"every\": 3}", {0, 1}, {29, 1}, {30, 0.1}, {59, 0.1}, {60, 0.01}, {90, 0.001});
    POINTS("{\"type\": \"step\", \"milestones\": [2, 5], \"gamma\": 0.5}", {19, 1}, {20, 0.5}, {49, 0.5}, {50, 0.25},
           {99, 0.25});
    POINTS("{\"type\": \"step\", \"milestones\": [0], \"gamma\": 0.5, \"warmup\": 2}", {0, 0.25}, {1, 0.5});
    POINTS("{\"type\": \"exponential\", \"gamma\": 0.25}", {0, 1}, {5, 0.5}, {10, 0.25}, {20, 0.0625});
}

static void test_schedules__cosine(void **state)
{
    (void)state;
    POINTS("\"cosine\"", {0, 1}, {50, 0.5}, {25, (2 + M_SQRT2) / 4}, {100, 0}, {150, 0});
    POINTS("{\"type\": \"cosine\", \"warmup\": 20, \"final\": 0.2}", {0, 0.05}, {19, 1}, {20, 1}, {60, 0.6},
           {100, 0.2});
}

static void test_schedules__linear(void **state)
{
    (void)state;
    POINTS("\"linear\"", {0, 1}, {25, 0.75}, {99, 0.01}, {100, 0});
    POINTS("{\"type\": \"linear\", \"warmup\": 50, \"final\": 0.5}", {24, 0.5}, {50, 1}, {75, 0.75}, {100, 0.5});
}

/* A run that ends within its warm-up rises to its end: the fall begins after the warm-up. */
static void test_schedules__warmup_longer_than_the_run(void **state)
{
    (void)state;
    POINTS("{\"type\": \"linear\", \"warmup\": 200, \"final\": 0.5}", {0, 0.005}, {99, 0.5});
    POINTS("{\"type\": \"cosine\", \"warmup\": 100, \"final\": 0.5}", {98, 0.99}, {99, 1}, {100, 0.5});
    POINTS("{\"type\": \"cosine\", \"warmup\": 200}", {0, 0.005}, {99, 0.5});
}

static void test_schedules__inverse_sqrt(void **state)
{
    (void)state;
    POINTS("\"inverse_sqrt\"", {0, 1}, {3, 0.5}, {99, 0.1});
    POINTS("{\"type\": \"inverse_sqrt\", \"warmup\": 4}", {0, 0.25}, {3, 1}, {15, 0.5}, {99, 0.2});
}

static void test_schedules__one_cycle(void **state)
{
    (void)state;
    POINTS("\"one_cycle\"", {0, 0.04}, {15, 0.52}, {30, 1}, {65, (1 + 0.0001) / 2}, {100, 0.0001});
    POINTS("{\"type\": \"one_cycle\", \"rise\": 0, \"final\": 0}", {0, 1}, {50, 0.5}, {100, 0});
    POINTS("{\"type\": \"one_cycle\", \"rise\": 1, \"start\": 0}", {0, 0}, {50, 0.5});
}

static void test_schedules__wsd(void **state)
{
    (void)state;
    POINTS("{\"type\": \"wsd\", \"warmup\": 10}", {0, 0.1}, {9, 1}, {50, 1}, {80, 1}, {90, 0.5}, {100, 0});
    POINTS("{\"type\": \"wsd\", \"decay\": 0}", {0, 1}, {99, 1});
    POINTS("{\"type\": \"wsd\", \"decay\": 1, \"final\": 0.5}", {0, 1}, {50, 0.75}, {100, 0.5});
}

/* What a schedule is over the validation losses of epochs, in its state. */
static void check_plateau(const char *json, int count, const double *losses, const double *factors)
{
    Texts texts = texts_open();
    Instance schedule = instance_of(&texts, "schedule", json);
    const ScheduleDef *def = (const ScheduleDef *)schedule.component;
    double memory[4] = {0}, factor = 1;
    for (int i = 0; i < count; i++) {
        def->observe(schedule.values, losses[i], memory, &factor);
        if (fabs(factor - factors[i]) > 1e-12)
            fail_msg("%s: factor %g after epoch %d, not %g", json, factor, i + 1, factors[i]);
    }
    texts_close(&texts);
}

static void test_schedules__plateau(void **state)
{
    (void)state;
    check_plateau("{\"type\": \"plateau\", \"patience\": 1, \"gamma\": 0.5}", 8, (double[]){2, 1, 1, 1, 1, 1, 0.9, 0.9},
                  (double[]){1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25});
    check_plateau("{\"type\": \"plateau\", \"patience\": 0, \"threshold\": 0.1}", 4, (double[]){1, 0.95, 0.85, 0.84},
                  (double[]){1, 0.1, 0.1, 0.01});
    check_plateau("{\"type\": \"plateau\", \"patience\": 0, \"gamma\": 0.5, \"least\": 0.3}", 4, (double[]){1, 1, 1, 1},
                  (double[]){1, 0.5, 0.3, 0.3});
    /* Losses below zero, as densities have them, improve downwards too. */
    check_plateau("{\"type\": \"plateau\", \"patience\": 0, \"gamma\": 0.5}", 3, (double[]){-1, -2, -1.5},
                  (double[]){1, 1, 0.5});
    check_plateau("{\"type\": \"plateau\", \"patience\": 0, \"gamma\": 0.5, \"threshold\": 0.1}", 2,
                  (double[]){-1, -1.05}, (double[]){1, 0.5});
}

/* Where models are measured: the limit, whatever the length of the run was. */
static void test_schedules__limits(void **state)
{
    (void)state;
    const struct { const char *name; double limit; } cases[] = {
        {"\"constant\"", 1}, {"\"step\"", 0}, {"{\"type\": \"step\", \"milestones\": [3, 5], \"gamma\": 0.5}", 0.25},
        {"\"exponential\"", 0}, {"\"inverse_sqrt\"", 0}, {"\"cosine\"", 0},
        {"{\"type\": \"linear\", \"final\": 0.25, \"warmup\": 1000}", 0.25},
        {"{\"type\": \"one_cycle\", \"final\": 0.5, \"rise\": 1}", 0.5}, {"{\"type\": \"wsd\", \"final\": 0.5}", 0.5},
        {"\"plateau\"", 1},
    };
    Texts texts = texts_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance schedule = instance_of(&texts, "schedule", cases[i].name);
        assert_true(fabs(schedule_factor(&schedule, &SCHEDULE_END) - cases[i].limit) < 1e-12);
    }
    assert_true(schedule_share(&SCHEDULE_END) == 1);
    assert_true(schedule_share(&(ScheduleContext){3, 12, 6}) == 0.25);
    assert_true(schedule_share(&(ScheduleContext){3, 0, 6}) == 0);
    texts_close(&texts);
}

static void test_schedules__who_needs_the_length_of_the_run(void **state)
{
    (void)state;
    static const struct { const char *name; bool needs; } cases[] = {
        {"\"constant\"", false}, {"{\"type\": \"step\"}", false}, {"\"exponential\"", false},
        {"\"inverse_sqrt\"", false}, {"\"plateau\"", false},
        {"\"cosine\"", true}, {"\"linear\"", true}, {"\"one_cycle\"", true}, {"\"wsd\"", true},
    };
    Texts texts = texts_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance schedule = instance_of(&texts, "schedule", cases[i].name);
        assert_int_equal(schedule_needs_total(&schedule), cases[i].needs);
    }
    texts_close(&texts);
}

/* ---- Weights ---- */

static Instance sum_of(Texts *texts, const char *weight)
{
    const char *json = arena_format(texts->arena, "{\"type\": \"sum\", \"terms\": [\"mae\", {\"type\": \"entropy\", "
                                    "\"weight\": %s}]}", weight);
    return instance_of(texts, "loss", json);
}

static void test_schedules__a_weight_goes_from_one_value_to_the_other(void **state)
{
    (void)state;
    const struct { const char *weight; int64_t step; double value; } cases[] = {
        {"-0.25", 50, -0.25}, {"\"linear\"", 25, 0.75}, {"{\"type\": \"linear\", \"from\": -2, \"to\": 2}", 0, -2},
        {"{\"type\": \"linear\", \"from\": -2, \"to\": 2}", 75, 1},
        {"{\"type\": \"linear\", \"from\": -2, \"to\": 2}", TOTAL, 2},
        {"{\"type\": \"cosine\", \"from\": 0.1, \"to\": 0.7}", 50, 0.4},
        {"{\"type\": \"cosine\", \"from\": 1, \"to\": 3, \"final\": 0.5, \"warmup\": 4}", 1, 2},
        {"{\"type\": \"constant\", \"from\": 3, \"to\": 1, \"warmup\": 4}", 1, 2},
        {"{\"type\": \"step\", \"milestones\": [2], \"gamma\": 0.5, \"from\": 4}", 20, 2},
        {"{\"type\": \"exponential\", \"gamma\": 0.25, \"from\": 8}", 10, 2},
    };
    Texts texts = texts_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance sum = sum_of(&texts, cases[i].weight);
        const TermList *terms = sum.values;
        double value = weight_at(&terms->items[1].weight, &(ScheduleContext){cases[i].step, TOTAL, EPOCH});
        if (!(fabs(value - cases[i].value) < 1e-12))
            fail_msg("%s at %lld: %.15g", cases[i].weight, (long long)cases[i].step, value);
        /* written out it is read back the same */
        cJSON *written = instance_to_json(&sum);
        char *text = cJSON_Print(written);
        Instance again = instance_of(&texts, "loss", text);
        assert_true(weight_at(&((const TermList *)again.values)->items[1].weight,
                              &(ScheduleContext){cases[i].step, TOTAL, EPOCH}) == value);
        cJSON_free(text);
        cJSON_Delete(written);
    }
    texts_close(&texts);
}

static void test_schedules__weights_that_cannot_be(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"plateau\"", "test:1: terms[1].weight: plateau follows the validation loss"},
        {"\"cosin\"", "terms[1].weight: unknown schedule \"cosin\"; did you mean \"cosine\"?"},
        {"{\"type\": \"linear\", \"form\": 1}", "terms[1].weight.form: unknown key; did you mean \"from\"?"},
        {"{\"type\": \"linear\", \"to\": \"x\"}", "terms[1].weight.to: expected a number, got \"x\""},
        {"{\"type\": \"linear\", \"final\": 2}", "terms[1].weight.final: expected a number between 0 and 1, got 2"},
        {"{\"from\": 1}", "terms[1].weight: missing key \"type\""},
        {"null", "terms[1].weight: expected a number or a schedule, got null"},
        {"[1]", "terms[1].weight: expected a number or a schedule, got a list"},
        {"true", "terms[1].weight: expected a number or a schedule, got true"},
    };
    Instance instance;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Texts texts = texts_open();
        assert_false(instance_try(&texts, "loss",
                                  arena_format(texts.arena, "{\"type\": \"sum\", \"terms\": [\"ce\", {\"type\": "
                                               "\"entropy\", \"weight\": %s}]}", cases[i][0]), &instance));
        assert_error(&texts, STATUS_USAGE, cases[i][1]);
        texts_close(&texts);
    }
    Texts texts = texts_open();
    assert_false(instance_try(&texts, "loss", "{\"type\": \"kd\", \"kd_weight\": {\"type\": \"linear\", \"to\": -1}}",
                              &instance));
    assert_error(&texts, STATUS_USAGE, "kd_weight.to: expected a number >= 0, got -1");
    assert_false(instance_try(&texts, "loss", "{\"type\": \"kd\", \"kd_weight\": -1}", &instance));
    assert_error(&texts, STATUS_USAGE, "kd_weight: expected a number >= 0, got -1");
    texts_close(&texts);
}

static void test_schedules__a_weight_is_found_wherever_it_is(void **state)
{
    (void)state;
    const struct { const char *loss; bool moves, needs_total; } cases[] = {
        {"\"ce\"", false, false}, {"\"kd\"", false, false},
        {"{\"type\": \"kd\", \"kd_weight\": \"exponential\"}", true, false},
        {"{\"type\": \"ramp\", \"base\": {\"type\": \"symmetric_ce\", \"beta\": \"cosine\"}}", true, true},
        {"{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"weight\": \"constant\"}, {\"type\": \"ramp\", "
         "\"base\": \"mae\", \"weight\": \"wsd\"}]}", true, true},
    };
    Texts texts = texts_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Instance loss = instance_of(&texts, "loss", cases[i].loss);
        assert_int_equal(instance_find_weight(&loss, weight_moves) != NULL, cases[i].moves);
        assert_int_equal(instance_find_weight(&loss, weight_needs_total) != NULL, cases[i].needs_total);
    }
    texts_close(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules__constant),
        cmocka_unit_test(test_schedules__step_and_exponential_go_by_epochs),
        cmocka_unit_test(test_schedules__cosine),
        cmocka_unit_test(test_schedules__linear),
        cmocka_unit_test(test_schedules__warmup_longer_than_the_run),
        cmocka_unit_test(test_schedules__inverse_sqrt),
        cmocka_unit_test(test_schedules__one_cycle),
        cmocka_unit_test(test_schedules__wsd),
        cmocka_unit_test(test_schedules__plateau),
        cmocka_unit_test(test_schedules__limits),
        cmocka_unit_test(test_schedules__a_weight_goes_from_one_value_to_the_other),
        cmocka_unit_test(test_schedules__weights_that_cannot_be),
        cmocka_unit_test(test_schedules__a_weight_is_found_wherever_it_is),
        cmocka_unit_test(test_schedules__who_needs_the_length_of_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
