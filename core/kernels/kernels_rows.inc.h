/* Part of kernels_isa.c: what normalisations, attention and cross-entropies do to a row. Loops without a
   reduction are left to the compiler, which vectorises them for the instruction set. */

/* Sums within blocks of this many values are float, sums of blocks double. */
enum { SUM_BLOCK = 4096 };

INLINE float sum_block(int64_t n, const float *x, float center, bool squared)
{
    Vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const Vec v0 = load(x + i) - center, v1 = load(x + i + LANES) - center;
        const Vec v2 = load(x + i + 2 * LANES) - center, v3 = load(x + i + 3 * LANES) - center;
        s0 += squared ? v0 * v0 : v0;
        s1 += squared ? v1 * v1 : v1;
        s2 += squared ? v2 * v2 : v2;
        s3 += squared ? v3 * v3 : v3;
    }
    for (; i + LANES <= n; i += LANES) {
        const Vec v = load(x + i) - center;
        s0 += squared ? v * v : v;
    }
    float sum = sum_lanes((s0 + s1) + (s2 + s3));
    for (; i < n; i++) {
        const float v = x[i] - center;
        sum += squared ? v * v : v;
    }
    return sum;
}

static double centred_sum_row(int64_t n, const float *x, float center)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += SUM_BLOCK)
        sum += (double)sum_block(n - i < SUM_BLOCK ? n - i : SUM_BLOCK, x + i, center, false);
    return sum;
}

static double centred_squares_row(int64_t n, const float *x, float center)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i += SUM_BLOCK)
        sum += (double)sum_block(n - i < SUM_BLOCK ? n - i : SUM_BLOCK, x + i, center, true);
    return sum;
}

static float max_row(int64_t n, const float *x)
{
    Vec m = splat(-INFINITY);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const Vec v = load(x + i);
        m = choose(v > m, v, m);
    }
    float part[LANES], largest = -INFINITY;
    store(part, m);
    for (int lane = 0; lane < LANES; lane++)
        largest = part[lane] > largest ? part[lane] : largest;
    for (; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

static float exp_row(int64_t n, const float *x, float shift, float *y)
{
    Vec sum = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const Vec e = exp_vec(load(x + i) - shift);
        store(y + i, e);
        sum += e;
    }
    if (i < n) {
        const Vec e = exp_vec(load_part(x + i, n - i, -INFINITY) - shift);
        store_part(y + i, n - i, e);
        sum += e;
    }
    return sum_lanes(sum);
}

static void max_columns(int64_t rows, int64_t n, int64_t stride, const float *x, float *largest)
{
    for (int64_t j = 0; j < n; j += 2 * LANES) {
        Vec m0 = load(largest + j), m1 = load(largest + j + LANES);
        for (int64_t i = 0; i < rows; i++) {
            const Vec v0 = load(x + i * stride + j), v1 = load(x + i * stride + j + LANES);
            m0 = choose(v0 > m0, v0, m0);
            m1 = choose(v1 > m1, v1, m1);
        }
        store(largest + j, m0);
        store(largest + j + LANES, m1);
    }
}

INLINE Vec exp_column(float *x, Vec shift, float inverse_cap)
{
    const Vec z = load(x), e = exp_vec(z - shift), u = z * inverse_cap;
    store(x, inverse_cap == 0 ? e : e * (1.0F - u * u));
    return e;
}

static void exp_columns(int64_t rows, int64_t n, int64_t stride, float *x, const float *shift, float inverse_cap,
                        float *sum)
{
    for (int64_t j = 0; j < n; j += 2 * LANES) {
        const Vec shift0 = load(shift + j), shift1 = load(shift + j + LANES);
        Vec s0 = {0}, s1 = {0};
        for (int64_t i = 0; i < rows; i++) {
            s0 += exp_column(x + i * stride + j, shift0, inverse_cap);
            s1 += exp_column(x + i * stride + j + LANES, shift1, inverse_cap);
        }
        store(sum + j, s0);
        store(sum + j + LANES, s1);
    }
}

static void add_compensated(int64_t n, const float *restrict x, float *restrict sum, float *restrict lost)
{
    for (int64_t i = 0; i < n; i++) {
        const float before = sum[i], term = x[i] + lost[i], after = before + term, taken = after - before;
        sum[i] = after;
        lost[i] = (before - (after - taken)) + (term - taken);
    }
}

static void scale_row(int64_t n, float factor, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* ---- Attention and cross-entropy ---- */

static void score_row(int64_t n, float *s, float scale, const float *mask, float slope, float first)
{
    if (slope != 0)
        for (int64_t i = 0; i < n; i++)
            s[i] = s[i] * scale + slope * (first + (float)i);
    else
        scale_row(n, scale, s);
    if (mask)
        for (int64_t i = 0; i < n; i++)
            s[i] += mask[i];
}

static void attention_gradient_row(int64_t n, const float *restrict p, float *restrict dp, float delta, float scale)
{
    for (int64_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - delta) * scale;
}

INLINE Vec cross_entropy_gradient(Vec z, const float *parts, float weight, float inverse_cap)
{
    const Vec g = exp_vec((z - parts[0]) - parts[1]) * weight, u = z * inverse_cap;
    return inverse_cap == 0 ? g : g * (1.0F - u * u); /* 0 times -inf is not a number */
}

static void cross_entropy_gradient_row(int64_t n, float *z, const float *parts, float weight, float inverse_cap)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(z + i, cross_entropy_gradient(load(z + i), parts, weight, inverse_cap));
    if (i < n)
        store_part(z + i, n - i, cross_entropy_gradient(load_part(z + i, n - i, 0), parts, weight, inverse_cap));
}

