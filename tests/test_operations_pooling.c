/* Pooling and resizing against their definitions, by loops that share nothing with the code under test, for
   random shapes and options. Derivatives against differences are test_operations.c's. */
#include "tests/instruction_sets.h"

#include <math.h>

#include "core/base/random.h"
#include "core/tensor/operations.h"

enum { CASES = 60 };

typedef struct Case {
    int axes;
    int64_t planes, in[3], out[3];
    bool adaptive;
    PoolingOptions options;
} Case;

static int64_t between(Random *random, int64_t low, int64_t high)
{
    return low + random_below(random, high - low + 1);
}

/* Every fourth case is 2 x 2 with stride 2, which has a path of its own. */
static Case random_case(Random *random, int number)
{
    Case c = {.axes = number % 4 == 0 ? 2 : (int)between(random, 1, 3), .planes = between(random, 1, 4)};
    c.adaptive = number % 4 == 1;
    c.options.count_padding = random_below(random, 2) == 1;
    for (int a = 0; a < 3; a++) {
        bool used = a < c.axes;
        c.options.kernel[a] = !used ? 1 : number % 4 == 0 ? 2 : between(random, 1, 4);
        c.options.stride[a] = !used ? 1 : number % 4 == 0 ? 2 : between(random, 1, 3);
        c.options.padding[a] = number % 4 == 0 ? 0 : random_below(random, c.options.kernel[a] / 2 + 1);
        c.in[a] = used ? between(random, c.options.kernel[a], number % 4 == 0 ? 70 : 9) : 1;
        c.out[a] = (c.in[a] + 2 * c.options.padding[a] - c.options.kernel[a]) / c.options.stride[a] + 1;
        if (c.adaptive)
            c.out[a] = used ? between(random, 1, 6) : 1;
    }
    return c;
}

/* Whether element i lies in window j of an axis. */
static bool meets(const Case *c, int axis, int64_t i, int64_t j)
{
    const PoolingOptions *o = &c->options;
    if (c->adaptive)
        return (double)i >= floor((double)(j * c->in[axis]) / (double)c->out[axis]) &&
               (double)i < ceil((double)((j + 1) * c->in[axis]) / (double)c->out[axis]);
    int64_t place = i + o->padding[axis] - j * o->stride[axis];
    return place >= 0 && place < o->kernel[axis];
}

static bool all_meet(const Case *c, int64_t i, int64_t j)
{
    return meets(c, 0, i / (c->in[1] * c->in[2]), j / (c->out[1] * c->out[2])) &&
           meets(c, 1, i / c->in[2] % c->in[1], j / c->out[2] % c->out[1]) && meets(c, 2, i % c->in[2], j % c->out[2]);
}

static Tensor *random_tensor(Random *random, ArrayType type, int axes, int64_t planes, const int64_t *sizes)
{
    int64_t shape[5] = {planes, 1, sizes[0], sizes[1], sizes[2]};
    Tensor *tensor = t_new(type, 2 + axes, shape);
    for (int64_t i = 0; i < tensor->count; i++) /* few values: ties */
        tensor_set(tensor, i, (double)random_below(random, 20) / 8);
    tensor->requires_gradient = true;
    return tensor;
}

static double *zeros(int64_t count)
{
    return tensor_f64(t_zeros(ARRAY_F64, SHAPE(count)));
}

static void check(const char *what, int number, const Tensor *got, const double *expected)
{
    for (int64_t i = 0; i < got->count; i++)
        if (!(fabs(tensor_value(got, i) - expected[i]) <= (got->type == ARRAY_F32 ? 1e-5 : 1e-12)))
            fail_msg("case %d, type %d: %s [%lld] is %.9g, not %.9g", number, (int)got->type, what, (long long)i,
                     tensor_value(got, i), expected[i]);
}

