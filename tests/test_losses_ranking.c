/* Losses of scores inside groups and of very many labels: the papers' figures, what each leaves out, refusals. */
#include "tests/losses.h"

typedef struct Bench { JsonSource *source; Arena *arena; Instance loss; LossInput in; } Bench;

/* Scores and targets of one shape, F64. */
static Bench bench_of(const char *spec, int rank, const int64_t *shape, const double *scores, const double *targets)
{
    Bench bench = {.source = json_source_new(), .arena = arena_new()};
    bench.loss = loss_from(bench.source, bench.arena, spec);
    bench.in = (LossInput){.logits = t_new(ARRAY_F64, rank, shape), .targets = t_new(ARRAY_F64, rank, shape),
                           .random = random_start(1, "loss", 0)};
    for (int64_t i = 0; i < bench.in.logits->count; i++) {
        tensor_set(bench.in.logits, i, scores[i]);
        tensor_set(bench.in.targets, i, targets[i]);
    }
    bench.in.logits->requires_gradient = true;
    return bench;
}

static void bench_drop(Bench *bench)
{
    arena_free(bench->arena);
    json_source_free(bench->source);
}

static Bench groups_of(const char *spec, int64_t n, const double *scores, const double *profits, const double *group)
{
    Bench bench = bench_of(spec, SHAPE(n), scores, profits);
    Tensor *groups = t_new(ARRAY_F64, SHAPE(n));
    for (int64_t i = 0; i < n; i++)
        tensor_set(groups, i, group[i]);
    loss_set_extra(&bench.in, "group", groups);
    return bench;
}

static void assert_loss(const Bench *bench, double expected)
{
    Error error;
    if (!loss_check(&bench->loss, &bench->in, &error))
        fail_msg("%s", error.message);
    double got = loss_value(&bench->loss, &bench->in);
    if (!(fabs(got - expected) <= 1e-7 * fmax(1, fabs(expected))))
        fail_msg("%.10g, not %.10g", got, expected);
}

static void assert_gradient(const Bench *bench, const double *expected, double factor)
{
    Tensor *gradient = loss_gradient(&bench->loss, &bench->in);
    for (int64_t i = 0; i < gradient->count; i++)
        if (!(fabs(factor * tensor_value(gradient, i) - expected[i]) <= 1.5e-7))
            fail_msg("gradient [%d] is %.10g, not %.10g", (int)i, factor * tensor_value(gradient, i), expected[i]);
}

