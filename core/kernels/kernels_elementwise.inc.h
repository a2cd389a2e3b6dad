/* Elementwise operations and random words; a part of kernels_isa.c, compiled once per instruction set. */

INLINE Vec largest_of(Vec a, Vec b)
{
    return choose(b > a, b, a);
}

INLINE Vec smallest_of(Vec a, Vec b)
{
    return choose(b < a, b, a);
}

/* The rounding error of 1 + x, divided by its derivative, is put back. */
INLINE Vec log1p_vec(Vec x)
{
    const Vec w = 1.0F + x;
    const Vec corrected = log_vec(w) + (x - (w - 1.0F)) / w;
    return choose(magnitude(w) < splat(INFINITY), choose(w == splat(0.0F), splat(-INFINITY), corrected), log_vec(w));
}

INLINE Vec expm1_vec(Vec x)
{
    return choose(magnitude(x) < splat(0.35F), EXPM1_POLYNOMIAL(x), exp_vec(x) - 1.0F);
}

/* log(1 + exp(-|x|)) */
INLINE Vec softplus_tail(Vec x)
{
    return log1p_vec(exp_vec(-magnitude(x)));
}

INLINE Vec normal_cdf(Vec x)
{
    return 0.5F * (1.0F + erf_vec(x * 0.707106781F));
}

INLINE Vec gelu_inner(Vec x)
{
    return 0.797884561F * (x + 0.044715F * x * x * x);
}

INLINE Vec gelu_tanh_slope(Vec x)
{
    const Vec t = tanh_vec(gelu_inner(x)), inner_slope = 0.797884561F * (1.0F + 0.134145F * x * x);
    return 0.5F * (1.0F + t) + 0.5F * x * (1.0F - t * t) * inner_slope;
}

INLINE Vec silu_slope(Vec x)
{
    const Vec s = sigmoid_vec(x);
    return s * (1.0F + x * (1.0F - s));
}

/* Half to even; beyond 2^23 every number is an integer. */
INLINE Vec round_vec(Vec x)
{
    const Vec size = magnitude(x), rounded = (size + 8388608.0F) - 8388608.0F;
    return choose(size < splat(8388608.0F), with_sign_of(rounded, x), x);
}

INLINE Vec where_positive(Vec x, Vec yes, Vec no)
{
    return choose(x > splat(0.0F), yes, no);
}

INLINE Vec where_within(Vec x, float low, float high, Vec yes)
{
    return choose((x >= splat(low)) & (x <= splat(high)), yes, splat(0.0F));
}

/* NaN stays NaN: it is neither above nor below. */
INLINE Vec clamp_vec(Vec x, float low, float high)
{
    x = choose(x < splat(low), splat(low), x);
    return choose(x > splat(high), splat(high), x);
}

#define DEFINE_UNARY(name, expression)                                                   \
    static void name##_unary(int64_t n, const float *from, float *to, float p, float q)  \
    {                                                                                    \
        (void)p, (void)q;                                                                \
        int64_t i = 0;                                                                   \
        for (; i + LANES <= n; i += LANES) {                                             \
            const Vec x = load(from + i);                                                \
            store(to + i, expression);                                                   \
        }                                                                                \
        if (i < n) {                                                                     \
            const Vec x = load_part(from + i, n - i, 1.0F);                              \
            store_part(to + i, n - i, expression);                                       \
        }                                                                                \
    }

DEFINE_UNARY(neg, -x)
DEFINE_UNARY(scale, x * p)
DEFINE_UNARY(add_scalar, x + p)
DEFINE_UNARY(square, x * x)
DEFINE_UNARY(reciprocal, 1.0F / x)
DEFINE_UNARY(abs, magnitude(x))
DEFINE_UNARY(sign, choose(x == splat(0.0F), x, with_sign_of(splat(1.0F), x)))
DEFINE_UNARY(step, where_positive(x, splat(1.0F), splat(0.0F)))
DEFINE_UNARY(within, where_within(x, p, q, splat(1.0F)))
DEFINE_UNARY(exp, exp_vec(x))
DEFINE_UNARY(expm1, expm1_vec(x))
DEFINE_UNARY(log, log_vec(x))
DEFINE_UNARY(log1p, log1p_vec(x))
DEFINE_UNARY(xlogx, choose(x == splat(0.0F), splat(0.0F), x * log_vec(x)))
DEFINE_UNARY(tanh, tanh_vec(x))
DEFINE_UNARY(erf, erf_vec(x))
DEFINE_UNARY(sigmoid, sigmoid_vec(x))
DEFINE_UNARY(log_sigmoid, smallest_of(x, splat(0.0F)) - softplus_tail(x))
DEFINE_UNARY(softplus, largest_of(x, splat(0.0F)) + softplus_tail(x))
DEFINE_UNARY(relu, choose(x < splat(0.0F), splat(0.0F), x))
DEFINE_UNARY(leaky_relu, where_positive(x, x, x * p))
DEFINE_UNARY(elu, where_positive(x, x, p * expm1_vec(x)))
DEFINE_UNARY(gelu, x * normal_cdf(x))
DEFINE_UNARY(gelu_tanh, 0.5F * x * (1.0F + tanh_vec(gelu_inner(x))))
DEFINE_UNARY(silu, x * sigmoid_vec(x))
DEFINE_UNARY(hard_sigmoid, clamp_vec(x + 3.0F, 0.0F, 6.0F) * (1.0F / 6))
DEFINE_UNARY(clamp, clamp_vec(x, p, q))
DEFINE_UNARY(round, round_vec(x))

