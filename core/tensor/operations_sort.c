/* The order of elements along the last axis: radix sort, stable, linear in their number. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct Item {
    uint64_t key;
    int32_t index;
} Item;

/* Unsigned keys in the order of the numbers: the sign bit flipped, negative numbers turned round. Zeros are
   equal; NaN comes after everything (before, when negative). */
static uint64_t key_single(float x)
{
    uint32_t bits;
    x = x == 0 ? 0 : x;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static uint64_t key_double(double x)
{
    uint64_t bits;
    x = x == 0 ? 0 : x;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static void insertion_sort(int64_t n, Item *items)
{
    for (int64_t i = 1; i < n; i++) {
        Item item = items[i];
        int64_t at = i;
        for (; at > 0 && items[at - 1].key > item.key; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* By bytes, the lowest first; a byte that is the same in all of them is passed over. Returns where the
   result is: one of the two. */
static Item *radix_sort(int64_t n, Item *items, Item *other, int key_bytes)
{
    if (n <= 48) {
        insertion_sort(n, items);
        return items;
    }
    for (int shift = 0; shift < 8 * key_bytes; shift += 8) {
        int64_t count[256] = {0}, next = 0;
        for (int64_t i = 0; i < n; i++)
            count[items[i].key >> shift & 255]++;
        if (count[items[0].key >> shift & 255] == n)
            continue;
        for (int value = 0; value < 256; value++) {
            int64_t before = next;
            next += count[value];
            count[value] = before;
        }
        for (int64_t i = 0; i < n; i++)
            other[count[items[i].key >> shift & 255]++] = items[i];
        Item *swapped = items;
        items = other;
        other = swapped;
    }
    return items;
}

typedef struct Sorting {
    const Tensor *x;
    Tensor *order;      /* [..., wanted] */
    int64_t n, wanted, grain;
    bool descending;
    Item *scratch;      /* 2 n a chunk of rows */
} Sorting;

static void sort_part(void *context, int64_t begin, int64_t end)
{
    const Sorting *sorting = context;
    int64_t n = sorting->n;
    bool single = sorting->x->type == ARRAY_F32;
    Item *items = sorting->scratch + begin / sorting->grain * 2 * n;
    for (int64_t row = begin; row < end; row++) {
        for (int64_t i = 0; i < n; i++) {
            int64_t at = row * n + i;
            uint64_t key = single ? key_single(tensor_f32(sorting->x)[at]) : key_double(tensor_f64(sorting->x)[at]);
            items[i] = (Item){sorting->descending ? ~key & (single ? UINT32_MAX : UINT64_MAX) : key, (int32_t)i};
        }
        const Item *sorted = radix_sort(n, items, items + n, single ? 4 : 8);
        for (int64_t i = 0; i < sorting->wanted; i++)
            tensor_i32(sorting->order)[row * sorting->wanted + i] = sorted[i].index;
    }
}

enum { GRAIN = 1 << 13 };

/* I32 [..., wanted]: the places of the first `wanted`. */
static Tensor *order_of(const Tensor *x, int64_t wanted, bool descending)
{
    assert(x->rank >= 1 && (x->type == ARRAY_F32 || x->type == ARRAY_F64));
    int64_t n = x->shape[x->rank - 1], shape[TENSOR_MAX_RANK];
    assert(wanted >= 0 && wanted <= n && n <= INT32_MAX);
    memcpy(shape, x->shape, sizeof shape);
    shape[x->rank - 1] = wanted;
    Sorting sorting = {.x = x, .n = n, .wanted = wanted, .descending = descending};
    sorting.order = t_new(ARRAY_I32, x->rank, shape);
    if (sorting.order->count == 0)
        return sorting.order;
    int64_t rows = x->count / n;
    sorting.grain = GRAIN / n + 1;
    size_t bytes = (size_t)((rows + sorting.grain - 1) / sorting.grain * 2 * n) * sizeof(Item);
    sorting.scratch = arena_alloc(tape_arena(), bytes);
    parallel_for(rows, sorting.grain, sort_part, &sorting);
    arena_recycle(tape_arena(), sorting.scratch, bytes);
    return sorting.order;
}

Tensor *t_sort(Tensor *x, bool descending, Tensor **order)
{
    Tensor *places = order_of(x, x->shape[x->rank - 1], descending);
    if (order)
        *order = places;
    return t_gather(x, -1, places);
}

Tensor *t_top_k(Tensor *x, int64_t k, Tensor **order)
{
    Tensor *places = order_of(x, k, true);
    if (order)
        *order = places;
    return t_gather(x, -1, places);
}

static int sample_sort(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: inputs[0] = sample_leaf(random, -2, 2, SHAPE(3, 7)); break;
    case 1: inputs[0] = sample_leaf(random, -2, 2, SHAPE(60)); break;
    case 2: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 3, 5)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 4)); break;
    }
    return 1;
}

static Tensor *apply_sort(Tensor **inputs, int variant)
{
    return variant == 2 ? t_top_k(inputs[0], 3, NULL) : t_sort(inputs[0], variant == 1, NULL);
}

/* Recorded as gather: this entry is for the check. */
const OperationDef operation_sort = {
    .component = {.name = "sort", .summary = "the elements of the last axis in order"},
    .variants = 4, .inputs = sample_sort, .apply = apply_sort,
};
