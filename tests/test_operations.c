/* Walks the registry of operations: the derivative of each, on every variant of its own samples, against
   central differences in double; and where it has one, the second derivative the same way. An operation
   that is added is checked here without a change. */
#include "tests/testing.h"

#include <math.h>
#include <string.h>

#include "core/base/component.h"
#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

enum { MAX_CHECKED = 40 };

static Tensor *weighted_sum(Tensor *output, Tensor *weights)
{
    return t_sum(t_mul(output, weights), ALL_AXES, false);
}

static Tensor *random_like(const Tensor *like, uint32_t step)
{
    Random random = random_start(7, "weights", step);
    Tensor *weights = t_like(like);
    for (int64_t i = 0; i < weights->count; i++)
        tensor_f64(weights)[i] = random_uniform(&random) - 0.5;
    return weights;
}

typedef struct Probe {
    const OperationDef *operation;
    int variant, count;
    Tensor *inputs[OPERATION_MAX_INPUTS];
    Tensor *weights;                    /* of the output */
    Tensor *slopes[OPERATION_MAX_INPUTS]; /* of the gradients, for the second derivative */
} Probe;

/* What is differentiated: sum(w y), or with `second` the sum of weighted gradients of that. */
static Tensor *probe_value(Probe *probe, bool second)
{
    Tensor *value = weighted_sum(probe->operation->apply(probe->inputs, probe->variant), probe->weights);
    if (!second)
        return value;
    Tensor *gradients[OPERATION_MAX_INPUTS], *leaves[OPERATION_MAX_INPUTS];
    int leaf_count = 0;
    for (int i = 0; i < probe->count; i++)
        if (probe->inputs[i]->requires_gradient)
            leaves[leaf_count++] = probe->inputs[i];
    assert_null(t_gradients(value, NULL, leaf_count, leaves, gradients, true));
    Tensor *sum = NULL;
    for (int i = 0; i < leaf_count; i++) {
        Tensor *term = weighted_sum(gradients[i], probe->slopes[i]);
        sum = sum ? t_add(sum, term) : term;
    }
    return sum;
}

static double value_at(Probe *probe, bool second, Tensor *input, int64_t index, double at)
{
    double before = tensor_value(input, index);
    tensor_set(input, index, at);
    double value = tensor_value(probe_value(probe, second), 0);
    tensor_set(input, index, before);
    return value;
}

/* Richardson's extrapolation of central differences: error of fourth order. */
static double numerical(Probe *probe, bool second, Tensor *input, int64_t index)
{
    double x = tensor_value(input, index), h = 1e-4 * fmax(1, fabs(x)), estimate[2];
    for (int i = 0; i < 2; i++) {
        double step = i ? h / 2 : h;
        estimate[i] =
            (value_at(probe, second, input, index, x + step) - value_at(probe, second, input, index, x - step)) /
            (2 * step);
    }
    return (4 * estimate[1] - estimate[0]) / 3;
}

static void check_input(Probe *probe, bool second, Tensor *input, Tensor *gradient, int number)
{
    double tolerance = probe->operation->tolerance > 0 ? probe->operation->tolerance : 1e-6;
    int64_t stride = input->count > MAX_CHECKED ? input->count / MAX_CHECKED : 1;
    assert_true(tensor_same_shape(input, gradient));
    for (int64_t i = 0; i < input->count; i += stride) {
        double expected = numerical(probe, second, input, i), got = tensor_value(gradient, i);
        double scale = fmax(1, fmax(fabs(expected), fabs(got)));
        if (!(fabs(expected - got) <= tolerance * (second ? 100 : 1) * scale))
            fail_msg("%s variant %d: %s derivative by input %d [%lld]: %.12g, by differences %.12g",
                     probe->operation->component.name, probe->variant, second ? "second" : "first", number,
                     (long long)i, got, expected);
    }
}