static void assert_refused(const Bench *bench, int status, const char *message)
{
    Error error;
    assert_false(loss_check(&bench->loss, &bench->in, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.status, status);
}

/* ---- pa_bce ---- */

static const double four_scores[] = {0.2, -0.1, 0.5, 0.3}, four_profits[] = {100, -20, 5, 900};
static const double four_slopes[] = {-0.1614400, 0.6443314, 0.5651483, -1.0480398};
static const double one_group[] = {0, 0, 0, 0};
#define TOP(k) "{\"type\": \"pa_bce\", \"top_k\": " #k "}"

static void test_losses_ranking__pa_bce_of_the_paper(void **state)
{
    (void)state;
    static const struct { const char *spec; double value; } table[] = {
        {TOP(6), 2.3038385}, {TOP(3), 1.9736689}, {TOP(2), 0.9355455}, {TOP(1), 0}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Bench bench = groups_of(table[i].spec, 4, four_scores, four_profits, one_group);
        double spread = fabs(loss_value(&bench.loss, &bench.in) - table[i].value);
        if (!(spread < 6e-8)) /* digits given */
            fail_msg("%s: off by %g", table[i].spec, spread);
        if (i == 0)
            assert_gradient(&bench, four_slopes, 1);
        bench_drop(&bench);
    }
}

/* Only the order of profits and their differences matter, and the differences of scores. */
static void test_losses_ranking__pa_bce_is_invariant(void **state)
{
    (void)state;
    Bench permuted = groups_of("\"pa_bce\"", 4, (double[]){0.3, 0.5, 0.2, -0.1}, (double[]){900, 5, 100, -20},
                               one_group);
    assert_gradient(&permuted, (double[]){-1.0480398, 0.5651483, -0.1614400, 0.6443314}, 1);
    double value = loss_value(&permuted.loss, &permuted.in);
    bench_drop(&permuted);
    Bench moved = groups_of("\"pa_bce\"", 4, (double[]){7.2, 6.9, 7.5, 7.3}, (double[]){-900, -1020, -995, -100},
                            one_group);
    assert_loss(&moved, value);
    bench_drop(&moved);
}

/* The loss of a pair of equal scores is its weight times log(2) / 2. */
static void test_losses_ranking__pa_bce_weights(void **state)
{
    (void)state;
    static const double equal[2] = {0, 0};
    static const struct { const char *spec; double profits[2], weight; } table[] = {
        {"\"pa_bce\"", {900, 100}, 2.9036325161},
        {"\"pa_bce\"", {9000, 1000}, 3.9031442755},
        {"{\"type\": \"pa_bce\", \"log\": \"ln\"}", {900, 100}, 6.6858609471},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Bench bench = groups_of(table[i].spec, 2, equal, table[i].profits, one_group);
        assert_loss(&bench, table[i].weight * 0.34657359028);
        bench_drop(&bench);
    }
}

/* Ties, a group of one, and a group whose order is beyond doubt have a loss of 0 and are left out of the mean. */
static void test_losses_ranking__pa_bce_leaves_groups_out(void **state)
{
    (void)state;
    Bench ties = groups_of("\"pa_bce\"", 3, four_scores, (double[]){5, 5, 5}, one_group);
    assert_loss(&ties, 0);
    assert_gradient(&ties, (double[]){0, 0, 0}, 1);
    bench_drop(&ties);
    Bench many = groups_of("\"pa_bce\"", 9, (double[]){0.7, 0.2, 1e4, -0.1, 0.1, 0.5, -1e4, 0.3, 0.9},
                           (double[]){3, 100, 2, -20, 8, 5, 1, 900, 8}, (double[]){9, 1, -2, 1, 4, 1, -2, 1, 4});
    assert_true(fabs(loss_value(&many.loss, &many.in) - 2.3038385) < 6e-8);
    assert_gradient(&many, (double[]){0, four_slopes[0], 0, four_slopes[1], 0, four_slopes[2], 0, four_slopes[3], 0},
                    1);
    bench_drop(&many);
    Bench two = groups_of("\"pa_bce\"", 4, (double[]){0, 0, 0, 0}, (double[]){9, 0, 99, 0}, (double[]){1, 1, 2, 2});
    assert_loss(&two, (1 + 2) * 0.34657359028 / 2);
    bench_drop(&two);
}

/* The wrong way round by 2e4. */
static void test_losses_ranking__pa_bce_of_extreme_scores(void **state)
{
    (void)state;
    Bench bench = groups_of("\"pa_bce\"", 2, (double[]){-1e4, 1e4}, (double[]){9, 0}, one_group);
    assert_loss(&bench, 1e4);
    assert_gradient(&bench, (double[]){-0.5, 0.5}, 1);
    bench_drop(&bench);
}

static void test_losses_ranking__pa_bce_refuses(void **state)
{
    (void)state;
    Bench bench = groups_of("\"pa_bce\"", 2, (double[]){0, 0}, (double[]){1, NAN}, one_group);
    assert_refused(&bench, STATUS_FAILED, "targets: row 1 is not finite");
    tensor_set(bench.in.targets, 1, 2);
    tensor_set(loss_extra(&bench.in, "group"), 1, NAN);
    assert_refused(&bench, STATUS_FAILED, "group: row 1 is not finite");
    loss_set_extra(&bench.in, "group", t_zeros(ARRAY_F64, SHAPE(3)));
    assert_refused(&bench, STATUS_FAILED, "group: expected [2], one a row of the scores");
    bench.in.extra_count = 0;
    assert_refused(&bench, STATUS_USAGE, "pa_bce needs the extra \"group\"");
    bench_drop(&bench);
}

/* ---- Very many labels ---- */

static const double five_scores[] = {3, 1, 2, 0, -1}, first_two[] = {1, 1, 0, 0, 0}, first_one[] = {1, 0, 0, 0, 0};
#define FIVE SHAPE(1, 5)
#define TOPK(rest) "{\"type\": \"soft_topk\", \"iters\": 60, " rest "}"

typedef struct Row {
    const char *spec;
    const double *targets;
    double value, factor;       /* of the gradient: a sum where the loss is a mean */
    double gradient[5];
} Row;

static const Row table[] = {
    {"\"decoupled_softmax\"", first_two, 0.9010194, 2, {-0.3036125, -0.7631172, 0.9001009, 0.1218154, 0.0448134}},
    {"\"softmax_multi\"", first_two, 2.9038288, 1, {0.2728173, -0.8277429, 0.4682433, 0.0633698, 0.0233125}},
    {TOPK("\"k\": 2"), first_two, 0.6862504, 2, {0.0498141, -0.8442333, 0.6311505, 0.1423449, 0.0209239}},
    {TOPK("\"k\": \"num_pos\""), first_two, 0.6862504, 2, {0.0498141, -0.8442333, 0.6311505, 0.1423449, 0.0209239}},
    {"\"bce_multi\"", first_two, 0.6990372, 5,
     {-0.0474259, -0.2689414, 0.8807971, 0.5, 0.2689414}}, /* sigmoid - target */
};

static void test_losses_ranking__labels_of_the_paper(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Bench bench = bench_of(table[i].spec, FIVE, five_scores, table[i].targets);
        double got = loss_value(&bench.loss, &bench.in);
        if (!(fabs(got - table[i].value) < 6e-8))
            fail_msg("%s: %.9g, not %.9g", table[i].spec, got, table[i].value);
        assert_gradient(&bench, table[i].gradient, table[i].factor);
        bench_drop(&bench);
    }
}

