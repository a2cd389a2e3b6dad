/* The inner loops of convolutions whose vectors run along channels. Part of kernels_isa.c.

   A place of an image is one value for all channels of a vector, so that tiles are cut to any row of places: no lane
   computes what lies between images or rows. Only the result is turned round. */

#if defined(__clang__) || __GNUC__ >= 12
INLINE void transpose_4x4(const float *from, int64_t from_row, float *to, int64_t to_row)
{
    const Four x0 = *(const Four *)from, x1 = *(const Four *)(from + from_row);
    const Four x2 = *(const Four *)(from + 2 * from_row), x3 = *(const Four *)(from + 3 * from_row);
    const Four low01 = __builtin_shufflevector(x0, x1, 0, 4, 1, 5), low23 = __builtin_shufflevector(x2, x3, 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(x0, x1, 2, 6, 3, 7);
    const Four high23 = __builtin_shufflevector(x2, x3, 2, 6, 3, 7);
    *(Four *)to = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(Four *)(to + to_row) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(Four *)(to + 2 * to_row) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(Four *)(to + 3 * to_row) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}
#else
INLINE void transpose_4x4(const float *from, int64_t from_row, float *to, int64_t to_row)
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            to[j * to_row + i] = from[i * from_row + j];
}
#endif

/* The same for at least LANES of both, as below. */
static void transpose_wide(int64_t rows, int64_t columns, const float *from, int64_t from_row, float *to,
                           int64_t to_row)
{
    for (int64_t j = 0; j < columns; j += LANES) {
        j = j + LANES <= columns ? j : columns - LANES;
        for (int64_t i = 0; i < rows; i += LANES) {
            i = i + LANES <= rows ? i : rows - LANES;
            transpose_square(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
        }
    }
}

/* to[column][row] = from[row][column]; the last of more than a block overlap the ones before. */
static void transpose(int64_t rows, int64_t columns, const float *from, int64_t from_row, float *to, int64_t to_row)
{
    if (rows >= LANES && columns >= LANES) {
        transpose_wide(rows, columns, from, from_row, to, to_row);
        return;
    }
    if (rows < 4 || columns < 4) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                to[j * to_row + i] = from[i * from_row + j];
        return;
    }
    for (int64_t j = 0; j < columns; j += 4) {
        j = j + 4 <= columns ? j : columns - 4;
        int64_t i = 0;
        for (; i + 4 <= rows; i += 4)
            transpose_4x4(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
        if (i < rows)
            transpose_4x4(from + (rows - 4) * from_row + j, from_row, to + j * to_row + rows - 4, to_row);
    }
}

/* ---- Forward and data gradient ---- */

#define START_PLACE(i, third, rest) Vec left##i = start_left, right##i = start_right;
#define UPDATE_PLACE(i, third, rest)    \
    left##i += x[i] * weight_left;      \
    right##i += x[i] * weight_right;

#define DEFINE_PLACES(number, EACH)                                                                \
    static void convolution_places_##number(const ConvolutionPlaces *t)                            \
    {                                                                                              \
        const int64_t ldc = NR;                                                                    \
        const Vec start_left = load(t->start), start_right = load(t->start + LANES);               \
        EACH(START_PLACE)                                                                          \
        const float *weight = t->weight;                                                           \
        for (int64_t p = 0; p < t->k; p++, weight += NR) {                                         \
            const float *x = t->x + t->offsets[p];                                                 \
            const Vec weight_left = load(weight), weight_right = load(weight + LANES);             \
            EACH(UPDATE_PLACE)                                                                     \
        }                                                                                          \
        float *to = t->to;                                                                         \
        EACH(SET_ROW)                                                                              \
    }

/* ---- Weight gradient ---- */

#define START_TAP(i, third, rest)            \
    Vec left##i = {0}, right##i = {0};       \
    const int64_t offset##i = t->offsets[i];
#define UPDATE_OUTER(i, third, rest)             \
    left##i += x[offset##i] * y_left;            \
    right##i += x[offset##i] * y_right;

#define DEFINE_TAPS(number, EACH)                                                                  \
    static void convolution_taps_##number(const ConvolutionTaps *t)                                \
    {                                                                                              \
        const int64_t ldc = NR;                                                                    \
        const float beta = 1;                                                                      \
        EACH(START_TAP)                                                                            \
        for (const ConvolutionRun *run = t->runs; run < t->runs + t->run_count; run++) {           \
            const float *x = t->x + run->source, *end = x + run->count;                            \
            for (const float *y = t->y + run->from * t->y_place; x < end; x++, y += t->y_place) {  \
                const Vec y_left = load(y), y_right = load(y + LANES);                             \
                EACH(UPDATE_OUTER)                                                                 \
            }                                                                                      \
        }                                                                                          \
        float *to = t->sums;                                                                       \
        EACH(ADD_ROW)                                                                              \
    }

#define DEFINE_BOTH(number, EACH) DEFINE_PLACES(number, EACH) DEFINE_TAPS(number, EACH)

DEFINE_BOTH(0, ROWS_1)
DEFINE_BOTH(1, ROWS_2)
DEFINE_BOTH(2, ROWS_3)
DEFINE_BOTH(3, ROWS_4)
#if KERNEL_VECTOR_BYTES > 16 || defined(__aarch64__)
DEFINE_BOTH(4, ROWS_5)
DEFINE_BOTH(5, ROWS_6)
#endif
#if KERNEL_VECTOR_BYTES == 64 || defined(__aarch64__)
DEFINE_BOTH(6, ROWS_7)
DEFINE_BOTH(7, ROWS_8)
#endif
#if KERNEL_VECTOR_BYTES == 64
DEFINE_BOTH(8, ROWS_9)
DEFINE_BOTH(9, ROWS_10)
DEFINE_BOTH(10, ROWS_11)
DEFINE_BOTH(11, ROWS_12)
#endif
#define PLACES_ENTRY(i, third, rest) convolution_places_##i,
#define TAPS_ENTRY(i, third, rest) convolution_taps_##i,

/* ---- What is done with results ---- */

/* The largest of 2 x 2 places, of which the first is `place`, for the channels of a vector. */
INLINE void pool_channels(const float *top, const float *bottom, int32_t place, int32_t width, bool rectified,
                          float *largest, int32_t *places)
{
    Vec best = load(top);
    Int at = {0};
    take_larger(load(top + NR), 1, &best, &at);
    take_larger(load(bottom), width, &best, &at);
    take_larger(load(bottom + NR), width + 1, &best, &at);
    at += place;
    if (rectified) {
        at = (at & (best > splat(0.0F))) | ~(best > splat(0.0F));
        best = choose(best < splat(0.0F), splat(0.0F), best);
    }
    store(largest, best);
    memcpy(places, &at, sizeof at);
}

static void convolution_pool(int64_t n, const float *top, const float *bottom, int32_t first, int32_t width,
                             bool rectified, float *largest, int32_t *places)
{
    for (int64_t i = 0; i < n; i++, top += 2 * NR, bottom += 2 * NR, largest += NR, places += NR, first += 2) {
        pool_channels(top, bottom, first, width, rectified, largest, places);
        pool_channels(top + LANES, bottom + LANES, first, width, rectified, largest + LANES, places + LANES);
    }
}

/* Sets 2n places of two rows, of `channels` each. */
static void convolution_unpool(int64_t n, int64_t channels, const float *y, const int32_t *places, int32_t first,
                               int32_t width, float *top, float *bottom)
{
    for (int64_t i = 0; i < n; i++, top += channels, bottom += channels, first += 2)
        for (int64_t c = 0; c < channels; c += LANES, y += LANES, places += LANES, top += LANES, bottom += LANES) {
            const Vec value = load(y), none = {0};
            Int place;
            memcpy(&place, places, sizeof place);
            place -= first;
            store(top, choose(place == 0, value, none));
            store(top + channels, choose(place == 1, value, none));
            store(bottom, choose(place == width, value, none));
            store(bottom + channels, choose(place == width + 1, value, none));
        }
}

/* ---- Copies of the images ---- */

static void convolution_copy_rows(int64_t rows, int64_t n, const float *from, int64_t from_row, float *to,
                                  int64_t to_row)
{
    for (int64_t i = 0; i < rows; i++, from += from_row, to += to_row)
        copy_run(n, from, to);
}
