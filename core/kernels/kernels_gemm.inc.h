/* Register blocks of the matrix product. Part of kernels_isa.c. */

/* The block is nearly as high as the register file allows: 2 vectors per row, 2 for the row of b, 1 for a value of a,
   and room for the compiler to move (14 rows of AVX-512 made it spill); multiples of 4 pack fastest. Named variables
   rather than an array, so that no compiler is tempted to keep them in memory. X(i, third, rest): i = 3 third + rest,
   because three rows are reached from one pointer. */
#define ROWS_1(X) X(0, 0, 0)
#define ROWS_2(X) ROWS_1(X) X(1, 0, 1)
#define ROWS_3(X) ROWS_2(X) X(2, 0, 2)
#define ROWS_4(X) ROWS_3(X) X(3, 1, 0)
#define ROWS_5(X) ROWS_4(X) X(4, 1, 1)
#define ROWS_6(X) ROWS_5(X) X(5, 1, 2)
#define ROWS_7(X) ROWS_6(X) X(6, 2, 0)
#define ROWS_8(X) ROWS_7(X) X(7, 2, 1)
#define ROWS_9(X) ROWS_8(X) X(8, 2, 2)
#define ROWS_10(X) ROWS_9(X) X(9, 3, 0)
#define ROWS_11(X) ROWS_10(X) X(10, 3, 1)
#define ROWS_12(X) ROWS_11(X) X(11, 3, 2)
#if KERNEL_VECTOR_BYTES == 64
enum { MR = 12 };
#define EACH_ROW ROWS_12
#elif KERNEL_VECTOR_BYTES == 32
enum { MR = 6 };
#define EACH_ROW ROWS_6
#elif defined(__aarch64__)
enum { MR = 8 }; /* 32 registers, as many as AVX-512, but 16 bytes wide */
#define EACH_ROW ROWS_8
#else
enum { MR = 4 };
#define EACH_ROW ROWS_4
#endif

enum { NR = 2 * LANES };

_Static_assert(MR <= (int)KERNEL_MAX_MR && NR <= (int)KERNEL_MAX_NR, "the tile buffer of gemm.c is too small");

#define ZERO_ROW(i, third, rest) Vec left##i = {0}, right##i = {0};
#define BIAS_ROW(i, third, rest)  \
    left##i += bias_left;         \
    right##i += bias_right;
#define UPDATE_ROW(i, third, rest)               \
    left##i += a##third[(rest)*a_row] * b_left;   \
    right##i += a##third[(rest)*a_row] * b_right;
