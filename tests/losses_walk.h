/* For tests that walk the registry of losses: every example of every loss, or every loss with the keys that so many
   columns need, on inputs of its declared kinds. A loss that is added is checked without a change. */
#ifndef XENT_TESTS_LOSSES_WALK_H
#define XENT_TESTS_LOSSES_WALK_H

#include "tests/losses.h"

typedef struct Case {
    const LossDef *def;
    const char *spec;
    Instance loss;
    LossInput in;       /* F64 */
} Case;

static inline void run_case(Case *item, int64_t samples, int64_t columns, void (*check)(Case *))
{
    Random random = random_start(3, item->spec, 0);
    item->in = loss_sample(&item->loss, &random, samples, columns);
    item->in = input_in(&item->in, ARRAY_F64);
    Error error;
    if (!loss_check(&item->loss, &item->in, &error))
        fail_msg("%s: its sample is refused: %s", item->spec, error.message);
    check(item);
    tape_reset();
}

static inline void walk_samples(int64_t (*samples)(const Instance *), void (*check)(Case *))
{
    for (const Component *const *each = component_kind("loss")->items; *each; each++) {
        const LossDef *def = (const LossDef *)*each;
        char bare[80];
        snprintf(bare, sizeof bare, "\"%s\"", def->component.name);
        const char *const alone[] = {bare, NULL}, *const *examples = def->examples ? def->examples : alone;
        for (; *examples; examples++) {
            JsonSource *source = json_source_new();
            Arena *arena = arena_new();
            Case item = {.spec = *examples, .loss = loss_from(source, arena, *examples)};
            item.def = (const LossDef *)item.loss.component; /* an example may be a sum that it is a term of */
            run_case(&item, samples(&item.loss), 0, check);
            arena_free(arena);
            json_source_free(source);
        }
    }
}

static inline int64_t five(const Instance *loss)
{
    (void)loss;
    return 5;
}

static inline void walk(void (*check)(Case *))
{
    walk_samples(five, check);
}

/* Once each loss, with defaults but for what `columns` columns need. */
static inline void walk_fitted(int64_t (*columns)(const LossDef *), void (*check)(Case *))
{
    for (const Component *const *each = component_kind("loss")->items; *each; each++) {
        JsonSource *source = json_source_new();
        Arena *arena = arena_new();
        Error error;
        Case item = {.def = (const LossDef *)*each, .spec = (*each)->name};
        if (!loss_fitted(item.def, columns(item.def), source, arena, &item.loss, &error))
            fail_msg("%s: %s", item.spec, error.message);
        run_case(&item, 5, columns(item.def), check);
        arena_free(arena);
        json_source_free(source);
    }
}

/* ---- Gradients ---- */

/* The derivative of the loss by element i of an input, from differences, with an error of the fourth order. */
static inline double loss_difference(const Instance *loss, const LossInput *in, Tensor *input, int64_t i)
{
    double x = tensor_value(input, i), h = 1e-4, estimate[2];
    bool was = tape_record(false);
    for (int k = 0; k < 2; k++, h /= 2) {
        tensor_set(input, i, x + h);
        double above = loss_value(loss, in);
        tensor_set(input, i, x - h);
        estimate[k] = (above - loss_value(loss, in)) / (2 * h);
    }
    tensor_set(input, i, x);
    tape_record(was);
    return (4 * estimate[1] - estimate[0]) / 3;
}

static inline bool is_detached(const LossDef *def)
{
    return def->properties & LOSS_DETACHED;
}

static inline void check_gradient(const Case *item, const char *name, Tensor *input)
{
    Tensor *gradient = gradient_of(loss_evaluate(&item->loss, &item->in).loss, input);
    for (int64_t i = 0; i < input->count; i++) {
        double expected = loss_difference(&item->loss, &item->in, input, i), got = tensor_value(gradient, i);
        if (!(fabs(expected - got) <= 1e-6 * fmax(1, fabs(expected))))
            fail_msg("%s: gradient by %s [%lld] is %.12g, by differences %.12g", item->spec, name, (long long)i, got,
                     expected);
    }
}

/* ---- Precision ---- */

static inline void check_close(const Case *item, const char *what, const Tensor *single, const Tensor *twice)
{
    assert_int_equal(single->type, ARRAY_F32);
    for (int64_t i = 0; i < twice->count; i++) {
        double got = tensor_value(single, i), expected = tensor_value(twice, i);
        if (!(fabs(got - expected) <= 1e-4 * fmax(1, fabs(expected))))
            fail_msg("%s: %s [%lld] is %.9g in F32, %.9g in F64", item->spec, what, (long long)i, got, expected);
    }
}

static inline void check_single(Case *item)
{
    LossInput single = input_in(&item->in, ARRAY_F32);
    LossResult expected = loss_evaluate(&item->loss, &item->in), got = loss_evaluate(&item->loss, &single);
    assert_true((got.per_sample == NULL) == loss_any_leaf(&item->loss, loss_is_whole_batch));
    check_close(item, "value", got.loss, expected.loss);
    if (got.per_sample)
        check_close(item, "value of a sample", got.per_sample, expected.per_sample);
    check_close(item, "gradient", gradient_of(got.loss, single.logits), gradient_of(expected.loss, item->in.logits));
}

#endif
