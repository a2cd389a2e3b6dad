/* Losses of several inputs against the figures of their papers' worked examples. */
#include "tests/losses_setting.h"

/* ---- dpo, spce ---- */

static double preference(const char *spec, double h, double p)
{
    Setting setting = setting_of(spec, detached(ROWS(1, 2, h + 1, 1)));
    setting.in.targets = tensor_of(ARRAY_F64, NUMBERS(p));
    loss_set_extra(&setting.in, "reference", ROWS(1, 2, 0, 0));
    double value = loss_value(&setting.loss, &setting.in);
    drop(&setting);
    return value;
}

static void test_losses_papers__spce(void **state)
{
    (void)state;
    const char *spec = "{\"type\": \"spce\", \"beta\": 1}";
    assert_near(preference(spec, 0.4, 0.7), 0.633015, 1e-6);
    assert_near(preference(spec, log(0.7 / 0.3), 0.7), 0.610864, 1e-6);
    assert_near(preference(spec, 2, 0.7), 0.726928, 1e-6);
    assert_near(preference(spec, 2, 1), 0.126928, 1e-6);
    assert_near(preference("{\"type\": \"dpo\", \"beta\": 1}", 2, 0), 0.126928, 1e-6);
    assert_near(preference(spec, 0, 0.2), log(2), 1e-12);
    assert_near(preference(spec, -1.3, 0.2), preference(spec, 1.3, 0.8), 1e-12);
    assert_near(preference(spec, 1e4, 1), 0, 1e-12);
    assert_near(preference(spec, 1e4, 0.5), 5e3, 1e-9);
}

static void test_losses_papers__spce_gradient_and_reference(void **state)
{
    (void)state;
    Setting setting = setting_of("\"spce\"", detached(ROWS(1, 2, -4, -5.5)));
    Tensor *reference = detached(ROWS(1, 2, -4.6, -5.1));
    loss_set_extra(&setting.in, "reference", reference);
    setting.in.targets = tensor_of(ARRAY_F64, NUMBERS(0.8));
    assert_near(loss_value(&setting.loss, &setting.in), 0.664397, 1e-6);
    double slope = 0.1 * (1 / (1 + exp(-0.1)) - 0.8);
    assert_all_near(loss_gradient(&setting.loss, &setting.in), (double[]){slope, -slope}, 1e-12);
    ASSERT_VALUES(gradient_of(loss_evaluate(&setting.loss, &setting.in).loss, reference), 0, 0);
    tensor_set(setting.in.targets, 0, 1);
    assert_near(loss_value(&setting.loss, &setting.in), 0.644397, 1e-6);
    tensor_set(setting.in.targets, 0, 1.5);
    Error error;
    assert_false(loss_check(&setting.loss, &setting.in, &error));
    assert_string_equal(error.message, "targets: 1.5 at row 0 is not a probability");
    drop(&setting);
}

/* ---- tri_bce ---- */

static void check_tri_bce(const char *spec, const double *heads, double target, double value, const double *gradient)
{
    Setting setting = setting_of(spec, detached(ROWS(1, 2, heads[0], heads[1])));
    setting.in.targets = CLASSES(target);
    assert_near(loss_value(&setting.loss, &setting.in), value, 1e-6);
    if (gradient)
        assert_all_near(loss_gradient(&setting.loss, &setting.in), gradient, 1e-6);
    drop(&setting);
}

static void test_losses_papers__tri_bce(void **state)
{
    (void)state;
    const double heads[] = {0.3494408, 0.2565011}, apart[] = {2, -1}, same[] = {0.5, 0.5};
    check_tri_bce("\"tri_bce\"", heads, 1, 0.5645576, (double[]){-0.0906806, -0.3494070});
    check_tri_bce("{\"type\": \"tri_bce\", \"detach_weights\": true}", heads, 1, 0.5645576,
                  (double[]){-0.2124157, -0.2211429});
    check_tri_bce("\"tri_bce\"", apart, 1, 1.5761461, NULL);
    check_tri_bce("\"tri_bce\"", apart, 0, 3.4261081, NULL);
    check_tri_bce("\"tri_bce\"", same, 1, log1p(exp(-0.5)), NULL);
}

/* ---- bias ---- */

static Tensor *three_taps(void)
{
    return detached(ROWS(3, 4, 0, 1, 2, 3, 1, 1, 1, 3, 0, 0, 4, 4));
}

static Setting bias_setting(const char *spec)
{
    Setting setting = setting_of(spec, detached(ROWS(3, 3, 2, 0, 1, 0.5, 0.5, 0, 1, 2, 3)));
    setting.in.targets = CLASSES(0, 1, 2);
    setting.in.features = three_taps();
    return setting;
}

