/* The integer products of every instruction set the machine has, against plain loops; and the same bits on all. */
#include "tests/instruction_sets.h"

#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/kernels/int8.h"

#include <math.h>
#include <string.h>


/* ---- Products ---- */

typedef struct Case {
    int64_t rows, outputs, inputs, group, groups;
    int8_t *codes, *weights;
    float *scales, *weight_scales, *bias, *y;
    int16_t *zeros, *weight_zeros;
} Case;

static int8_t random_code(Random *random, bool extreme)
{
    return (int8_t)(extreme ? random_below(random, 2) * 255 - 128 : random_below(random, 256) - 128);
}

static Case new_case(Arena *arena, Random *random, int64_t rows, int64_t outputs, int64_t inputs, int64_t group,
                     bool zeros)
{
    Case t = {
        .rows = rows, .outputs = outputs, .inputs = inputs, .group = group, .groups = (inputs + group - 1) / group};
    const bool extreme = random_below(random, 3) == 0;
    t.codes = arena_alloc(arena, (size_t)(rows * inputs));
    t.weights = arena_alloc(arena, (size_t)(outputs * inputs));
    t.scales = arena_zero(arena, (size_t)rows, sizeof(float));
    t.weight_scales = arena_zero(arena, (size_t)(outputs * t.groups), sizeof(float));
    t.bias = arena_zero(arena, (size_t)outputs, sizeof(float));
    t.y = arena_zero(arena, (size_t)(rows * outputs), sizeof(float));
    if (zeros) {
        t.zeros = arena_zero(arena, (size_t)rows, sizeof(int16_t));
        t.weight_zeros = arena_zero(arena, (size_t)(outputs * t.groups), sizeof(int16_t));
    }
    for (int64_t i = 0; i < rows * inputs; i++)
        t.codes[i] = random_code(random, extreme);
    for (int64_t i = 0; i < outputs * inputs; i++)
        t.weights[i] = random_code(random, extreme);
    for (int64_t i = 0; i < rows; i++) {
        t.scales[i] = (float)random_uniform(random) + 0.5F;
        if (zeros)
            t.zeros[i] = random_code(random, extreme);
    }
    for (int64_t i = 0; i < outputs * t.groups; i++) {
        t.weight_scales[i] = (float)random_uniform(random) + 0.5F;
        if (zeros)
            t.weight_zeros[i] = random_code(random, extreme);
    }
    for (int64_t i = 0; i < outputs; i++)
        t.bias[i] = (float)random_normal(random);
    return t;
}

/* Exact integers, added up in the order that int8.h promises. */
static float reference(const Case *t, int64_t i, int64_t j)
{
    double total = 0;
    for (int64_t g = 0; g < t->groups; g++) {
        int64_t sum = 0;
        for (int64_t k = g * t->group; k < (g + 1) * t->group && k < t->inputs; k++)
            sum += (t->codes[i * t->inputs + k] - (t->zeros ? t->zeros[i] : 0)) *
                   (t->weights[j * t->inputs + k] - (t->weight_zeros ? t->weight_zeros[j * t->groups + g] : 0));
        total += (double)t->weight_scales[j * t->groups + g] * (double)sum;
    }
    return (float)((double)t->scales[i] * total + (double)t->bias[j]);
}

static void check_case(const Case *t, const float *expected, bool pairs, Arena *arena)
{
    const Int8Weights weights = {t->outputs, t->inputs, t->group, t->weights, t->weight_scales, t->weight_zeros};
    const Int8Panels *panels = int8_pack(&weights, pairs, arena);
    const Int8Output output = {t->y, t->outputs, 1, t->bias};
    memset(t->y, 0xff, (size_t)(t->rows * t->outputs) * sizeof *t->y);
    int8_multiply(panels, t->rows, t->codes, t->scales, t->zeros, &output);
    assert_memory_equal(t->y, expected, (size_t)(t->rows * t->outputs) * sizeof(float));
}

static void test_int8__products(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 5, 7, 12, 13, 31, 32, 33, 64, 97};
    Random random = random_start(1, "int8", 0);
    for (int round = 0; round < 60; round++) {
        Arena *arena = arena_new();
        const int64_t rows = sizes[random_below(&random, 12)], outputs = sizes[random_below(&random, 12)];
        const int64_t inputs = round % 10 == 9 ? 700 : sizes[random_below(&random, 12)];
        const int64_t group = round % 2 ? inputs : 1 + random_below(&random, inputs);
        const Case t = new_case(arena, &random, rows, outputs, inputs, group, round % 3 == 0);
        float *expected = arena_zero(arena, (size_t)(rows * outputs), sizeof *expected);
        for (int64_t i = 0; i < rows * outputs; i++)
            expected[i] = reference(&t, i / outputs, i % outputs);
        for (int isa = 0; isa < ISAS; isa++) {
            Error error;
            if (!kernels_select(isas[isa], &error))
                continue;
            check_case(&t, expected, false, arena);
            check_case(&t, expected, true, arena);
        }
        arena_free(arena);
    }
}