/* Of one label, -log m is the loss. */
static void assert_membership(const char *spec, double shift, const double *expected, double tolerance)
{
    for (int label = 0; label < 5; label++) {
        double scores[5], targets[5] = {0};
        for (int i = 0; i < 5; i++)
            scores[i] = five_scores[i] + shift;
        targets[label] = 1;
        Bench bench = bench_of(spec, FIVE, scores, targets);
        double m = exp(-loss_value(&bench.loss, &bench.in));
        if (!(fabs(m - expected[label]) < tolerance))
            fail_msg("%s: membership %d is %.9g, not %.9g", spec, label, m, expected[label]);
        bench_drop(&bench);
    }
}

static void test_losses_ranking__membership_of_the_top(void **state)
{
    (void)state;
    static const double two[] = {0.9519535, 0.2662654, 0.7283656, 0.0468128, 0.0066027}, hard[] = {1, 0, 1, 0, 0};
    assert_membership(TOPK("\"k\": 2"), 0, two, 6e-8);
    assert_membership(TOPK("\"k\": 2"), -37, two, 6e-8);
    assert_membership(TOPK("\"k\": 2, \"alpha\": 50"), 0, hard, 1e-9);
    Bench bench = bench_of(TOPK("\"k\": 1"), FIVE, five_scores, first_one);
    assert_true(fabs(exp(-loss_value(&bench.loss, &bench.in)) - 0.7059395) < 6e-8);
    bench_drop(&bench);
}

static void test_losses_ranking__one_positive_is_softmax(void **state)
{
    (void)state;
    Bench decoupled = bench_of("\"decoupled_softmax\"", FIVE, five_scores, first_one);
    Bench softmax = bench_of("\"softmax_multi\"", FIVE, five_scores, first_one);
    assert_loss(&decoupled, loss_value(&softmax.loss, &softmax.in));
    bench_drop(&decoupled);
    bench_drop(&softmax);
}

