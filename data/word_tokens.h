/* Text to tokens word by word (word_end, with classes), where the tokens of a word do not depend on
   what stands around it: each different word is encoded once. */
#ifndef XENT_DATA_WORD_TOKENS_H
#define XENT_DATA_WORD_TOKENS_H

#include "core/base/memory.h"

/* Tokens of one word into out[size]; returns their number, at most size. */
typedef int32_t (*WordEncoder)(void *context, const unsigned char *word, size_t size, int32_t *out);

/* Tokens in the arena; their number. */
int64_t word_tokens(WordEncoder encode, void *context, const unsigned char *text, size_t size, Arena *arena,
                    int32_t **tokens);

#endif
