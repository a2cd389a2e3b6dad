/* Pooling over 2 x 2 places with stride 2, a row of n results from two rows. Part of kernels_isa.c. */

/* places[i]: which of the largest, counted in x with rows of `width`, plus `first`. NaN counts as largest. */
static void max_pool_2x2_row(int64_t n, const float *x, int64_t width, int32_t first, float *y, int32_t *places)
{
    const float *below = x + width;
    const int32_t down = (int32_t)width;
    for (int64_t i = 0; i < n; i++) {
        const float a = x[2 * i], b = x[2 * i + 1], c = below[2 * i], d = below[2 * i + 1];
        const int right = (b > a) | (b != b && a == a), right_below = (d > c) | (d != d && c == c);
        const float top = right ? b : a, bottom = right_below ? d : c;
        const int lower = (bottom > top) | (bottom != bottom && top == top);
        y[i] = lower ? bottom : top;
        places[i] = first + 2 * (int32_t)i + (lower ? down + right_below : right);
    }
}

static void average_pool_2x2_row(int64_t n, const float *x, int64_t width, float *y)
{
    const float *below = x + width;
    for (int64_t i = 0; i < n; i++)
        y[i] = ((x[2 * i] + x[2 * i + 1]) + (below[2 * i] + below[2 * i + 1])) * 0.25F;
}
