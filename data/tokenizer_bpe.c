#include "data/merges.h"
#include "data/word_tokens.h"

struct bpe { int64_t vocabulary; };

static const Param params[] = {
    PARAM_INT(struct bpe, vocabulary, 1024, .min = MERGE_BYTES + 1, .max = MERGE_MOST_TOKENS,
              .help = "largest number of tokens, the 256 bytes among them"),
    PARAM_END
};

static bool bpe_train(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                      Error *error)
{
    return merges_train(((const struct bpe *)values)->vocabulary, MERGE_FREQUENT, 2, text, size, arena, tokenizer,
                        error);
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
    Merge merge = {links[at].token, links[links[at].right].token};
    int32_t number = byte_table_find(encoder->merges->numbers, &merge, sizeof merge);
    return number < 0 ? -1 : MERGE_BYTES + number;
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

static int32_t encode_word(void *context, const unsigned char *word, size_t size, int32_t *out)
{
    Encoder *encoder = context;
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

static bool bpe_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                       int32_t **tokens, int64_t *count, Error *error)
{
    (void)error;
    Encoder encoder = {.merges = tokenizer->state};
    *count = word_tokens(encode_word, &encoder, text, size, arena, tokens);
    memory_free(encoder.links);
    memory_free(encoder.heap);
    return true;
}

static cJSON *bpe_save(const Tokenizer *tokenizer)
{
    return merges_save(tokenizer->state);
}

static bool bpe_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    return merges_restore(((const struct bpe *)values)->vocabulary, state, arena, tokenizer, error);
}

const TokenizerDef tokenizer_bpe = {
    .component = {
        .name = "bpe",
        .summary = "byte-pair encoding: frequent sequences of bytes, learned from the training text",
        .params = params,
        .size = sizeof(struct bpe),
        .source = "arXiv:1508.07909; over bytes as in GPT-2 (Radford et al. 2019)",
        .notes = "Tokens 0 to 255 are the bytes, so any bytes can be encoded and decoding gives them back. The most "
                 "frequent pair of neighbouring tokens becomes a token until the vocabulary is full or no pair "
                 "occurs twice; ties go to the pair whose left piece, then right piece, is the smaller byte string. "
                 "Merges stay within a word: a run of letters, digits, white space or other characters, with the "
                 "space before it. Bytes above 0x7F count as letters. A token stands for at most 256 bytes.",
    },
    .train = bpe_train, .encode = bpe_encode, .save = bpe_save, .restore = bpe_restore,
};
