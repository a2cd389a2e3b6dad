/* Walks the registry of losses: every example of every loss, on inputs of its declared kinds. Gradients against
   differences, single against double precision, extreme logits, degenerate shapes, and each declared property. A loss
   that is added is checked here without a change. */
#include "tests/losses.h"

typedef struct Case {
    const LossDef *def;
    const char *spec;
    Instance loss;
    LossInput in;       /* F64 */
} Case;

static void run_case(const LossDef *def, const char *spec, void (*check)(Case *))
{
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    Random random = random_start(3, spec, 0);
    Case item = {.def = def, .spec = spec, .loss = loss_from(source, arena, spec)};
    item.in = loss_sample(&item.loss, &random);
    item.in = input_in(&item.in, ARRAY_F64);
    Error error;
    if (!loss_check(&item.loss, &item.in, &error))
        fail_msg("%s: its sample is refused: %s", spec, error.message);
    check(&item);
    arena_free(arena);
    json_source_free(source);
    tape_reset();
}

static void (*check_now)(Case *);

static void visit(const LossDef *def, const char *spec)
{
    run_case(def, spec, check_now);
}

static void walk(void (*check)(Case *))
{
    check_now = check;
    walk_losses(visit);
}

/* ---- Gradients ---- */

static void check_gradient(const Case *item, const char *name, Tensor *input)
{
    Tensor *gradient = gradient_of(loss_evaluate(&item->loss, &item->in).loss, input);
    for (int64_t i = 0; i < input->count; i++) {
        double expected = loss_difference(&item->loss, &item->in, input, i), got = tensor_value(gradient, i);
        if (!(fabs(expected - got) <= 1e-6 * fmax(1, fabs(expected))))
            fail_msg("%s: gradient by %s [%lld] is %.12g, by differences %.12g", item->spec, name, (long long)i, got,
                     expected);
    }
}

/* Extras that a loss differentiates by. */
static bool is_differentiable(const char *name)
{
    return strcmp(name, "teacher_logits") == 0 || strcmp(name, "weight") == 0 || strcmp(name, "bias") == 0;
}

static void check_gradients(Case *item)
{
    if (loss_any_leaf(&item->loss, is_detached))
        return;
    check_gradient(item, "logits", item->in.logits);
    for (int i = 0; i < item->in.extra_count; i++)
        if (is_differentiable(item->in.extras[i].name))
            check_gradient(item, item->in.extras[i].name, item->in.extras[i].value);
    if (loss_any_leaf(&item->loss, loss_is_whole_batch))
        return;
    item->in.weights = t_new(ARRAY_F64, SHAPE(item->in.logits->shape[0]));
    for (int64_t i = 0; i < item->in.weights->count; i++)
        tensor_set(item->in.weights, i, 0.5 * (double)i);
    check_gradient(item, "logits with weights", item->in.logits);
}

static void test_losses__gradients_agree_with_differences(void **state)
{
    (void)state;
    walk(check_gradients);
}

/* ---- Precision ---- */

static void check_close(const Case *item, const char *what, const Tensor *single, const Tensor *twice)
{
    assert_int_equal(single->type, ARRAY_F32);
    for (int64_t i = 0; i < twice->count; i++) {
        double got = tensor_value(single, i), expected = tensor_value(twice, i);
        if (!(fabs(got - expected) <= 1e-4 * fmax(1, fabs(expected))))
            fail_msg("%s: %s [%lld] is %.9g in F32, %.9g in F64", item->spec, what, (long long)i, got, expected);
    }
}

static void check_single(Case *item)
{
    LossInput single = input_in(&item->in, ARRAY_F32);
    LossResult expected = loss_evaluate(&item->loss, &item->in), got = loss_evaluate(&item->loss, &single);
    assert_true((got.per_sample == NULL) == loss_any_leaf(&item->loss, loss_is_whole_batch));
    check_close(item, "value", got.loss, expected.loss);
    if (got.per_sample)
        check_close(item, "value of a sample", got.per_sample, expected.per_sample);
    check_close(item, "gradient", gradient_of(got.loss, single.logits), gradient_of(expected.loss, item->in.logits));
}

