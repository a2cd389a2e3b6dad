/* Convolution against its definition: nested loops over every index, which share nothing with the code
   under test, for random shapes and options. Derivatives against differences are test_operations.c's. */
#include "tests/instruction_sets.h"

#include <math.h>

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/tensor/operations.h"

enum { CASES = 100, LARGE_CASES = 4, CROWDED_CASES = 6 }; /* crowded: small images, many channels */

typedef struct Case {
    int axes;
    int64_t batch, in_channels, out_channels, in[3], out[3], kernel[3];
    ConvolutionOptions options;
} Case;

static int64_t between(Random *random, int64_t low, int64_t high)
{
    return low + random_below(random, high - low + 1);
}

static Case random_case(Random *random, int number)
{
    bool large = number < LARGE_CASES, crowded = !large && number < LARGE_CASES + CROWDED_CASES;
    Case c = {.axes = large ? 2 : 1 + number % 3};
    c.options.groups = between(random, 1, crowded ? 1 : 3);
    int64_t depthwise = random_below(random, 4) == 0 && !crowded, most = large ? 16 : 5;
    c.in_channels = c.options.groups * (depthwise ? 1 : between(random, 1, most));
    c.out_channels = c.options.groups * (depthwise ? 1 : between(random, 1, most));
    if (crowded)
        c.in_channels = c.out_channels = c.options.groups * between(random, 20, 30);
    c.batch = crowded ? between(random, 30, 36) : between(random, 1, large ? 9 : 3);
    c.batch += !crowded && random_below(random, 6) == 0 ? 8 : 0;
    if (number == LARGE_CASES || number % 50 == 49) /* more than a weight gradient takes at a time */
        c.batch = 70;
    for (int a = 0; a < c.axes; a++) {
        do {
            c.options.stride[a] = between(random, 1, 3);
            c.options.padding[a] = between(random, 0, 3);
            c.options.dilation[a] = between(random, 1, 3);
            c.options.output_padding[a] = random_below(random, c.options.stride[a]);
            c.kernel[a] = between(random, 1, 4);
            c.in[a] = between(random, 1, large ? 19 : crowded ? 4 : c.axes == 3 ? 6 : 12);
            c.out[a] = (c.in[a] + 2 * c.options.padding[a] - c.options.dilation[a] * (c.kernel[a] - 1) - 1);
            c.out[a] = c.out[a] < 0 ? 0 : c.out[a] / c.options.stride[a] + 1;
        } while (c.out[a] == 0);
    }
    for (int a = c.axes; a < 3; a++) {
        c.in[a] = c.out[a] = c.kernel[a] = 1;
        c.options.stride[a] = c.options.dilation[a] = 1;
    }
    return c;
}

/* Calls `visit` for each i of x, k of weight and j of y that meet; the axes stand first here. */
typedef void (*Meet)(void *context, int64_t x, int64_t weight, int64_t y);

static void every_meeting(const Case *c, const int64_t *in, const int64_t *out, Meet meet, void *context)
{
    const ConvolutionOptions *o = &c->options;
    int64_t in_group = c->in_channels / o->groups, out_group = c->out_channels / o->groups, at[3];
    for (int64_t n = 0; n < c->batch; n++)
    for (int64_t f = 0; f < c->out_channels; f++)
    for (int64_t b = 0; b < in_group; b++)
    for (int64_t j0 = 0; j0 < out[0]; j0++)
    for (int64_t j1 = 0; j1 < out[1]; j1++)
    for (int64_t j2 = 0; j2 < out[2]; j2++)
    for (int64_t k0 = 0; k0 < c->kernel[0]; k0++)
    for (int64_t k1 = 0; k1 < c->kernel[1]; k1++)
    for (int64_t k2 = 0; k2 < c->kernel[2]; k2++) {
        at[0] = j0 * o->stride[0] + k0 * o->dilation[0] - o->padding[0];
        at[1] = j1 * o->stride[1] + k1 * o->dilation[1] - o->padding[1];
        at[2] = j2 * o->stride[2] + k2 * o->dilation[2] - o->padding[2];
        if (at[0] < 0 || at[1] < 0 || at[2] < 0 || at[0] >= in[0] || at[1] >= in[1] || at[2] >= in[2])
            continue;
        int64_t channel = f / out_group * in_group + b;
        meet(context, (((n * c->in_channels + channel) * in[0] + at[0]) * in[1] + at[1]) * in[2] + at[2],
             (((f * in_group + b) * c->kernel[0] + k0) * c->kernel[1] + k1) * c->kernel[2] + k2,
             (((n * c->out_channels + f) * out[0] + j0) * out[1] + j1) * out[2] + j2);
    }
}

typedef struct Sums {
    const Tensor *x, *weight, *y;
    double *to_x, *to_weight, *to_y;
} Sums;

