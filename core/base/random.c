#include "core/base/random.h"

#include <math.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* Philox4x32-10, Salmon, Moraes, Dror and Shaw 2011: ten rounds of two 32x32 multiplications. */
void random_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index, uint32_t words[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = step, c3 = stream;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

uint32_t random_stream(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

Random random_start(uint64_t seed, const char *stream, uint32_t step)
{
    return (Random){.seed = seed, .stream = random_stream(stream), .step = step};
}

uint32_t random_word(Random *random)
{
    if (random->left == 0) {
        random_block(random->seed, random->stream, random->step, random->index++, random->buffer);
        random->left = 4;
    }
    return random->buffer[4 - random->left--];
}

double random_uniform(Random *random)
{
    uint64_t high = random_word(random) >> 5, low = random_word(random) >> 6; /* 27 + 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

double random_normal(Random *random)
{
    double radius = sqrt(-2 * log1p(-random_uniform(random))); /* Box-Muller; 1-u is never 0 */
    return radius * cos(2 * 3.14159265358979323846 * random_uniform(random));
}

#ifdef __SSE2__
/* Two blocks, each number in the lower half of 64 bits; what is in the upper halves never matters. */
typedef struct TwoBlocks { __m128i c0, c1, c2, c3; } TwoBlocks;

static inline TwoBlocks two_blocks(const Random *random, uint64_t index)
{
    __m128i indices = _mm_set_epi64x((int64_t)(index + 1), (int64_t)index);
    return (TwoBlocks){indices, _mm_srli_epi64(indices, 32), _mm_set1_epi32((int)random->step),
                       _mm_set1_epi32((int)random->stream)};
}

static inline void one_round(TwoBlocks *b, __m128i k0, __m128i k1)
{
    __m128i p0 = _mm_mul_epu32(b->c0, _mm_set1_epi32((int)0xD2511F53u));
    __m128i p1 = _mm_mul_epu32(b->c2, _mm_set1_epi32((int)0xCD9E8D57u));
    b->c0 = _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64(p1, 32), b->c1), k0);
    b->c2 = _mm_xor_si128(_mm_xor_si128(_mm_srli_epi64(p0, 32), b->c3), k1);
    b->c1 = p1;
    b->c3 = p0;
}

static inline void store_two(const TwoBlocks *b, uint32_t words[8])
{
    __m128i first = _mm_unpacklo_epi64(_mm_unpacklo_epi32(b->c0, b->c1), _mm_unpacklo_epi32(b->c2, b->c3));
    __m128i second = _mm_unpacklo_epi64(_mm_unpackhi_epi32(b->c0, b->c1), _mm_unpackhi_epi32(b->c2, b->c3));
    _mm_storeu_si128((__m128i *)(void *)words, first);
    _mm_storeu_si128((__m128i *)(void *)(words + 4), second);
}
#endif

/* The blocks index .. index + 7, one after the other: side by side their products do not wait for each other. */
static void eight_blocks(const Random *random, uint64_t index, uint32_t words[32])
{
#ifdef __SSE2__
    TwoBlocks a = two_blocks(random, index), b = two_blocks(random, index + 2), c = two_blocks(random, index + 4),
              d = two_blocks(random, index + 6);
    uint32_t k0 = (uint32_t)random->seed, k1 = (uint32_t)(random->seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m128i first = _mm_set1_epi32((int)k0), second = _mm_set1_epi32((int)k1);
        one_round(&a, first, second);
        one_round(&b, first, second);
        one_round(&c, first, second);
        one_round(&d, first, second);
    }
    store_two(&a, words);
    store_two(&b, words + 8);
    store_two(&c, words + 16);
    store_two(&d, words + 24);
#else
    for (uint64_t i = 0; i < 8; i++)
        random_block(random->seed, random->stream, random->step, index + i, words + 4 * i);
#endif
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Eight blocks, a number in the lower half of each 64 bits. */
typedef struct EightBlocks { __m512i c0, c1, c2, c3; } EightBlocks;

__attribute__((target("avx512f"))) static inline EightBlocks eight_wide(const Random *random, uint64_t index)
{
    __m512i indices = _mm512_add_epi64(_mm512_set1_epi64((int64_t)index), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    return (EightBlocks){indices, _mm512_srli_epi64(indices, 32), _mm512_set1_epi32((int)random->step),
                         _mm512_set1_epi32((int)random->stream)};
}

__attribute__((target("avx512f"))) static inline void wide_round(EightBlocks *b, __m512i k0, __m512i k1)
{
    __m512i p0 = _mm512_mul_epu32(b->c0, _mm512_set1_epi32((int)0xD2511F53u));
    __m512i p1 = _mm512_mul_epu32(b->c2, _mm512_set1_epi32((int)0xCD9E8D57u));
    b->c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), b->c1), k0);
    b->c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), b->c3), k1);
    b->c1 = p1;
    b->c3 = p0;
}