static void test_losses__single_agrees_with_double(void **state)
{
    (void)state;
    walk(check_single);
}

/* ---- Extremes ---- */

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

static void fill(Tensor *logits, double scale, uint32_t pattern)
{
    Random random = random_start(5, "pattern", pattern);
    for (int64_t i = 0; i < logits->count; i++)
        tensor_set(logits, i, scale * (double)(random_below(&random, 3) - 1));
}

static void check_extremes(Case *item)
{
    fill(item->in.logits, 0, 0);
    assert_finite(item, &item->in, "zeros");
    for (int64_t i = 0; i < item->in.logits->count; i++)
        tensor_set(item->in.logits, i, 1);
    assert_finite(item, &item->in, "ones");
    if (strcmp(item->def->component.name, "crps") == 0)
        return; /* the standard deviation e^10000 is infinite */
    for (uint32_t pattern = 0; pattern < 8; pattern++) {
        fill(item->in.logits, 1e4, pattern);
        assert_finite(item, &item->in, "logits of 1e4");
    }
}

static void test_losses__extreme_logits_give_finite_values(void **state)
{
    (void)state;
    walk(check_extremes);
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

/* The first row of what has a row for each sample. */
static void check_one_row(Case *item)
{
    int64_t rows = item->in.logits->shape[0];
    LossInput in = item->in;
    in.logits = first_row(in.logits);
    in.targets = in.targets ? first_row(in.targets) : NULL;
    in.features = in.features ? first_row(in.features) : NULL;
    for (int i = 0; i < item->in.extra_count; i++)
        if (item->in.extras[i].value->shape[0] == rows)
            loss_set_extra(&in, item->in.extras[i].name, first_row(item->in.extras[i].value));
    Error error;
    if (loss_check(&item->loss, &in, &error)) /* others say why they cannot */
        assert_finite(item, &in, "a batch of one");
}

static void test_losses__batch_of_one(void **state)
{
    (void)state;
    walk(check_one_row);
}

static void check_one_column(Case *item)
{
    LossInput in = item->in;
    if (in.logits->rank == 1)
        return; /* scores without columns */
    in.logits = t_slice(in.logits, 1, 0, 1);
    if (in.targets && in.targets->type == ARRAY_I32)
        in.targets = t_zeros(ARRAY_I32, SHAPE(in.targets->count));
    else if (in.targets && in.targets->rank == 2)
        in.targets = t_full(ARRAY_F64, SHAPE(in.targets->shape[0], 1), 1);
    Error error;
    if (loss_check(&item->loss, &in, &error)) /* others say why they cannot */
        assert_finite(item, &in, "one column");
}

static void test_losses__one_class(void **state)
{
    (void)state;
    walk(check_one_column);
}

/* ---- Properties ---- */

static double largest_difference(const Tensor *a, const Tensor *b)
{
    double largest = 0;
    for (int64_t i = 0; i < a->count; i++)
        largest = fmax(largest, fabs(tensor_value(a, i) - tensor_value(b, i)));
    return largest;
}

/* Claims are about default parameters. */
static bool claims(const Case *item, int property)
{
    return (item->def->properties & property) && (!item->def->examples || item->spec == item->def->examples[0]);
}

static Tensor *values_of(const Case *item)
{
    LossResult result = loss_evaluate(&item->loss, &item->in);
    return result.per_sample ? result.per_sample : result.loss;
}

static void check_translation(Case *item)
{
    if (!claims(item, LOSS_TRANSLATION_INVARIANT))
        return;
    Tensor *before = values_of(item);
    int64_t columns = item->in.logits->shape[1];
    for (int64_t i = 0; i < item->in.logits->count; i++)
        tensor_set(item->in.logits, i, tensor_value(item->in.logits, i) + 3.25 * (double)(i / columns) - 5);
    if (!(largest_difference(before, values_of(item)) < 1e-9))
        fail_msg("%s: not translation invariant", item->spec);
}

static void test_losses__translation_invariance(void **state)
{
    (void)state;
    walk(check_translation);
}

static double supremum(const Case *item, double scale)
{
    double largest = -INFINITY;
    for (uint32_t pattern = 0; pattern < 20; pattern++) {
        fill(item->in.logits, scale, pattern);
        Tensor *values = loss_evaluate(&item->loss, &item->in).per_sample;
        for (int64_t i = 0; i < values->count; i++)
            largest = fmax(largest, tensor_value(values, i));
    }
    return largest;
}

static void check_bounded(Case *item)
{
    if (claims(item, LOSS_BOUNDED) && !(supremum(item, 1e6) <= 1.01 * supremum(item, 1e3)))
        fail_msg("%s: not bounded", item->spec);
}

static void test_losses__boundedness(void **state)
{
    (void)state;
    walk(check_bounded);
}

/* The sum over all targets, of each row. */
static Tensor *over_targets(const Case *item)
{
    Tensor *sum = NULL;
    for (int32_t target = 0; target < item->in.logits->shape[1]; target++) {
        for (int64_t i = 0; i < item->in.targets->count; i++)
            tensor_i32(item->in.targets)[i] = target;
        Tensor *values = loss_evaluate(&item->loss, &item->in).per_sample;
        sum = sum ? t_add(sum, values) : values;
    }
    return sum;
}

static void check_symmetric(Case *item)
{
    if (!claims(item, LOSS_SYMMETRIC))
        return;
    Tensor *before = over_targets(item);
    fill(item->in.logits, 2.5, 1);
    if (!(largest_difference(before, over_targets(item)) < 1e-9))
        fail_msg("%s: not symmetric", item->spec);
}

static void test_losses__symmetry(void **state)
{
    (void)state;
    walk(check_symmetric);
}

/* The expected loss under p, at logits z: rows of equal logits, one a class, weighted by p. */
static double expected_loss(const Case *item, const double *p, const double *z)
{
    LossInput in = {.logits = t_new(ARRAY_F64, SHAPE(3, 3)), .targets = t_new(ARRAY_I32, SHAPE(3)),
                    .weights = t_new(ARRAY_F64, SHAPE(3))};
    for (int i = 0; i < 9; i++)
        tensor_set(in.logits, i, z[i % 3]);
    for (int k = 0; k < 3; k++) {
        tensor_i32(in.targets)[k] = k;
        tensor_set(in.weights, k, p[k]);
    }
    return loss_value(&item->loss, &in);
}

static void check_proper(Case *item)
{
    if (!claims(item, LOSS_PROPER))
        return;
    const double p[3] = {0.6, 0.3, 0.1}, truth[3] = {log(0.6), log(0.3), log(0.1)};
    double least = expected_loss(item, p, truth);
    for (int a = 1; a < 20; a++)
        for (int b = 1; a + b < 20; b++) {
            double z[3] = {log(a / 20.0), log(b / 20.0), log(1 - (a + b) / 20.0)};
            bool same = a == 12 && b == 6;
            if (!same && !(expected_loss(item, p, z) > least))
                fail_msg("%s: not proper: less at (%g, %g) than at (0.6, 0.3)", item->spec, a / 20.0, b / 20.0);
        }
}

static void test_losses__propriety(void **state)
{
    (void)state;
    walk(check_proper);
}

static void check_threads(Case *item)
{
    LossInput in = input_in(&item->in, ARRAY_F32);
    threads_set(1);
    Tensor *value = loss_evaluate(&item->loss, &in).loss, *gradient = gradient_of(value, in.logits);
    threads_set(4);
    Tensor *again = loss_evaluate(&item->loss, &in).loss;
    assert_same_bits(value, again);
    assert_same_bits(gradient, gradient_of(again, in.logits));
    threads_set(1);
}

static void test_losses__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    walk(check_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses__gradients_agree_with_differences),
        TAPE_TEST(test_losses__single_agrees_with_double),
        TAPE_TEST(test_losses__extreme_logits_give_finite_values),
        TAPE_TEST(test_losses__batch_of_one),
        TAPE_TEST(test_losses__one_class),
        TAPE_TEST(test_losses__translation_invariance),
        TAPE_TEST(test_losses__boundedness),
        TAPE_TEST(test_losses__symmetry),
        TAPE_TEST(test_losses__propriety),
        TAPE_TEST(test_losses__same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
