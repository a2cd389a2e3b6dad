#include "data/merges.h"
#include "data/word_tokens.h"

struct wordpiece { int64_t vocabulary, min_count; };

static const Param params[] = {
    PARAM_INT(struct wordpiece, vocabulary, 1024, .min = MERGE_BYTES + 1, .max = MERGE_MOST_TOKENS,
              .help = "largest number of tokens, the 256 bytes among them"),
    PARAM_INT(struct wordpiece, min_count, 2, .min = 1, .max = 1e9,
              .help = "a pair that occurs less often in the training text is not merged"),
    PARAM_END
};

typedef struct Pieces {
    const Merges *merges;
    ByteTable *numbers;         /* piece to index in tokens */
    int32_t *tokens;            /* the first token that stands for the piece: merges may meet in one */
    size_t longest;             /* bytes of a piece */
} Pieces;

/* Puts the tokenizer's Merges below Pieces. */
static void add_pieces(Arena *arena, Tokenizer *tokenizer)
{
    Pieces *pieces = arena_alloc(arena, sizeof *pieces);
    *pieces = (Pieces){tokenizer->state, byte_table_new(arena),
                       arena_alloc(arena, (size_t)tokenizer->vocabulary * sizeof(int32_t)), 0};
    for (int32_t token = 0; token < tokenizer->vocabulary; token++) {
        size_t size = (size_t)tokenizer->piece_sizes[token];
        int32_t known = byte_table_count(pieces->numbers);
        int32_t number = byte_table_add(pieces->numbers, tokenizer->pieces[token], size);
        if (number == known)
            pieces->tokens[number] = token;
        if (size > pieces->longest)
            pieces->longest = size;
    }
    tokenizer->state = pieces;
}

static bool wordpiece_train(const void *values, const unsigned char *text, size_t size, Arena *arena,
                            Tokenizer *tokenizer, Error *error)
{
    const struct wordpiece *self = values;
    if (!merges_train(self->vocabulary, MERGE_LIKELY, self->min_count, text, size, arena, tokenizer, error))
        return false;
    add_pieces(arena, tokenizer);
    return true;
}

/* The longest piece that the rest of the word begins with, again and again; a byte always is one. */
static int32_t encode_word(void *context, const unsigned char *word, size_t size, int32_t *out)
{
    const Pieces *pieces = context;
    int32_t count = 0;
    for (size_t at = 0; at < size;) {
        size_t length = size - at < pieces->longest ? size - at : pieces->longest;
        int32_t number;
        while ((number = byte_table_find(pieces->numbers, word + at, length)) < 0)
            length--;
        out[count++] = pieces->tokens[number];
        at += length;
    }
    return count;
}

static bool wordpiece_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                             int32_t **tokens, int64_t *count, Error *error)
{
    (void)error;
    *count = word_tokens(encode_word, tokenizer->state, text, size, arena, tokens);
    return true;
}

static cJSON *wordpiece_save(const Tokenizer *tokenizer)
{
    return merges_save(((const Pieces *)tokenizer->state)->merges);
}

static bool wordpiece_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    if (!merges_restore(((const struct wordpiece *)values)->vocabulary, state, arena, tokenizer, error))
        return false;
    add_pieces(arena, tokenizer);
    return true;
}

const TokenizerDef tokenizer_wordpiece = {
    .component = {
        .name = "wordpiece",
        .summary = "likely sequences of bytes, learned from the training text; the longest that fits is taken",
        .params = params,
        .size = sizeof(struct wordpiece),
        .source = "Schuster and Nakajima 2012; encoding as in BERT, arXiv:1810.04805",
        .formula = "score(a, b) = count(a b) / (count(a) count(b))",
        .notes = "As bpe, but the pair with the highest score is merged, which is the one that raises the "
                 "likelihood of the text most, and words are encoded from left to right by the longest piece that "
                 "fits. Pieces are bytes and the space before a word belongs to it, so there is no mark for "
                 "continuations and no unknown token: decoding gives any bytes back. Rare pairs of rare bytes score "
                 "highest, so that real text wants a higher `min_count`: 4,352 tokens of tiny Shakespeare take 1.3 "
                 "bytes each with 2 and 3.0 with 30.",
    },
    .train = wordpiece_train, .encode = wordpiece_encode, .save = wordpiece_save, .restore = wordpiece_restore,
};
