/* Walks the registry of losses: gradients against differences, single against double precision, threads. (Limits are in
   test_losses_limits.c, declared properties in test_losses_properties.c.) */
#include "tests/losses_walk.h"

/* ---- Gradients ---- */

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

static void test_losses__single_agrees_with_double(void **state)
{
    (void)state;
    walk(check_single);
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
        TAPE_TEST(test_losses__same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
