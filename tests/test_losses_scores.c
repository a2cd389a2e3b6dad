/* Losses of cosines with class directions and of scores of queries, against the figures of their papers. */
#include "tests/losses_setting.h"

/* ---- normalized_softmax ---- */

static Setting normalized_setting(double factor, double target)
{
    Setting setting = setting_of("\"normalized_softmax\"", detached(ROWS(1, 2, 3 * factor, 4 * factor)));
    setting.in.targets = CLASSES(target);
    loss_set_extra(&setting.in, "weight", ROWS(3, 2, 1, 0, 0, 2, -5, 5));
    return setting;
}

static void test_losses_scores__normalized_softmax(void **state)
{
    (void)state;
    static const double lengths[] = {1, 7};
    for (int i = 0; i < 2; i++) {
        Setting setting = normalized_setting(lengths[i], 1);
        assert_near(loss_value(&setting.loss, &setting.in), 0.1281426, 1e-7);
        Tensor *gradient = loss_gradient(&setting.loss, &setting.in); /* orthogonal to the embedding */
        assert_near(3 * tensor_value(gradient, 0) + 4 * tensor_value(gradient, 1), 0, 1e-12);
        assert_true(fabs(tensor_value(gradient, 0)) > 1e-3);
        drop(&setting);
    }
    Setting setting = normalized_setting(1, 0);
    assert_near(loss_value(&setting.loss, &setting.in), 2.1281426, 1e-7);
    drop(&setting);
    setting = normalized_setting(0, 0);
    assert_near(loss_value(&setting.loss, &setting.in), log(3), 1e-12);
    Tensor *gradient = loss_gradient(&setting.loss, &setting.in);
    assert_true(isfinite(tensor_value(gradient, 0)) && isfinite(tensor_value(gradient, 1)));
    drop(&setting);
}

/* A regular simplex of C directions: the least value that any features can have, log(1 + (C-1) exp(-s C / (C-1))). */
static void test_losses_scores__normalized_softmax_has_a_floor(void **state)
{
    (void)state;
    static const struct { int64_t classes; double floor; } cases[] = {{10, 1.344990e-4}, {100, 4.054539e-3}};
    for (int i = 0; i < 2; i++) {
        int64_t classes = cases[i].classes;
        Tensor *corners = t_full(ARRAY_F64, SHAPE(classes, classes), -1 / (double)classes);
        for (int64_t c = 0; c < classes; c++)
            tensor_set(corners, c * classes + c, 1 - 1 / (double)classes);
        Setting setting = setting_of("\"normalized_softmax\"", detached(corners));
        setting.in.targets = t_new(ARRAY_I32, SHAPE(classes));
        for (int64_t c = 0; c < classes; c++)
            tensor_set(setting.in.targets, c, (double)c);
        loss_set_extra(&setting.in, "weight", corners);
        assert_near(loss_value(&setting.loss, &setting.in), cases[i].floor, cases[i].floor * 1e-6);
        drop(&setting);
    }
}

/* ---- mw, infonce ---- */

static Setting scores_setting(const char *spec, const double *offsets)
{
    Tensor *scores = ROWS(3, 3, .9, .2, .4, .1, .5, .3, .6, 0, .8);
    Setting setting = setting_of(spec, detached(t_add(scores, ROWS(3, 1, offsets[0], offsets[1], offsets[2]))));
    setting.in.targets = CLASSES(0, 1, 2);
    return setting;
}

/* Positives above negatives, of all rows together. */
static double pooled_auc(const Tensor *scores, const Tensor *targets)
{
    int64_t rows = scores->shape[0], columns = scores->shape[1];
    double above = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < rows * columns; j++) {
            double positive = tensor_value(scores, i * columns + tensor_i32(targets)[i]),
                   other = tensor_value(scores, j);
            if (j % columns != tensor_i32(targets)[j / columns])
                above += positive > other ? 1 : positive == other ? 0.5 : 0;
        }
    return above / (double)(rows * rows * (columns - 1));
}

static void test_losses_scores__mw_sees_what_infonce_does_not(void **state)
{
    (void)state;
    double offsets[3] = {0, 0.55, -0.5};
    Setting plain = scores_setting("\"infonce\"", offsets);
    assert_near(loss_value(&plain.loss, &plain.in), 0.0925919, 1e-7);
    Tensor *gradient = loss_gradient(&plain.loss, &plain.in);
    for (int r = 0; r < 3; r++) /* of a query's offset: none */
        assert_near(tensor_value(gradient, 3 * r) + tensor_value(gradient, 3 * r + 1) +
                        tensor_value(gradient, 3 * r + 2),
                    0, 1e-12);
    drop(&plain);
    Setting setting = scores_setting("\"mw\"", offsets);
    assert_near(loss_value(&setting.loss, &setting.in), 0.6386336, 1e-7);
    assert_near(pooled_auc(setting.in.logits, setting.in.targets), 0.8333333, 1e-7);
    drop(&setting);
    for (int step = 0; step < 60; step++) { /* offsets alone, by descent */
        setting = scores_setting("\"mw\"", offsets);
        gradient = loss_gradient(&setting.loss, &setting.in);
        for (int r = 0; r < 3; r++)
            offsets[r] -= 0.05 * (tensor_value(gradient, 3 * r) + tensor_value(gradient, 3 * r + 1) +
                                  tensor_value(gradient, 3 * r + 2));
        drop(&setting);
    }
    setting = scores_setting("\"mw\"", offsets);
    assert_near(pooled_auc(setting.in.logits, setting.in.targets), 1, 0);
    drop(&setting);
}

