/* Every loss where inputs come to an end: logits of 1e4 and 0, targets of exactly 0 and 1, one class, a batch of one,
   nothing that counts. Values and gradients are finite in both precisions, agree with each other and with differences,
   and are those of the limit. What is narrower or smaller than the definition says (`columns`, `least_columns`,
   `least_samples`) is refused. */
#include "tests/losses_walk.h"

static void assert_finite(const Case *item, const LossInput *in, const char *what)
{
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
        LossInput copy = input_in(in, (ArrayType)type);
        LossResult result = loss_evaluate(&item->loss, &copy);
        Tensor *gradient = gradient_of(result.loss, copy.logits);
        if (!isfinite(tensor_value(result.loss, 0)))
            fail_msg("%s: %s: the loss is %g", item->spec, what, tensor_value(result.loss, 0));
        for (int64_t i = 0; i < gradient->count; i++)
            if (!isfinite(tensor_value(gradient, i)))
                fail_msg("%s: %s: the gradient by logit %lld is %g", item->spec, what, (long long)i,
                         tensor_value(gradient, i));
    }
}

/* Of values alone: where gradients jump, rounding may decide on the side. */
static void assert_same_value(const Case *item, const LossInput *in, const char *what)
{
    LossInput single = input_in(in, ARRAY_F32);
    double expected = loss_value(&item->loss, in), got = loss_value(&item->loss, &single);
    if (!(fabs(got - expected) <= 1e-4 * fmax(1, fabs(expected))))
        fail_msg("%s: %s: %.9g in F32, %.9g in F64", item->spec, what, got, expected);
}

static void assert_sound(Case *item, const char *what)
{
    assert_finite(item, &item->in, what);
    assert_same_value(item, &item->in, what);
}

/* The loss of the input is so much, and its gradient by the logits is 0. */
static void assert_flat(const Case *item, const LossInput *in, double value, const char *what)
{
    for (int type = ARRAY_F32; type <= ARRAY_F64; type++) {
        LossInput copy = input_in(in, (ArrayType)type);
        LossResult result = loss_evaluate(&item->loss, &copy);
        double tolerance = type == ARRAY_F32 ? 1e-6 : 1e-12;
        if (!(fabs(tensor_value(result.loss, 0) - value) <= tolerance))
            fail_msg("%s: %s: the loss is %.12g, not %.12g", item->spec, what, tensor_value(result.loss, 0), value);
        Tensor *gradient = gradient_of(result.loss, copy.logits);
        for (int64_t i = 0; i < gradient->count; i++)
            if (!(fabs(tensor_value(gradient, i)) <= tolerance))
                fail_msg("%s: %s: the gradient by logit %lld is %g, not 0", item->spec, what, (long long)i,
                         tensor_value(gradient, i));
    }
}

static void fill(Tensor *logits, double scale, uint32_t pattern)
{
    Random random = random_start(5, "pattern", pattern);
    for (int64_t i = 0; i < logits->count; i++)
        tensor_set(logits, i, scale * (double)(random_below(&random, 3) - 1));
}

static void fill_all(Tensor *tensor, double value)
{
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_set(tensor, i, value);
}

/* ---- Logits ---- */

static void check_extremes(Case *item)
{
    fill_all(item->in.logits, 0);
    assert_sound(item, "zeros");
    fill_all(item->in.logits, 1);
    assert_sound(item, "ones");
    for (uint32_t pattern = 0; pattern < 8; pattern++) {
        fill(item->in.logits, 1e4, pattern);
        assert_sound(item, "logits of 1e4");
    }
    fill_all(item->in.logits, 1e4);
    assert_sound(item, "all 1e4");
    fill_all(item->in.logits, -1e4);
    assert_sound(item, "all -1e4");
}

static void test_losses_limits__extreme_logits(void **state)
{
    (void)state;
    walk(check_extremes);
}

/* ---- Targets ---- */

/* Probabilities of 0 and 1 are classes. */
static void check_one_hot(Case *item, const char *what)
{
    LossInput soft = item->in;
    soft.targets = t_one_hot(item->in.targets, item->in.logits->shape[item->in.logits->rank - 1], ARRAY_F64);
    double hard = loss_value(&item->loss, &item->in), got = loss_value(&item->loss, &soft);
    assert_finite(item, &soft, what);
    if (!(fabs(got - hard) <= 1e-9 * fmax(1, fabs(hard))))
        fail_msg("%s: %s: %.12g of probabilities, %.12g of classes", item->spec, what, got, hard);
}

static void set_one_hot(Tensor *rows)
{
    int64_t columns = rows->shape[rows->rank - 1];
    for (int64_t i = 0; i < rows->count; i++)
        tensor_set(rows, i, i / columns % columns == i % columns);
}

static void check_targets_at(Case *item, const char *what)
{
    Tensor *targets = item->in.targets;
    LossTargets kind = loss_targets(&item->loss);
    if (kind == LOSS_CLASSES_OR_SOFT)
        check_one_hot(item, what);
    if (kind != LOSS_LABELS && kind != LOSS_SOFT && kind != LOSS_VALUES)
        return;
    set_one_hot(targets);
    assert_sound(item, what);
    for (int value = item->def->positives || kind == LOSS_SOFT; kind != LOSS_SOFT && value < 2; value++) {
        fill_all(targets, value);
        assert_sound(item, what);
    }
}

static void check_targets(Case *item)
{
    check_targets_at(item, "targets of 0 and 1");
    for (uint32_t pattern = 0; pattern < 4; pattern++) {
        fill(item->in.logits, 1e4, pattern);
        check_targets_at(item, "targets of 0 and 1, logits of 1e4");
    }
}

static int64_t usual_columns(const LossDef *def)
{
    return def->sample_columns ? def->sample_columns : 3;
}

