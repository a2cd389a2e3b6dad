/* For tests of tensors: a tape around each test, tensors from lists of numbers, and their comparison. */
#ifndef XENT_TESTS_TENSORS_H
#define XENT_TESTS_TENSORS_H

#include "tests/testing.h"

#include <math.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operations.h"

/* Setup and teardown; the latter also puts the instruction set and the number of threads back. */
static inline int open_tape(void **state)
{
    *state = tape_new();
    tape_use(*state);
    return 0;
}

static inline int close_tape(void **state)
{
    tape_free(*state);
    threads_set(1);
    return kernels_select(NULL, NULL) ? 0 : 1;
}
#define TAPE_TEST(function) cmocka_unit_test_setup_teardown(function, open_tape, close_tape)

/* Of one axis; requires a gradient when it can. */
static inline Tensor *tensor_of(ArrayType type, int count, const double *values)
{
    Tensor *x = t_new(type, SHAPE(count));
    for (int i = 0; i < count; i++)
        tensor_set(x, i, values[i]);
    x->requires_gradient = type != ARRAY_I32;
    return x;
}
#define NUMBERS(...) (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), (double[]){__VA_ARGS__}
#define LEAF(...) tensor_of(ARRAY_F32, NUMBERS(__VA_ARGS__))
#define INDICES(...) tensor_of(ARRAY_I32, NUMBERS(__VA_ARGS__))

/* Exactly these; NaN is NaN. */
static inline void assert_values(const Tensor *x, int count, const double *expected)
{
    assert_int_equal(x->count, count);
    for (int i = 0; i < count; i++) {
        double got = tensor_value(x, i);
        if (isnan(expected[i]) ? !isnan(got) : got != expected[i])
            fail_msg("[%d] is %.9g, not %.9g", i, got, expected[i]);
    }
}
#define ASSERT_VALUES(x, ...) assert_values(x, NUMBERS(__VA_ARGS__))

static inline void assert_same_bits(const Tensor *a, const Tensor *b)
{
    assert_true(tensor_same_shape(a, b) && a->type == b->type);
    assert_memory_equal(a->data, b->data, (size_t)a->count * array_type_size(a->type));
}

/* d(sum of y)/dx */
static inline Tensor *gradient_of(Tensor *y, Tensor *x)
{
    Tensor *gradient;
    t_gradients(y, NULL, 1, &x, &gradient, false);
    return gradient;
}

#endif
