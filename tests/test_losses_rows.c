/* Losses in closed form (losses/rows.h) against the operations that say what is meant, on every instruction set. */
#include "tests/instruction_sets.h"
#include "tests/losses_walk.h"

#include <math.h>

#include "losses/rows.h"

/* Only the logits require gradients, as where models are trained. */
static LossInput single(const LossInput *in)
{
    LossInput copy = input_in(in, ARRAY_F32);
    for (int i = 0; i < copy.extra_count; i++)
        copy.extras[i].value->requires_gradient = false;
    return copy;
}

static void assert_near(const Case *item, const char *what, const Tensor *got, const Tensor *expected)
{
    double scale = 1e-2;
    for (int64_t i = 0; i < expected->count; i++)
        scale = fmax(scale, fabs(tensor_value(expected, i)));
    for (int64_t i = 0; i < expected->count; i++) {
        double a = tensor_value(got, i), b = tensor_value(expected, i);
        if (!(fabs(a - b) <= 1e-5 * scale))
            fail_msg("%s, %lld columns: %s [%lld] is %.9g in closed form, %.9g of operations", item->spec,
                     (long long)item->in.logits->shape[1], what, (long long)i, a, b);
    }
}

/* As where models are trained: cosines, not the embeddings and directions that they are of. */
static void drop_head(Case *item)
{
    const Tensor *weight = loss_extra(&item->in, "weight");
    if (!item->def->cosines || !weight)
        return;
    Random random = random_start(4, "cosines", 0);
    item->in.logits = t_new(ARRAY_F64, SHAPE(item->in.logits->shape[0], weight->shape[0]));
    item->in.extra_count = 0;
    for (int64_t i = 0; i < item->in.logits->count; i++)
        tensor_set(item->in.logits, i, 2 * random_uniform(&random) - 1);
}

/* Where the partners want gradients, as passes of the same model do. */
static void compare_partners(const Case *item, const LossInput *in)
{
    const LossRows *rows = item->def->rows;
    for (int i = 0; i < LOSS_MOST_PARTNERS && rows->partners[i]; i++) {
        loss_extra(in, rows->partners[i])->requires_gradient = true;
        LossInput twice = input_in(in, ARRAY_F64);
        assert_true(loss_rows_apply(&item->loss, in));
        Tensor *got = gradient_of(t_sum(loss_rows(&item->loss, in), 0, false), loss_extra(in, rows->partners[i]));
        Tensor *sum = t_sum(item->def->forward(item->loss.values, &twice), 0, false);
        assert_near(item, rows->partners[i], got, gradient_of(sum, loss_extra(&twice, rows->partners[i])));
    }
}

static void compare(Case *item)
{
    drop_head(item);
    LossInput in = single(&item->in);
    if (!item->def->rows || !loss_rows_apply(&item->loss, &in))
        return;
    LossInput twice = input_in(&in, ARRAY_F64); /* of the rounded inputs */
    Tensor *value = loss_rows(&item->loss, &in), *expected = item->def->forward(item->loss.values, &twice);
    assert_near(item, "value", value, expected);
    Tensor *factors = t_new(ARRAY_F32, SHAPE(value->shape[0])), *doubles = t_new(ARRAY_F64, SHAPE(value->shape[0]));
    for (int64_t i = 0; i < factors->count; i++) {
        tensor_set(factors, i, 0.5 + 0.25 * (double)i);
        tensor_set(doubles, i, tensor_value(factors, i));
    }
    Tensor *got = gradient_of(t_sum(t_mul(value, factors), 0, false), in.logits);
    assert_near(item, "gradient", got, gradient_of(t_sum(t_mul(expected, doubles), 0, false), twice.logits));
    bool was = tape_record(false);
    assert_same_bits(value, loss_rows(&item->loss, &in));
    tape_record(was);
    compare_partners(item, &in);
}

static void scale_logits(Case *item, double factor)
{
    for (int64_t i = 0; i < item->in.logits->count; i++)
        tensor_set(item->in.logits, i, factor * tensor_value(item->in.logits, i));
}

static void compare_spread(Case *item)
{
    compare(item);
    scale_logits(item, item->def->cosines ? -1 : 20);
    compare(item);
}

static void test_losses_rows__agree_with_operations(void **state)
{
    (void)state;
    walk(compare_spread);
}

