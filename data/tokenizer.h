/* Text to tokens and back. To add one: `const TokenizerDef tokenizer_NAME` in a file of this folder.
   Texts are bytes, at most TOKENIZER_MAX_BYTES of them, so that positions and tokens are int32. */
#ifndef XENT_DATA_TOKENIZER_H
#define XENT_DATA_TOKENIZER_H

#include "core/base/component.h"

#define TOKENIZER_MAX_BYTES ((size_t)INT32_MAX)

typedef struct Tokenizer Tokenizer;

typedef struct TokenizerDef {
    Component component;
    int64_t vocabulary;         /* where it does not depend on the text; 0: it does */
    /* Learns what it needs (alphabet, merges) from the training text; deterministic. Fills
       tokenizer->vocabulary, pieces and state, in `arena`. */
    bool (*train)(const void *values, const unsigned char *text, size_t size, Arena *arena, Tokenizer *tokenizer,
                  Error *error);
    /* Number of tokens; tokens in the arena. An unknown character is an error that names the byte. */
    bool (*encode)(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena, int32_t **tokens,
                   int64_t *count, Error *error);
    /* What `train` learned, as JSON; the caller's. NULL function: nothing is learned. */
    cJSON *(*save)(const Tokenizer *tokenizer);
    /* As `train`, from what `save` gave (NULL where there is none) or what a hostile file holds. */
    bool (*restore)(const void *values, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error);
} TokenizerDef;

struct Tokenizer {
    const TokenizerDef *def;
    const void *values;         /* borrowed from the Instance, which must live as long */
    int64_t vocabulary;         /* tokens are 0..vocabulary-1 */
    /* pieces[token] are the bytes that the token stands for. */
    const unsigned char *const *pieces;
    const int64_t *piece_sizes;
    void *state;
};

/* Everything the tokenizer points to is in `arena`, but for values. Errors name a byte of the text. */
bool tokenizer_train(const Instance *instance, const unsigned char *text, size_t size, Arena *arena,
                     Tokenizer *tokenizer, Error *error);
/* Any number of threads may encode with one tokenizer. */
bool tokenizer_encode(const Tokenizer *tokenizer, const unsigned char *text, size_t size, Arena *arena,
                      int32_t **tokens, int64_t *count, Error *error);
/* The bytes of `count` tokens, with a NUL after them; in the arena. */
unsigned char *tokenizer_decode(const Tokenizer *tokenizer, const int32_t *tokens, int64_t count, Arena *arena,
                                size_t *size);

/* {"type": NAME, parameters..., "state": {...}} for a checkpoint; the caller's. */
cJSON *tokenizer_save(const Tokenizer *tokenizer);
/* The way back. Trusts nothing: any tree gives a tokenizer or an error (status 1) that begins with the
   place as far as the context knows it. Of the context, source and path are used; everything made
   goes to `arena`, values included. */
bool tokenizer_restore(ParamContext *context, const cJSON *saved, Arena *arena, Tokenizer *tokenizer, Error *error);

#endif