static void test_losses_limits__targets_of_zero_and_one(void **state)
{
    (void)state;
    walk_fitted(usual_columns, check_targets);
}

/* ---- One class ---- */

static int64_t fewest_columns(const LossDef *def)
{
    return def->columns ? def->columns : def->least_columns ? def->least_columns : 1;
}

/* One column fewer is refused, and the message says of how many. */
static void check_narrower(Case *item)
{
    LossInput in = item->in;
    in.logits = t_slice(in.logits, in.logits->rank - 1, 0, fewest_columns(item->def) - 1);
    Error error;
    assert_false(loss_check(&item->loss, &in, &error));
    if (!strstr(error.message, "columns") && !strstr(error.message, "elements"))
        fail_msg("%s: too few columns are refused by \"%s\"", item->spec, error.message);
}

/* With one column that stands for all classes there is nothing to be told apart: a constant. */
static void check_one_class(Case *item)
{
    static const double logits[] = {0, 1, -1e4, 1e4};
    for (int k = 0; k < 4; k++) {
        fill_all(item->in.logits, logits[k]);
        assert_flat(item, &item->in, item->def->one_class, "one class");
    }
}

static void check_fewest(Case *item)
{
    check_single(item);
    if (!(loss_any_leaf(&item->loss, is_detached)))
        check_gradient(item, "logits of the fewest columns", item->in.logits);
    if (item->in.logits->rank == 1)
        return; /* scores without columns */
    check_narrower(item);
    if (fewest_columns(item->def) == 1 && (loss_properties(&item->loss) & LOSS_TRANSLATION_INVARIANT))
        check_one_class(item);
    check_extremes(item);
}

static void test_losses_limits__one_class(void **state)
{
    (void)state;
    walk_fitted(fewest_columns, check_fewest);
}

/* ---- One sample ---- */

static int64_t fewest_samples(const Instance *loss)
{
    const LossDef *def = (const LossDef *)loss->component;
    return (def->least_samples ? def->least_samples : 1) + (def->shift ? def->shift(loss->values) : 0);
}

static Tensor *first_row(const Tensor *from)
{
    int64_t shape[TENSOR_MAX_RANK];
    memcpy(shape, from->shape, sizeof shape);
    shape[0] = 1;
    Tensor *first = t_new(from->type, from->rank, shape);
    for (int64_t i = 0; i < first->count; i++)
        tensor_set(first, i, tensor_value(from, i));
    return first;
}

static void check_one_refused(const Case *item)
{
    LossInput in = item->in;
    in.logits = first_row(in.logits);
    in.targets = in.targets ? first_row(in.targets) : NULL;
    in.features = in.features ? first_row(in.features) : NULL;
    for (int i = 0; i < item->in.extra_count; i++)
        loss_set_extra(&in, item->in.extras[i].name, first_row(item->in.extras[i].value));
    Error error;
    assert_false(loss_check(&item->loss, &in, &error));
    assert_non_null(strstr(error.message, "samples"));
}

/* The mean of one is its value, unless it does not count. */
static void check_fewest_samples(Case *item)
{
    if (item->def->least_samples > 1)
        check_one_refused(item);
    check_single(item);
    if (!(loss_any_leaf(&item->loss, is_detached)))
        check_gradient(item, "logits of the fewest samples", item->in.logits);
    LossResult result = loss_evaluate(&item->loss, &item->in);
    Tensor *weights = item->def->weights ? item->def->weights(item->loss.values, &item->in) : NULL;
    bool counts = !weights || tensor_value(weights, 0) > 0;
    if (result.per_sample && !(item->def->sums && item->def->sums(item->loss.values)))
        assert_true(fabs(tensor_value(result.loss, 0) - (counts ? tensor_value(result.per_sample, 0) : 0)) <= 1e-12);
    check_extremes(item);
}

static void test_losses_limits__batch_of_one(void **state)
{
    (void)state;
    walk_samples(fewest_samples, check_fewest_samples);
}

/* ---- Nothing that counts ---- */

static void check_no_weight(Case *item)
{
    if (loss_any_leaf(&item->loss, loss_is_whole_batch))
        return; /* takes no weights */
    item->in.weights = t_zeros(ARRAY_F64, SHAPE(item->in.logits->shape[0]));
    assert_flat(item, &item->in, 0, "all weights 0");
    fill(item->in.logits, 1e4, 1);
    assert_flat(item, &item->in, 0, "all weights 0, logits of 1e4");
}

static void test_losses_limits__all_weights_zero(void **state)
{
    (void)state;
    walk(check_no_weight);
}

/* Targets to be ignored; ids of which no two are the same. */
static void check_ignored(Case *item)
{
    int64_t ignored = item->def->ignore_index ? item->def->ignore_index(item->loss.values) : PARAM_UNSET;
    bool ids = loss_targets(&item->loss) == LOSS_IDS;
    if (ignored == PARAM_UNSET && !ids)
        return;
    for (int64_t i = 0; i < item->in.targets->count; i++)
        tensor_i32(item->in.targets)[i] = (int32_t)(ids ? i : ignored);
    Error error;
    assert_true(loss_check(&item->loss, &item->in, &error));
    assert_flat(item, &item->in, 0, "all ignored");
}

static void test_losses_limits__all_ignored(void **state)
{
    (void)state;
    walk(check_ignored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_limits__extreme_logits),
        TAPE_TEST(test_losses_limits__targets_of_zero_and_one),
        TAPE_TEST(test_losses_limits__one_class),
        TAPE_TEST(test_losses_limits__batch_of_one),
        TAPE_TEST(test_losses_limits__all_weights_zero),
        TAPE_TEST(test_losses_limits__all_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