static void check_variant(const OperationDef *operation, int variant, bool second)
{
    Random random = random_start(11, operation->component.name, (uint32_t)variant);
    Probe probe = {.operation = operation, .variant = variant};
    probe.count = operation->inputs(&random, variant, probe.inputs);
    Tensor *leaves[OPERATION_MAX_INPUTS], *gradients[OPERATION_MAX_INPUTS];
    int leaf_count = 0;
    for (int i = 0; i < probe.count; i++)
        if (probe.inputs[i]->requires_gradient)
            leaves[leaf_count++] = probe.inputs[i];
    bool was = tape_record(false);
    probe.weights = random_like(operation->apply(probe.inputs, variant), 0);
    for (int i = 0; i < leaf_count; i++)
        probe.slopes[i] = random_like(leaves[i], 1 + (uint32_t)i);
    tape_record(was);
    Tensor *value = probe_value(&probe, second);
    t_gradients(value, NULL, leaf_count, leaves, gradients, false);
    for (int i = 0; i < leaf_count; i++)
        check_input(&probe, second, leaves[i], gradients[i], i);
}

static void walk(bool second)
{
    Tape *tape = tape_new();
    tape_use(tape);
    int checked = 0;
    for (const Component *const *item = component_kind("operation")->items; *item; item++) {
        const OperationDef *operation = (const OperationDef *)*item;
        if (second && operation->once)
            continue;
        assert_true(operation->variants > 0);
        for (int variant = 0; variant < operation->variants; variant++, checked++) {
            check_variant(operation, variant, second);
            tape_reset();
        }
    }
    assert_true(checked > 0);
    tape_free(tape);
}

/* A fused operation without a second derivative is refused by name, before anything is computed. */
static void test_operations__no_second_derivative(void **state)
{
    (void)state;
    OperationDef fused = *(const OperationDef *)component_find("operation", "exp");
    fused.once = true;
    fused.component.name = "fused";
    Tape *tape = tape_new();
    tape_use(tape);
    Tensor *x = random_like(t_zeros(ARRAY_F64, 1, (const int64_t[]){3}), 0), *gradient = NULL;
    x->requires_gradient = true;
    Tensor *y = t_exp(x);
    y->node->operation = &fused;
    Tensor *sum = t_sum(t_neg(y), 0, false);
    assert_string_equal(t_gradients(sum, NULL, 1, &x, &gradient, true), "fused");
    assert_null(t_gradients(sum, NULL, 1, &x, &gradient, false));
    for (int i = 0; i < 3; i++)
        assert_float_equal(tensor_f64(gradient)[i], -tensor_f64(y)[i], 1e-15);
    Tensor *other = random_like(x, 1);
    other->requires_gradient = true;
    assert_null(t_gradients(t_sum(t_mul(t_exp(other), y), 0, false), NULL, 1, &other, &gradient, true));
    tape_free(tape);
}

static void test_operations__first_derivatives(void **state)
{
    (void)state;
    walk(false);
}

static void test_operations__second_derivatives(void **state)
{
    (void)state;
    walk(true);
}

/* t_backward, which hands memory back as it goes, finds what t_gradients finds. */
static void test_operations__backward_agrees_with_gradients(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (const Component *const *item = component_kind("operation")->items; *item; item++) {
        const OperationDef *operation = (const OperationDef *)*item;
        for (int variant = 0; variant < operation->variants; variant++) {
            Random random = random_start(11, operation->component.name, (uint32_t)variant);
            Probe probe = {.operation = operation, .variant = variant};
            probe.count = operation->inputs(&random, variant, probe.inputs);
            bool was = tape_record(false);
            probe.weights = random_like(operation->apply(probe.inputs, variant), 0);
            tape_record(was);
            Tensor *gradients[OPERATION_MAX_INPUTS];
            t_gradients(probe_value(&probe, false), NULL, probe.count, probe.inputs, gradients, false);
            t_backward(probe_value(&probe, false));
            for (int i = 0; i < probe.count; i++) {
                if (!probe.inputs[i]->requires_gradient || !probe.inputs[i]->gradient)
                    continue;
                if (memcmp(gradients[i]->data, probe.inputs[i]->gradient->data,
                           (size_t)gradients[i]->count * sizeof(double)) != 0)
                    fail_msg("%s variant %d: input %d", operation->component.name, variant, i);
            }
            tape_reset();
        }
    }
    tape_free(tape);
}