static void meet_all(void *context, int64_t x, int64_t weight, int64_t y)
{
    const Sums *t = context;
    if (t->to_x)
        t->to_x[x] += tensor_value(t->weight, weight) * tensor_value(t->y, y);
    if (t->to_weight)
        t->to_weight[weight] += tensor_value(t->x, x) * tensor_value(t->y, y);
    if (t->to_y)
        t->to_y[y] += tensor_value(t->x, x) * tensor_value(t->weight, weight);
}

static Tensor *random_tensor(Random *random, ArrayType type, int axes, int64_t first, int64_t second,
                             const int64_t *sizes)
{
    int64_t shape[5] = {first, second, sizes[0], sizes[1], sizes[2]};
    Tensor *tensor = t_new(type, 2 + axes, shape);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_set(tensor, i, random_uniform(random) - 0.5);
    tensor->requires_gradient = true;
    return tensor;
}

static double *zeros(const Tensor *like)
{
    return tensor_f64(t_zeros(ARRAY_F64, 1, &like->count));
}

static void check(const char *what, int number, const Tensor *got, const double *expected)
{
    double tolerance = got->type == ARRAY_F32 ? 2e-5 : 1e-12;
    for (int64_t i = 0; i < got->count; i++)
        if (!(fabs(tensor_value(got, i) - expected[i]) <= tolerance * (1 + fabs(expected[i]))))
            fail_msg("case %d, type %d, %s: %s [%lld] is %.9g, not %.9g", number, (int)got->type, kernels()->isa, what,
                     (long long)i, tensor_value(got, i), expected[i]);
}

/* y, its bias, and the gradients by x and weight. */
static void check_forward(const Case *c, int number, ArrayType type, Random *random)
{
    Tensor *x = random_tensor(random, type, c->axes, c->batch, c->in_channels, c->in);
    int64_t in_group = c->in_channels / c->options.groups;
    Tensor *weight = random_tensor(random, type, c->axes, c->out_channels, in_group, c->kernel);
    Tensor *bias = random_tensor(random, type, 0, c->out_channels, 1, c->in);
    bias = t_reshape(bias, SHAPE(c->out_channels));
    Tensor *y = t_convolution(x, weight, bias, &c->options), *gradients[3];
    Tensor *seed = random_tensor(random, type, c->axes, c->batch, c->out_channels, c->out);
    assert_true(tensor_same_shape(y, seed));
    t_gradients(y, seed, 3, (Tensor *[]){x, weight, bias}, gradients, false);
    double *to_y = zeros(y), *to_x = zeros(x), *to_weight = zeros(weight), *to_bias = zeros(bias);
    int64_t size = c->out[0] * c->out[1] * c->out[2];
    for (int64_t i = 0; i < y->count; i++) {
        to_y[i] = tensor_value(bias, i / size % c->out_channels);
        to_bias[i / size % c->out_channels] += tensor_value(seed, i);
    }
    every_meeting(c, c->in, c->out, meet_all, &(Sums){.x = x, .weight = weight, .to_y = to_y});
    every_meeting(c, c->in, c->out, meet_all, &(Sums){x, weight, seed, to_x, to_weight, NULL});
    check("output", number, y, to_y);
    check("gradient by x", number, gradients[0], to_x);
    check("gradient by weight", number, gradients[1], to_weight);
    check("gradient by bias", number, gradients[2], to_bias);
}

static void check_transposed(const Case *c, int number, ArrayType type, Random *random)
{
    const ConvolutionOptions *o = &c->options;
    int64_t size[3] = {1, 1, 1};
    for (int a = 0; a < c->axes; a++) {
        size[a] = (c->out[a] - 1) * o->stride[a] - 2 * o->padding[a] + o->dilation[a] * (c->kernel[a] - 1) + 1;
        size[a] += o->output_padding[a];
        if (size[a] < 1)
            return;
    }
    Tensor *y = random_tensor(random, type, c->axes, c->batch, c->out_channels, c->out), *gradients[2];
    Tensor *weight = random_tensor(random, type, c->axes, c->out_channels, c->in_channels / o->groups, c->kernel);
    Tensor *x = t_convolution_transposed(y, weight, NULL, o);
    Tensor *seed = random_tensor(random, type, c->axes, c->batch, c->in_channels, size);
    assert_true(tensor_same_shape(x, seed));
    t_gradients(x, seed, 2, (Tensor *[]){y, weight}, gradients, false);
    double *to_x = zeros(x), *to_y = zeros(y), *to_weight = zeros(weight);
    every_meeting(c, size, c->out, meet_all, &(Sums){.weight = weight, .y = y, .to_x = to_x});
    every_meeting(c, size, c->out, meet_all, &(Sums){seed, weight, y, NULL, to_weight, to_y});
    check("transposed output", number, x, to_x);
    check("gradient of the transposed by x", number, gradients[0], to_y);
    check("gradient of the transposed by weight", number, gradients[1], to_weight);
}

static void check_cases(ArrayType type)
{
    Tape *tape = tape_new();
    tape_use(tape);
    for (int number = 0; number < CASES; number++) {
        Random random = random_start(3, "convolution", (uint32_t)number);
        Case c = random_case(&random, number);
        check_forward(&c, number, type, &random);
        check_transposed(&c, number, type, &random);
        tape_reset();
    }
    tape_free(tape);
}