static void check_case(const Case *c, int number, ArrayType type, Random *random)
{
    Tensor *x = random_tensor(random, type, c->axes, c->planes, c->in), *by_largest, *by_average;
    Tensor *seed = random_tensor(random, type, c->axes, c->planes, c->out);
    Tensor *largest = c->adaptive ? t_adaptive_max_pool(x, c->out) : t_max_pool(x, &c->options);
    Tensor *average = c->adaptive ? t_adaptive_average_pool(x, c->out) : t_average_pool(x, &c->options);
    assert_true(tensor_same_shape(largest, seed) && tensor_same_shape(average, seed));
    t_gradients(largest, seed, 1, &x, &by_largest, false);
    t_gradients(average, seed, 1, &x, &by_average, false);
    double *max = zeros(seed->count), *mean = zeros(seed->count), *to_max = zeros(x->count), *to_mean = zeros(x->count);
    int64_t in = x->count / c->planes, out = seed->count / c->planes;
    int64_t whole = c->options.kernel[0] * c->options.kernel[1] * c->options.kernel[2];
    for (int64_t j = 0; j < seed->count; j++) {
        int64_t first = j / out * in, count = 0, best = -1;
        double divisor, sum = 0, g = tensor_value(seed, j);
        for (int64_t i = first; i < first + in; i++)
            if (all_meet(c, i - first, j % out)) {
                count++;
                sum += tensor_value(x, i);
                best = best < 0 || tensor_value(x, i) > tensor_value(x, best) ? i : best;
            }
        divisor = (double)(c->options.count_padding && !c->adaptive ? whole : count);
        max[j] = tensor_value(x, best);
        mean[j] = sum / divisor;
        to_max[best] += g;
        for (int64_t i = first; i < first + in; i++)
            to_mean[i] += all_meet(c, i - first, j % out) ? g / divisor : 0;
    }
    check("largest", number, largest, max);
    check("average", number, average, mean);
    check("gradient of the largest", number, by_largest, to_max);
    check("gradient of the average", number, by_average, to_mean);
}

static void test_operations_pooling__agrees_with_definition(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        for (int number = 0; number < CASES; number++) {
            Random random = random_start(5, "pooling", (uint32_t)number);
            Case c = random_case(&random, number);
            check_case(&c, number, number % 8 < 5 ? ARRAY_F32 : ARRAY_F64, &random);
            tape_reset();
        }
    }
    assert_true(kernels_select(NULL, NULL));
    tape_free(tape);
}

static void test_operations_pooling__not_a_number_is_largest(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (int64_t kernel = 2; kernel <= 3; kernel++)
        for (int64_t at = 0; at < 4; at++) {
            Tensor *x = t_full(ARRAY_F32, SHAPE(1, 1, 4, 4), 1);
            tensor_set(x, at / 2 * 4 + at % 2, NAN);
            PoolingOptions options = {.kernel = {kernel, kernel}, .stride = {2, 2}};
            options.padding[0] = options.padding[1] = kernel - 2;
            assert_true(isnan(tensor_value(t_max_pool(x, &options), 0)));
        }
    tape_free(tape);
}

/* The value at a real place of an image, which is as its nearest pixel outside of the pixels' centres. */
static double interpolated(const Tensor *x, int64_t plane, double row, double column)
{
    double height = (double)x->shape[2], width = (double)x->shape[3], sum = 0;
    row = fmin(fmax(row, 0), height - 1);
    column = fmin(fmax(column, 0), width - 1);
    for (int64_t i = 0; i < x->shape[2]; i++)
        for (int64_t j = 0; j < x->shape[3]; j++)
            sum += fmax(0, 1 - fabs(row - (double)i)) * fmax(0, 1 - fabs(column - (double)j)) *
                   tensor_value(x, (plane * x->shape[2] + i) * x->shape[3] + j);
    return sum;
}

static void test_operations_pooling__resize_agrees_with_definition(void **state)
{
    (void)state;
    Tape *tape = tape_new();
    tape_use(tape);
    for (int number = 0; number < 40; number++) {
        Random random = random_start(6, "resize", (uint32_t)number);
        int64_t in[3] = {between(&random, 1, 7), between(&random, 1, 7), 1};
        int64_t height = between(&random, 1, 12), width = between(&random, 1, 12);
        Tensor *x = random_tensor(&random, number % 2 ? ARRAY_F32 : ARRAY_F64, 2, 2, in);
        bool align = number & 2;
        Tensor *y = t_resize_bilinear(x, height, width, align);
        double *expected = zeros(y->count), out[2] = {(double)height, (double)width};
        for (int64_t i = 0; i < y->count; i++) {
            double at[2] = {(double)(i / width % height), (double)(i % width)};
            for (int a = 0; a < 2; a++)
                if (align)
                    at[a] = out[a] > 1 ? at[a] * (double)(in[a] - 1) / (out[a] - 1) : 0;
                else
                    at[a] = (at[a] + 0.5) * (double)in[a] / out[a] - 0.5;
            expected[i] = interpolated(x, i / (width * height), at[0], at[1]);
        }
        check("resized", number, y, expected);
        tape_reset();
    }
    tape_free(tape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_pooling__agrees_with_definition),
        cmocka_unit_test(test_operations_pooling__not_a_number_is_largest),
        cmocka_unit_test(test_operations_pooling__resize_agrees_with_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
