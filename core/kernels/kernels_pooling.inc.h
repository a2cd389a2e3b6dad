/* Rows of pooling. Part of kernels_isa.c. */

/* Elements 0, 2, 4... of 2 LANES - 1: the second vector begins with the last of the first. */
#if KERNEL_VECTOR_BYTES == 64
#define EVERY_SECOND 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31
#elif KERNEL_VECTOR_BYTES == 32
#define EVERY_SECOND 0, 2, 4, 6, 9, 11, 13, 15
#else
#define EVERY_SECOND 0, 2, 5, 7
#endif

INLINE Vec load_second(const float *x)
{
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(load(x), load(x + LANES - 1), EVERY_SECOND);
#else
    float part[LANES];
    for (int i = 0; i < LANES; i++)
        part[i] = x[2 * i];
    return load(part);
#endif
}

/* x[i stride] for i < count, and 0 behind. */
INLINE Vec load_strided(const float *x, int64_t count, int64_t stride)
{
    float part[LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        part[i] = x[i * stride];
    return load(part);
}

/* Whether the second is to be taken: it is larger, or the first that is not a number. */
INLINE Int second_wins(Vec second, Vec first)
{
    return (second > first) | ((second != second) & (first == first));
}

static void max_pool_row(int64_t n, int64_t stride, const float *x, int64_t room, int64_t taps, const int32_t *tap,
                         int32_t first, float *y, int32_t *places)
{
    Int step = {0};
    for (int lane = 0; lane < LANES; lane++)
        step[lane] = lane * (int32_t)stride;
    for (int64_t i = 0; i < n; i += LANES) {
        if (i > 0 && i + LANES > n)
            i = n - LANES; /* overlaps what is done */
        const int64_t count = n < LANES ? n : LANES;
        /* More than `count` may be loaded where x goes on: what is not stored does not matter. */
        const bool whole = stride <= 2 && (i + LANES - 1) * stride + tap[taps - 1] < room;
        Vec largest = {0};
        Int place = {0};
        for (int64_t k = 0; k < taps; k++) {
            const float *from = x + i * stride + tap[k];
            const Vec value = !whole ? load_strided(from, count, stride) : stride == 1 ? load(from) : load_second(from);
            const Int wins = k == 0 ? (Int){0} - 1 : second_wins(value, largest);
            largest = choose(wins, value, largest);
            place = (wins & tap[k]) | (place & ~wins);
        }
        place += step + (first + (int32_t)(i * stride));
        memcpy(y + i, &largest, (size_t)count * sizeof(float));
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
