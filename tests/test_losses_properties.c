/* Declared properties of every loss, with its defaults, both ways: what is declared holds, and what holds is declared.
   Logits are what the definition says they are: embeddings beside the directions of a head of cosines, but the logits
   of a loss that could make them itself. */
#include "tests/losses_walk.h"

static void assert_declared(const Case *item, int property, bool holds)
{
    bool claimed = loss_properties(&item->loss) & property;
    if (claimed != holds)
        fail_msg("%s: %s: declared %d, found %d", item->spec, loss_property_name(property), claimed, holds);
}

/* Once each loss, by its first example. */
static void walk_first(void (*check)(Case *))
{
    for (const Component *const *each = component_kind("loss")->items; *each; each++) {
        const LossDef *def = (const LossDef *)*each;
        char bare[80];
        snprintf(bare, sizeof bare, "\"%s\"", def->component.name);
        JsonSource *source = json_source_new();
        Arena *arena = arena_new();
        Case item = {.def = def, .spec = def->examples ? def->examples[0] : bare};
        item.loss = loss_from(source, arena, item.spec);
        run_case(&item, 5, 0, check);
        arena_free(arena);
        json_source_free(source);
    }
}

static void as_logits(Case *item)
{
    if (item->def->of_head)
        item->in.extra_count = 0;
}

static Tensor *values_of(const Case *item)
{
    LossResult result = loss_evaluate(&item->loss, &item->in);
    return result.per_sample ? result.per_sample : result.loss;
}

static bool same(const Tensor *a, const Tensor *b)
{
    for (int64_t i = 0; i < a->count; i++)
        if (!(fabs(tensor_value(a, i) - tensor_value(b, i)) <= 1e-9 * fmax(1, fabs(tensor_value(a, i)))))
            return false;
    return true;
}

static void fill(Tensor *logits, double scale, uint32_t pattern)
{
    Random random = random_start(5, "pattern", pattern);
    for (int64_t i = 0; i < logits->count; i++)
        tensor_set(logits, i, scale * (double)(random_below(&random, 3) - 1));
}

/* ---- Translation ---- */

static void check_translation(Case *item)
{
    as_logits(item);
    Tensor *before = values_of(item);
    int64_t columns = item->in.logits->shape[item->in.logits->rank - 1];
    if (item->in.logits->rank == 1)
        columns = 1;
    for (int64_t i = 0; i < item->in.logits->count; i++)
        tensor_set(item->in.logits, i, tensor_value(item->in.logits, i) + 3.25 * (double)(i / columns) - 5);
    assert_declared(item, LOSS_TRANSLATION_INVARIANT, same(before, values_of(item)));
}

static void test_losses_properties__translation_invariance(void **state)
{
    (void)state;
    walk_first(check_translation);
}

/* ---- Bounds ---- */

static double largest_at(const Case *item, const double *scales, int count)
{
    double largest = -INFINITY;
    for (int k = 0; k < count; k++)
        for (uint32_t pattern = 0; pattern < 20; pattern++) {
            fill(item->in.logits, scales[k], pattern);
            Tensor *values = values_of(item);
            for (int64_t i = 0; i < values->count; i++)
                largest = fmax(largest, tensor_value(values, i));
        }
    return largest;
}

/* What has a bound comes near it with logits of 30; what has none is far above with 1e6, be it by a logarithm. */
static void check_bounded(Case *item)
{
    as_logits(item);
    double near = largest_at(item, (const double[]){0, 1, 30}, 3);
    double far = largest_at(item, (const double[]){1e3, 1e6}, 2);
    assert_declared(item, LOSS_BOUNDED, far <= near + 0.01 * fabs(near));
}

static void test_losses_properties__boundedness(void **state)
{
    (void)state;
    walk_first(check_bounded);
}

/* ---- Symmetry ---- */

static bool is_of_classes(const Case *item)
{
    LossTargets kind = loss_targets(&item->loss);
    return (kind == LOSS_CLASSES || kind == LOSS_CLASSES_OR_SOFT) && !loss_any_leaf(&item->loss, loss_is_whole_batch);
}

