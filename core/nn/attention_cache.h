/* Keys and values of the positions that a causal model has seen, so that the next position is computed alone.
   One text at a time (N = 1), in evaluation. */
#ifndef XENT_NN_ATTENTION_CACHE_H
#define XENT_NN_ATTENTION_CACHE_H

#include "core/tensor/tensor.h"

typedef struct AttentionCache {
    Arena *arena;
    int64_t past; /* positions of earlier forward passes; the caller adds to it after each */
    int64_t room; /* most positions, earlier and new */
    int next;     /* attention layers asked so far in this pass; the caller sets it to 0 before each */
    int count;
    struct AttentionCacheLayer *layers;
} AttentionCache;

AttentionCache *attention_cache_new(int64_t room);
void attention_cache_free(AttentionCache *cache); /* NULL allowed */

/* For the layer whose turn it is: appends the new positions [1, T, heads, size] and gives all of them, [1,
   past + T, heads, size], on the tape in use. Every pass asks the same layers in the same order. */
void attention_cache_extend(AttentionCache *cache, Tensor **key, Tensor **value);

#endif
