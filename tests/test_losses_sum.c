/* Every loss is a term of a sum: value, rows, gradients and states of every example of every loss in the registry,
   alone and in sums of it. A loss that is added is checked here without a change. */
#include "tests/losses_setting.h"
#include "tests/losses_walk.h"

/* The spec as a term of this weight. */
static const char *term_of(Arena *arena, const char *spec, double weight)
{
    if (spec[0] == '"')
        return arena_format(arena, "{\"type\": %s, \"weight\": %.17g}", spec, weight);
    return arena_format(arena, "%.*s, \"weight\": %.17g}", (int)(strlen(spec) - 1), spec, weight);
}

typedef struct Sums {
    const char *spec;
    JsonSource *source;
    Arena *arena;
    Instance alone, weighed, twice;     /* L, 0.7 L, L + L */
    LossInput in;
} Sums;

static Sums sums_of(const Case *item)
{
    Sums sums = {.spec = item->spec, .source = json_source_new(), .arena = arena_new(), .alone = item->loss};
    const char *form = "{\"type\": \"sum\", \"terms\": [%s]}", *both = "{\"type\": \"sum\", \"terms\": [%s, %s]}";
    const char *weighed = arena_format(sums.arena, form, term_of(sums.arena, item->spec, 0.7));
    sums.weighed = loss_from(sums.source, sums.arena, weighed);
    sums.twice = loss_from(sums.source, sums.arena, arena_format(sums.arena, both, item->spec, item->spec));
    sums.in = input_in(&item->in, ARRAY_F64);
    if (sums.in.features)
        sums.in.features->requires_gradient = true;
    return sums;
}

static void drop_sums(Sums *sums)
{
    arena_free(sums->arena);
    json_source_free(sums->source);
}

static void assert_multiple(const char *spec, const char *what, const Tensor *got, const Tensor *alone, double factor)
{
    for (int64_t i = 0; i < got->count; i++) {
        double expected = factor * tensor_value(alone, i);
        if (!(fabs(tensor_value(got, i) - expected) <= 1e-12 * fmax(1, fabs(expected))))
            fail_msg("%s: %s [%lld] of %g times the loss is %.17g, not %.17g", spec, what, (long long)i, factor,
                     tensor_value(got, i), expected);
    }
}

static void compare_gradients(const Sums *sums, const Instance *sum, const char *what, Tensor *input, double factor)
{
    Tensor *alone = gradient_of(loss_evaluate(&sums->alone, &sums->in).loss, input);
    Tensor *got = gradient_of(loss_evaluate(sum, &sums->in).loss, input);
    assert_multiple(sums->spec, what, got, alone, factor);
}

static void compare_sum(const Sums *sums, const Instance *sum, double factor)
{
    Error error;
    if (!loss_check(sum, &sums->in, &error))
        fail_msg("%s: refused as a term: %s", sums->spec, error.message);
    assert_int_equal(loss_targets(sum), loss_targets(&sums->alone));
    assert_int_equal(loss_outputs(sum, 4), loss_outputs(&sums->alone, 4));
    LossResult alone = loss_evaluate(&sums->alone, &sums->in), got = loss_evaluate(sum, &sums->in);
    assert_multiple(sums->spec, "value", got.loss, alone.loss, factor);
    assert_true(!got.per_sample == !alone.per_sample);
    if (got.per_sample)
        assert_multiple(sums->spec, "value of a sample", got.per_sample, alone.per_sample, factor);
    compare_gradients(sums, sum, "gradient by logits", sums->in.logits, factor);
    if (sums->in.features)
        compare_gradients(sums, sum, "gradient by features", sums->in.features, factor);
    for (int i = 0; i < sums->in.extra_count; i++)
        compare_gradients(sums, sum, sums->in.extras[i].name, sums->in.extras[i].value, factor);
}