static void check_bias(const char *spec, double value)
{
    Setting setting = bias_setting(spec);
    assert_near(loss_value(&setting.loss, &setting.in), value, 1e-6);
    drop(&setting);
}

static void test_losses_papers__bias(void **state)
{
    (void)state;
    check_bias("{\"type\": \"bias\", \"norm\": \"local\"}", 0.4677068);
    check_bias("\"bias\"", 0.4677068);
    check_bias("{\"type\": \"bias\", \"alpha\": 0, \"beta\": 0}", 0.5910773);
    check_bias("{\"type\": \"bias\", \"alpha\": 0, \"beta\": 1}", 0);
    Setting setting = bias_setting("\"bias\"");
    Tensor *by_taps = gradient_of(loss_evaluate(&setting.loss, &setting.in).loss, setting.in.features);
    assert_all_near(by_taps, (double[12]){0}, 0);
    setting.in.features = t_full(ARRAY_F64, SHAPE(3, 4), 1.5);
    assert_near(loss_value(&setting.loss, &setting.in), 0.7 * 0.5910773, 1e-6);
    drop(&setting);
}

/* Variances 2, 4 and then 3, 5: the least so far stays 2, so u = 0.5, 1.5. */
static void test_losses_papers__bias_keeps_the_least_variance(void **state)
{
    (void)state;
    Setting setting = setting_of("{\"type\": \"bias\", \"alpha\": 1, \"beta\": 0}", detached(ROWS(2, 2, 0, 0, 0, 0)));
    float kept[2] = {0};
    setting.in.run_state = kept;
    setting.in.targets = CLASSES(0, 1);
    setting.in.features = ROWS(2, 2, -1, 1, -sqrt(2), sqrt(2));
    loss_value(&setting.loss, &setting.in);
    assert_near((double)kept[1], 2, 1e-6);
    setting.in.features = ROWS(2, 2, -sqrt(1.5), sqrt(1.5), -sqrt(2.5), sqrt(2.5));
    Tensor *values = loss_evaluate(&setting.loss, &setting.in).per_sample;
    assert_all_near(values, (double[]){exp(0.5) * log(2), exp(1.5) * log(2)}, 1e-6);
    assert_near((double)kept[1], 2, 1e-6);
    drop(&setting);
}

/* ---- cbc ---- */

static void test_losses_papers__cbc(void **state)
{
    (void)state;
    Setting setting = setting_of("\"cbc\"", detached(ROWS(4, 2, 0, 1, 2, 0, 0.5, 0.5, 0, 3)));
    Tensor *teacher = detached(ROWS(4, 2, 0, 3, 4, 0, 0.2, 0, 1, 0));
    loss_set_extra(&setting.in, "teacher_logits", teacher);
    assert_near(loss_value(&setting.loss, &setting.in), 0.892485, 1e-6);
    assert_all_near(gradient_of(loss_evaluate(&setting.loss, &setting.in).loss, teacher), (double[8]){0}, 0);
    Tensor *gradient = loss_gradient(&setting.loss, &setting.in);
    for (int64_t i = 0; i < 8; i++) {
        double at = tensor_value(setting.in.logits, i), values[2];
        for (int side = 0; side < 2; side++) {
            tensor_set(setting.in.logits, i, at + (side ? 1e-5 : -1e-5));
            values[side] = loss_value(&setting.loss, &setting.in);
        }
        tensor_set(setting.in.logits, i, at);
        assert_near(tensor_value(gradient, i), (values[1] - values[0]) / 2e-5, 1e-8);
    }
    loss_set_extra(&setting.in, "teacher_logits", t_zeros(ARRAY_F64, SHAPE(4, 2)));
    assert_near(loss_value(&setting.loss, &setting.in), 0, 0);
    drop(&setting);
}

/* A sure student on the wrong side: the negative term ends at -w- log 1e-6, without gradient. */
static void test_losses_papers__cbc_is_clamped(void **state)
{
    (void)state;
    Setting setting = setting_of("\"cbc\"", detached(ROWS(1, 2, 0, 1e4)));
    loss_set_extra(&setting.in, "teacher_logits", ROWS(1, 2, 3, 0));
    double most = 1 / (1 + exp(-3));
    assert_near(loss_value(&setting.loss, &setting.in), most * 1e4 + (1 - most) * 6 * log(10), 1e-9);
    assert_all_near(loss_gradient(&setting.loss, &setting.in), (double[]){-most, most}, 1e-12);
    drop(&setting);
    setting = setting_of("{\"type\": \"cbc\", \"threshold\": 0.5}", detached(ROWS(1, 2, 0, 1)));
    loss_set_extra(&setting.in, "teacher_logits", ROWS(1, 2, 3, 0));
    Error error;
    assert_false(loss_check(&setting.loss, &setting.in, &error));
    assert_string_equal(error.message, "threshold: 0.5 must be above 1/classes = 0.5");
    drop(&setting);
}

