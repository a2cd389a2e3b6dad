/* Turning square blocks of the matrix product round in registers. Part of kernels_isa.c. */

#if defined(__clang__) || __GNUC__ >= 12
/* Words and pairs of words of two vectors alternate within quarters of 16 bytes; then quarters change places. */
#if KERNEL_VECTOR_BYTES == 64
#define LOW_WORDS 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH_WORDS 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define LOW_PAIRS 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_PAIRS 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_QUARTERS 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_QUARTERS 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define EVEN_QUARTERS 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODD_QUARTERS 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#elif KERNEL_VECTOR_BYTES == 32
#define LOW_WORDS 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH_WORDS 2, 10, 3, 11, 6, 14, 7, 15
#define LOW_PAIRS 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH_PAIRS 2, 3, 10, 11, 6, 7, 14, 15
#define EVEN_QUARTERS 0, 1, 2, 3, 8, 9, 10, 11
#define ODD_QUARTERS 4, 5, 6, 7, 12, 13, 14, 15
#else
#define LOW_WORDS 0, 4, 1, 5
#define HIGH_WORDS 2, 6, 3, 7
#define LOW_PAIRS 0, 1, 4, 5
#define HIGH_PAIRS 2, 3, 6, 7
#endif
#define MIX(a, b, order) MIX_(a, b, order)
#define MIX_(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* to[p to_row + i] = from[i from_row + p], i, p < LANES. */
INLINE void transpose_square(const float *from, int64_t from_row, float *to, int64_t to_row)
{
    Vec x[LANES], y[LANES];
    for (int i = 0; i < LANES; i++) {
        x[i] = load(from + i * from_row);
        __builtin_prefetch(from + i * from_row + 2 * LANES);
    }
    for (int i = 0; i < LANES; i += 2) {
        y[i] = MIX(x[i], x[i + 1], LOW_WORDS);
        y[i + 1] = MIX(x[i], x[i + 1], HIGH_WORDS);
    }
    for (int i = 0; i < LANES; i += 4)
        for (int half = 0; half < 2; half++) {
            x[i + 2 * half] = MIX(y[i + half], y[i + 2 + half], LOW_PAIRS);
            x[i + 2 * half + 1] = MIX(y[i + half], y[i + 2 + half], HIGH_PAIRS);
        }
    /* Now quarter q of x[4 r + c] is column 4 q + c of rows 4 r to 4 r + 3. */
    for (int c = 0; c < 4; c++) {
#if KERNEL_VECTOR_BYTES == 64
        const Vec low0 = MIX(x[c], x[4 + c], LOW_QUARTERS), low1 = MIX(x[8 + c], x[12 + c], LOW_QUARTERS);
        const Vec high0 = MIX(x[c], x[4 + c], HIGH_QUARTERS), high1 = MIX(x[8 + c], x[12 + c], HIGH_QUARTERS);
        store(to + c * to_row, MIX(low0, low1, EVEN_QUARTERS));
        store(to + (4 + c) * to_row, MIX(low0, low1, ODD_QUARTERS));
        store(to + (8 + c) * to_row, MIX(high0, high1, EVEN_QUARTERS));
        store(to + (12 + c) * to_row, MIX(high0, high1, ODD_QUARTERS));
#elif KERNEL_VECTOR_BYTES == 32
        store(to + c * to_row, MIX(x[c], x[4 + c], EVEN_QUARTERS));
        store(to + (4 + c) * to_row, MIX(x[c], x[4 + c], ODD_QUARTERS));
#else
        store(to + c * to_row, x[c]);
#endif
    }
}
#else
INLINE void transpose_square(const float *from, int64_t from_row, float *to, int64_t to_row)
{
    for (int i = 0; i < LANES; i++)
        for (int p = 0; p < LANES; p++)
            to[p * to_row + i] = from[i * from_row + p];
}
#endif

/* NR lines that lie along k; so many are more streams than a processor foresees. */
static void gemm_turn_b(int64_t k, const float *from, int64_t line_stride, float *to)
{
    int64_t p = 0;
    for (; p + LANES <= k; p += LANES)
        for (int half = 0; half < NR; half += LANES)
            transpose_square(from + half * line_stride + p, line_stride, to + p * NR + half, NR);
    for (; p < k; p++)
        for (int i = 0; i < NR; i++)
            to[p * NR + i] = from[i * line_stride + p];
}
