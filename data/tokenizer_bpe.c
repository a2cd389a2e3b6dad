#include <assert.h>
#include <string.h>

#include "data/bpe.h"
#include "data/tokenizer.h"
#include "data/word_end.h"

struct bpe { int64_t vocabulary; };

static const Param params[] = {
    PARAM_INT(struct bpe, vocabulary, 1024, .min = BPE_BYTES + 1, .max = 1 << 18,
              .help = "largest number of tokens, the 256 bytes among them"),
    PARAM_END
};

typedef struct Merges {
    BpeMerge *items;
    int32_t count;
    ByteTable *numbers;         /* BpeMerge to its index in items, which is its rank */
} Merges;

/* Room for `limit` merges, with the bytes filled in. */
static Merges *start(Arena *arena, int32_t limit, const unsigned char ***pieces, int64_t **sizes)
{
    Merges *merges = arena_alloc(arena, sizeof *merges);
    *merges = (Merges){arena_alloc(arena, (size_t)limit * sizeof(BpeMerge)), 0, byte_table_new(arena)};
    unsigned char *bytes = arena_alloc(arena, BPE_BYTES);
    *pieces = arena_alloc(arena, (size_t)(BPE_BYTES + limit) * sizeof **pieces);
    *sizes = arena_alloc(arena, (size_t)(BPE_BYTES + limit) * sizeof **sizes);
    for (int i = 0; i < BPE_BYTES; i++) {
        bytes[i] = (unsigned char)i;
        (*pieces)[i] = bytes + i;
        (*sizes)[i] = 1;
    }
    return merges;
}

static void finish(Tokenizer *tokenizer, Merges *merges, const unsigned char **pieces, int64_t *sizes)
{
    tokenizer->vocabulary = BPE_BYTES + merges->count;
    tokenizer->pieces = pieces;
    tokenizer->piece_sizes = sizes;
    tokenizer->state = merges;
}

static bool bpe_learn(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                      Error *error)
{
    (void)error;
    int32_t limit = (int32_t)((const struct bpe *)values)->vocabulary - BPE_BYTES;
    const unsigned char **pieces;
    int64_t *sizes;
    Merges *merges = start(arena, limit, &pieces, &sizes);
    merges->count = bpe_train(text, size, limit, arena, merges->items, pieces, sizes);
    for (int32_t i = 0; i < merges->count; i++)
        byte_table_add(merges->numbers, &merges->items[i], sizeof(BpeMerge));
    finish(tokenizer, merges, pieces, sizes);
    return true;
}

/* A word while it is encoded: tokens with their neighbours, and a heap of the merges that apply, each
   token << 32 | place. Merges apply in the order in which they were learned, from left to right. */
typedef struct Link { int32_t token, left, right; } Link;
typedef struct Encoder {
    const Merges *merges;
    Link *links;
    uint64_t *heap;
    size_t heap_count, room;    /* room: bytes of the longest word so far */
} Encoder;

static void push(Encoder *encoder, uint64_t key)
{
    size_t slot = encoder->heap_count++;
    for (; slot > 0 && encoder->heap[(slot - 1) / 2] > key; slot = (slot - 1) / 2)
        encoder->heap[slot] = encoder->heap[(slot - 1) / 2];
    encoder->heap[slot] = key;
}

static uint64_t pop(Encoder *encoder)
{
    uint64_t *heap = encoder->heap, least = heap[0], last = heap[--encoder->heap_count];
    size_t slot = 0, count = encoder->heap_count;
    for (size_t child; (child = 2 * slot + 1) < count; slot = child) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[slot] = heap[child];
    }
    heap[slot] = last;
    return least;
}

/* Token of the merge that applies at a place, or -1. */
static int32_t merge_of(const Encoder *encoder, int32_t at)
{
    const Link *links = encoder->links;
    if (links[at].token < 0 || links[at].right < 0)
        return -1;
    BpeMerge merge = {links[at].token, links[links[at].right].token};
    int32_t number = byte_table_find(encoder->merges->numbers, &merge, sizeof merge);
    return number < 0 ? -1 : BPE_BYTES + number;
}

static void push_merge(Encoder *encoder, int32_t at)
{
    int32_t token = at < 0 ? -1 : merge_of(encoder, at);
    if (token >= 0)
        push(encoder, (uint64_t)token << 32 | (uint32_t)at);
}

static void make_room(Encoder *encoder, size_t size)
{
    if (size <= encoder->room)
        return;
    memory_free(encoder->links);
    memory_free(encoder->heap);
    encoder->room = 2 * size;
    encoder->links = memory_array(encoder->room, sizeof(Link));
    encoder->heap = memory_array(encoder->room, 3 * sizeof(uint64_t)); /* a pair at first, two for each merge */
}

/* Tokens of one word into out[size]; their number. */
static int32_t encode_word(Encoder *encoder, const unsigned char *word, size_t size, int32_t *out)
{
    make_room(encoder, size);
    Link *links = encoder->links;
    int32_t length = (int32_t)size;
    for (int32_t i = 0; i < length; i++)
        links[i] = (Link){word[i], i - 1, i + 1 < length ? i + 1 : -1};
    for (int32_t i = 0; i < length; i++)
        push_merge(encoder, i);
    while (encoder->heap_count) {
        uint64_t key = pop(encoder);
        int32_t at = (int32_t)(key & UINT32_MAX), token = (int32_t)(key >> 32);
        if (merge_of(encoder, at) != token)
            continue; /* another merge has changed the place since */
        int32_t gone = links[at].right;
        links[at].token = token;
        links[at].right = links[gone].right;
        links[gone].token = -1;
        if (links[at].right >= 0)
            links[links[at].right].left = at;
        push_merge(encoder, links[at].left);
        push_merge(encoder, at);
    }
    int32_t count = 0;
    for (int32_t at = 0; at >= 0; at = links[at].right)
        out[count++] = links[at].token;
    return count;
}

