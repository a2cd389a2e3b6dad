/* For tests of losses of several inputs: a spec and its input in one, rows by hand. */
#ifndef XENT_TESTS_LOSSES_SETTING_H
#define XENT_TESTS_LOSSES_SETTING_H

#include "tests/losses.h"

typedef struct Setting { JsonSource *source; Arena *arena; Instance loss; LossInput in; } Setting;

static inline Setting setting_of(const char *spec, Tensor *logits)
{
    Setting setting = {.source = json_source_new(), .arena = arena_new()};
    setting.loss = loss_from(setting.source, setting.arena, spec);
    setting.in.logits = logits;
    logits->requires_gradient = true;
    return setting;
}

static inline void drop(Setting *setting)
{
    arena_free(setting->arena);
    json_source_free(setting->source);
}

#define ROWS(rows, columns, ...) t_reshape(tensor_of(ARRAY_F64, NUMBERS(__VA_ARGS__)), SHAPE(rows, columns))
#define CLASSES(...) tensor_of(ARRAY_I32, NUMBERS(__VA_ARGS__))

static inline void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%.9g, not %.9g", got, expected);
}

static inline void assert_all_near(const Tensor *got, const double *expected, double tolerance)
{
    for (int64_t i = 0; i < got->count; i++)
        assert_near(tensor_value(got, i), expected[i], tolerance);
}

static inline Tensor *detached(Tensor *x)
{
    x = t_detach(x);
    x->requires_gradient = true;
    return x;
}

#endif
