#include "data/strata.h"

#include <stdlib.h>

#include "core/base/memory.h"

const char *const strata_rules[] = {"strict", "interleaved", NULL};

typedef struct Stratum { int64_t index, begin, size, used; } Stratum;

/* By what is left, most first; then by index. */
static int compare_left(const void *a, const void *b)
{
    const Stratum *x = a, *y = b;
    const int64_t left_x = x->size - x->used, left_y = y->size - y->used;
    if (left_x != left_y)
        return left_x > left_y ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static int64_t order_strictly(Stratum *all, int64_t strata, const int64_t *members, int64_t batch, int64_t *order)
{
    int64_t placed = 0;
    for (;;) {
        qsort(all, (size_t)strata, sizeof *all, compare_left);
        if (strata < batch || all[batch - 1].used == all[batch - 1].size)
            return placed;
        for (int64_t s = 0; s < batch; s++)
            order[placed++] = members[all[s].begin + all[s].used++];
    }
}

static int64_t interleave(const Stratum *all, int64_t strata, const int64_t *members, int64_t batch, int64_t *order)
{
    int64_t placed = 0, before = -1;
    for (int64_t rank = 0; placed != before; rank++) {
        before = placed;
        for (int64_t s = 0; s < strata; s++)
            if (rank < all[s].size)
                order[placed++] = members[all[s].begin + rank];
    }
    return placed - placed % batch;
}

int64_t strata_order(StrataRule rule, int64_t count, const int32_t *strata, int64_t batch, Random *random,
                     int64_t *order)
{
    int64_t number = 0, begin = 0;
    for (int64_t i = 0; i < count; i++)
        number = strata[i] >= number ? strata[i] + 1 : number;
    Stratum *all = memory_array((size_t)number + 1, sizeof *all);
    int64_t *members = memory_array((size_t)count + 1, sizeof *members);
    for (int64_t i = 0; i < count; i++) {
        all[strata[i]].size++;
        order[i] = i;
    }
    for (int64_t s = 0; s < number; begin += all[s++].size) {
        all[s].index = s;
        all[s].begin = begin;
    }
    if (random)
        random_permutation(random, count, order);
    for (int64_t i = 0; i < count; i++) {
        Stratum *stratum = &all[strata[order[i]]];
        members[stratum->begin + stratum->used++] = order[i];
    }
    for (int64_t s = 0; s < number; s++)
        all[s].used = 0;
    const int64_t placed = rule == STRATA_STRICT ? order_strictly(all, number, members, batch, order)
                                                 : interleave(all, number, members, batch, order);
    memory_free(members);
    memory_free(all);
    return placed;
}