/* Whole vectors, and remainders of all lengths. */
static int64_t wide(const LossDef *def)
{
    return def->columns ? def->columns : def->least_columns > 67 ? def->least_columns : 67;
}

static int64_t narrow(const LossDef *def)
{
    return def->columns ? def->columns : def->least_columns > 5 ? def->least_columns : 5;
}

static void test_losses_rows__agree_for_other_widths(void **state)
{
    (void)state;
    walk_fitted(wide, compare_spread);
    walk_fitted(narrow, compare_spread);
}

/* ---- Inputs of other shapes than the samples ---- */

static Tensor *normal(int rank, const int64_t *shape, double spread, uint32_t stream)
{
    return t_scale(t_random_normal(ARRAY_F64, rank, shape, random_start(7, "rows", stream)), spread);
}

static void compare_given(const char *spec, LossInput in)
{
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    Case item = {.spec = spec, .loss = loss_from(source, arena, spec), .in = input_in(&in, ARRAY_F64)};
    item.def = (const LossDef *)item.loss.component;
    Error error;
    if (!loss_check(&item.loss, &item.in, &error))
        fail_msg("%s: %s", spec, error.message);
    LossInput rounded = single(&item.in);
    assert_true(loss_rows_apply(&item.loss, &rounded));
    compare(&item);
    arena_free(arena);
    json_source_free(source);
}

static void test_losses_rows__take_all_axes_of_masks(void **state)
{
    (void)state;
    static const char *const specs[] = {"\"dice\"", "{\"type\": \"dice\", \"squared\": true}", "\"tversky\""};
    for (size_t i = 0; i < 3; i++)
        compare_given(specs[i], (LossInput){.logits = normal(SHAPE(2, 3, 4, 5), 3, 0),
                                            .targets = t_sigmoid(normal(SHAPE(2, 3, 4, 5), 3, 1))});
}

/* Some of them outside the grid. */
static void test_losses_rows__take_several_values(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "{\"type\": \"hl_gauss\", \"bins\": 7}", "{\"type\": \"two_hot\", \"bins\": 7}",
        "{\"type\": \"hl_gauss\", \"bins\": 7, \"sigma_ratio\": 0.01}",
        "{\"type\": \"hl_gauss\", \"bins\": 7, \"sigma_ratio\": 100}"};
    for (size_t i = 0; i < 4; i++)
        compare_given(specs[i], (LossInput){.logits = normal(SHAPE(6, 21), 3, 0),
                                            .targets = normal(SHAPE(6, 3), 10, 1)});
}

/* Atoms that stay in order, that all meet, that jump, that turn around; more of them than move at a time. */
static void test_losses_rows__project_atoms(void **state)
{
    (void)state;
    static const double done[] = {0, 1, 0.6, -1.5, 2.5};
    LossInput in = {.logits = normal(SHAPE(5, 600), 3, 0), .targets = t_softmax(normal(SHAPE(5, 600), 1, 1))};
    Tensor *dones = t_new(ARRAY_F64, SHAPE(5));
    for (int i = 0; i < 5; i++)
        tensor_set(dones, i, done[i]);
    loss_set_extra(&in, "reward", normal(SHAPE(5), 4, 2));
    loss_set_extra(&in, "done", dones);
    compare_given("{\"type\": \"c51\", \"bins\": 600}", in);
}

/* Equal rivals, and logits at the margin. */
static void test_losses_rows__break_ties_alike(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "\"hinge\"", "\"squared_hinge\"", "\"l2svm\"", "{\"type\": \"l2svm\", \"p\": 1}",
        "{\"type\": \"hinge\", \"multiclass\": \"crammer_singer\"}",
        "{\"type\": \"squared_hinge\", \"multiclass\": \"crammer_singer\"}"};
    static const double logits[] = {-1, 1, 1, -1, 1, -1, 2, 2, 1, 3, 2, 2, 0, 0, 0, 0};
    LossInput in = {.logits = t_new(ARRAY_F64, SHAPE(4, 4)), .targets = t_new(ARRAY_I32, SHAPE(4))};
    for (int i = 0; i < 16; i++)
        tensor_set(in.logits, i, logits[i]);
    for (int i = 0; i < 4; i++)
        tensor_i32(in.targets)[i] = i;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        compare_given(specs[i], in);
}

