/* Products of 8-bit codes and the rounding that makes them. Part of kernels_isa.c. All of it is exact, or
   rounds where IEEE says, so that every instruction set gives the same bits. */

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Sums of neighbouring products of 16-bit integers: two products of at most 2^7 * 2^7 cannot overflow. (The
   shorter way over maddubs saturates at 16 bits.) */
INLINE Int multiply_pairs(Int a, Int b)
{
#if defined(__x86_64__) && KERNEL_VECTOR_BYTES == 64
    return (Int)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__x86_64__) && KERNEL_VECTOR_BYTES == 32
    return (Int)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
    return (Int)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    return ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

typedef int32_t IntInMemory __attribute__((vector_size(KERNEL_VECTOR_BYTES), aligned(4), may_alias));

INLINE Int load_int(const int32_t *x)
{
    return *(const IntInMemory *)x;
}

INLINE void store_int(int32_t *y, Int v)
{
    *(IntInMemory *)y = v;
}

#define START_INT_ROW(i, third, rest) Int left##i = start_left, right##i = start_right;
#define UPDATE_PAIR_ROW(i, third, rest)                                       \
    left##i += multiply_pairs(a[i] - (Int){0}, b_left);          \
    right##i += multiply_pairs(a[i] - (Int){0}, b_right);
#define SET_INT_ROW(i, third, rest)                       \
    store_int(c + (i) * NR, left##i);        \
    store_int(c + (i) * NR + LANES, right##i);

static void int8_pairs_tile(int64_t words, const int32_t *start, const int32_t *a, const int32_t *b, int32_t *c)
{
    const Int start_left = load_int(start), start_right = load_int(start + LANES);
    EACH_ROW(START_INT_ROW)
    for (int64_t p = 0; p < words; p++) {
        const Int b_left = load_int(b), b_right = load_int(b + LANES);
        EACH_ROW(UPDATE_PAIR_ROW)
        a += MR;
        b += NR;
    }
    EACH_ROW(SET_INT_ROW)
}

#if defined(__x86_64__) && KERNEL_VECTOR_BYTES == 64
/* Not every machine with AVX-512 has it: int8.c asks first. */
#define UPDATE_QUAD_ROW(i, third, rest)                                                                                \
    left##i = (Int)_mm512_dpbusd_epi32((__m512i)left##i, (__m512i)(a[i] - (Int){0}), (__m512i)b_left);                 \
    right##i = (Int)_mm512_dpbusd_epi32((__m512i)right##i, (__m512i)(a[i] - (Int){0}), (__m512i)b_right);

__attribute__((target("avx512vnni"))) static void int8_quads_tile(int64_t words, const int32_t *start, const int32_t *a,
                                                                  const int32_t *b, int32_t *c)
{
    const Int start_left = load_int(start), start_right = load_int(start + LANES);
    EACH_ROW(START_INT_ROW)
    for (int64_t p = 0; p < words; p++) {
        const Int b_left = load_int(b), b_right = load_int(b + LANES);
        EACH_ROW(UPDATE_QUAD_ROW)
        a += MR;
        b += NR;
    }
    EACH_ROW(SET_INT_ROW)
}
#define INT8_QUADS int8_quads_tile
#else
#define INT8_QUADS NULL
#endif

static int32_t largest_bits(int64_t n, const float *x)
{
    Int most = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const Int bits = (Int)magnitude(load(x + i)), more = bits > most;
        most = (bits & more) | (most & ~more);
    }
    if (i < n) {
        const Int bits = (Int)magnitude(load_part(x + i, n - i, 0.0F)), more = bits > most;
        most = (bits & more) | (most & ~more);
    }
    int32_t part[LANES], largest = 0;
    store_int(part, most);
    for (int lane = 0; lane < LANES; lane++)
        largest = part[lane] > largest ? part[lane] : largest;
    return largest;
}

static void range_row(int64_t n, const float *x, float *low, float *high)
{
    Vec least = {0}, most = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        const Vec v = i + LANES <= n ? load(x + i) : load_part(x + i, n - i, 0.0F);
        least = choose(v < least, v, least);
        most = choose(v > most, v, most);
    }
    float lows[LANES], highs[LANES];
    store(lows, least);
    store(highs, most);
    *low = *high = 0;
    for (int lane = 0; lane < LANES; lane++) {
        *low = lows[lane] < *low ? lows[lane] : *low;
        *high = highs[lane] > *high ? highs[lane] : *high;
    }
}

typedef int8_t Codes __attribute__((vector_size(KERNEL_VECTOR_BYTES / 4)));

INLINE Codes quantize_vec(Vec x, Vec scale, Vec zero, Vec low, Vec high)
{
    Vec code = round_vec(x / scale) + zero;
    code = choose(code < low, low, code);
    code = choose(code > high, high, code);
    return __builtin_convertvector(__builtin_convertvector(code, Int), Codes);
}

static void quantize_row(int64_t n, const float *x, float scale, float zero, float low, float high, int8_t *codes)
{
    const Vec s = splat(scale), z = splat(zero), l = splat(low), h = splat(high);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const Codes some = quantize_vec(load(x + i), s, z, l, h);
        memcpy(codes + i, &some, sizeof some);
    }
    if (i < n) {
        const Codes some = quantize_vec(load_part(x + i, n - i, 0.0F), s, z, l, h);
        memcpy(codes + i, &some, (size_t)(n - i));
    }
}

static void largest_bits_of_columns(int64_t n, int64_t columns, const float *x, int32_t *bits)
{
    for (int64_t j = 0; j < columns; j += LANES) {
        Int most = {0};
        for (int64_t i = 0; i < n; i++) {
            const Int some = (Int)magnitude(load(x + i * columns + j)), more = some > most;
            most = (some & more) | (most & ~more);
        }
        store_int(bits + j, most);
    }
}

static void quantize_columns(int64_t count, int64_t columns, const float *x, const float *scales, float low, float high,
                             int width, int32_t flip, int32_t *words)
{
    const Vec l = splat(low), h = splat(high);
    const int32_t mask = (int32_t)(((int64_t)1 << width) - 1);
    for (int64_t j = 0; j < columns; j += LANES) {
        const Vec scale = load(scales + j);
        Int word = {0};
        for (int64_t i = 0; i < count; i++) {
            Vec code = round_vec(load(x + i * columns + j) / scale);
            code = choose(code < l, l, code);
            code = choose(code > h, h, code);
            word |= (__builtin_convertvector(code, Int) & mask) << (width * (int)i);
        }
        store_int(words + j, word ^ flip);
    }
}

_Static_assert(MR <= (int)INT8_MAX_ROWS && NR <= (int)INT8_MAX_COLUMNS, "the tile buffer of int8.c is too small");

#define INT8_KERNELS                                                                                \
    {MR, NR, int8_pairs_tile, INT8_QUADS, largest_bits, range_row, quantize_row, largest_bits_of_columns, \
     quantize_columns}
