/* Rows of the softmax family: losses and derivatives. Part of kernels_isa.c. */

/* y (g - sum(g y)) */
static void softmax_backward_row(int64_t n, const float *y, const float *gradient, float *result)
{
    const float mean = dot(n, y, gradient);
    for (int64_t i = 0; i < n; i++)
        result[i] = y[i] * (gradient[i] - mean);
}

/* g - exp(y) sum(g) */
static void log_softmax_backward_row(int64_t n, const float *y, const float *gradient, float *result)
{
    Vec sums = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sums += load(gradient + i);
    float sum = sum_lanes(sums);
    for (; i < n; i++)
        sum += gradient[i];
    for (i = 0; i + LANES <= n; i += LANES)
        store(result + i, load(gradient + i) - exp_vec(load(y + i)) * sum);
    if (i < n) {
        const Vec p = exp_vec(load_part(y + i, n - i, 0.0F));
        store_part(result + i, n - i, load_part(gradient + i, n - i, 0.0F) - p * sum);
    }
}

static void log_sum_exp_parts(int64_t n, const float *x, float *parts)
{
    parts[0] = row_shift(n, x);
    parts[1] = logf(sum_exp(n, x, parts[0]));
}

/* factor exp((x - shift) - log_sum) */
static void scaled_softmax_row(int64_t n, const float *x, const float *parts, float factor, float *result)
{
    const float shift = parts[0], log_sum = parts[1];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(result + i, factor * exp_vec((load(x + i) - shift) - log_sum));
    if (i < n)
        store_part(result + i, n - i, factor * exp_vec((load_part(x + i, n - i, 0.0F) - shift) - log_sum));
}

/* ---- Softmax ---- */

static void softmax_three_pass_row(int64_t n, const float *x, float *y)
{
    const float shift = row_shift(n, x);
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += SUM_BLOCK)
        sum += (double)exp_row(n - begin < SUM_BLOCK ? n - begin : SUM_BLOCK, x + begin, shift, y + begin);
    scale_row(n, (float)(1 / sum), y);
}

typedef struct Pair {
    Vec mantissa, exponent;
} Pair;

enum { PAIR_RANGE = 1 << 21, PAIR_LOWEST = -(1 << 22) };

/* exp(x) as mantissa 2^exponent, exact to 2e-7 for |x| <= 2^21. Below, the mantissa is 0 and the exponent no larger
   than that of -2^21; above, the exponent tells. */
INLINE Pair exp_pair(Vec x)
{
    const float round_bias = 12582912.0F; /* 1.5 * 2^23: adding it rounds to an integer */
    const Vec n = (x * 1.44269504F + round_bias) - round_bias;
    const Vec t = (x - n * 0.693359375F) - n * -2.12194440e-4F;
    Vec p = t * 0x1.0F9F9Cp-7F + 0x1.573A1Ap-5F;
    p = p * t + 0x1.555A80p-3F;
    p = p * t + 0x1.FFFDC6p-2F;
    p = p * t + 0x1.FFFFF6p-1F;
    p = p * t + 1.0F;
    return (Pair){choose(x < splat(-(float)PAIR_RANGE), splat(0.0F), p), n};
}

/* x 2^e for integers e <= 0; `scale_down` gives 0 from e = -127 down. */
#if KERNEL_VECTOR_BYTES == 64
INLINE Vec scale_down(Vec x, Vec e)
{
    return times_power_of_two(x, e);
}

INLINE Vec scale_far_down(Vec x, Vec e)
{
    return times_power_of_two(x, e);
}
#else
INLINE Vec power_of_two(Vec e)
{
    e = choose(e > splat(-127.0F), e, splat(-127.0F));
    return (Vec)((Int)(e + 12583039.0F) << 23); /* 1.5 * 2^23 + 127 */
}

INLINE Vec scale_down(Vec x, Vec e)
{
    return x * power_of_two(e);
}

/* In two factors, so that results below the smallest normal number are right too. */
INLINE Vec scale_far_down(Vec x, Vec e)
{
    e = choose(e > splat(-252.0F), e, splat(-252.0F));
    const Vec half = (e * 0.5F + 12582912.0F) - 12582912.0F;
    return x * power_of_two(half) * power_of_two(e - half);
}
#endif

INLINE Vec larger(Vec x, Vec y)
{
    return choose(x > y, x, y);
}

static SoftmaxSum softmax_sum_piece(int64_t n, const float *x)
{
    Vec sum = {0}, top = splat((float)PAIR_LOWEST);
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const Pair a = exp_pair(load(x + i)), b = exp_pair(load(x + i + LANES));
        const Pair c = exp_pair(load(x + i + 2 * LANES)), d = exp_pair(load(x + i + 3 * LANES));
        const Vec before = top;
        top = larger(larger(larger(a.exponent, b.exponent), larger(c.exponent, d.exponent)), top);
        sum = scale_down(sum, before - top) +
              ((scale_down(a.mantissa, a.exponent - top) + scale_down(b.mantissa, b.exponent - top)) +
               (scale_down(c.mantissa, c.exponent - top) + scale_down(d.mantissa, d.exponent - top)));
    }
    for (; i < n; i += LANES) {
        const Pair a = exp_pair(i + LANES <= n ? load(x + i) : load_part(x + i, n - i, -INFINITY));
        const Vec before = top;
        top = larger(a.exponent, top);
        sum = scale_down(sum, before - top) + scale_down(a.mantissa, a.exponent - top);
    }
    float sums[LANES], tops[LANES], highest = (float)PAIR_LOWEST;
    store(sums, sum);
    store(tops, top);
    for (int lane = 0; lane < LANES; lane++)
        highest = tops[lane] > highest ? tops[lane] : highest;
    if (highest > (float)PAIR_RANGE * 1.4426F)
        return (SoftmaxSum){NAN, 0};
    store(sums, scale_down(sum, top - highest));
    double total = 0;
    for (int lane = 0; lane < LANES; lane++)
        total += (double)sums[lane];
    return (SoftmaxSum){total, highest};
}

INLINE Vec divide_pair(Vec x, float scale, float exponent)
{
    const Pair pair = exp_pair(x);
    return scale_far_down(pair.mantissa * scale, pair.exponent - exponent);
}

static void softmax_divide_piece(int64_t n, const float *x, SoftmaxSum whole, bool stream, float *y)
{
    const float scale = (float)(1 / whole.sum), exponent = whole.exponent;
    const int64_t unaligned = (int64_t)(-(uintptr_t)y % sizeof(Vec) / sizeof(float));
    int64_t i = 0;
    if (stream && unaligned < n) {
        if (unaligned > 0)
            store_part(y, unaligned, divide_pair(load_part(x, unaligned, 0.0F), scale, exponent));
        for (i = unaligned; i + LANES <= n; i += LANES)
            store_past_caches(y + i, divide_pair(load(x + i), scale, exponent));
        finish_stores_past_caches();
    }
    for (; i + LANES <= n; i += LANES)
        store(y + i, divide_pair(load(x + i), scale, exponent));
    if (i < n)
        store_part(y + i, n - i, divide_pair(load_part(x + i, n - i, 0.0F), scale, exponent));
}

#define SOFTMAX_KERNELS {softmax_three_pass_row, softmax_sum_piece, softmax_divide_piece, KERNEL_VECTOR_BYTES == 64}