/* Scores that tie at the end of the top k, inside it, outside; that are one, but for the sign of 0; far apart. */
static void test_losses_rows__find_the_top(void **state)
{
    (void)state;
    enum { ROWS = 6, LABELS = 8 };
    static const double scores[ROWS][LABELS] = {
        {2, 2, 2, 2, 2, 2, 2, 2}, {0, -0.0, 0, -0.0, -0.0, 0, 0, -0.0}, {3, 1, 1, -2, 1, 0, -0.0, 4},
        {1e4, 9999, 9999.5, -1e4, -9998, -1e4, 0, -9998}, {-1e4, 1e4, 1e4, 1e4, -1e4, 1e4, 1e4, 1e4},
        {1e4, 1e4 + 0.5, 1e4 - 0.5, 1e4 + 0.25, 9990, 9999, 1e4, 1e4 + 1}};
    static const char *const specs[] = {
        "{\"type\": \"soft_topk\", \"k\": 1, \"iters\": 100}",
        "{\"type\": \"soft_topk\", \"k\": 3, \"iters\": 100}",
        "{\"type\": \"soft_topk\", \"k\": 7, \"iters\": 100}",
        "{\"type\": \"soft_topk\", \"k\": \"num_pos\", \"iters\": 100, \"alpha\": 0.1}"};
    LossInput in = {.logits = t_new(ARRAY_F64, SHAPE(ROWS, LABELS)), .targets = t_new(ARRAY_F64, SHAPE(ROWS, LABELS))};
    for (int i = 0; i < ROWS * LABELS; i++) {
        tensor_set(in.logits, i, scores[i / LABELS][i % LABELS]);
        tensor_set(in.targets, i, i % LABELS < 3 ? 1 : 0);
    }
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        compare_given(specs[i], in);
}

/* More than a vector of scores, of which the threshold divides any number. */
static void test_losses_rows__find_any_top(void **state)
{
    (void)state;
    enum { LABELS = 1000 };
    static const int top[] = {1, 2, 30, 500, 998, 999};
    LossInput in = {.logits = normal(SHAPE(3, LABELS), 30, 0), .targets = t_zeros(ARRAY_F64, SHAPE(3, LABELS))};
    for (int i = 0; i < 3 * LABELS; i += 7)
        tensor_set(in.targets, i, 1);
    for (size_t i = 0; i < sizeof top / sizeof *top; i++) {
        char spec[80];
        snprintf(spec, sizeof spec, "{\"type\": \"soft_topk\", \"k\": %d, \"iters\": 60}", top[i]);
        compare_given(spec, in);
    }
}

/* Of one value of the batch, whose rows are the loss's own affair; relative to it. */
static void compare_batch(const char *spec, const LossInput *given)
{
    LossInput single_in = single(given), twice = input_in(&single_in, ARRAY_F64);
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    Case item = {.spec = spec, .loss = loss_from(source, arena, spec), .in = twice};
    Error error;
    if (!loss_check(&item.loss, &twice, &error))
        fail_msg("%s: %s", spec, error.message);
    Tensor *value = loss_evaluate(&item.loss, &single_in).loss, *expected = loss_evaluate(&item.loss, &twice).loss;
    const double size = fabs(tensor_value(expected, 0)), factor = size > 1e-20 ? 1 / size : 1;
    value = t_scale(value, factor);
    expected = t_scale(expected, factor);
    assert_near(&item, "value", value, expected);
    assert_near(&item, "gradient", gradient_of(value, single_in.logits), gradient_of(expected, twice.logits));
    arena_free(arena);
    json_source_free(source);
}

/* Every positive against every negative, in blocks of columns; of near and of far scores. */
static void test_losses_rows__take_pairs(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 2, 67, 700};
    for (int i = 0; i < 8; i++) {
        const int64_t columns = widths[i / 2];
        LossInput in = {.logits = normal(SHAPE(5, columns), i % 2 ? 1e3 : 0.2, 0),
                        .targets = t_new(ARRAY_I32, SHAPE(5))};
        for (int32_t r = 0; r < 5; r++)
            tensor_i32(in.targets)[r] = (int32_t)(columns - 1) * r / 4;
        compare_batch("\"mw\"", &in);
    }
}

