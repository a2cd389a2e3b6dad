/* Arithmetic of sizes and counts, all of them >= 0. */
#ifndef XENT_CORE_BASE_INTEGERS_H
#define XENT_CORE_BASE_INTEGERS_H

#include <stdint.h>

static inline int64_t smaller(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

/* How many pieces of so many, the last of which may be smaller, n consists of. */
static inline int64_t ceil_div(int64_t n, int64_t piece)
{
    return (n + piece - 1) / piece;
}

static inline int64_t round_up(int64_t n, int64_t unit)
{
    return ceil_div(n, unit) * unit;
}

#endif