__attribute__((target("avx512f"))) static inline void store_eight(const EightBlocks *b, uint32_t words[32])
{
    const __mmask16 upper = 0xaaaa;
    __m512i first = _mm512_mask_blend_epi32(upper, b->c0, _mm512_slli_epi64(b->c1, 32)),
            second = _mm512_mask_blend_epi32(upper, b->c2, _mm512_slli_epi64(b->c3, 32));
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), second));
    _mm512_storeu_si512(words + 16,
                        _mm512_permutex2var_epi64(first, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), second));
}

/* The blocks index .. index + 15. */
__attribute__((target("avx512f"))) static void sixteen_blocks(const Random *random, uint64_t index, uint32_t words[64])
{
    EightBlocks a = eight_wide(random, index), b = eight_wide(random, index + 8);
    uint32_t k0 = (uint32_t)random->seed, k1 = (uint32_t)(random->seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m512i first = _mm512_set1_epi32((int)k0), second = _mm512_set1_epi32((int)k1);
        wide_round(&a, first, second);
        wide_round(&b, first, second);
    }
    store_eight(&a, words);
    store_eight(&b, words + 32);
}

/* Returns how many words of whole groups of blocks there are now; the rest is for narrower ones. */
static int64_t wide_words(Random *random, int64_t count, uint32_t *words)
{
    int64_t done = 0;
    if (__builtin_cpu_supports("avx512f"))
        for (; count - done >= 64; done += 64, random->index += 16)
            sixteen_blocks(random, random->index, words + done);
    return done;
}
#else
static int64_t wide_words(Random *random, int64_t count, uint32_t *words)
{
    (void)random, (void)count, (void)words;
    return 0;
}
#endif

static void next_words(Random *random, int64_t count, uint32_t *words)
{
    int64_t done = 0;
    while (done < count && random->left > 0)
        words[done++] = random_word(random);
    done += wide_words(random, count - done, words + done);
    for (; count - done >= 32; done += 32, random->index += 8)
        eight_blocks(random, random->index, words + done);
    while (done < count)
        words[done++] = random_word(random);
}

/* word % range; the quotient by the inverse is at most 2 too small. Without jumps, which nothing could foresee. */
static uint64_t remainder_by(uint64_t word, uint64_t range, uint64_t inverse)
{
    uint64_t rest = word - (uint64_t)((unsigned __int128)word * inverse >> 64) * range;
    rest -= range & -(uint64_t)(rest >= range);
    return rest - (range & -(uint64_t)(rest >= range));
}

void random_below_each(Random *random, int64_t n, int64_t count, int64_t *draws)
{
    enum { AT_ONCE = 128 };
    uint64_t range = (uint64_t)n, excess = (UINT64_MAX % range + 1) % range, inverse = UINT64_MAX / range;
    uint32_t words[2 * AT_ONCE];
    for (int64_t i = 0; i < count;) {
        int64_t wanted = count - i < AT_ONCE ? count - i : AT_ONCE;
        next_words(random, 2 * wanted, words);
        for (int64_t k = 0; k < wanted; k++) {
            uint64_t word = (uint64_t)words[2 * k] << 32 | words[2 * k + 1];
            if (word <= UINT64_MAX - excess) /* draws from the incomplete last block are thrown again */
                draws[i++] = (int64_t)remainder_by(word, range, inverse);
        }
    }
}

int64_t random_below(Random *random, int64_t n)
{
    int64_t draw;
    random_below_each(random, n, 1, &draw);
    return draw;
}

void random_permutation(Random *random, int64_t n, int64_t *order)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = random_below(random, i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
