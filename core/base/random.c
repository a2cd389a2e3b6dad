#include "core/base/random.h"

#include <math.h>

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

void random_below_each(Random *random, int64_t n, int64_t count, int64_t *draws)
{
    uint64_t range = (uint64_t)n, excess = (UINT64_MAX % range + 1) % range, inverse = UINT64_MAX / range, word;
    for (int64_t i = 0; i < count; i++) {
        do {
            uint64_t high = random_word(random);
            word = high << 32 | random_word(random);
        } while (word > UINT64_MAX - excess); /* draws from the incomplete last block are thrown again */
        /* word % range; the quotient is at most 2 too small, and the remainder no division. */
        uint64_t rest = word - (uint64_t)((unsigned __int128)word * inverse >> 64) * range;
        while (rest >= range)
            rest -= range;
        draws[i] = (int64_t)rest;
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
