/* For tests of layers and models: builds from JSON texts, inputs at random, values by hand. */
#ifndef XENT_TESTS_BUILDING_H
#define XENT_TESTS_BUILDING_H

#include "tests/instances.h"

#include "core/models/model.h"
#include "core/nn/layers.h"

typedef struct Build { Texts texts; Builder builder; Layer *layer; } Build;

/* The layer is called "layers.2"; NULL in build->layer after an error, which is in build->texts.error. */
static inline void build_try(Build *build, const char *json, Shape input)
{
    build->texts = texts_open();
    build->builder = (Builder){.arena = build->texts.arena, .parameters = parameters_new(), .seed = 5,
                               .error = &build->texts.error};
    Instance instance;
    bool good = instance_try(&build->texts, "layer", json, &instance);
    build->layer = good ? layer_build(&build->builder, "layers.2", &instance, input) : NULL;
}

static inline Layer *build_open(Build *build, const char *json, Shape input)
{
    build_try(build, json, input);
    if (!build->layer)
        fail_msg("%s: %s", json, build->texts.error.message);
    return build->layer;
}

static inline void build_close(Build *build)
{
    parameters_free(build->builder.parameters);
    texts_close(&build->texts);
}

static inline void build_set(const Build *build, const char *name, int count, const double *values)
{
    char full[128];
    snprintf(full, sizeof full, "layers.2.%s", name);
    Parameter *parameter = parameters_find(build->builder.parameters, full);
    assert_non_null(parameter);
    assert_int_equal(parameter->value->count, count);
    for (int i = 0; i < count; i++)
        tensor_set(parameter->value, i, values[i]);
}

/* FEATURES(3, 8, 8), TOKENS(length, vocabulary) */
#define FEATURES(...) shape_of(SHAPE(__VA_ARGS__))
#define TOKENS(length, vocabulary_) ((Shape){.rank = 1, .sizes = {length}, .vocabulary = vocabulary_})

/* A batch for that shape: normal features, or tokens. */
static inline Tensor *batch_of(Shape input, int64_t samples, uint32_t number)
{
    int64_t shape[TENSOR_MAX_RANK] = {samples};
    for (int i = 0; i < input.rank; i++)
        shape[i + 1] = input.sizes[i];
    Random random = random_start(11, "batch", number);
    Tensor *x = t_new(input.vocabulary ? ARRAY_I32 : ARRAY_F32, input.rank + 1, shape);
    for (int64_t i = 0; i < x->count; i++)
        tensor_set(x, i, input.vocabulary ? (double)random_below(&random, input.vocabulary) : random_normal(&random));
    return x;
}

/* Values in that shape, the batch included. */
static inline Tensor *values_of(int rank, const int64_t *shape, const double *values)
{
    Tensor *x = t_new(ARRAY_F32, rank, shape);
    for (int64_t i = 0; i < x->count; i++)
        tensor_set(x, i, values[i]);
    return x;
}

static inline void assert_near(const Tensor *x, int count, const double *expected)
{
    assert_int_equal(x->count, count);
    assert_near_values(tensor_f32(x), count, expected, 2e-6);
}
#define ASSERT_NEAR(x, ...) assert_near(x, NUMBERS(__VA_ARGS__))

#endif