/* 1 - AUC <= L / log 2 at any temperature; equal scores: log 2. */
static void test_losses_scores__mw_bounds_the_area(void **state)
{
    (void)state;
    static const char *const specs[] = {"{\"type\": \"mw\", \"temperature\": 0.01}", "\"mw\"",
                                        "{\"type\": \"mw\", \"temperature\": 1}"};
    for (int s = 0; s < 3; s++) {
        Setting setting = setting_of(specs[s], t_zeros(ARRAY_F64, SHAPE(3, 9)));
        setting.in.targets = CLASSES(0, 4, 8);
        assert_near(loss_value(&setting.loss, &setting.in), log(2), 1e-12);
        for (uint32_t i = 0; i < 300; i++) {
            Random random = random_start(7, "mw", i);
            for (int64_t k = 0; k < 27; k++)
                tensor_set(setting.in.logits, k, random_normal(&random));
            assert_true(1 - pooled_auc(setting.in.logits, setting.in.targets) <=
                        loss_value(&setting.loss, &setting.in) / log(2) + 1e-12);
        }
        drop(&setting);
    }
}

/* sum of squares of the gradient, with the graph that differentiates it */
static Tensor *squared_gradient(const Setting *setting)
{
    Tensor *gradient;
    assert_null(
        t_gradients(loss_evaluate(&setting->loss, &setting->in).loss, NULL, 1, &setting->in.logits, &gradient, true));
    return t_sum(t_square(gradient), ALL_AXES, false);
}

static void test_losses_scores__mw_has_second_derivatives(void **state)
{
    (void)state;
    Setting setting = scores_setting("{\"type\": \"mw\", \"temperature\": 0.5}", (double[]){0, 0.1, -0.2});
    Tensor *second = gradient_of(squared_gradient(&setting), setting.in.logits);
    for (int64_t i = 0; i < 9; i++) {
        double before = tensor_value(setting.in.logits, i), sides[2];
        for (int side = 0; side < 2; side++) {
            tensor_set(setting.in.logits, i, before + (side ? 1e-5 : -1e-5));
            sides[side] = tensor_value(squared_gradient(&setting), 0);
        }
        tensor_set(setting.in.logits, i, before);
        assert_near(tensor_value(second, i), (sides[1] - sides[0]) / 2e-5, 1e-8);
    }
    drop(&setting);
}

/* More pairs than are held: the same sums in one pass. */
static void test_losses_scores__mw_of_many_pairs(void **state)
{
    (void)state;
    enum { ROWS_OF = 104, COLUMNS = 100 };
    Tensor *scores = t_random_normal(ARRAY_F64, SHAPE(ROWS_OF, COLUMNS), random_start(3, "mw", 0));
    Setting setting = setting_of("{\"type\": \"mw\", \"temperature\": 1}", scores);
    setting.in.targets = t_new(ARRAY_I32, SHAPE(ROWS_OF));
    for (int64_t i = 0; i < ROWS_OF; i++)
        tensor_set(setting.in.targets, i, (double)(i % COLUMNS));
    double sum = 0, first = 0, pairs = (double)ROWS_OF * ROWS_OF * (COLUMNS - 1);
    for (int64_t i = 0; i < ROWS_OF; i++)
        for (int64_t j = 0; j < ROWS_OF * COLUMNS; j++) {
            if (j % COLUMNS == j / COLUMNS % COLUMNS)
                continue;
            double x = tensor_value(scores, j) - tensor_value(scores, i * COLUMNS + i % COLUMNS);
            sum += log1p(exp(x));
            first -= i == 0 ? 1 / (1 + exp(-x)) / pairs : 0;
        }
    assert_near(loss_value(&setting.loss, &setting.in), sum / pairs, 1e-10);
    Tensor *gradient = loss_gradient(&setting.loss, &setting.in);
    assert_near(tensor_value(gradient, 0), first, 1e-12);
    double total = 0; /* a constant added to all scores changes nothing */
    for (int64_t i = 0; i < gradient->count; i++)
        total += tensor_value(gradient, i);
    assert_near(total, 0, 1e-12);
    drop(&setting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_scores__normalized_softmax),
        TAPE_TEST(test_losses_scores__normalized_softmax_has_a_floor),
        TAPE_TEST(test_losses_scores__mw_sees_what_infonce_does_not),
        TAPE_TEST(test_losses_scores__mw_bounds_the_area),
        TAPE_TEST(test_losses_scores__mw_has_second_derivatives),
        TAPE_TEST(test_losses_scores__mw_of_many_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
