/* Text to tokens and back. To add one: `const TokenizerDef tokenizer_NAME` in a file of this folder. */
#ifndef XENT_DATA_TOKENIZER_H
#define XENT_DATA_TOKENIZER_H

#include "core/base/component.h"

typedef struct Tokenizer Tokenizer;

typedef struct TokenizerDef {
    Component component;
    /* Learns what it needs (alphabet, merges) from the training text; deterministic. Fills
       tokenizer->vocabulary and state, in `arena`. */
    bool (*train)(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer, Error *error);
    /* Number of tokens; tokens in the arena. An unknown character is an error that names the byte. */
    bool (*encode)(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena, int32_t **tokens,
                   int64_t *count, Error *error);
    /* What a checkpoint keeps, as JSON, and back; restore trusts nothing. */
    cJSON *(*save)(const Tokenizer *tokenizer);
    bool (*restore)(const void *values, const cJSON *saved, Arena *arena, Tokenizer *tokenizer, Error *error);
} TokenizerDef;

struct Tokenizer {
    const TokenizerDef *def;
    const void *values;
    int64_t vocabulary;
    /* pieces[token] are the bytes that the token stands for. */
    const unsigned char *const *pieces;
    const int64_t *piece_sizes;
    void *state;
};

bool tokenizer_train(const Instance *instance, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer, Error *error);
bool tokenizer_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena, int32_t **tokens, int64_t *count, Error *error);
/* The bytes of `count` tokens, with a NUL after them; in the arena. */
unsigned char *tokenizer_decode(const Tokenizer *tokenizer, const int32_t *tokens, int64_t count, Arena *arena, size_t *size);

#endif