/* Sure and unsure teachers and students that agree or not, also beyond the clamp; every row is positive, or few are. */
static void test_losses_rows__push_away_what_a_teacher_excludes(void **state)
{
    (void)state;
    static const int64_t widths[] = {2, 3, 67, 700};
    static const double teachers[] = {0.2, 3, 1e4}, students[] = {0, 0.2, 10, 1e4};
    static const char *const specs[] = {"{\"type\": \"cbc\", \"neg_threshold\": 0.4}",
                                        "{\"type\": \"cbc\", \"threshold\": 0.52}"};
    for (int w = 0; w < 4; w++)
        for (int t = 0; t < 3; t++)
            for (int s = 0; s < 8; s++) {
                Tensor *teacher = normal(SHAPE(3, 2, widths[w]), teachers[t], 0);
                Tensor *student = normal(SHAPE(3, 2, widths[w]), students[s / 2], 1);
                LossInput in = {.logits = s % 2 ? t_add(student, teacher) : student};
                loss_set_extra(&in, "teacher_logits", teacher);
                for (int i = 0; i < 2; i++)
                    compare_batch(specs[i], &in);
            }
}

/* Largest logits that are several, that are the teacher's class; nothing left for the others; just within the clamp. */
static void test_losses_rows__push_tied_classes_away(void **state)
{
    (void)state;
    enum { ROWS = 8, CLASSES = 4 };
    static const double logits[ROWS][CLASSES] = {{2, 2, 2, 2}, {1, 3, 3, 0}, {3, 1, 3, 0}, {-1e4, 1e4, 1e4, -1e4},
                                                 {0, 13, 0, 0}, {0, 0, 13, 0}, {0, -0.0, 200, 0}, {0, 200, 0, 0}};
    LossInput in = {.logits = t_new(ARRAY_F64, SHAPE(ROWS, CLASSES))};
    Tensor *teacher = t_zeros(ARRAY_F64, SHAPE(ROWS, CLASSES));
    for (int i = 0; i < ROWS * CLASSES; i++)
        tensor_set(in.logits, i, logits[i / CLASSES][i % CLASSES]);
    for (int i = 0; i < ROWS; i++) {
        tensor_set(teacher, i * CLASSES + 1, 5);
        tensor_set(teacher, i * CLASSES + 3, i % 2 ? 5 : 0);
    }
    loss_set_extra(&in, "teacher_logits", teacher);
    compare_batch("\"cbc\"", &in);
    compare_batch("{\"type\": \"cbc\", \"threshold\": 0.3}", &in);
}

static void compare_probabilities(Case *item)
{
    if (item->def->targets != LOSS_CLASSES_OR_SOFT)
        return;
    drop_head(item);
    item->in.targets = t_softmax(normal(item->in.logits->rank, item->in.logits->shape, 2, 1));
    compare_spread(item);
}

static void test_losses_rows__take_probabilities(void **state)
{
    (void)state;
    walk(compare_probabilities);
    walk_fitted(wide, compare_probabilities);
}

static void test_losses_rows__keep_what_a_common_term_hides(void **state)
{
    (void)state;
    LossInput in = {.logits = t_add_scalar(normal(SHAPE(4, 37), 0.01, 0), 1e4), .targets = t_new(ARRAY_I32, SHAPE(4))};
    for (int i = 0; i < 4; i++)
        tensor_i32(in.targets)[i] = 9 * i;
    compare_given("\"z_loss\"", in);
}

/* Logits [4, columns] of a spread around an offset, with classes from the first to the last. */
static LossInput wide_rows(int64_t columns, double spread, double offset)
{
    LossInput in = {.logits = t_add_scalar(normal(SHAPE(4, columns), spread, 0), offset),
                    .targets = t_new(ARRAY_I32, SHAPE(4))};
    for (int row = 0; row < 4; row++)
        tensor_i32(in.targets)[row] = (int32_t)((columns - 1) * row / 3);
    return in;
}

/* All in the support, few, the same value many times; far from 0. */
static const double spreads[] = {0, 1e-5, 0.1, 10, 1e4}, offsets[] = {0, 1e4, -1e4};