/* Walking down c row by row keeps the compiler from holding the address of every row. */
#define SET_ROW(i, third, rest)  \
    store(to, left##i);          \
    store(to + LANES, right##i); \
    to += ldc;
#define ADD_ROW(i, third, rest)                            \
    store(to, left##i + beta * load(to));                  \
    store(to + LANES, right##i + beta * load(to + LANES)); \
    to += ldc;
#define PREFETCH_ROW(i, third, rest)       \
    __builtin_prefetch(to, 1, 2);          \
    __builtin_prefetch(to + NR - 1, 1, 2); \
    to += ldc;
#define UPDATE_LEFT(i, third, rest) left##i += a##third[(rest)*a_row] * b_left;
#define SET_PART(i, third, rest)               \
    store_part(to, on_left, left##i);          \
    store_part(to + LANES, on_right, right##i); \
    to += ldc;
#define ADD_PART(i, third, rest)                                                              \
    store_part(to, on_left, left##i + beta * load_part(to, on_left, 0));                      \
    store_part(to + LANES, on_right, right##i + beta * load_part(to + LANES, on_right, 0)); \
    to += ldc;
#define UPDATE_TILE(EACH)                                          \
    {                                                              \
        const Vec b_left = load(b), b_right = load(b + LANES);     \
        EACH(UPDATE_ROW)                                           \
        STEP_TILE                                                  \
    }
#define STEP_TILE \
    a0 += a_step; \
    a1 += a_step; \
    a2 += a_step; \
    a3 += a_step; \
    b += b_step;

/* c is needed only after the sums are done: by then it should be near, but not in the first cache, where rows a page
   apart would push out each other and what the sums read. */
#define NEAR_SUMS(rows, EACH)                                                                                         \
    EACH(PREFETCH_ROW)                                                                                                \
    for (; p < k; p++)                                                                                                \
        UPDATE_TILE(EACH)

/* Where c is far, its lines all at once would take up the buffers through which a and b come as well. b itself comes
   from the second cache. */
enum { C_PAUSE = 8, B_SOON = 16 };
#define UPDATE_FAR_TILE(EACH)                                  \
    {                                                          \
        __builtin_prefetch(b + B_SOON * b_step, 0, 3);         \
        __builtin_prefetch(b + B_SOON * b_step + LANES, 0, 3); \
        UPDATE_TILE(EACH)                                      \
    }
#define FAR_SUMS(rows, EACH)                                                                                          \
    for (const int64_t end = k < C_PAUSE * (rows + 1) ? k : C_PAUSE * (rows + 1); p < end; p++) {                     \
        if (p % C_PAUSE == 0) {                                                                                       \
            __builtin_prefetch(to, 1, 2);                                                                             \
            __builtin_prefetch(to + NR - 1, 1, 2);                                                                    \
            to += ldc;                                                                                                \
        }                                                                                                             \
        UPDATE_FAR_TILE(EACH)                                                                                         \
    }                                                                                                                 \
    for (; ahead && p < k; p++, ahead += GEMM_AHEAD) {                                                                \
        __builtin_prefetch(ahead, 0, 2);                                                                              \
        UPDATE_FAR_TILE(EACH)                                                                                         \
    }                                                                                                                 \
    for (; p < k; p++)                                                                                                \
        UPDATE_FAR_TILE(EACH)

#define DEFINE_TILE(name, rows, EACH, MORE, SUMS)                                                                     \
    static void gemm_##name##rows(int64_t k, const float *a0, int64_t a_row, int64_t a_step, const float *b,          \
                                  int64_t b_step, const float *bias, float beta, float *c, int64_t ldc MORE)          \
    {                                                                                                                 \
        const float *a1 = a0 + 3 * a_row, *a2 = a0 + 6 * a_row, *a3 = a0 + 9 * a_row;                                 \
        (void)a1, (void)a2, (void)a3; /* in low blocks */                                                             \
        EACH(ZERO_ROW)                                                                                                \
        float *to = c;                                                                                                \
        int64_t p = 0;                                                                                                \
        SUMS(rows, EACH)                                                                                              \
        if (bias) {                                                                                                   \
            const Vec bias_left = load(bias), bias_right = load(bias + LANES);                                        \
            EACH(BIAS_ROW)                                                                                            \
        }                                                                                                             \
        to = c;                                                                                                       \
        if (beta == 0.0F) {                                                                                           \
            EACH(SET_ROW)                                                                                             \
        } else {                                                                                                      \
            EACH(ADD_ROW)                                                                                             \
        }                                                                                                             \
    }

#define DEFINE_EDGE(rows, EACH)                                                                                       \
    static void gemm_edge_##rows(int64_t columns, int64_t k, const float *a0, int64_t a_row, int64_t a_step,          \
                                 const float *b, int64_t b_step, const float *bias, float beta, float *c,             \
                                 int64_t ldc)                                                                         \
    {                                                                                                                 \
        const int64_t on_left = columns < LANES ? columns : LANES, on_right = columns - on_left;                      \
        const float *a1 = a0 + 3 * a_row, *a2 = a0 + 6 * a_row, *a3 = a0 + 9 * a_row;                                 \
        (void)a1, (void)a2, (void)a3;                                                                                 \
        EACH(ZERO_ROW)                                                                                                \
        for (int64_t p = 0; p < k && on_right == 0; p++) {                                                            \
            const Vec b_left = load(b);                                                                               \
            EACH(UPDATE_LEFT)                                                                                         \
            STEP_TILE                                                                                                 \
        }                                                                                                             \
        for (int64_t p = 0; p < k && on_right > 0; p++)                                                               \
            UPDATE_TILE(EACH)                                                                                         \
        if (bias) {                                                                                                   \
            const Vec bias_left = load_part(bias, on_left, 0), bias_right = load_part(bias + LANES, on_right, 0);     \
            EACH(BIAS_ROW)                                                                                            \
        }                                                                                                             \
        float *to = c;                                                                                                \
        if (beta == 0.0F) {                                                                                           \
            EACH(SET_PART)                                                                                            \
        } else {                                                                                                      \
            EACH(ADD_PART)                                                                                            \
        }                                                                                                             \
    }

#define NOTHING
#define AHEAD , const float *ahead
#define DEFINE_TILES(rows, EACH)                        \
    DEFINE_TILE(tile_, rows, EACH, NOTHING, NEAR_SUMS)  \
    DEFINE_TILE(far_tile_, rows, EACH, AHEAD, FAR_SUMS) \
    DEFINE_EDGE(rows, EACH)

DEFINE_TILES(0, ROWS_1)
DEFINE_TILES(1, ROWS_2)
DEFINE_TILES(2, ROWS_3)
DEFINE_TILES(3, ROWS_4)
#if KERNEL_VECTOR_BYTES > 16 || defined(__aarch64__)
DEFINE_TILES(4, ROWS_5)
DEFINE_TILES(5, ROWS_6)
#endif
#if KERNEL_VECTOR_BYTES == 64 || defined(__aarch64__)
DEFINE_TILES(6, ROWS_7)
DEFINE_TILES(7, ROWS_8)
#endif
#if KERNEL_VECTOR_BYTES == 64
DEFINE_TILES(8, ROWS_9)
DEFINE_TILES(9, ROWS_10)
DEFINE_TILES(10, ROWS_11)
DEFINE_TILES(11, ROWS_12)
#endif
#define TILE_ENTRY(i, third, rest) gemm_tile_##i,
#define FAR_TILE_ENTRY(i, third, rest) gemm_far_tile_##i,
#define EDGE_ENTRY(i, third, rest) gemm_edge_##i,

/* ---- Packing ---- */

static void gemm_pack_a(int64_t panels, int64_t k, const float *from, int64_t k_stride, float *to)
{
    for (int64_t p = 0; p < k; p++)
        for (int64_t panel = 0; panel < panels; panel++)
            memcpy(to + (panel * k + p) * MR, from + p * k_stride + panel * MR, MR * sizeof(float));
}

static void gemm_pack_b(int64_t k, const float *from, int64_t k_stride, float *to)
{
    for (int64_t p = 0; p < k; p++)
        memcpy(to + p * NR, from + p * k_stride, NR * sizeof(float));
}

static void gemm_pack_edge(int64_t columns, int64_t k, const float *from, int64_t k_stride, float *to)
{
    const int64_t on_left = columns < LANES ? columns : LANES, on_right = columns - on_left;
    for (int64_t p = 0; p < k; p++, from += k_stride, to += NR) {
        store(to, load_part(from, on_left, 0));
        store(to + LANES, load_part(from + LANES, on_right, 0));
    }
}

/* ---- Products of rows with rows ---- */

/* Where both operands lie along k there is nothing to pack: 4 x 4 sums, or twice 2 x 4 where there are 16
   registers. */
#define START_DOTS(i) Vec s##i##0 = {0}, s##i##1 = {0}, s##i##2 = {0}, s##i##3 = {0};
#define UPDATE_DOTS(i)                                   \
    {                                                    \
        const Vec x = TAKE(a + (i)*a_row + p);           \
        s##i##0 += x * b0;                               \
        s##i##1 += x * b1;                               \
        s##i##2 += x * b2;                               \
        s##i##3 += x * b3;                               \
    }
#define STEP_DOTS(EACH)                                                                                               \
    {                                                                                                                 \
        const Vec b0 = TAKE(b + p), b1 = TAKE(b + b_row + p), b2 = TAKE(b + 2 * b_row + p),                           \
                  b3 = TAKE(b + 3 * b_row + p);                                                                       \
        EACH(UPDATE_DOTS)                                                                                             \
    }
#define FINISH_DOTS(i)                    \
    c[4 * (i)] = sum_halves(s##i##0);     \
    c[4 * (i) + 1] = sum_halves(s##i##1); \
    c[4 * (i) + 2] = sum_halves(s##i##2); \
    c[4 * (i) + 3] = sum_halves(s##i##3);

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

INLINE float sum_halves(Vec v)
{
    float part[LANES] __attribute__((aligned(KERNEL_VECTOR_BYTES)));
    store(part, v);
    Four sum = *(const Four *)part;
    for (int i = 4; i < LANES; i += 4)
        sum += *(const Four *)(part + i);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

#if KERNEL_VECTOR_BYTES == 64 || defined(__aarch64__)
#define DOTS_AT_ONCE(X) X(0) X(1) X(2) X(3)
enum { DOT_ROWS = 4 };
#else
#define DOTS_AT_ONCE(X) X(0) X(1)
enum { DOT_ROWS = 2 };
#endif

static void gemm_dots(int64_t k, const float *a, int64_t a_row, const float *b, int64_t b_row, float *c)
{
    for (int i = 0; i < 4; i += DOT_ROWS, a += DOT_ROWS * a_row, c += 4 * DOT_ROWS) {
        DOTS_AT_ONCE(START_DOTS)
        int64_t p = 0;
#define TAKE(from) load(from)
        for (; p + LANES <= k; p += LANES)
            STEP_DOTS(DOTS_AT_ONCE)
#undef TAKE
#define TAKE(from) load_part(from, k - p, 0.0F)
        if (p < k)
            STEP_DOTS(DOTS_AT_ONCE)
#undef TAKE
        DOTS_AT_ONCE(FINISH_DOTS)
    }
}