/* The largest sums that there are: beyond 16 bits at once, beyond 31 bits where chunks would be longer. */
static void test_int8__extremes(void **state)
{
    (void)state;
    enum { INPUTS = 150000 };
    Arena *arena = arena_new();
    int8_t *codes = arena_alloc(arena, INPUTS), *weights = arena_alloc(arena, 2 * INPUTS);
    memset(codes, -128, INPUTS);
    memset(weights, -128, INPUTS);
    memset(weights + INPUTS, 127, INPUTS);
    const float one = 1, ones[] = {1, 1};
    const int16_t zero = 127, zeros[] = {127, -128};
    for (int isa = 0; isa < ISAS; isa++)
        for (int pairs = 0; pairs < 2; pairs++) {
            Error error;
            if (!kernels_select(isas[isa], &error))
                continue;
            float y[2];
            const Int8Output output = {y, 2, 1, NULL};
            Int8Weights w = {2, INPUTS, INPUTS, weights, ones, NULL};
            int8_multiply(int8_pack(&w, pairs, arena), 1, codes, &one, NULL, &output);
            assert_float_equal(y[0], 16384.0F * INPUTS, 0);
            assert_float_equal(y[1], -16256.0F * INPUTS, 0);
            w.zeros = zeros;
            int8_multiply(int8_pack(&w, pairs, arena), 1, codes, &one, &zero, &output);
            assert_float_equal(y[0], 65025.0F * INPUTS, 0);
            assert_float_equal(y[1], -65025.0F * INPUTS, 0);
        }
    arena_free(arena);
}

/* ---- Rounding ---- */

static void check_row(const float *x, int64_t n, Int8Grid grid, const int8_t *codes, float scale, int16_t zero)
{
    int8_t found[64];
    float found_scale;
    int16_t found_zero;
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        int8_quantize_row(grid, n, x, found, &found_scale, &found_zero);
        assert_float_equal(found_scale, scale, 0);
        assert_int_equal(found_zero, zero);
        assert_memory_equal(found, codes, (size_t)n);
    }
}

static void test_int8__rounding_is_half_to_even(void **state)
{
    (void)state;
    const float x[] = {127, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -126.5F, 3.49F, 0, -127, 1, 2, 3, 4, 5, 6, 7, 8, 9.5F};
    const int8_t codes[] = {127, 0, 2, 2, 0, -2, -126, 3, 0, -127, 1, 2, 3, 4, 5, 6, 7, 8, 10};
    check_row(x, 19, (Int8Grid){8, true}, codes, 1, 0);
    /* crossquant's example: s = 0.3, z = 3 of 0..7, here 4 lower */
    check_row((const float[]){-0.9F, -0.2F, 0.05F, 0.4F, 1.2F}, 5, (Int8Grid){3, false},
              (const int8_t[]){-4, -2, -1, 0, 3}, (float)(((double)1.2F + (double)0.9F) / 7), -1);
    check_row((const float[]){0, -0.0F, 0}, 3, (Int8Grid){8, true}, (const int8_t[]){0, 0, 0}, 1, 0);
    check_row((const float[]){0, 0}, 2, (Int8Grid){8, false}, (const int8_t[]){-1, -1}, 2.0F / 255,
              -1); /* 127 of 0..255 */
    check_row((const float[]){1e-45F, 0}, 2, (Int8Grid){8, true}, (const int8_t[]){0, 0}, 1, 0);
    check_row((const float[]){3e38F, -3e38F}, 2, (Int8Grid){2, false}, (const int8_t[]){1, -2}, 2e38F, 0);
}

static void test_int8__rows_that_are_not_finite_stay_so(void **state)
{
    (void)state;
    float x[40] = {0}, scale;
    int16_t zero;
    int8_t codes[40];
    for (int isa = 0; isa < ISAS; isa++)
        for (int at = 0; at < 40; at += 3) {
            Error error;
            if (!kernels_select(isas[isa], &error))
                continue;
            x[at] = at % 2 ? NAN : -INFINITY;
            int8_quantize_row((Int8Grid){8, at % 4 < 2}, 40, x, codes, &scale, &zero);
            assert_true(isnan(scale));
            x[at] = 0;
        }
}

/* ---- Layers ---- */

static void fill(Random *random, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)random_normal(random);
}

/* A convolution of one channel over [5, 6]: kernel 3x2, stride 2 and 1, padding 1, two groups. `broken`, unless 0, is
   one of the values. */
