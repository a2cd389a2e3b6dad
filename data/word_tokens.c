#include "data/word_tokens.h"

#include <string.h>

#include "data/byte_table.h"
#include "data/word_end.h"

/* Words that have been met: the tokens of word i are pool[begins[i]] up to begins[i + 1]. */
typedef struct Cache {
    ByteTable *words;
    int32_t *pool;
    int64_t *begins;
    size_t pool_room, begin_room;
} Cache;

/* Number of the word; what is new is encoded. */
static int32_t find_word(Cache *cache, WordEncoder encode, void *context, const unsigned char *word, size_t size)
{
    int32_t known = byte_table_count(cache->words), number = byte_table_add(cache->words, word, size);
    if (number < known)
        return number;
    if ((size_t)number + 2 > cache->begin_room) {
        size_t room = 2 * ((size_t)number + 2);
        cache->begins = memory_grow(cache->begins, cache->begin_room * sizeof(int64_t), room * sizeof(int64_t));
        cache->begin_room = room;
    }
    size_t begin = (size_t)cache->begins[number];
    if (begin + size > cache->pool_room) {
        size_t room = 2 * (begin + size);
        cache->pool = memory_grow(cache->pool, cache->pool_room * sizeof(int32_t), room * sizeof(int32_t));
        cache->pool_room = room;
    }
    cache->begins[number + 1] = (int64_t)begin + encode(context, word, size, cache->pool + begin);
    return number;
}

int64_t word_tokens(WordEncoder encode, void *context, const unsigned char *text, size_t size, Arena *arena,
                    int32_t **tokens)
{
    Arena *scratch = arena_new();
    Cache cache = {.words = byte_table_new(scratch)};
    int64_t count = 0;
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, true);
        int32_t word = find_word(&cache, encode, context, text + at, end - at);
        count += cache.begins[word + 1] - cache.begins[word];
    }
    int32_t *out = *tokens = arena_alloc(arena, (size_t)count * sizeof *out);
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, true);
        int32_t word = byte_table_find(cache.words, text + at, end - at);
        size_t length = (size_t)(cache.begins[word + 1] - cache.begins[word]);
        memcpy(out, cache.pool + cache.begins[word], length * sizeof *out);
        out += length;
    }
    memory_free(cache.pool);
    memory_free(cache.begins);
    arena_free(scratch);
    return count;
}