/* ---- noisefit ---- */

static Setting noisefit_setting(const char *keys)
{
    char spec[200];
    snprintf(spec, sizeof spec, "{\"type\": \"noisefit\"%s}", keys);
    Setting setting = setting_of(spec, detached(ROWS(1, 3, 2, 0, -1)));
    setting.in.targets = CLASSES(0);
    loss_set_extra(&setting.in, "noisy_logits_1", detached(ROWS(1, 3, 1.5, 0.2, -0.8)));
    loss_set_extra(&setting.in, "noisy_logits_2", detached(ROWS(1, 3, 2.2, -0.3, -1)));
    return setting;
}

static void check_noisefit(const char *keys, double value)
{
    Setting setting = noisefit_setting(keys);
    assert_near(loss_value(&setting.loss, &setting.in), value, 1.5e-6);
    drop(&setting);
}

static void test_losses_papers__noisefit(void **state)
{
    (void)state;
    check_noisefit("", 0.105275);
    check_noisefit(", \"lambda\": 0.05", 0.101246);
    check_noisefit(", \"mode\": \"basefit\"", 0.169846);
    check_noisefit(", \"mode\": \"kl_only\"", 0.024589);
    check_noisefit(", \"mode\": \"consistency_only\"", 0.080581);
    check_noisefit(", \"mode\": \"ce_kl\"", 0.5 * (0.169846 + 0.024589));
    Setting setting = noisefit_setting("");
    Tensor *plain = t_softmax(setting.in.logits), *gradient = loss_gradient(&setting.loss, &setting.in);
    for (int i = 0; i < 3; i++)
        assert_near(tensor_value(gradient, i), 0.5 * (tensor_value(plain, i) - (i == 0)), 1e-12);
    for (int i = 0; i < 2; i++)
        tensor_set(setting.in.extras[i].value, 0, 2), tensor_set(setting.in.extras[i].value, 1, 0),
            tensor_set(setting.in.extras[i].value, 2, -1);
    assert_near(loss_value(&setting.loss, &setting.in), 0.5 * 0.169846, 1e-6);
    drop(&setting);
}

/* ---- cs_ib ---- */

static Setting cs_ib_setting(const char *keys)
{
    char spec[200];
    snprintf(spec, sizeof spec, "{\"type\": \"cs_ib\"%s}", keys);
    Setting setting = setting_of(spec, detached(ROWS(3, 1, 0.5, 1, 1)));
    setting.in.targets = tensor_of(ARRAY_F64, NUMBERS(0, 1, 2));
    setting.in.features = detached(ROWS(3, 1, 0, 1, 3));
    loss_set_extra(&setting.in, "x", ROWS(3, 2, 0, 0, 1, 0, 0, 2));
    return setting;
}

static void check_cs_ib(const char *keys, double value, const double *gradient)
{
    Setting setting = cs_ib_setting(keys);
    assert_near(loss_value(&setting.loss, &setting.in), value, 2e-6);
    if (gradient)
        assert_all_near(loss_gradient(&setting.loss, &setting.in), gradient, 1.5e-6);
    drop(&setting);
}

static void test_losses_papers__cs_ib(void **state)
{
    (void)state;
    check_cs_ib(", \"beta\": 0", 0.301618, (double[]){0.192835, 0.053633, -0.389206});
    check_cs_ib(", \"beta\": 0, \"cond_denominator\": \"sq_sum\"", 0.360148,
                (double[]){0.173217, 0.054181, -0.503318});
    check_cs_ib(", \"beta\": 0, \"cond_denominator\": \"sq_sum\", \"log_base\": \"2\"", 0.519584, NULL);
    check_cs_ib(", \"beta\": 1, \"normalize_qmi\": false", 0.301618 + 0.430940, NULL);
    check_cs_ib(", \"beta\": 1", 0.301618 + 0.995966, NULL);
    Setting setting = cs_ib_setting(", \"beta\": 0");
    setting.in.logits = detached(ROWS(3, 1, 0, 1, 2));
    assert_near(loss_value(&setting.loss, &setting.in), 0, 1e-9);
    assert_all_near(loss_gradient(&setting.loss, &setting.in), (double[]){0.003757, 0.004746, 0.007048}, 1e-6);
    drop(&setting);
}

