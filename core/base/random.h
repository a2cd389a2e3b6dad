/* Counter-based random numbers, Philox4x32-10 (Salmon et al. 2011): a draw is a function of
   (seed, stream, step, index), so results do not depend on threads or on where a run was resumed. */
#ifndef XENT_BASE_RANDOM_H
#define XENT_BASE_RANDOM_H

#include <stdint.h>

typedef struct Random {
    uint64_t seed, index;
    uint32_t stream, step, buffer[4];
    int left;
} Random;

/* The raw block: four words that depend on all four numbers. */
void random_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index, uint32_t words[4]);

/* A sequence of its own for (seed, stream name, step); drawing from it advances `index`. */
Random random_start(uint64_t seed, const char *stream, uint32_t step);
uint32_t random_stream(const char *name); /* FNV-1a of the name */

uint32_t random_word(Random *random);
double random_uniform(Random *random);                    /* [0, 1), 53 bits */
double random_normal(Random *random);                     /* mean 0, variance 1 */
int64_t random_below(Random *random, int64_t n);          /* 0..n-1, unbiased; n >= 1 */
void random_below_each(Random *random, int64_t n, int64_t count, int64_t *draws); /* `count` draws of random_below */
void random_permutation(Random *random, int64_t n, int64_t *order);

#endif
