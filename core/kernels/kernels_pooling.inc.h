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

#if KERNEL_VECTOR_BYTES == 64
#define FIRST_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SECOND_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif KERNEL_VECTOR_BYTES == 32
#define FIRST_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define SECOND_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#else
#define FIRST_HALVES 0, 4, 1, 5
#define SECOND_HALVES 2, 6, 3, 7
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

/* to[2i] = even[i], to[2i + 1] = odd[i] */
INLINE void interleave(Vec even, Vec odd, float *to)
{
#if defined(__clang__) || __GNUC__ >= 12
    store(to, __builtin_shufflevector(even, odd, FIRST_HALVES));
    store(to + LANES, __builtin_shufflevector(even, odd, SECOND_HALVES));
#else
    for (int i = 0; i < LANES; i++) {
        to[2 * i] = even[i];
        to[2 * i + 1] = odd[i];
    }
#endif
}

/* Elements of y for which the place is `first` + 2i go to to[2i], those for which it is one more to to[2i + 1]; the
   others there are 0. `room` floats of `to` may be overwritten, 2n at least, and `spare` elements behind n read. */
INLINE void spread_row(int64_t n, const float *y, const int32_t *places, int64_t spare, int32_t first, float *to,
                       int64_t room)
{
    Int lanes = {0};
    for (int lane = 0; lane < LANES; lane++)
        lanes[lane] = lane;
    for (int64_t i = 0; i < n; i += LANES) {
        const int64_t count = n - i < LANES ? n - i : LANES;
        Vec value;
        Int place;
        if (i + LANES <= n + spare) {
            value = load(y + i);
            memcpy(&place, places + i, sizeof place);
        } else {
            value = load_part(y + i, count, 0.0F);
            place = (Int){0};
            memcpy(&place, places + i, (size_t)count * sizeof *places);
        }
        place -= lanes * 2 + (first + (int32_t)(2 * i));
        const Int valid = lanes < (int32_t)count;
        const Vec even = choose((place == 0) & valid, value, splat(0.0F));
        const Vec odd = choose((place == 1) & valid, value, splat(0.0F));
        if (2 * (i + LANES) <= room) {
            interleave(even, odd, to + 2 * i);
        } else {
            float part[2 * LANES];
            interleave(even, odd, part);
            copy_run(2 * count, part, to + 2 * i);
        }
    }
}

/* A row may write zeros over the ones behind it, which come later. */
static void max_spread_2x2(int64_t rows, int64_t n, const float *y, const int32_t *places, int64_t spare,
                           int32_t first, int32_t width, float *to, int64_t step)
{
    const float *end = to + (2 * rows - 1) * step + 2 * n;
    spare += (rows - 1) * n;
    for (int64_t row = 0; row < rows; row++, y += n, places += n, spare -= n, first += 2 * width) {
        spread_row(n, y, places, spare, first, to, end - to);
        to += step;
        spread_row(n, y, places, spare, first + width, to, end - to);
        to += step;
    }
}

static float sum_placed(int64_t n, const float *x, const int32_t *places)
{
    Vec sum = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        Int place;
        memcpy(&place, places + i, sizeof place);
        sum += choose(place >= 0, load(x + i), splat(0.0F));
    }
    float total = sum_lanes(sum);
    for (; i < n; i++)
        total += places[i] >= 0 ? x[i] : 0;
    return total;
}