/* Without negatives nothing is lost, and nothing moves. */
static void test_losses_ranking__no_negatives(void **state)
{
    (void)state;
    Bench bench = bench_of("\"decoupled_softmax\"", SHAPE(1, 3), five_scores, (double[]){1, 1, 1});
    assert_loss(&bench, 0);
    assert_gradient(&bench, (double[]){0, 0, 0}, 1);
    bench_drop(&bench);
}

static void test_losses_ranking__extreme_scores(void **state)
{
    (void)state;
    static const struct { const char *spec; double value; } extremes[] = {
        {"\"decoupled_softmax\"", 2e4}, {"\"softmax_multi\"", 2e4}, {"\"bce_multi\"", 1e4},
        {TOPK("\"k\": 1"), 2e4}}; /* the threshold is midway: alpha (1e4 - 0) */
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        Bench bench = bench_of(extremes[i].spec, SHAPE(1, 2), (double[]){-1e4, 1e4}, (double[]){1, 0});
        assert_loss(&bench, extremes[i].value);
        bench_drop(&bench);
    }
}

/* Easy positives are pushed down by the softmax over all labels and by no other. */
static void test_losses_ranking__decoupled_never_pushes_positives_down(void **state)
{
    (void)state;
    int pushed = 0;
    for (uint32_t round = 0; round < 50; round++) {
        Random random = random_start(11, "scores", round);
        double scores[8];
        for (int i = 0; i < 8; i++)
            scores[i] = 3 * random_normal(&random);
        static const double positives[] = {1, 1, 1, 0, 0, 0, 0, 0};
        Bench decoupled = bench_of("\"decoupled_softmax\"", SHAPE(1, 8), scores, positives);
        Bench softmax = bench_of("\"softmax_multi\"", SHAPE(1, 8), scores, positives);
        Tensor *down = loss_gradient(&decoupled.loss, &decoupled.in);
        Tensor *all = loss_gradient(&softmax.loss, &softmax.in), *p = t_softmax(softmax.in.logits);
        for (int64_t i = 0; i < 3; i++) {
            assert_true(tensor_value(down, i) <= 0);
            assert_true((tensor_value(all, i) > 0) == (tensor_value(p, i) > 1. / 3));
            pushed += tensor_value(all, i) > 0;
        }
        bench_drop(&decoupled);
        bench_drop(&softmax);
    }
    assert_true(pushed > 10);
}

/* ---- Drawn positives ---- */

/* Over draws the mean is that of all positives, weighted by their targets; what is not drawn does not move. */
static void assert_draws(const double *targets, double expected)
{
    const int rounds = 4000;
    double sum = 0;
    for (uint32_t round = 0; round < (uint32_t)rounds; round++) {
        Bench bench = bench_of("{\"type\": \"decoupled_softmax\", \"sample_positives\": true}", FIVE, five_scores,
                               targets);
        bench.in.random = random_start(5, "draws", round);
        sum += loss_value(&bench.loss, &bench.in);
        Tensor *gradient = loss_gradient(&bench.loss, &bench.in);
        assert_true((tensor_value(gradient, 0) == 0) != (tensor_value(gradient, 1) == 0));
        bench_drop(&bench);
        tape_reset(); /* a gradient looks at all that the tape holds */
    }
    if (!(fabs(sum / rounds - expected) < 0.035)) /* four standard errors: the two values are 1.078 apart */
        fail_msg("mean over draws %g, not %g", sum / rounds, expected);
}

static void test_losses_ranking__drawn_positives(void **state)
{
    (void)state;
    assert_draws(first_two, 0.9010194);
    assert_draws((double[]){0.25, 0.75, 0, 0, 0}, 0.25 * 0.3618490 + 0.75 * 1.4401897);
}