static void test_operations_convolution__double_agrees_with_definition(void **state)
{
    (void)state;
    check_cases(ARRAY_F64);
}

static void test_operations_convolution__single_agrees_with_definition(void **state)
{
    (void)state;
    for (int i = 0; i < ISAS; i++) {
        Error error;
        if (kernels_select(isas[i], &error))
            check_cases(ARRAY_F32);
    }
    assert_true(kernels_select(NULL, NULL));
}

/* One pass against one operation after the other, and the gradients of both. */
static void check_fused(const Case *c, int number, bool pooled, bool rectified, Random *random)
{
    const PoolingOptions windows = {.kernel = {2, 2}, .stride = {2, 2}};
    Tensor *x = random_tensor(random, ARRAY_F32, c->axes, c->batch, c->in_channels, c->in);
    int64_t in_group = c->in_channels / c->options.groups;
    Tensor *weight = random_tensor(random, ARRAY_F32, c->axes, c->out_channels, in_group, c->kernel);
    Tensor *bias = t_reshape(random_tensor(random, ARRAY_F32, 0, c->out_channels, 1, c->in), SHAPE(c->out_channels));
    Tensor *inputs[3] = {x, weight, bias}, *got[3], *expected[3];
    Tensor *fused = pooled ? t_convolution_max_pool(x, weight, bias, &c->options, rectified)
                           : t_convolution_relu(x, weight, bias, &c->options);
    Tensor *plain = t_convolution(x, weight, bias, &c->options);
    plain = pooled ? t_max_pool(plain, &windows) : plain;
    plain = rectified ? t_relu(plain) : plain;
    assert_true(tensor_same_shape(fused, plain));
    Tensor *seed = t_random_normal(ARRAY_F32, plain->rank, plain->shape, random_start(5, "seed", (uint32_t)number));
    t_gradients(fused, seed, 3, inputs, got, number % 2);
    t_gradients(plain, seed, 3, inputs, expected, false);
    check("fused output", number, fused, tensor_f64(t_cast(plain, ARRAY_F64)));
    for (int i = 0; i < 3; i++)
        check("fused gradient", number, got[i], tensor_f64(t_cast(expected[i], ARRAY_F64)));
}

static void check_fused_cases(void)
{
    Tape *tape = tape_new();
    tape_use(tape);
    for (int number = 0; number < CASES; number++) {
        Random random = random_start(6, "fused", (uint32_t)number);
        Case c = random_case(&random, number);
        bool pooled = c.axes == 2 && number % 3 != 0;
        if (number % 4) /* enough for vectors along channels */
            c.out_channels = c.options.groups * between(&random, 16, 40);
        check_fused(&c, number, pooled, !pooled || number % 2, &random);
        tape_reset();
    }
    tape_free(tape);
}

static void test_operations_convolution__one_pass_agrees_with_several(void **state)
{
    (void)state;
    for (int i = 0; i < ISAS; i++) {
        Error error;
        if (kernels_select(isas[i], &error))
            check_fused_cases();
    }
    assert_true(kernels_select(NULL, NULL));
}

static Tensor *hashed(uint32_t step, int rank, const int64_t *shape)
{
    Random random = random_start(4, "bits", step);
    Tensor *tensor = t_new(ARRAY_F32, rank, shape);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor_f32(tensor)[i] = (float)random_uniform(&random) - 0.5F;
    tensor->requires_gradient = true;
    return tensor;
}

/* Large enough for every loop to be shared out: over images, parts of an image, tasks of a weight gradient. */
static void test_operations_convolution__same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    ConvolutionOptions options = {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1};
    float *first[3] = {0};
    for (int64_t batch = 2; batch <= 20; batch += 18) {
        for (int threads = 1; threads <= 4; threads++) {
            threads_set(threads);
            Tensor *x = hashed(0, SHAPE(batch, 16, 24, 24)), *weight = hashed(1, SHAPE(40, 16, 3, 3)), *gradients[2];
            Tensor *y = t_convolution(x, weight, NULL, &options);
            t_gradients(y, hashed(2, y->rank, y->shape), 2, (Tensor *[]){x, weight}, gradients, false);
            const Tensor *results[3] = {y, gradients[0], gradients[1]};
            for (int i = 0; i < 3; i++)
                if (threads == 1)
                    first[i] = tensor_f32(results[i]);
                else
                    assert_memory_equal(first[i], tensor_f32(results[i]), (size_t)results[i]->count * sizeof(float));
        }
        tape_reset();
    }
    threads_set(1);
    tape_free(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_convolution__double_agrees_with_definition),
        cmocka_unit_test(test_operations_convolution__single_agrees_with_definition),
        cmocka_unit_test(test_operations_convolution__one_pass_agrees_with_several),
        cmocka_unit_test(test_operations_convolution__same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
