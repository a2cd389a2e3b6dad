#include <string.h>

#include "data/tokenizer.h"

enum { BYTES = 256 };

static bool byte_restore(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    (void)values, (void)state, (void)error;
    unsigned char *bytes = arena_alloc(arena, BYTES);
    const unsigned char **pieces = arena_alloc(arena, BYTES * sizeof *pieces);
    int64_t *sizes = arena_alloc(arena, BYTES * sizeof *sizes);
    for (int i = 0; i < BYTES; i++) {
        bytes[i] = (unsigned char)i;
        pieces[i] = bytes + i;
        sizes[i] = 1;
    }
    tokenizer->vocabulary = BYTES;
    tokenizer->pieces = pieces;
    tokenizer->piece_sizes = sizes;
    return true;
}

static bool byte_train(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                       Error *error)
{
    (void)text, (void)size;
    return byte_restore(values, NULL, arena, tokenizer, error);
}

static bool byte_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                        int32_t **tokens, int64_t *count, Error *error)
{
    (void)tokenizer, (void)error;
    *tokens = arena_alloc(arena, size * sizeof **tokens);
    *count = (int64_t)size;
    for (size_t i = 0; i < size; i++)
        (*tokens)[i] = text[i];
    return true;
}

const TokenizerDef tokenizer_byte = {
    .component = {
        .name = "byte",
        .summary = "a token for each of the 256 bytes",
        .notes = "The token is the byte's value. Any bytes are text, and decoding gives them back.",
    },
    .vocabulary = BYTES,
    .train = byte_train, .encode = byte_encode, .restore = byte_restore,
};