static void test_losses_papers__cs_ib_of_a_collapsed_representation(void **state)
{
    (void)state;
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
        Setting setting = cs_ib_setting(", \"beta\": 1");
        setting.in.features = t_full(ARRAY_F64, SHAPE(3, 4), 0.3);
        setting.in = input_in(&setting.in, (ArrayType)type);
        setting.in.features->requires_gradient = true;
        assert_near(loss_value(&setting.loss, &setting.in), 0.301618, 1e-2);
        Tensor *gradient = gradient_of(loss_evaluate(&setting.loss, &setting.in).loss, setting.in.features);
        for (int64_t i = 0; i < gradient->count; i++)
            assert_true(isfinite(tensor_value(gradient, i)));
        drop(&setting);
    }
    Setting setting = cs_ib_setting("");
    setting.in.logits = ROWS(1, 1, 0);
    Error error;
    setting.in.targets = tensor_of(ARRAY_F64, NUMBERS(0));
    assert_false(loss_check(&setting.loss, &setting.in, &error));
    assert_string_equal(error.message, "logits: cs_ib needs at least 2 samples");
    drop(&setting);
}

/* ---- symmetric_ce between student and teacher: the loss of RMT ---- */

static Tensor *probabilities(double a, double b, double c)
{
    return t_detach(t_softmax(ROWS(1, 3, a, b, c)));
}

static double consistency(const char *keys, Tensor *student, Tensor *teacher)
{
    char spec[160];
    snprintf(spec, sizeof spec, "{\"type\": \"symmetric_ce\", \"log_zero\": -100, %s}", keys);
    Setting setting = setting_of(spec, detached(student));
    setting.in.targets = teacher;
    double value = loss_value(&setting.loss, &setting.in);
    drop(&setting);
    return value;
}

static void test_losses_papers__symmetric_ce_of_a_teacher(void **state)
{
    (void)state;
    static const char half[] = "\"alpha\": 0.5, \"beta\": 0.5";
    Setting setting = setting_of("{\"type\": \"symmetric_ce\", \"alpha\": 0.5, \"beta\": 0.5, \"log_zero\": -100}",
                                 detached(ROWS(1, 3, 2, 0, -1)));
    setting.in.targets = probabilities(1, 1, 0);
    setting.in.targets->requires_gradient = true;
    assert_near(loss_value(&setting.loss, &setting.in), 1.192288, 1e-6);
    assert_all_near(loss_gradient(&setting.loss, &setting.in), (double[]){0.193014, -0.156460, -0.036554}, 1e-6);
    ASSERT_VALUES(gradient_of(loss_evaluate(&setting.loss, &setting.in).loss, setting.in.targets), 0, 0, 0);
    drop(&setting);
    Tensor *student = ROWS(1, 3, 2, 0, -1);
    assert_near(consistency("\"alpha\": 1, \"beta\": 0", student, probabilities(1, 1, 0)), 1.480571, 1e-6);
    assert_near(consistency("\"alpha\": 0, \"beta\": 1", student, probabilities(1, 1, 0)), 0.904005, 1e-6);
    assert_near(consistency(half, student, probabilities(2, 0, -1)), 0.524267, 1e-6); /* the entropy */
    assert_near(consistency(half, ROWS(1, 3, 1, 1, 0), probabilities(2, 0, -1)), 1.192288, 1e-6);
}

/* A sure teacher: log t is -50, which the default floor of -4 would hide. */
static void test_losses_papers__symmetric_ce_of_a_sure_teacher(void **state)
{
    (void)state;
    double value = consistency("\"alpha\": 0, \"beta\": 1", ROWS(1, 3, 0, 0, -1e4), probabilities(50, 0, -1e4));
    assert_near(value, 25, 1e-9);
}

/* ---- eisl ---- */

static Tensor *three_places(void)
{
    Tensor *logits = tensor_of(ARRAY_F64, NUMBERS(log(.7), log(.2), log(.1), log(.1), log(.6), log(.3), log(.2),
                                                  log(.2), log(.6)));
    return detached(t_reshape(logits, SHAPE(1, 3, 3)));
}

static void check_eisl(const char *keys, const double *tokens, double value)
{
    char spec[200];
    snprintf(spec, sizeof spec, "{\"type\": \"eisl\", %s}", keys);
    Setting setting = setting_of(spec, three_places());
    setting.in.targets = t_reshape(CLASSES(tokens[0], tokens[1], tokens[2]), SHAPE(1, 3));
    Error error;
    assert_true(loss_check(&setting.loss, &setting.in, &error));
    assert_near(loss_value(&setting.loss, &setting.in), value, 1e-6);
    drop(&setting);
}

