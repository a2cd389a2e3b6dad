/* Reductions of rows and columns; a part of kernels_isa.c, compiled once per instruction set. */

static float sum_row(int64_t n, const float *x)
{
    Vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 += load(x + i);
        s1 += load(x + i + LANES);
        s2 += load(x + i + 2 * LANES);
        s3 += load(x + i + 3 * LANES);
    }
    for (; i + LANES <= n; i += LANES)
        s0 += load(x + i);
    float sum = i ? sum_lanes((s0 + s1) + (s2 + s3)) : 0;
    for (; i < n; i++)
        sum += x[i];
    return sum;
}

static void sum_rows(int64_t rows, int64_t n, const float *x, float *y)
{
    for (int64_t r = 0; r < rows; r++)
        y[r] = sum_row(n, x + r * n);
}

/* Four vectors of columns stay in registers down all rows. */
static void sum_columns(int64_t rows, int64_t n, int64_t stride, const float *x, float *y)
{
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        Vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        const float *row = x + i;
        for (int64_t r = 0; r < rows; r++, row += stride) {
            s0 += load(row);
            s1 += load(row + LANES);
            s2 += load(row + 2 * LANES);
            s3 += load(row + 3 * LANES);
        }
        store(y + i, s0);
        store(y + i + LANES, s1);
        store(y + i + 2 * LANES, s2);
        store(y + i + 3 * LANES, s3);
    }
    for (; i + LANES <= n; i += LANES) {
        Vec sum = {0};
        for (int64_t r = 0; r < rows; r++)
            sum += load(x + r * stride + i);
        store(y + i, sum);
    }
    if (i == n)
        return;
    /* The rest of a row, taken with the beginning of the next, whose sums go nowhere; near the end of x by parts. */
    const int64_t end = (rows - 1) * stride + n;
    Vec sum = {0};
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = r * stride + i;
        sum += at + LANES <= end ? load(x + at) : load_part(x + at, n - i, 0.0F);
    }
    store_part(y + i, n - i, sum);
}

static void exp_scaled(int64_t n, const float *x, float shift, float scale, float *y)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(y + i, scale * exp_vec(load(x + i) - shift));
    if (i < n)
        store_part(y + i, n - i, scale * exp_vec(load_part(x + i, n - i, shift) - shift));
}

/* NaN is larger than everything but another NaN. */
INLINE bool beats(float x, float best)
{
    return x > best || (x != x && best == best);
}

/* Each lane keeps its largest and the step at which it came; the first of equals is in the lowest step, and
   there in the lowest lane. */
static int32_t search_row(int64_t n, const float *x, float sign)
{
    float value[LANES], largest = sign * x[0];
    int32_t step[LANES];
    int64_t i = LANES, at = 0;
    if (n >= LANES) {
        Vec best = sign * load(x);
        Int when = {0};
        for (; i + LANES <= n; i += LANES) {
            const Vec v = sign * load(x + i);
            const Int better = (v > best) | ((v != v) & (best == best));
            best = choose(better, v, best);
            when = (when & ~better) | (((Int){0} + (int32_t)(i / LANES)) & better);
        }
        store(value, best);
        memcpy(step, &when, sizeof step);
        largest = value[0];
        at = (int64_t)step[0] * LANES;
        for (int lane = 1; lane < LANES; lane++) {
            const int64_t place = (int64_t)step[lane] * LANES + lane;
            const bool same = value[lane] == largest || (value[lane] != value[lane] && largest != largest);
            if (beats(value[lane], largest) || (same && place < at)) {
                largest = value[lane];
                at = place;
            }
        }
    } else {
        i = 1;
    }
    for (; i < n; i++)
        if (beats(sign * x[i], largest)) {
            largest = sign * x[i];
            at = i;
        }
    return (int32_t)at;
}

static void search_rows(int64_t rows, int64_t n, const float *x, float sign, float *value, int32_t *index)
{
    for (int64_t r = 0; r < rows; r++) {
        index[r] = search_row(n, x + r * n, sign);
        value[r] = x[r * n + index[r]];
    }
}

static void search_columns(int64_t rows, int64_t n, const float *x, float sign, float *restrict value,
                           int32_t *restrict index)
{
    memcpy(value, x, (size_t)n * sizeof *value);
    memset(index, 0, (size_t)n * sizeof *index);
    for (int64_t r = 1; r < rows; r++)
        for (int64_t i = 0; i < n; i++) {
            const float candidate = x[r * n + i], best = value[i];
            const bool better = (sign * candidate > sign * best) | ((candidate != candidate) & (best == best));
            value[i] = better ? candidate : best;
            index[i] = better ? (int32_t)r : index[i];
        }
}