/* The vector extensions have no square root; the compiler finds it in plain loops. */
static void sqrt_unary(int64_t n, const float *x, float *y, float p, float q)
{
    (void)p, (void)q;
    for (int64_t i = 0; i < n; i++)
        y[i] = sqrtf(x[i]);
}

static void rsqrt_unary(int64_t n, const float *x, float *y, float p, float q)
{
    (void)p, (void)q;
    for (int64_t i = 0; i < n; i++)
        y[i] = 1.0F / sqrtf(x[i]);
}

/* Phi(x) from y = x Phi(x): a division is cheaper than erf. */
INLINE Vec gelu_share(Vec x, Vec y)
{
    return choose(magnitude(x) < splat(1e-18F), splat(0.5F), y / x);
}

#define DEFINE_UNARY_GRADIENT(name, expression)                                                                    \
    static void name##_unary_gradient(int64_t n, const float *from, const float *made, const float *gradient,      \
                                      float *to, float p, float q)                                                 \
    {                                                                                                              \
        (void)p, (void)q, (void)from, (void)made;                                                                  \
        int64_t i = 0;                                                                                             \
        for (; i + LANES <= n; i += LANES) {                                                                       \
            const Vec x = load(from + i), y = load(made + i), g = load(gradient + i);                              \
            (void)x, (void)y;                                                                                      \
            store(to + i, expression);                                                                             \
        }                                                                                                          \
        if (i < n) {                                                                                               \
            const Vec x = load_part(from + i, n - i, 1.0F), y = load_part(made + i, n - i, 1.0F);                  \
            const Vec g = load_part(gradient + i, n - i, 1.0F);                                                    \
            (void)x, (void)y;                                                                                      \
            store_part(to + i, n - i, expression);                                                                 \
        }                                                                                                          \
    }

DEFINE_UNARY_GRADIENT(square, 2.0F * g * x)
DEFINE_UNARY_GRADIENT(abs, choose(x == splat(0.0F), splat(0.0F), choose(x < splat(0.0F), -g, g)))
DEFINE_UNARY_GRADIENT(tanh, g * (1.0F - y * y))
DEFINE_UNARY_GRADIENT(sigmoid, g * (y * (1.0F - y)))
DEFINE_UNARY_GRADIENT(log_sigmoid, g * sigmoid_vec(-x))
DEFINE_UNARY_GRADIENT(softplus, g * sigmoid_vec(x))
DEFINE_UNARY_GRADIENT(relu, where_positive(y, g, splat(0.0F)))
DEFINE_UNARY_GRADIENT(leaky_relu, where_positive(x, g, g * p))
DEFINE_UNARY_GRADIENT(elu, where_positive(x, g, g * (p * exp_vec(x))))
DEFINE_UNARY_GRADIENT(gelu, g * (gelu_share(x, y) + x * (0.398942280F * exp_vec(-0.5F * x * x))))
DEFINE_UNARY_GRADIENT(gelu_tanh, g * gelu_tanh_slope(x))
DEFINE_UNARY_GRADIENT(silu, g * silu_slope(x))
DEFINE_UNARY_GRADIENT(hard_sigmoid, where_within(x, -3.0F, 3.0F, g * (1.0F / 6)))
DEFINE_UNARY_GRADIENT(clamp, where_within(x, p, q, g))

#define DEFINE_BINARY(name, TYPE, expression)                                                                 \
    static void name##_binary(int64_t rows, int64_t n, const float *a, int64_t row_a, int64_t step_a,         \
                              const float *b, int64_t row_b, int64_t step_b, TYPE *restrict to)               \
    {                                                                                                         \
        for (int64_t r = 0; r < rows; r++, a += row_a, b += row_b, to += n) {                                 \
            if (step_a && step_b) {                                                                           \
                for (int64_t i = 0; i < n; i++) {                                                             \
                    const float x = a[i], y = b[i];                                                           \
                    to[i] = expression;                                                                       \
                }                                                                                             \
            } else if (step_a) {                                                                              \
                const float y = b[0];                                                                         \
                for (int64_t i = 0; i < n; i++) {                                                             \
                    const float x = a[i];                                                                     \
                    to[i] = expression;                                                                       \
                }                                                                                             \
            } else {                                                                                          \
                const float x = a[0];                                                                         \
                for (int64_t i = 0; i < n; i++) {                                                             \
                    const float y = b[i * step_b];                                                            \
                    to[i] = expression;                                                                       \
                }                                                                                             \
            }                                                                                                 \
        }                                                                                                     \
    }