static void check_values(Case *item)
{
    Sums sums = sums_of(item);
    compare_sum(&sums, &sums.weighed, 0.7);
    compare_sum(&sums, &sums.twice, 2);
    if (!loss_any_leaf(&sums.alone, loss_is_whole_batch)) {
        sums.in.weights = t_new(ARRAY_F64, SHAPE(sums.in.logits->shape[0]));
        for (int64_t i = 0; i < sums.in.weights->count; i++)
            tensor_set(sums.in.weights, i, 0.5 * (double)i);
        compare_sum(&sums, &sums.weighed, 0.7);
        compare_sum(&sums, &sums.twice, 2);
    }
    drop_sums(&sums);
}

static void test_losses_sum__every_loss_is_a_term(void **state)
{
    (void)state;
    walk(check_values);
}

static void check_differences(Case *item)
{
    Sums sums = sums_of(item);
    if (!loss_any_leaf(&sums.alone, is_detached))
        check_gradient(&(Case){.spec = item->spec, .loss = sums.weighed, .in = sums.in}, "logits, in a sum",
                       sums.in.logits);
    drop_sums(&sums);
}

static void test_losses_sum__gradients_agree_with_differences(void **state)
{
    (void)state;
    walk(check_differences);
}

/* Each of two terms keeps what the loss keeps alone. */
static void check_states(Case *item)
{
    Sums sums = sums_of(item);
    const int64_t samples = sums.in.logits->shape[0], columns = sums.in.logits->shape[sums.in.logits->rank - 1];
    const int64_t width = loss_state_width(&sums.alone, columns), run = loss_run_state_width(&sums.alone);
    assert_int_equal(loss_state_width(&sums.twice, columns), 2 * width);
    assert_int_equal(loss_run_state_width(&sums.twice), 2 * run);
    LossInput both = sums.in;
    sums.in.state = width ? arena_zero(sums.arena, (size_t)(samples * width), sizeof(float)) : NULL;
    both.state = width ? arena_zero(sums.arena, (size_t)(samples * 2 * width), sizeof(float)) : NULL;
    sums.in.run_state = run ? arena_zero(sums.arena, (size_t)run, sizeof(float)) : NULL;
    both.run_state = run ? arena_zero(sums.arena, (size_t)(2 * run), sizeof(float)) : NULL;
    for (int pass = 0; pass < 2; pass++) { /* the second one has met the samples */
        Tensor *alone = loss_evaluate(&sums.alone, &sums.in).loss;
        assert_multiple(sums.spec, "value", loss_evaluate(&sums.twice, &both).loss, alone, 2);
    }
    for (int64_t i = 0; i < samples * 2 * width; i++)
        assert_true(both.state[i] == sums.in.state[i / (2 * width) * width + i % width]);
    for (int64_t i = 0; i < 2 * run; i++)
        assert_true(both.run_state[i] == sums.in.run_state[i % run]);
    drop_sums(&sums);
}

static void test_losses_sum__terms_keep_their_states_apart(void **state)
{
    (void)state;
    walk(check_states);
}

/* What is kept for the run lies behind that of the terms before, also inside sums of sums. */
static void test_losses_sum__states_of_nested_sums(void **state)
{
    (void)state;
    Setting setting = setting_of("{\"type\": \"sum\", \"terms\": [\"bias\", {\"type\": \"sum\", \"terms\": [\"elr\", "
                                 "\"bias\", {\"type\": \"bias\", \"norm\": \"local\"}, \"aldr_kl\"]}]}",
                                 ROWS(2, 2, 0, 0, 0, 0));
    setting.in.targets = CLASSES(0, 1);
    setting.in.features = ROWS(2, 2, 0, 2, 0, 4); /* variances 2 and 8 */
    assert_int_equal(loss_state_width(&setting.loss, 2), 3);
    assert_int_equal(loss_run_state_width(&setting.loss), 4);
    float kept[2][3] = {{0}}, of_run[4] = {0};
    setting.in.state = kept[0];
    setting.in.run_state = of_run;
    loss_value(&setting.loss, &setting.in);
    for (int i = 0; i < 2; i++)
        assert_near(of_run[2 * i], 1, 0), assert_near(of_run[2 * i + 1], 2, 1e-6);
    for (int i = 0; i < 2; i++)
        assert_near(kept[i][0], 0.15, 1e-7), assert_near(kept[i][1], 0.15, 1e-7), assert_true(kept[i][2] > 0);
    drop(&setting);
}