/* soft_topk draws k without replacement; the third positive counts for nothing, in the sum of memberships too. */
static void test_losses_ranking__drawn_top(void **state)
{
    (void)state;
    bool drawn[3] = {false};
    for (uint32_t round = 0; round < 40; round++) {
        Bench bench = bench_of(TOPK("\"k\": 2, \"sample_positives\": true"), FIVE, five_scores,
                               (double[]){1, 1, 1, 0, 0});
        bench.in.random = random_start(5, "draws", round);
        Tensor *gradient = loss_gradient(&bench.loss, &bench.in);
        int64_t out = 0, still = 0;
        for (int64_t i = 0; i < 5; i++)
            if (tensor_value(gradient, i) == 0) {
                still++;
                out = i;
            }
        assert_int_equal(still, 1);
        assert_true(out < 3);
        drawn[out] = true;
        double rest[4], targets[4] = {1, 1, 0, 0};
        for (int64_t i = 0, k = 0; i < 5; i++)
            if (i != out)
                rest[k++] = five_scores[i];
        Bench without = bench_of(TOPK("\"k\": 2"), SHAPE(1, 4), rest, targets);
        assert_loss(&bench, loss_value(&without.loss, &without.in));
        bench_drop(&bench);
        bench_drop(&without);
    }
    assert_true(drawn[0] && drawn[1] && drawn[2]);
}

static void test_losses_ranking__labels_refuse(void **state)
{
    (void)state;
    static const struct { const char *spec; double targets[5]; int status; const char *says; } wrong[] = {
        {"\"soft_topk\"", {1}, STATUS_USAGE, "k: 5 of 5 labels; it must be less than their number"},
        {"\"decoupled_softmax\"", {0}, STATUS_FAILED, "targets: row 0 has no positive label"},
        {"\"softmax_multi\"", {0}, STATUS_FAILED, "targets: row 0 has no positive label"},
        {TOPK("\"k\": 2"), {0}, STATUS_FAILED, "targets: row 0 has no positive label"},
        {TOPK("\"k\": \"num_pos\""), {1, 1, 1, 1, 1}, STATUS_FAILED,
         "targets: row 0 leaves 5 labels to choose the top 5 from: there are too few negatives"},
        {TOPK("\"k\": 2, \"sample_positives\": true"), {1, 1, 1, 1, 1}, STATUS_FAILED,
         "targets: row 0 leaves 2 labels to choose the top 2 from: there are too few negatives"},
        {"\"bce_multi\"", {2}, STATUS_FAILED, "targets: 2 at row 0 is not within 0..1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Bench bench = bench_of(wrong[i].spec, FIVE, five_scores, wrong[i].targets);
        assert_refused(&bench, wrong[i].status, wrong[i].says);
        bench_drop(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_ranking__pa_bce_of_the_paper),
        TAPE_TEST(test_losses_ranking__pa_bce_is_invariant),
        TAPE_TEST(test_losses_ranking__pa_bce_weights),
        TAPE_TEST(test_losses_ranking__pa_bce_leaves_groups_out),
        TAPE_TEST(test_losses_ranking__pa_bce_of_extreme_scores),
        TAPE_TEST(test_losses_ranking__pa_bce_refuses),
        TAPE_TEST(test_losses_ranking__labels_of_the_paper),
        TAPE_TEST(test_losses_ranking__membership_of_the_top),
        TAPE_TEST(test_losses_ranking__one_positive_is_softmax),
        TAPE_TEST(test_losses_ranking__no_negatives),
        TAPE_TEST(test_losses_ranking__extreme_scores),
        TAPE_TEST(test_losses_ranking__decoupled_never_pushes_positives_down),
        TAPE_TEST(test_losses_ranking__drawn_positives),
        TAPE_TEST(test_losses_ranking__drawn_top),
        TAPE_TEST(test_losses_ranking__labels_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
