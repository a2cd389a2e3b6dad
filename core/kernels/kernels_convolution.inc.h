/* The inner loops of convolutions. Part of kernels_isa.c. */

/* A run that is no multiple of the vector ends with one that overlaps the one before. */
INLINE void copy_run(int64_t n, const float *from, float *to)
{
    int64_t i = 0;
    if (n >= LANES) {
        for (; i + LANES <= n; i += LANES)
            store(to + i, load(from + i));
        if (i < n)
            store(to + n - LANES, load(from + n - LANES));
    } else if (n >= 4) {
        for (; i + 4 <= n; i += 4)
            *(Four *)(to + i) = *(const Four *)(from + i);
        *(Four *)(to + n - 4) = *(const Four *)(from + n - 4);
    } else {
        for (; i < n; i++)
            to[i] = from[i];
    }
}

static void store_tile(const ConvolutionTile *t, const float *tile)
{
    for (int64_t row = 0; row < t->rows; row++, tile += NR) {
        float *to = t->to + row * t->row_stride;
        for (const ConvolutionRun *run = t->runs; run < t->runs + t->run_count; run++) {
            if (t->step == 1)
                copy_run(run->count, tile + run->from, to + run->to);
            else
                for (int64_t i = 0; i < run->count; i++)
                    to[run->to + i * t->step] = tile[run->from + i];
        }
    }
}

#define START_CHANNEL(i, third, rest) Vec left##i = splat(t->start[i]), right##i = left##i;
#define UPDATE_CHANNEL(i, third, rest) \
    left##i += a[i] * b_left;          \
    right##i += a[i] * b_right;

#define DEFINE_CONVOLUTION_TILE(name, HEIGHT, EACH)                        \
    static void name(const ConvolutionTile *t)                             \
    {                                                                      \
        const int64_t ldc = NR;                                            \
        const float *a = t->a;                                             \
        EACH(START_CHANNEL)                                                \
        for (int64_t p = 0; p < t->k; p++, a += HEIGHT) {                  \
            const float *b = t->b + t->offsets[p];                         \
            const Vec b_left = load(b), b_right = load(b + LANES);         \
            EACH(UPDATE_CHANNEL)                                           \
        }                                                                  \
        float tile[HEIGHT * NR] __attribute__((aligned(64))), *to = tile;  \
        EACH(SET_ROW)                                                      \
        store_tile(t, tile);                                               \
    }

/* A lower tile wastes less where the number of channels is no multiple of the high one's. */
#if KERNEL_VECTOR_BYTES == 64
enum { LOW = 8 };
#define EACH_LOW_ROW ROWS_8
#else
enum { LOW = 4 };
#define EACH_LOW_ROW ROWS_4
#endif
#define EACH_SINGLE_ROW ROWS_1

DEFINE_CONVOLUTION_TILE(high_convolution_tile, MR, EACH_ROW)
DEFINE_CONVOLUTION_TILE(low_convolution_tile, LOW, EACH_LOW_ROW)
DEFINE_CONVOLUTION_TILE(single_convolution_tile, 1, EACH_SINGLE_ROW)

static void convolution_pack(int64_t k, const float *b, const int64_t *offsets, const ConvolutionRun *runs,
                             int64_t run_count, int64_t width, float *packed)
{
    for (int64_t p = 0; p < k; p++, packed += width)
        for (const ConvolutionRun *run = runs; run < runs + run_count; run++)
            copy_run(run->count, b + offsets[p] + run->source, packed + run->from);
}

/* ---- Weight gradient ---- */

#if KERNEL_VECTOR_BYTES == 64 || defined(__aarch64__)
enum { WEIGHT_ROWS = 4, WEIGHT_TAPS = 6 };
#define EACH_WEIGHT_ROW(X) X(0) X(1) X(2) X(3)
#define ROWS_OF_TAP(X, tap) X(0, tap) X(1, tap) X(2, tap) X(3, tap)
#define EACH_TAP(X) X(0) X(1) X(2) X(3) X(4) X(5)
#else
enum { WEIGHT_ROWS = 3, WEIGHT_TAPS = 4 };
#define EACH_WEIGHT_ROW(X) X(0) X(1) X(2)
#define ROWS_OF_TAP(X, tap) X(0, tap) X(1, tap) X(2, tap)
#define EACH_TAP(X) X(0) X(1) X(2) X(3)
#endif

#define ZERO_SUM(row, tap) Vec sum##row##_##tap = {0};
#define ZERO_TAP(tap) ROWS_OF_TAP(ZERO_SUM, tap)
#define LOAD_ROW(row) const Vec y##row = load(y + row * t->y_row + i);
#define UPDATE_SUM(row, tap) sum##row##_##tap += y##row * here;
#define UPDATE_TAP(tap)                                     \
    {                                                       \
        const Vec here = load(x + t->offsets[tap] + i);     \
        ROWS_OF_TAP(UPDATE_SUM, tap)                        \
    }
#define STORE_SUM(row, tap) store(parts[row * WEIGHT_TAPS + tap], sum##row##_##tap);
#define STORE_TAP(tap) ROWS_OF_TAP(STORE_SUM, tap)

static void convolution_weight_tile(ConvolutionWeightTile *t)
{
    EACH_TAP(ZERO_TAP)
    for (int64_t sample = 0; sample < t->samples; sample++) {
        const float *y = t->y + sample * t->y_sample, *x = t->x + sample * t->x_sample;
        for (int64_t i = 0; i < t->length; i += LANES) {
            EACH_WEIGHT_ROW(LOAD_ROW)
            EACH_TAP(UPDATE_TAP)
        }
    }
    float parts[WEIGHT_ROWS * WEIGHT_TAPS][LANES];
    EACH_TAP(STORE_TAP)
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int s = 0; s < WEIGHT_ROWS * WEIGHT_TAPS; s++)
            for (int lane = 0; lane < half; lane++)
                parts[s][lane] += parts[s][lane + half];
    for (int s = 0; s < WEIGHT_ROWS * WEIGHT_TAPS; s++)
        t->sums[s] = parts[s][0];
}