/* ---- Normalisation ---- */

static void norm_row(int64_t n, const float *restrict x, float mean, float factor, const float *restrict scale,
                     const float *restrict shift, float *restrict y)
{
    if (scale && shift)
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * factor * scale[i] + shift[i];
    else if (scale)
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * factor * scale[i];
    else if (shift)
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * factor + shift[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * factor;
}

INLINE void norm_sums_block(int64_t n, const float *x, float mean, const float *dy, const float *scale, double *sum,
                            double *product)
{
    Vec s0 = {0}, s1 = {0}, p0 = {0}, p1 = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const Vec g0 = scale ? load(dy + i) * load(scale + i) : load(dy + i);
        const Vec g1 = scale ? load(dy + i + LANES) * load(scale + i + LANES) : load(dy + i + LANES);
        s0 += g0;
        s1 += g1;
        p0 += g0 * (load(x + i) - mean);
        p1 += g1 * (load(x + i + LANES) - mean);
    }
    float s = sum_lanes(s0 + s1), p = sum_lanes(p0 + p1);
    for (; i < n; i++) {
        const float g = scale ? dy[i] * scale[i] : dy[i];
        s += g;
        p += g * (x[i] - mean);
    }
    *sum += (double)s;
    *product += (double)p;
}

static void norm_sums(int64_t n, const float *x, float mean, const float *dy, const float *scale, double *sum,
                      double *product)
{
    *sum = *product = 0;
    for (int64_t i = 0; i < n; i += SUM_BLOCK) {
        const int64_t length = n - i < SUM_BLOCK ? n - i : SUM_BLOCK;
        if (scale)
            norm_sums_block(length, x + i, mean, dy + i, scale + i, sum, product);
        else
            norm_sums_block(length, x + i, mean, dy + i, NULL, sum, product);
    }
}

static void norm_gradient_row(int64_t n, const float *restrict x, float mean, const float *restrict dy,
                              const float *restrict scale, const float by[3], float *restrict dx)
{
    const float a = by[0], b = by[1], c = by[2];
    if (scale)
        for (int64_t i = 0; i < n; i++)
            dx[i] = a * dy[i] * scale[i] - b - (x[i] - mean) * c;
    else
        for (int64_t i = 0; i < n; i++)
            dx[i] = a * dy[i] - b - (x[i] - mean) * c;
}

static void norm_parameters_row(int64_t n, const float *restrict x, float mean, float factor, const float *restrict dy,
                                float *restrict dscale, float *restrict dshift)
{
    for (int64_t i = 0; i < n; i++) {
        dscale[i] += dy[i] * ((x[i] - mean) * factor);
        dshift[i] += dy[i];
    }
}

static void norm_columns(int64_t n, const float *restrict x, const float *restrict mean, const float *restrict factor,
                         const float *restrict shift, float *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean[i]) * factor[i] + shift[i];
}

static void centred_sum_columns(int64_t n, const float *restrict x, const float *restrict mean, float *restrict sum)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i] - mean[i];
}

static void centred_squares_columns(int64_t n, const float *restrict x, const float *restrict mean, float *restrict sum)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (x[i] - mean[i]) * (x[i] - mean[i]);
}

static void norm_sums_columns(int64_t n, const float *restrict x, const float *restrict mean, const float *restrict dy,
                              float *restrict sum, float *restrict product)
{
    for (int64_t i = 0; i < n; i++) {
        sum[i] += dy[i];
        product[i] += dy[i] * (x[i] - mean[i]);
    }
}

static void norm_gradient_columns(int64_t n, const float *restrict x, const float *restrict mean,
                                  const float *restrict dy, const float *const by[3], float *restrict dx)
{
    const float *restrict a = by[0], *restrict b = by[1], *restrict c = by[2];
    for (int64_t i = 0; i < n; i++)
        dx[i] = a[i] * dy[i] - b[i] - (x[i] - mean[i]) * c[i];
}

#define ROW_KERNELS                                               \
    {                                                             \
        .centred_sum_row = centred_sum_row,                       \
        .centred_squares_row = centred_squares_row,               \
        .max_row = max_row,                                       \
        .exp_row = exp_row,                                       \
        .max_columns = max_columns,                               \
        .exp_columns = exp_columns,                               \
        .add_compensated = add_compensated,                       \
        .scale_row = scale_row,                                   \
        .score_row = score_row,                                   \
        .attention_gradient_row = attention_gradient_row,         \
        .cross_entropy_gradient_row = cross_entropy_gradient_row, \
        .norm_row = norm_row,                                     \
        .norm_columns = norm_columns,                             \
        .norm_sums = norm_sums,                                   \
        .norm_sums_columns = norm_sums_columns,                   \
        .centred_sum_columns = centred_sum_columns,               \
        .centred_squares_columns = centred_squares_columns,       \
        .norm_gradient_row = norm_gradient_row,                   \
        .norm_gradient_columns = norm_gradient_columns,           \
        .norm_parameters_row = norm_parameters_row,               \
    }
