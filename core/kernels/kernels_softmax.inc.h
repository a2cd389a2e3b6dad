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