#define PLAIN "\"gumbel\": false, \"ngrams\": "

static void test_losses_papers__eisl(void **state)
{
    (void)state;
    const double same[] = {0, 1, 2}, rotated[] = {1, 2, 0};
    check_eisl(PLAIN "[1]", same, 0.883345);
    check_eisl(PLAIN "[2]", same, 0.738485);
    check_eisl(PLAIN "[3]", same, 0.459442);
    check_eisl(PLAIN "[1, 2], \"weights\": [0.8, 0.2]", same, 0.854373);
    check_eisl(PLAIN "[1]", rotated, 0.883345);
    check_eisl(PLAIN "[-1]", rotated, 1.218479);
    check_eisl(PLAIN "[0]", rotated, 1.474283);
    check_eisl("\"ngrams\": [3]", rotated, 1.474283); /* one place: the noise has no say */
    check_eisl("\"ngrams\": [0], \"normalize_n\": false", same, 3 * 0.459442);
    check_eisl("\"ngrams\": [0], \"ngram_factor\": 2, \"ce_factor\": 1", same, 3 * 0.459442);
}

/* With the softmax frozen, the gradient is that of the scores times its values. */
static void test_losses_papers__eisl_with_weights_that_have_no_gradient(void **state)
{
    (void)state;
    Setting setting = setting_of("{\"type\": \"eisl\", \"gumbel\": false, \"ngrams\": [1], "
                                 "\"grad_through_weights\": false}", three_places());
    setting.in.targets = t_reshape(CLASSES(0, 1, 2), SHAPE(1, 3));
    Tensor *gradient = loss_gradient(&setting.loss, &setting.in);
    const double p[3][3] = {{.7, .2, .1}, {.1, .6, .3}, {.2, .2, .6}};
    for (int place = 0; place < 3; place++)
        for (int token = 0; token < 3; token++) {
            double expected = 0; /* q of place i for token j is p_ij over its column's sum */
            for (int j = 0; j < 3; j++)
                expected -= p[place][j] / (p[0][j] + p[1][j] + p[2][j]) * ((j == token) - p[place][token]) / 3;
            assert_near(tensor_value(gradient, 3 * place + token), expected, 1e-12);
        }
    drop(&setting);
}

static void test_losses_papers__eisl_floor_and_refusals(void **state)
{
    (void)state;
    Setting setting = setting_of("{\"type\": \"eisl\", \"ngrams\": [1]}",
                                 detached(t_reshape(tensor_of(ARRAY_F64, NUMBERS(0, 60)), SHAPE(1, 1, 2))));
    setting.in.targets = t_reshape(CLASSES(0), SHAPE(1, 1));
    assert_near(loss_value(&setting.loss, &setting.in), 20, 0);
    ASSERT_VALUES(loss_gradient(&setting.loss, &setting.in), 0, 0);
    drop(&setting);
    setting = setting_of("{\"type\": \"eisl\", \"ngrams\": [1, 4]}", three_places());
    setting.in.targets = t_reshape(CLASSES(0, 1, 2), SHAPE(1, 3));
    Error error;
    assert_false(loss_check(&setting.loss, &setting.in, &error));
    assert_string_equal(error.message, "ngrams[1]: 4 is a length of 4, which does not fit into 3 tokens");
    drop(&setting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_papers__spce),
        TAPE_TEST(test_losses_papers__spce_gradient_and_reference),
        TAPE_TEST(test_losses_papers__tri_bce),
        TAPE_TEST(test_losses_papers__bias),
        TAPE_TEST(test_losses_papers__bias_keeps_the_least_variance),
        TAPE_TEST(test_losses_papers__cbc),
        TAPE_TEST(test_losses_papers__cbc_is_clamped),
        TAPE_TEST(test_losses_papers__noisefit),
        TAPE_TEST(test_losses_papers__cs_ib),
        TAPE_TEST(test_losses_papers__cs_ib_of_a_collapsed_representation),
        TAPE_TEST(test_losses_papers__symmetric_ce_of_a_teacher),
        TAPE_TEST(test_losses_papers__symmetric_ce_of_a_sure_teacher),
        TAPE_TEST(test_losses_papers__eisl),
        TAPE_TEST(test_losses_papers__eisl_with_weights_that_have_no_gradient),
        TAPE_TEST(test_losses_papers__eisl_floor_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
