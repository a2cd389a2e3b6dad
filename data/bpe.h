/* Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909) over bytes, as in GPT-2
   (Radford et al. 2019), for tokenizer_bpe.c: how merges are learned. */
#ifndef XENT_DATA_BPE_H
#define XENT_DATA_BPE_H

#include "data/byte_table.h"

enum {
    BPE_BYTES = 256,            /* the tokens before the first merge, each its byte */
    BPE_LONGEST_PIECE = 256     /* bytes of a token: a pair that would be longer is never merged */
};

/* Merge k makes token BPE_BYTES + k of two earlier ones. */
typedef struct BpeMerge { int32_t left, right; } BpeMerge;

/* Learns up to `limit` merges into merges[limit] and returns how many: again and again the pair of
   neighbours in a word (word_end, classes) that is most frequent becomes a token, until none occurs twice. Ties: the pair whose left
   piece, then right piece, is smaller as a byte string (a prefix is smaller), then whose tokens are.
   pieces[BPE_BYTES + limit] and sizes, of which the bytes are there already, get those of the merges,
   in `arena`. Takes O(n log n) time for n bytes of different words. */
int32_t bpe_train(const unsigned char *text, size_t size, int32_t limit, Arena *arena, BpeMerge *merges,
                  const unsigned char **pieces, int64_t *sizes);

/* The piece of a merge: both pieces, one after the other; in the arena. */
const unsigned char *bpe_join(Arena *arena, BpeMerge merge, const unsigned char *const *pieces, const int64_t *sizes);

#endif