static void check_convolution(bool symmetric, float broken)
{
    const ConvolutionShape s = {.batch = 2,
                                .groups = 2,
                                .in_channels = 4,
                                .out_channels = 6,
                                .in = {1, 5, 6},
                                .kernel = {1, 3, 2},
                                .out = {1, 3, 7},
                                .stride = {1, 2, 1},
                                .padding = {0, 1, 1},
                                .dilation = {1, 1, 1}};
    enum { PATCH = 2 * 3 * 2, PLACES = 3 * 7 };
    float x[2 * 4 * 30], weights[6 * PATCH], bias[6], y[2 * 6 * PLACES], scales[6], expected[2 * 6 * PLACES], row_scale;
    int8_t codes[6 * PATCH], row[PATCH];
    int16_t zero;
    Random random = random_start(2, "int8", 0);
    fill(&random, 2 * 4 * 30, x);
    x[17] = broken != 0 ? broken : x[17];
    fill(&random, 6 * PATCH, weights);
    fill(&random, 6, bias);
    for (int o = 0; o < 6; o++)
        int8_quantize_row((Int8Grid){8, true}, PATCH, weights + o * PATCH, codes + o * PATCH, scales + o, &zero);
    for (int at = 0; at < 2 * 6 * PLACES; at++) {
        const int n = at / PLACES / 6, o = at / PLACES % 6, oy = at % PLACES / 7, ox = at % 7, g = o / 3;
        float patch[PATCH];
        for (int k = 0; k < PATCH; k++) {
            const int c = k / 6 + 2 * g, iy = oy * 2 - 1 + k / 2 % 3, ix = ox - 1 + k % 2;
            patch[k] = iy >= 0 && iy < 5 && ix >= 0 && ix < 6 ? x[((n * 4 + c) * 5 + iy) * 6 + ix] : 0;
        }
        int8_quantize_row((Int8Grid){8, symmetric}, PATCH, patch, row, &row_scale, &zero);
        int sum = 0;
        for (int k = 0; k < PATCH; k++)
            sum += (row[k] - zero) * codes[o * PATCH + k];
        expected[at] = (float)((double)row_scale * ((double)scales[o] * sum) + (double)bias[o]);
    }
    for (int isa = 0; isa < ISAS; isa++) {
        Error error;
        if (!kernels_select(isas[isa], &error))
            continue;
        Arena *arena = arena_new();
        Int8Panels *panels[2];
        for (int g = 0; g < 2; g++)
            panels[g] =
                int8_pack(&(Int8Weights){3, PATCH, PATCH, codes + 3 * g * PATCH, scales + 3 * g, NULL}, false, arena);
        int8_convolution(&s, panels, (Int8Grid){8, symmetric}, x, bias, y);
        assert_memory_equal(y, expected, sizeof y);
        arena_free(arena);
    }
}

static void test_int8__convolution_is_a_product_of_patches(void **state)
{
    (void)state;
    check_convolution(false, 0);
    check_convolution(true, 0);
    check_convolution(true, INFINITY); /* a place at a time */
}

static void test_int8__linear_has_the_same_bits_everywhere(void **state)
{
    (void)state;
    enum { ROWS = 130, IN = 300, OUT = 70 };
    Arena *arena = arena_new();
    float *x = arena_zero(arena, ROWS * IN, sizeof *x), *w = arena_zero(arena, OUT * IN, sizeof *w),
          *scales = arena_zero(arena, OUT, sizeof *scales);
    float *first = arena_zero(arena, ROWS * OUT, sizeof *first), *y = arena_zero(arena, ROWS * OUT, sizeof *y);
    int8_t *codes = arena_alloc(arena, OUT * IN);
    int16_t zero;
    Random random = random_start(3, "int8", 0);
    fill(&random, ROWS * IN, x);
    fill(&random, OUT * IN, w);
    for (int o = 0; o < OUT; o++)
        int8_quantize_row((Int8Grid){8, true}, IN, w + o * IN, codes + o * IN, scales + o, &zero);
    const Int8Weights weights = {OUT, IN, IN, codes, scales, NULL};
    for (int isa = 0; isa < ISAS; isa++)
        for (int threads = 1; threads <= 4; threads *= 2) {
            Error error;
            if (!kernels_select(isas[isa], &error))
                continue;
            threads_set(threads);
            float *to = isa + threads == 1 ? first : y;
            int8_linear(int8_pack(&weights, false, arena), (Int8Grid){8, true}, ROWS, x, NULL, to);
            assert_memory_equal(to, first, ROWS * OUT * sizeof(float));
        }
    /* close to the product that it stands for */
    for (int64_t at = 0; at < ROWS * OUT; at++) {
        double sum = 0;
        for (int64_t k = 0; k < IN; k++)
            sum += (double)x[at / OUT * IN + k] * (double)w[at % OUT * IN + k];
        assert_true(fabs((double)first[at] - sum) < 0.08 * sqrt(IN));
    }
    threads_stop();
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8__products),
        cmocka_unit_test(test_int8__extremes),
        cmocka_unit_test(test_int8__rounding_is_half_to_even),
        cmocka_unit_test(test_int8__rows_that_are_not_finite_stay_so),
        cmocka_unit_test(test_int8__convolution_is_a_product_of_patches),
        cmocka_unit_test(test_int8__linear_has_the_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
