#include "core/nn/attention_cache.h"

#include <assert.h>
#include <string.h>

#include "core/tensor/operations.h"

/* Each [room, heads, size]. */
struct AttentionCacheLayer {
    int64_t heads, size;
    float *keys, *values;
};

enum { MOST_LAYERS = 1 << 12 };

AttentionCache *attention_cache_new(int64_t room)
{
    Arena *arena = arena_new();
    AttentionCache *cache = arena_zero(arena, 1, sizeof *cache);
    *cache = (AttentionCache){.arena = arena, .room = room};
    cache->layers = arena_zero(arena, MOST_LAYERS, sizeof *cache->layers);
    return cache;
}

void attention_cache_free(AttentionCache *cache)
{
    if (cache)
        arena_free(cache->arena);
}

static struct AttentionCacheLayer *next_layer(AttentionCache *cache, int64_t heads, int64_t size)
{
    assert(cache->next < MOST_LAYERS);
    struct AttentionCacheLayer *layer = &cache->layers[cache->next];
    if (cache->next++ == cache->count) {
        cache->count++;
        layer->heads = heads;
        layer->size = size;
        layer->keys = arena_zero(cache->arena, (size_t)(heads * cache->room * size), sizeof *layer->keys);
        layer->values = arena_zero(cache->arena, (size_t)(heads * cache->room * size), sizeof *layer->values);
    }
    assert(layer->heads == heads && layer->size == size);
    return layer;
}

static Tensor *extend(const AttentionCache *cache, float *rows, const Tensor *added)
{
    const int64_t heads = added->shape[2], size = added->shape[3], all = cache->past + added->shape[1];
    Tensor *result = t_new(ARRAY_F32, SHAPE(1, all, heads, size));
    memcpy(rows + cache->past * heads * size, added->data, (size_t)added->count * sizeof(float));
    memcpy(result->data, rows, (size_t)result->count * sizeof(float));
    return result;
}

void attention_cache_extend(AttentionCache *cache, Tensor **key, Tensor **value)
{
    assert((*key)->rank == 4 && (*key)->shape[0] == 1 && cache->past + (*key)->shape[1] <= cache->room);
    struct AttentionCacheLayer *layer = next_layer(cache, (*key)->shape[2], (*key)->shape[3]);
    *key = extend(cache, layer->keys, *key);
    *value = extend(cache, layer->values, *value);
}