/* A term of the whole batch takes the rows away, not the value; each term has its own class weights. */
static void test_losses_sum__terms_reduce_themselves(void **state)
{
    (void)state;
    static const char *const terms[] = {"{\"type\": \"ce\", \"class_weights\": [1, 3]}", "\"mw\"", "\"mae\""};
    double values[3], expected = 0;
    for (int i = 0; i < 3; i++) {
        Setting setting = setting_of(terms[i], ROWS(2, 2, 1, 0, 0.5, 2));
        setting.in.targets = CLASSES(0, 1);
        values[i] = loss_value(&setting.loss, &setting.in);
        drop(&setting);
    }
    Setting setting = setting_of("{\"type\": \"sum\", \"terms\": [{\"type\": \"ce\", \"class_weights\": [1, 3]}, "
                                 "{\"type\": \"mw\", \"weight\": -2}, {\"type\": \"mae\", \"weight\": "
                                 "{\"type\": \"linear\", \"from\": 9, \"to\": 4}}]}",
                                 ROWS(2, 2, 1, 0, 0.5, 2));
    setting.in.targets = CLASSES(0, 1);
    expected = values[0] - 2 * values[1];
    setting.in.at = (ScheduleContext){0, 10, 5};
    LossResult first = loss_evaluate(&setting.loss, &setting.in);
    assert_null(first.per_sample);
    assert_near(tensor_value(first.loss, 0), expected + 9 * values[2], 1e-12);
    setting.in.at = SCHEDULE_END;
    assert_near(loss_value(&setting.loss, &setting.in), expected + 4 * values[2], 1e-12);
    drop(&setting);
}

/* Scores are [N] to some and [N, 1] to others. */
static void test_losses_sum__one_column_is_scores(void **state)
{
    (void)state;
    double values[2];
    static const char *const specs[] = {"{\"type\": \"sum\", \"terms\": [\"pa_bce\", \"mse\"]}",
                                        "{\"type\": \"sum\", \"terms\": [\"mse\", \"pa_bce\"]}"};
    for (int i = 0; i < 2; i++) {
        Setting setting = setting_of(specs[i], ROWS(3, 1, 1, -1, 0.5));
        setting.in.targets = ROWS(3, 1, 2, 0, 1);
        loss_set_extra(&setting.in, "group", tensor_of(ARRAY_F64, NUMBERS(4, 4, 4)));
        if (i == 1) {
            setting.in.logits = t_reshape(setting.in.logits, SHAPE(3));
            setting.in.targets = t_reshape(setting.in.targets, SHAPE(3));
        }
        Error error;
        assert_true(loss_check(&setting.loss, &setting.in, &error));
        values[i] = loss_value(&setting.loss, &setting.in);
        drop(&setting);
    }
    assert_near(values[0], values[1], 1e-12);
}

/* What a composite takes and keeps is its parts'. */
static void check_composites(Case *item)
{
    const LossDef *def = item->def;
    if (!def->part)
        return;
    assert_null(def->forward);
    assert_true(!def->extras && !def->state_width && !def->run_state_width && !def->tap && !def->cosines &&
                !def->heads && !def->whole_batch && !def->outputs && !def->decode && !def->sums && !def->measure);
    assert_non_null(loss_leaf(&item->loss, 0));
}

static void test_losses_sum__composites_have_nothing_of_their_own(void **state)
{
    (void)state;
    walk(check_composites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_sum__every_loss_is_a_term),
        TAPE_TEST(test_losses_sum__gradients_agree_with_differences),
        TAPE_TEST(test_losses_sum__terms_keep_their_states_apart),
        TAPE_TEST(test_losses_sum__states_of_nested_sums),
        TAPE_TEST(test_losses_sum__terms_reduce_themselves),
        TAPE_TEST(test_losses_sum__one_column_is_scores),
        TAPE_TEST(test_losses_sum__composites_have_nothing_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
