/* Figures of several resamples of a bootstrap at once: a lane each. What a metric reads of a row it reads once for
   all of them, and sums that would wait for each other stand side by side. A figure of the sample itself has the same
   weights in all lanes. Lanes are handed over by address, as not every instruction set returns them in a register. */
#ifndef XENT_METRICS_LANES_H
#define XENT_METRICS_LANES_H

#include <math.h>
#include <stdint.h>

enum { LANES = 8 };
typedef double Lanes __attribute__((vector_size(LANES * sizeof(double))));

/* Where GCC can, loops over rows are compiled for wide vectors too and chosen at start, with the same bits: narrow ones
   keep sums of eight lanes in memory. Sanitizers are not up yet when the choice is made. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LANES_CLONED __attribute__((target_clones("avx512f", "default")))
#else
#define LANES_CLONED
#endif
/* For what a cloned function calls in its loop: a call from code of wide vectors to code of narrow ones takes longer
   than what is called. */
#define LANES_INLINE static inline __attribute__((always_inline))

/* above / below; NAN where below is not above 0. */
LANES_INLINE void lanes_ratio(const Lanes *above, const Lanes *below, Lanes *ratio)
{
    for (int l = 0; l < LANES; l++)
        (*ratio)[l] = (*below)[l] > 0 ? (*above)[l] / (*below)[l] : NAN;
}

/* x, 1 where that is not above 0: a divisor of what is then 0, so that lanes need no branch. */
LANES_INLINE void lanes_or_one(const Lanes *x, Lanes *divisor)
{
    for (int l = 0; l < LANES; l++)
        (*divisor)[l] = (*x)[l] > 0 ? (*x)[l] : 1;
}

/* The sum of values [count]. */
LANES_INLINE void lanes_sum(const Lanes *values, int64_t count, Lanes *sum)
{
    Lanes total = {0};
    for (int64_t i = 0; i < count; i++)
        total += values[i];
    *sum = total;
}

#endif