/* The same sample in F32. */
static int single_inputs(const OperationDef *operation, int variant, Tensor **inputs)
{
    Random random = random_start(11, operation->component.name, (uint32_t)variant);
    int count = operation->inputs(&random, variant, inputs);
    for (int i = 0; i < count; i++) {
        if (inputs[i]->type != ARRAY_F64)
            continue;
        Tensor *single = t_new(ARRAY_F32, inputs[i]->rank, inputs[i]->shape);
        for (int64_t k = 0; k < single->count; k++)
            tensor_set(single, k, tensor_value(inputs[i], k));
        single->requires_gradient = inputs[i]->requires_gradient;
        inputs[i] = single;
    }
    return count;
}

static void check_close(const OperationDef *operation, int variant, const char *what, const Tensor *single,
                        const Tensor *twice)
{
    assert_true(tensor_same_shape(single, twice));
    assert_int_equal(single->type, ARRAY_F32);
    for (int64_t k = 0; k < single->count; k++) {
        double got = tensor_value(single, k), expected = tensor_value(twice, k);
        if (!(fabs(got - expected) <= 2e-4 * fmax(1, fabs(expected))))
            fail_msg("%s variant %d: %s [%lld] is %.9g in F32, %.9g in F64", operation->component.name, variant, what,
                     (long long)k, got, expected);
    }
}

/* Training runs in F32, by other kernels than the checks: both must say the same. */
static void test_operations__single_agrees_with_double(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (const Component *const *item = component_kind("operation")->items; *item; item++) {
        const OperationDef *operation = (const OperationDef *)*item;
        for (int variant = 0; variant < operation->variants; variant++) {
            Random random = random_start(11, operation->component.name, (uint32_t)variant);
            Tensor *twice[OPERATION_MAX_INPUTS], *single[OPERATION_MAX_INPUTS], *expected[OPERATION_MAX_INPUTS],
                *got[OPERATION_MAX_INPUTS];
            int count = operation->inputs(&random, variant, twice);
            single_inputs(operation, variant, single);
            Tensor *output = operation->apply(twice, variant), *output_single = operation->apply(single, variant);
            check_close(operation, variant, "output", output_single, output);
            Tensor *weights = random_like(output, 0), *weights_single = t_like(output_single);
            for (int64_t k = 0; k < weights->count; k++)
                tensor_set(weights_single, k, tensor_value(weights, k));
            t_gradients(output, weights, count, twice, expected, false);
            t_gradients(output_single, weights_single, count, single, got, false);
            for (int i = 0; i < count; i++)
                if (twice[i]->requires_gradient)
                    check_close(operation, variant, "gradient", got[i], expected[i]);
            tape_reset();
        }
    }
    tape_free(tape);
}

static uint64_t digest(uint64_t hash, const Tensor *tensor)
{
    const unsigned char *bytes = tensor->data;
    for (size_t i = 0; i < (size_t)tensor->count * array_type_size(tensor->type); i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static void test_operations__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (const Component *const *item = component_kind("operation")->items; *item; item++) {
        const OperationDef *operation = (const OperationDef *)*item;
        for (int variant = 0; variant < operation->variants; variant++) {
            uint64_t first = 0;
            for (int threads = 1; threads <= 4; threads *= 2) {
                threads_set(threads);
                Tensor *inputs[OPERATION_MAX_INPUTS], *gradients[OPERATION_MAX_INPUTS];
                int count = single_inputs(operation, variant, inputs);
                Tensor *output = operation->apply(inputs, variant);
                t_gradients(output, NULL, count, inputs, gradients, false);
                uint64_t hash = digest(14695981039346656037u, output);
                for (int i = 0; i < count; i++)
                    hash = inputs[i]->requires_gradient ? digest(hash, gradients[i]) : hash;
                if (threads == 1)
                    first = hash;
                if (hash != first)
                    fail_msg("%s variant %d: other bits with %d threads", operation->component.name, variant, threads);
                tape_reset();
            }
        }
    }
    threads_set(1);
    tape_free(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations__no_second_derivative),
        cmocka_unit_test(test_operations__first_derivatives),
        cmocka_unit_test(test_operations__second_derivatives),
        cmocka_unit_test(test_operations__backward_agrees_with_gradients),
        cmocka_unit_test(test_operations__single_agrees_with_double),
        cmocka_unit_test(test_operations__same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
