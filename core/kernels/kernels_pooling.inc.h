/* Rows of pooling. Part of kernels_isa.c. */

/* Elements 0, 2, 4... of 2 LANES - 1: the second vector begins with the last of the first. */
#if KERNEL_VECTOR_BYTES == 64
#define EVERY_SECOND 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31
#elif KERNEL_VECTOR_BYTES == 32
#define EVERY_SECOND 0, 2, 4, 6, 9, 11, 13, 15
#else
#define EVERY_SECOND 0, 2, 5, 7
#endif

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

INLINE void take_larger(Vec value, int32_t tap, Vec *largest, Int *place)
{
    const Int wins = second_wins(value, *largest);
    *largest = choose(wins, value, *largest);
    *place = (wins & tap) | (*place & ~wins);
}

#if defined(__clang__) || __GNUC__ >= 12
/* Two rows of a window of 2 x 2, whose columns lie between each other in memory. */
INLINE void largest_of_2x2(const float *from, const int32_t *tap, Vec *largest, Int *place)
{
    const float *below = from + tap[2];
    const Vec left = load(from), right = load(from + LANES);
    const Vec left_below = load(below), right_below = load(below + LANES);
    *largest = __builtin_shufflevector(left, right, EVEN);
    *place = (Int){0} + tap[0];
    take_larger(__builtin_shufflevector(left, right, ODD), tap[1], largest, place);
    take_larger(__builtin_shufflevector(left_below, right_below, EVEN), tap[2], largest, place);
    take_larger(__builtin_shufflevector(left_below, right_below, ODD), tap[3], largest, place);
}
enum { PAIRS = 1 };
#else
INLINE void largest_of_2x2(const float *from, const int32_t *tap, Vec *largest, Int *place)
{
    (void)from, (void)tap, (void)largest, (void)place;
}
enum { PAIRS = 0 };
#endif

static void max_pool_row(int64_t n, int64_t spare, int64_t stride, const float *x, int64_t room, int64_t taps,
                         const int32_t *tap, int32_t first, float *y, int32_t *places)
{
    Int step = {0};
    for (int lane = 0; lane < LANES; lane++)
        step[lane] = lane * (int32_t)stride;
    const bool square = PAIRS && stride == 2 && taps == 4 && tap[1] == tap[0] + 1 && tap[3] == tap[2] + 1;
    for (int64_t i = 0; i < n; i += LANES) {
        /* More than what is needed may be loaded where x goes on: it is not stored, or overwritten. */
        bool whole = stride <= 2 && (i + LANES - 1) * stride + tap[taps - 1] < room;
        if (i > 0 && i + LANES > n && (!whole || i + LANES > n + spare)) {
            i = n - LANES; /* overlaps what is done */
            whole = stride <= 2 && (n - 1) * stride + tap[taps - 1] < room;
        }
        const int64_t count = n < LANES ? n : LANES;
        Vec largest = {0};
        Int place = (Int){0} + tap[0];
        if (whole && square)
            largest_of_2x2(x + i * stride, tap, &largest, &place);
        for (int64_t k = 0; k < taps && !(whole && square); k++) {
            const float *from = x + i * stride + tap[k];
            const Vec value = !whole ? load_strided(from, count, stride) : stride == 1 ? load(from) : load_second(from);
            if (k == 0)
                largest = value;
            else
                take_larger(value, tap[k], &largest, &place);
        }
        place += step + (first + (int32_t)(i * stride));
        if (i + LANES <= n + spare) {
            store(y + i, largest);
            memcpy(places + i, &place, sizeof place);
        } else {
            memcpy(y + i, &largest, (size_t)count * sizeof(float));
            memcpy(places + i, &place, (size_t)count * sizeof(int32_t));
        }
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