static void test_losses_rows__find_thresholds_of_wide_rows(void **state)
{
    (void)state;
    static const char *const specs[] = {"\"sparsemax\"", "\"entmax15\""};
    for (int i = 0; i < 2; i++)
        for (int s = 0; s < 5; s++)
            for (int o = 0; o < 3; o++) {
                LossInput in = wide_rows(3001, spreads[s], offsets[o]);
                compare_given(specs[i], in);
                in.targets = t_softmax(normal(SHAPE(4, 3001), 3, 1));
                compare_given(specs[i], in);
            }
}

/* Caps of none, of some, of all; many and few that may be capped; each norm. */
static void test_losses_rows__cap_the_largest_of_wide_rows(void **state)
{
    (void)state;
    static const int ks[] = {1, 2, 5, 120, 601};
    static const double lambdas[] = {1e-3, 0.3, 1, 1e3};
    static const char *const norms[] = {"none", "l1", "softplus_l1"};
    for (int k = 0; k < 5; k++)
        for (int l = 0; l < 4; l++)
            for (int n = 0; n < 3; n++)
                for (int s = 0; s < 5; s++) {
                    char spec[120];
                    snprintf(spec, sizeof spec, "{\"type\": \"ldr_topk\", \"k\": %d, \"lambda\": %g, \"norm\": \"%s\"}",
                             ks[k], lambdas[l], norms[n]);
                    compare_given(spec, wide_rows(601, spreads[s], offsets[(k + l + n + s) % 3]));
                }
}

/* What is kept for each sample goes the way that it goes in doubles; rows of one sample are no rows. */
static void test_losses_rows__keep_the_state_of_samples(void **state)
{
    (void)state;
    static const char *const specs[] = {"\"elr\"", "\"aldr_kl\"", "{\"type\": \"aldr_kl\", \"norm\": \"softplus_l1\"}"};
    static const int64_t ids[] = {4, 0, 2}, same[] = {4, 0, 4};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        JsonSource *source = json_source_new();
        Arena *arena = arena_new();
        Instance loss = loss_from(source, arena, specs[i]);
        float kept[2][5 * 7] = {{0}};
        for (int step = 0; step < 4; step++) {
            LossInput in = {.logits = normal(SHAPE(3, 7), 2, 1 + (uint32_t)step), .targets = t_new(ARRAY_I32, SHAPE(3)),
                            .ids = ids};
            for (int row = 0; row < 3; row++)
                tensor_i32(in.targets)[row] = (row + step) % 7;
            LossInput single = input_in(&in, ARRAY_F32), twice = input_in(&single, ARRAY_F64);
            single.state = kept[0];
            twice.state = kept[1];
            assert_true(loss_rows_apply(&loss, &single));
            double got = loss_value(&loss, &single), expected = loss_value(&loss, &twice);
            assert_true(fabs(got - expected) <= 1e-5 * fmax(1, fabs(expected)));
            for (int k = 0; k < 5 * 7; k++)
                assert_true(fabsf(kept[0][k] - kept[1][k]) <= 2e-6F);
            single.ids = same;
            assert_false(loss_rows_apply(&loss, &single));
        }
        assert_true(kept[0][0] != 0);
        arena_free(arena);
        json_source_free(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_rows__agree_with_operations),
        TAPE_TEST(test_losses_rows__agree_for_other_widths),
        TAPE_TEST(test_losses_rows__take_all_axes_of_masks),
        TAPE_TEST(test_losses_rows__take_several_values),
        TAPE_TEST(test_losses_rows__project_atoms),
        TAPE_TEST(test_losses_rows__break_ties_alike),
        TAPE_TEST(test_losses_rows__find_the_top),
        TAPE_TEST(test_losses_rows__find_any_top),
        TAPE_TEST(test_losses_rows__take_pairs),
        TAPE_TEST(test_losses_rows__push_away_what_a_teacher_excludes),
        TAPE_TEST(test_losses_rows__push_tied_classes_away),
        TAPE_TEST(test_losses_rows__take_probabilities),
        TAPE_TEST(test_losses_rows__keep_what_a_common_term_hides),
        TAPE_TEST(test_losses_rows__find_thresholds_of_wide_rows),
        TAPE_TEST(test_losses_rows__cap_the_largest_of_wide_rows),
        TAPE_TEST(test_losses_rows__keep_the_state_of_samples),
    };
    return RUN_ON_EACH_ISA(tests, NULL, NULL);
}