static int64_t classes_of(const Case *item)
{
    const Tensor *directions = item->def->cosines ? loss_extra(&item->in, "weight") : NULL;
    return directions ? directions->shape[0] : item->in.logits->shape[1] + item->def->unnamed_classes;
}

/* The sum over all targets, of each row. */
static Tensor *over_targets(const Case *item)
{
    Tensor *sum = NULL;
    for (int32_t target = 0; target < classes_of(item); target++) {
        for (int64_t i = 0; i < item->in.targets->count; i++)
            tensor_i32(item->in.targets)[i] = target;
        Tensor *values = values_of(item);
        sum = sum ? t_add(sum, values) : values;
    }
    return sum;
}

static void check_symmetric(Case *item)
{
    as_logits(item);
    bool holds = is_of_classes(item);
    if (holds) {
        Tensor *before = over_targets(item);
        fill(item->in.logits, 2.5, 1);
        holds = same(before, over_targets(item));
    }
    assert_declared(item, LOSS_SYMMETRIC, holds);
}

static void test_losses_properties__symmetry(void **state)
{
    (void)state;
    walk_first(check_symmetric);
}

/* ---- Propriety ---- */

/* A function of logits and a class alone. */
static bool may_be_proper(const Case *item)
{
    return is_of_classes(item) && item->in.extra_count == 0 && !item->in.features && !item->def->unnamed_classes;
}

/* The expected loss under p, at logits z: rows of equal logits, one a class, weighted by p. `slope`, unless NULL: the
   largest of its derivatives. */
static double expected_loss(const Case *item, const double *p, const double *z, double *slope)
{
    LossInput in = {.logits = t_new(ARRAY_F64, SHAPE(3, 3)), .targets = t_new(ARRAY_I32, SHAPE(3)),
                    .weights = t_new(ARRAY_F64, SHAPE(3))};
    for (int i = 0; i < 9; i++)
        tensor_set(in.logits, i, z[i % 3]);
    for (int k = 0; k < 3; k++) {
        tensor_i32(in.targets)[k] = k;
        tensor_set(in.weights, k, p[k]);
    }
    if (!slope)
        return loss_value(&item->loss, &in);
    in.logits->requires_gradient = true;
    Tensor *gradient = loss_gradient(&item->loss, &in);
    for (int k = 0; k < 3; k++)
        *slope = fmax(*slope, fabs(tensor_value(gradient, k) + tensor_value(gradient, 3 + k)
                                   + tensor_value(gradient, 6 + k)));
    return loss_value(&item->loss, &in);
}

/* Whether it is least where softmax(z) is p, on a grid of all other distributions, and level there. */
static bool is_least_at(const Case *item, const double *p)
{
    double slope = 0, least = expected_loss(item, p, (const double[]){log(p[0]), log(p[1]), log(p[2])}, &slope);
    if (slope > 1e-9)
        return false;
    for (int a = 1; a < 20; a++)
        for (int b = 1; a + b < 20; b++) {
            double z[3] = {log(a / 20.0), log(b / 20.0), log(1 - (a + b) / 20.0)};
            bool itself = fabs(a / 20.0 - p[0]) < 1e-9 && fabs(b / 20.0 - p[1]) < 1e-9;
            if (!itself && !(expected_loss(item, p, z, NULL) > least))
                return false;
        }
    return true;
}

static void check_proper(Case *item)
{
    as_logits(item);
    bool holds = may_be_proper(item) && is_least_at(item, (const double[]){0.6, 0.3, 0.1}) &&
        is_least_at(item, (const double[]){0.2, 0.35, 0.45});
    assert_declared(item, LOSS_PROPER, holds);
}

static void test_losses_properties__propriety(void **state)
{
    (void)state;
    walk_first(check_proper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAPE_TEST(test_losses_properties__translation_invariance),
        TAPE_TEST(test_losses_properties__boundedness),
        TAPE_TEST(test_losses_properties__symmetry),
        TAPE_TEST(test_losses_properties__propriety),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
