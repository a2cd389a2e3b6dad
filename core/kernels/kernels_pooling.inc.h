/* Pooling over 2 x 2 places with stride 2, a row of n results from two rows. Part of kernels_isa.c. */

/* Elements 0, 2, 4... (EVEN) and 1, 3, 5... (ODD) of two vectors. */
#if KERNEL_VECTOR_BYTES == 64
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif KERNEL_VECTOR_BYTES == 32
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#endif

typedef struct Pair {
    Vec even, odd;
} Pair;

INLINE Pair load_pairs(const float *x)
{
#if defined(__clang__) || __GNUC__ >= 12
    const Vec low = load(x), high = load(x + LANES);
    return (Pair){__builtin_shufflevector(low, high, EVEN), __builtin_shufflevector(low, high, ODD)};
#else
    float even[LANES], odd[LANES];
    for (int i = 0; i < LANES; i++) {
        even[i] = x[2 * i];
        odd[i] = x[2 * i + 1];
    }
    return (Pair){load(even), load(odd)};
#endif
}

/* Both rows of a last part of n < LANES results, filled up. */
INLINE void pad_rows(int64_t n, const float *above, const float *below, float *rows)
{
    for (int64_t i = 0; i < 4 * LANES; i++)
        rows[i] = 0;
    memcpy(rows, above, (size_t)n * 2 * sizeof(float));
    memcpy(rows + 2 * LANES, below, (size_t)n * 2 * sizeof(float));
}

/* Whether the second is to be taken: it is larger, or the first that is not a number. */
INLINE Int second_wins(Vec second, Vec first)
{
    return (second > first) | ((second != second) & (first == first));
}

INLINE void largest_of_4(const float *above, const float *below, Int down, float *y, int32_t *places)
{
    const Pair top = load_pairs(above), bottom = load_pairs(below);
    const Int right = second_wins(top.odd, top.even), right_below = second_wins(bottom.odd, bottom.even);
    const Vec first = choose(right, top.odd, top.even), second = choose(right_below, bottom.odd, bottom.even);
    const Int lower = second_wins(second, first);
    store(y, choose(lower, second, first));
    const Int place = (lower & (down - right_below)) | (~lower & -right); /* a true lane is -1 */
    memcpy(places, &place, sizeof place);
}

static void max_pool_2x2_row(int64_t n, const float *x, int64_t width, int32_t first, float *y, int32_t *places)
{
    const Int down = (Int){0} + (int32_t)width;
    Int begin = (Int){0} + first;
    for (int lane = 0; lane < LANES; lane++)
        begin[lane] += 2 * lane;
    for (int64_t i = 0; i < n; i += LANES, begin += 2 * LANES) {
        float rows[4 * LANES], values[LANES];
        Int place;
        int32_t offsets[LANES];
        const bool whole = i + LANES <= n;
        const int64_t count = whole ? LANES : n - i;
        if (!whole)
            pad_rows(count, x + 2 * i, x + 2 * i + width, rows);
        largest_of_4(whole ? x + 2 * i : rows, whole ? x + 2 * i + width : rows + 2 * LANES, down, values, offsets);
        memcpy(&place, offsets, sizeof place);
        place += begin;
        memcpy(y + i, values, (size_t)count * sizeof(float));
        memcpy(places + i, &place, (size_t)count * sizeof(int32_t));
    }
}

static void average_pool_2x2_row(int64_t n, const float *x, int64_t width, float *y)
{
    const float *below = x + width;
    for (int64_t i = 0; i < n; i++)
        y[i] = ((x[2 * i] + x[2 * i + 1]) + (below[2 * i] + below[2 * i + 1])) * 0.25F;
}

/* The transpose: a quarter of each of n values goes to two places of two rows. */
static void average_spread_2x2_row(int64_t n, const float *y, int64_t width, float *x)
{
    float *below = x + width;
    for (int64_t i = 0; i < n; i++) {
        const float quarter = y[i] * 0.25F;
        x[2 * i] = quarter;
        x[2 * i + 1] = quarter;
        below[2 * i] = quarter;
        below[2 * i + 1] = quarter;
    }
}
