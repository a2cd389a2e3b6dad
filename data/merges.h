/* Vocabularies made by merging: the 256 bytes, and tokens that each join two earlier ones. Learning
   (merge_train.c), and what bpe and wordpiece keep of it. */
#ifndef XENT_DATA_MERGES_H
#define XENT_DATA_MERGES_H

#include "data/byte_table.h"
#include "data/tokenizer.h"

enum {
    MERGE_BYTES = 256,          /* the tokens before the first merge, each its byte */
    MERGE_LONGEST = 256,        /* bytes of a token: a pair that would be longer is never merged */
    MERGE_MOST_TOKENS = 1 << 18,
    MERGE_MOST_BYTES = 1 << 25  /* of the different words that are learned from; each takes 28 in memory */
};

/* Merge k makes token MERGE_BYTES + k of two earlier ones. */
typedef struct Merge { int32_t left, right; } Merge;

typedef struct Merges {
    Merge *items;
    int32_t count;
    ByteTable *numbers;         /* the bytes of a Merge to its index in items */
} Merges;

/* What the next merge maximises: how often the pair occurs, or that over the product of how often its
   two tokens do. */
typedef enum MergeRule { MERGE_FREQUENT, MERGE_LIKELY } MergeRule;

/* Learns up to `limit` merges into merges[limit] and returns how many: again and again the best pair of
   neighbours in a word (word_end, with classes) becomes a token, until none occurs `least` times. Ties:
   the pair whose left piece, then right piece, is smaller as a byte string (a prefix is smaller), then
   whose tokens are. pieces[MERGE_BYTES + limit] and sizes, of which the bytes are there already, get
   those of the merges, in `arena`. For n bytes of different words MERGE_FREQUENT takes O(n log n) time,
   MERGE_LIKELY the number of merges times that of different pairs besides. -1: the different words have more than
   MERGE_MOST_BYTES, found before they are learned from. */
int32_t merge_train(const unsigned char *text, size_t size, MergeRule rule, int64_t least, int32_t limit, Arena *arena,
                    Merge *merges, const unsigned char **pieces, int64_t *sizes);
/* The piece of a merge: both pieces, one after the other; in the arena. */
const unsigned char *merge_join(Arena *arena, Merge merge, const unsigned char *const *pieces, const int64_t *sizes);

/* Fill vocabulary, pieces and state (a Merges) of a tokenizer, by learning or from what merges_save
   gave; `vocabulary` is the largest number of tokens. Both in the arena. */
bool merges_train(int64_t vocabulary, MergeRule rule, int64_t least, const unsigned char *text, size_t size,
                  Arena *arena, Tokenizer *tokenizer, Error *error);
bool merges_restore(int64_t vocabulary, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error);
cJSON *merges_save(const Merges *merges);

#endif