DEFINE_BINARY(add, float, x + y)
DEFINE_BINARY(sub, float, x - y)
DEFINE_BINARY(mul, float, x * y)
DEFINE_BINARY(div, float, x / y)
DEFINE_BINARY(maximum, float, ((x > y) | (x != x)) ? x : y) /* NaN comes through */
DEFINE_BINARY(minimum, float, ((x < y) | (x != x)) ? x : y)
DEFINE_BINARY(less, int32_t, x < y)
DEFINE_BINARY(less_equal, int32_t, x <= y)
DEFINE_BINARY(equal, int32_t, x == y)

static void fill(int64_t n, float value, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = value;
}

/* A step that is known lets the compiler vectorise. */
#define WHERE_ROW(from_a, from_b)               \
    for (int64_t i = 0; i < n; i++) {           \
        const float yes = from_a, no = from_b;  \
        y[i] = condition[i] ? yes : no;         \
    }

static void where_row(int64_t n, const int32_t *condition, const float *a, const float *b, const int64_t step[3],
                      float *restrict y)
{
    const float first_a = a[0], first_b = b[0];
    if (!step[0]) {
        const float *chosen = condition[0] ? a : b;
        if (condition[0] ? step[1] : step[2])
            memcpy(y, chosen, (size_t)n * sizeof *y);
        else
            fill(n, chosen[0], y);
    } else if (step[1] && step[2]) {
        WHERE_ROW(a[i], b[i])
    } else if (step[1]) {
        WHERE_ROW(a[i], first_b)
    } else if (step[2]) {
        WHERE_ROW(first_a, b[i])
    } else {
        WHERE_ROW(first_a, first_b)
    }
}

static void where(int64_t rows, int64_t n, const int32_t *condition, const float *a, const float *b,
                  const int64_t row[3], const int64_t step[3], float *y)
{
    for (int64_t r = 0; r < rows; r++)
        where_row(n, condition + r * row[0], a + r * row[1], b + r * row[2], step, y + r * n);
}

static void dropout(int64_t n, const uint32_t *words, uint32_t below, float scale, const float *x, float *restrict y)
{
    for (int64_t i = 0; i < n; i++) {
        const float kept = scale * x[i];
        y[i] = words[i] < below ? 0.0F : kept;
    }
}

/* random_block of core/base/random.c for LANES counters side by side. */
static void random_words(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first, int64_t blocks, uint32_t *words)
{
    for (int64_t begin = 0; begin < blocks; begin += LANES) {
        uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int i = 0; i < LANES; i++) {
            const uint64_t index = first + (uint64_t)begin + (uint64_t)i;
            c0[i] = (uint32_t)index;
            c1[i] = (uint32_t)(index >> 32);
            c2[i] = step;
            c3[i] = stream;
        }
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
            for (int i = 0; i < LANES; i++) {
                const uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
                c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
                c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
                c1[i] = (uint32_t)p1;
                c3[i] = (uint32_t)p0;
            }
        const int count = blocks - begin < LANES ? (int)(blocks - begin) : LANES;
        for (int i = 0; i < count; i++) {
            uint32_t *to = words + 4 * (begin + i);
            to[0] = c0[i], to[1] = c1[i], to[2] = c2[i], to[3] = c3[i];
        }
    }
}

#define UNARY_ENTRY(name) [UNARY_##name] = name##_unary,
#define UNARY_GRADIENT_ENTRY(name) [UNARY_##name] = name##_unary_gradient,
#define BINARY_ENTRY(name) [BINARY_##name] = name##_binary,
#define COMPARE_ENTRY(name) [COMPARE_##name] = name##_binary,
#define ELEMENTWISE_KERNELS                                      \
    {                                                            \
        .unary = {UNARY_KERNELS(UNARY_ENTRY)},                   \
        .unary_gradient = {UNARY_GRADIENT_KERNELS(UNARY_GRADIENT_ENTRY)}, \
        .binary = {BINARY_KERNELS(BINARY_ENTRY)},                \
        .compare = {COMPARE_KERNELS(COMPARE_ENTRY)},             \
        .where = where,                                          \
        .fill = fill,                                            \
        .dropout = dropout,                                      \
        .search_rows = search_rows,                              \
        .search_columns = search_columns,                        \
        .sum_rows = sum_rows,                                    \
        .sum_columns = sum_columns,                              \
        .exp_scaled = exp_scaled,                                \
        .random_words = random_words,                            \
    }
