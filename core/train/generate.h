/* Text from a language model, a token at a time. */
#ifndef XENT_TRAIN_GENERATE_H
#define XENT_TRAIN_GENERATE_H

#include "core/train/saved.h"

typedef struct SamplingOptions {
    double temperature; /* logits are divided by it; 0: the most likely token, the lowest of equals */
    int64_t top_k;      /* only so many of the most likely tokens; 0: all */
    double top_p;       /* only the fewest most likely tokens whose probabilities reach it; 1: all */
    uint64_t seed;
} SamplingOptions;

/* What follows, as a function of logits, seed and position alone; top_k cuts before top_p, equal logits in the order
   of tokens. NaN counts as impossible; -1: no logit is above -infinity. `scratch` is used and not reset. */
int32_t sample_token(const float *logits, int64_t vocabulary, const SamplingOptions *options, int64_t position,
                     Arena *scratch);

/* Exit 2 unless the model predicts the next token from those before it alone. */
bool generator_check(const SavedModel *saved, Error *error);
/* By the tokenizer or, of data without one, by the names of classes. */
bool generator_encode(const SavedModel *saved, const char *text, Arena *arena, int32_t **tokens, int64_t *count,
                      Error *error);
/* The bytes that a token stands for; borrowed, not ended by NUL. */
const unsigned char *generator_piece(const SavedModel *saved, int32_t token, size_t *size);
/* The next token's logits of a growing text. */
typedef struct Generator Generator;
Generator *generator_new(const SavedModel *saved); /* borrows it */
void generator_free(Generator *generator);         /* NULL allowed */
/* Logits [vocabulary] of the token that follows `count` >= 1 tokens, which begin with those of the call before;
   beyond the trained length the last ones are the context. On the tape in use, until its reset. */
const float *generator_logits(Generator *generator, const int32_t *tokens, int64_t count);

#endif
