/* Compiled once per instruction set, with KERNEL_ISA (its name, which ends the name of the table)
   and KERNEL_VECTOR_BYTES (the width of its registers) given on the command line. Everything is
   written with vector extensions, so that the code is the same for all of them. */
#include "core/kernels/kernels.h"
#include "core/kernels/polynomials.h"

#include <math.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#if !defined(KERNEL_ISA) || !defined(KERNEL_VECTOR_BYTES)
#error "compile with -DKERNEL_ISA=... and -DKERNEL_VECTOR_BYTES=..."
#endif

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

enum { LANES = KERNEL_VECTOR_BYTES / (int)sizeof(float) };

typedef float Vec __attribute__((vector_size(KERNEL_VECTOR_BYTES)));
typedef int32_t Int __attribute__((vector_size(KERNEL_VECTOR_BYTES)));
/* The same in memory, where it is only aligned like a float. */
typedef float VecInMemory __attribute__((vector_size(KERNEL_VECTOR_BYTES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE Vec load(const float *x)
{
    return *(const VecInMemory *)x;
}

INLINE void store(float *y, Vec v)
{
    *(VecInMemory *)y = v;
}

/* Where y is aligned like a Vec. What is not read soon need not drive other things from the caches, and the memory's
   line need not be read before it is overwritten. An ordinary store where the instruction set has no such thing. */
INLINE void store_past_caches(float *y, Vec v)
{
#if KERNEL_VECTOR_BYTES == 64
    _mm512_stream_ps(y, (__m512)v);
#elif KERNEL_VECTOR_BYTES == 32
    _mm256_stream_ps(y, (__m256)v);
#elif defined(__SSE2__)
    _mm_stream_ps(y, (__m128)v);
#else
    store(y, v);
#endif
}

/* Other threads see ordinary stores that follow no earlier than stores past the caches. */
INLINE void finish_stores_past_caches(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}

INLINE Vec splat(float x)
{
    return x - (Vec){0}; /* minus, so that -0 stays -0 */
}

INLINE Vec choose(Int mask, Vec yes, Vec no)
{
    return (Vec)(((Int)yes & mask) | ((Int)no & ~mask));
}

/* Loads `count` <= LANES values and fills up with `rest`; nothing behind them is touched. */
INLINE Vec load_part(const float *x, int64_t count, float rest)
{
#if KERNEL_VECTOR_BYTES == 64
    return (Vec)_mm512_mask_loadu_ps((__m512)splat(rest), (__mmask16)((1U << count) - 1), x);
#else
    float part[LANES];
    store(part, splat(rest));
    memcpy(part, x, (size_t)count * sizeof(float));
    return load(part);
#endif
}

INLINE void store_part(float *y, int64_t count, Vec v)
{
#if KERNEL_VECTOR_BYTES == 64
    _mm512_mask_storeu_ps(y, (__mmask16)((1U << count) - 1), (__m512)v);
#else
    float part[LANES];
    store(part, v);
    memcpy(y, part, (size_t)count * sizeof(float));
#endif
}

INLINE float sum_lanes(Vec v)
{
    float part[LANES], sum = 0;
    store(part, v);
    for (int i = 0; i < LANES; i++)
        sum += part[i];
    return sum;
}

#if KERNEL_VECTOR_BYTES == 64
/* x 2^n for integers n, rounded once; the only instruction that the vector extensions cannot express and that is
   worth it. */
INLINE Vec times_power_of_two(Vec x, Vec n)
{
    return (Vec)_mm512_scalef_ps((__m512)x, (__m512)n);
}
#endif

#include "core/kernels/kernels_gemm.inc.h"
#include "core/kernels/kernels_gemm_turn.inc.h"

static float dot(int64_t n, const float *x, const float *y)
{
    Vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}; /* four sums hide the latency of the addition */
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 += load(x + i) * load(y + i);
        s1 += load(x + i + LANES) * load(y + i + LANES);
        s2 += load(x + i + 2 * LANES) * load(y + i + 2 * LANES);
        s3 += load(x + i + 3 * LANES) * load(y + i + 3 * LANES);
    }
    for (; i + LANES <= n; i += LANES)
        s0 += load(x + i) * load(y + i);
    float sum = sum_lanes((s0 + s1) + (s2 + s3));
    for (; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void axpy(int64_t n, float alpha, const float *x, float *y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(y + i, load(y + i) + alpha * load(x + i));
    for (; i < n; i++)
        y[i] += alpha * x[i];
}

/* ---- Elementary functions ---- */

/* x = n ln2 + r with |r| <= ln2 / 2; exp(r) by polynomial. The scale 2^n is applied in two halves
   so that results below the smallest normal number, and overflow, come out by plain arithmetic.
   Clamping uses comparisons that are false for NaN, which therefore passes through. */
INLINE Vec exp_vec(Vec x)
{
    const float round_bias = 12582912.0F; /* 1.5 * 2^23: adding it rounds to an integer */
    x = choose(x > splat(89.0F), splat(89.0F), x);
    x = choose(x < splat(-105.0F), splat(-105.0F), x);
    const Vec biased = x * 1.44269504F + round_bias;
    const Vec n = biased - round_bias;
    /* The high part of ln2 has so few bits that n times it is exact even without FMA. */
    const Vec r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
    const Vec p = EXP_POLYNOMIAL(r);
#if KERNEL_VECTOR_BYTES == 64
    return times_power_of_two(p, n);
#else
    const Int exponent = (Int)biased - (Int)splat(round_bias);
    const Int half = exponent >> 1;
    const Vec scale1 = (Vec)((half + 127) << 23), scale2 = (Vec)((exponent - half + 127) << 23);
    return (p * scale1) * scale2;
#endif
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)); log(m) by polynomial in m - 1. */
INLINE Vec log_vec(Vec x)
{
    const Int small = x < splat(1.17549435e-38F);
    /* Where there is no logarithm any positive number will do: the end puts in what belongs there. */
    const Vec scaled = choose(x > splat(0.0F), choose(small, x * 8388608.0F, x), splat(1.0F));
    const Int bits = (Int)scaled - 0x3f3504f3;
    const Int exponent = (bits >> 23) - (small & 23);
    const Vec f = (Vec)((bits & 0x7fffff) + 0x3f3504f3) - 1.0F;
    const Vec e = __builtin_convertvector(exponent, Vec);
    const Vec z = f * f;
    Vec p = LOG_POLYNOMIAL(f);
    p = p * f * z + e * -2.12194440e-4F;
    p = p - z * 0.5F;
    Vec y = (f + p) + e * 0.693359375F;
    y = choose(x == splat(0.0F), splat(-INFINITY), y);
    y = choose(x < splat(0.0F), splat(NAN), y);
    /* +inf and NaN are their own logarithms. */
    return choose(x < splat(INFINITY), y, choose(x == splat(INFINITY), x, x + x));
}

INLINE Vec magnitude(Vec x)
{
    return (Vec)((Int)x & 0x7fffffff);
}

INLINE Vec with_sign_of(Vec value, Vec sign)
{
    return (Vec)((Int)value | ((Int)sign & (int32_t)0x80000000));
}

INLINE Vec tanh_vec(Vec x)
{
    const Vec size = magnitude(x), z = x * x;
    Vec p = z * -5.70498872745e-3F + 2.06390887954e-2F;
    p = p * z + -5.37397155531e-2F;
    p = p * z + 1.33314422036e-1F;
    p = p * z + -3.33332819422e-1F;
    const Vec near = p * z * x + x;
    const Vec far = 1.0F - 2.0F / (exp_vec(size + size) + 1.0F);
    return with_sign_of(choose(size < splat(0.625F), near, far), x); /* near 0, -0 stays -0 */
}

/* exp is only taken of values <= 0, which keeps the relative error small on the left side too. */
INLINE Vec sigmoid_vec(Vec x)
{
    const Vec e = exp_vec(-magnitude(x));
    return choose(x < splat(0.0F), e, splat(1.0F)) / (1.0F + e);
}

/* An odd polynomial near 0, 1 - exp(polynomial) beyond. From 4 on, erf is 1 in single precision. */
INLINE Vec erf_vec(Vec x)
{
    const Vec s = x * x;
    Vec p = s * -5.96761703e-4F + 4.99119423e-3F;
    p = p * s + -2.67681349e-2F;
    p = p * s + 1.12819925e-1F;
    p = p * s + -3.76125336e-1F;
    p = p * s + 1.28379166e-1F;
    const Vec near = p * x + x;

    const Vec size = magnitude(x);
    const Vec t = choose(size > splat(4.0F), splat(4.0F), size);
    Vec q = t * -1.72853470e-5F + 3.83197126e-4F;
    q = q * t + -3.88396438e-3F;
    q = q * t + 2.42546219e-2F;
    q = q * t + -1.06777877e-1F;
    q = q * t + -6.34846687e-1F;
    q = q * t + -1.28717512e-1F;
    q = q * t - t;
    const Vec far = with_sign_of(1.0F - exp_vec(q), x);
    return choose(size > splat(0.927734375F), far, near);
}

#define DEFINE_MAP(name)                                                       \
    static void name##_map(int64_t n, const float *x, float *y) {              \
        int64_t i = 0;                                                         \
        for (; i + LANES <= n; i += LANES)                                     \
            store(y + i, name##_vec(load(x + i)));                             \
        if (i < n)                                                             \
            store_part(y + i, n - i, name##_vec(load_part(x + i, n - i, 1.0F))); \
    }

DEFINE_MAP(exp)
DEFINE_MAP(log)
DEFINE_MAP(tanh)
DEFINE_MAP(sigmoid)
DEFINE_MAP(erf)

/* ---- Rows ---- */

/* What to subtract before exp: the largest value, or 0 where that is infinite and subtracting it
   would make NaN of everything. NaN is never larger; it shows up in the sum. */
static float row_shift(int64_t n, const float *x)
{
    Vec m0 = splat(-INFINITY), m1 = m0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const Vec v0 = load(x + i), v1 = load(x + i + LANES);
        m0 = choose(v0 > m0, v0, m0);
        m1 = choose(v1 > m1, v1, m1);
    }
    m0 = choose(m1 > m0, m1, m0);
    float part[LANES], largest = -INFINITY;
    store(part, m0);
    for (int lane = 0; lane < LANES; lane++)
        largest = part[lane] > largest ? part[lane] : largest;
    for (; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return isinf(largest) ? 0.0F : largest;
}

static float sum_exp(int64_t n, const float *x, float shift)
{
    Vec s0 = {0}, s1 = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 += exp_vec(load(x + i) - shift);
        s1 += exp_vec(load(x + i + LANES) - shift);
    }
    for (; i + LANES <= n; i += LANES)
        s0 += exp_vec(load(x + i) - shift);
    if (i < n)
        s1 += exp_vec(load_part(x + i, n - i, -INFINITY) - shift);
    return sum_lanes(s0 + s1);
}

static float log_sum_exp_row(int64_t n, const float *x)
{
    const float shift = row_shift(n, x);
    return shift + logf(sum_exp(n, x, shift));
}

static void log_softmax_row(int64_t n, const float *x, float *y)
{
    const float shift = row_shift(n, x);
    const float log_sum = logf(sum_exp(n, x, shift));
    /* Not x - (shift + log_sum): that loses the logarithm's low bits when the shift is large. */
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - shift) - log_sum;
}

#include "core/kernels/kernels_distance.inc.h"
#include "core/kernels/kernels_rows.inc.h"
#include "core/kernels/kernels_softmax.inc.h"
#include "core/kernels/kernels_reduce.inc.h"
#include "core/kernels/kernels_elementwise.inc.h"
#include "core/kernels/kernels_convolution.inc.h"
#include "core/kernels/kernels_pooling.inc.h"
#include "core/kernels/kernels_convolution_channels.inc.h"
#include "core/kernels/kernels_optimizer.inc.h"
#include "core/kernels/kernels_int8.inc.h"
#include "core/kernels/kernels_peak.inc.h"

const Kernels PASTE(kernels_, KERNEL_ISA);
const Kernels PASTE(kernels_, KERNEL_ISA) = {
    .isa = TEXT(KERNEL_ISA),
    .mr = MR,
    .nr = NR,
    .gemm_tile = {EACH_ROW(TILE_ENTRY)},
    .gemm_far_tile = {EACH_ROW(FAR_TILE_ENTRY)},
    .gemm_edge = {EACH_ROW(EDGE_ENTRY)},
    .gemm_pack_a = gemm_pack_a,
    .gemm_pack_b = gemm_pack_b,
    .gemm_pack_edge = gemm_pack_edge,
    .gemm_turn_b = gemm_turn_b,
    .gemm_dots = gemm_dots,
    .dot = dot,
    .axpy = axpy,
    .exp = exp_map,
    .log = log_map,
    .tanh = tanh_map,
    .sigmoid = sigmoid_map,
    .erf = erf_map,
    .log_softmax_row = log_softmax_row,
    .log_sum_exp_row = log_sum_exp_row,
    .squared_distances = squared_distances,
    .weighted_differences = weighted_differences,
    .softmax_backward_row = softmax_backward_row,
    .log_softmax_backward_row = log_softmax_backward_row,
    .log_sum_exp_parts = log_sum_exp_parts,
    .scaled_softmax_row = scaled_softmax_row,
    .max_pool_row = max_pool_row,
    .max_spread_2x2 = max_spread_2x2,
    .sum_placed = sum_placed,
    .average_pool_2x2_row = average_pool_2x2_row,
    .average_spread_2x2_row = average_spread_2x2_row,
    .softmax = SOFTMAX_KERNELS,
    .rows = ROW_KERNELS,
    .elementwise = ELEMENTWISE_KERNELS,
    .optimizer = OPTIMIZER_KERNELS,
    .convolution = {{{MR, high_convolution_tile}, {LOW, low_convolution_tile}, {1, single_convolution_tile}},
                    convolution_pack, WEIGHT_ROWS, WEIGHT_TAPS, convolution_weight_tile,
                    {EACH_ROW(PLACES_ENTRY)}, {EACH_ROW(TAPS_ENTRY)}, transpose, convolution_pool,
                    convolution_unpool, convolution_copy_rows},
    .int8 = INT8_KERNELS,
    .multiply_add_chains = multiply_add_chains,
    .chain_flops = 2 * PEAK_CHAINS * LANES,
};