/* Words that have been met: the tokens of word i are pool[begins[i]] up to begins[i + 1]. */
typedef struct Cache {
    ByteTable *words;
    int32_t *pool;
    int64_t *begins;
    size_t pool_room, begin_room;
} Cache;

static int32_t find_word(Cache *cache, Encoder *encoder, const unsigned char *word, size_t size)
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
    cache->begins[number + 1] = (int64_t)begin + encode_word(encoder, word, size, cache->pool + begin);
    return number;
}

static bool bpe_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                       int32_t **tokens, int64_t *count, Error *error)
{
    (void)error;
    Arena *scratch = arena_new();
    Encoder encoder = {.merges = tokenizer->state};
    Cache cache = {.words = byte_table_new(scratch)};
    *count = 0;
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, true);
        int32_t word = find_word(&cache, &encoder, text + at, end - at);
        *count += cache.begins[word + 1] - cache.begins[word];
    }
    int32_t *out = *tokens = arena_alloc(arena, (size_t)*count * sizeof *out);
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, true);
        int32_t word = byte_table_find(cache.words, text + at, end - at);
        size_t length = (size_t)(cache.begins[word + 1] - cache.begins[word]);
        memcpy(out, cache.pool + cache.begins[word], length * sizeof *out);
        out += length;
    }
    memory_free(encoder.links);
    memory_free(encoder.heap);
    memory_free(cache.pool);
    memory_free(cache.begins);
    arena_free(scratch);
    return true;
}

static cJSON *bpe_save(const Tokenizer *tokenizer)
{
    const Merges *merges = tokenizer->state;
    cJSON *state = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(state, "merges");
    for (int32_t i = 0; i < merges->count; i++) {
        const int pair[] = {merges->items[i].left, merges->items[i].right};
        cJSON_AddItemToArray(list, cJSON_CreateIntArray(pair, 2));
    }
    return state;
}

/* Two earlier tokens. */
static bool read_merge(const cJSON *item, int32_t known, BpeMerge *merge)
{
    const cJSON *left = cJSON_IsArray(item) ? item->child : NULL, *right = left ? left->next : NULL;
    if (!cJSON_IsNumber(left) || !cJSON_IsNumber(right) || right->next)
        return false;
    double a = left->valuedouble, b = right->valuedouble;
    if (!(a >= 0 && a < known && b >= 0 && b < known))
        return false;
    *merge = (BpeMerge){(int32_t)a, (int32_t)b};
    return a == merge->left && b == merge->right;
}

static bool bpe_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    int32_t limit = (int32_t)((const struct bpe *)values)->vocabulary - BPE_BYTES;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(state, "merges"), *item;
    if (!cJSON_IsArray(list))
        return fail(error, "expected \"merges\", a list of pairs of tokens");
    int32_t announced = cJSON_GetArraySize(list);
    if (announced > limit)
        return fail(error, "%d merges, a vocabulary of %d has at most %d", announced, limit + BPE_BYTES, limit);
    const unsigned char **pieces;
    int64_t *sizes;
    Merges *merges = start(arena, announced, &pieces, &sizes);
    cJSON_ArrayForEach(item, list)
    {
        BpeMerge merge;
        int32_t k = merges->count, token = BPE_BYTES + k;
        if (!read_merge(item, token, &merge))
            return fail(error, "merges[%d]: expected two tokens between 0 and %d", k, token - 1);
        sizes[token] = sizes[merge.left] + sizes[merge.right];
        if (sizes[token] > BPE_LONGEST_PIECE)
            return fail(error, "merges[%d]: stands for more than %d bytes", k, BPE_LONGEST_PIECE);
        if (byte_table_add(merges->numbers, &merge, sizeof merge) != k)
            return fail(error, "merges[%d]: the same pair as an earlier merge", k);
        pieces[token] = bpe_join(arena, merge, pieces, sizes);
        merges->items[merges->count++] = merge;
    }
    finish(tokenizer, merges, pieces, sizes);
    return true;
}

const TokenizerDef tokenizer_bpe = {
    .component = {
        .name = "bpe",
        .summary = "byte-pair encoding: frequent sequences of bytes, learned from the training text",
        .params = params,
        .size = sizeof(struct bpe),
        .source = "arXiv:1508.07909; over bytes as in GPT-2 (Radford et al. 2019)",
        .notes = "Tokens 0 to 255 are the bytes, so any bytes can be encoded and decoding gives them back. The most "
                 "frequent pair of neighbouring tokens becomes a token until the vocabulary is full or no pair occurs "
                 "twice; ties go to the pair whose left piece, then right piece, is the smaller byte string. Merges stay "
                 "within a word: a run of letters, digits, white space or other characters, with the space before it. "
                 "Bytes above 0x7F count as letters. A token stands for at most 256 bytes.",
    },
    .train = bpe_learn, .encode = bpe_encode, .save = bpe_save, .restore = bpe_restore,
};
