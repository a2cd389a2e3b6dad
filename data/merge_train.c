#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "data/merges.h"
#include "data/word_end.h"

enum { NONE = -1 };

/* A byte of a word, and while it begins a token, the token. Its right neighbour in the same word makes
   a pair with it; the places of a pair are a doubly linked list, so that each leaves it in O(1). */
typedef struct Place {
    int32_t token, word;
    int32_t left, right;            /* neighbours in the word */
    int32_t pair, before, after;    /* its pair, and the list of that pair's places */
} Place;

typedef struct Pair {
    Merge tokens;
    int64_t count;                  /* in the whole text */
    int32_t first;                  /* of its places */
    int32_t slot;                   /* in the heap */
} Pair;

typedef struct Trainer {
    Arena *arena;                   /* scratch */
    MergeRule rule;
    int64_t *token_counts;          /* [bytes and merges], in the whole text */
    int64_t *word_counts;           /* how often each different word occurs */
    Place *places;                  /* of the bytes of all different words */
    ByteTable *numbers;             /* Merge to index into pairs */
    Pair *pairs;
    int32_t *heap;                  /* indices into pairs, the most frequent on top; as many as pairs */
    size_t room;                    /* of both */
    const unsigned char **pieces;
    int64_t *sizes;
} Trainer;

static int compare_pieces(const Trainer *trainer, int32_t a, int32_t b)
{
    int64_t shorter = trainer->sizes[a] < trainer->sizes[b] ? trainer->sizes[a] : trainer->sizes[b];
    int order = memcmp(trainer->pieces[a], trainer->pieces[b], (size_t)shorter);
    return order ? order : (trainer->sizes[a] > trainer->sizes[b]) - (trainer->sizes[a] < trainer->sizes[b]);
}

/* Between pairs that are as good. */
static bool precedes(const Trainer *trainer, Merge a, Merge b)
{
    int order = compare_pieces(trainer, a.left, b.left);
    if (!order)
        order = compare_pieces(trainer, a.right, b.right);
    if (!order)
        order = a.left - b.left;
    return order ? order < 0 : a.right < b.right;
}

static bool goes_first(const Trainer *trainer, const Pair *a, const Pair *b)
{
    return a->count != b->count ? a->count > b->count : precedes(trainer, a->tokens, b->tokens);
}

static void set_slot(Trainer *trainer, int32_t slot, int32_t pair)
{
    trainer->heap[slot] = pair;
    trainer->pairs[pair].slot = slot;
}

static void sift_up(Trainer *trainer, int32_t pair)
{
    int32_t slot = trainer->pairs[pair].slot;
    for (; slot > 0; slot = (slot - 1) / 2) {
        int32_t parent = trainer->heap[(slot - 1) / 2];
        if (!goes_first(trainer, &trainer->pairs[pair], &trainer->pairs[parent]))
            break;
        set_slot(trainer, slot, parent);
    }
    set_slot(trainer, slot, pair);
}

static void sift_down(Trainer *trainer, int32_t pair)
{
    int64_t count = byte_table_count(trainer->numbers), slot = trainer->pairs[pair].slot;
    for (int64_t child; (child = 2 * slot + 1) < count; slot = child) {
        const int32_t *heap = trainer->heap;
        if (child + 1 < count && goes_first(trainer, &trainer->pairs[heap[child + 1]], &trainer->pairs[heap[child]]))
            child++;
        if (!goes_first(trainer, &trainer->pairs[heap[child]], &trainer->pairs[pair]))
            break;
        set_slot(trainer, (int32_t)slot, heap[child]);
    }
    set_slot(trainer, (int32_t)slot, pair);
}

/* The pair's index; a new pair goes to the end of the heap, with count 0. */
static int32_t find_pair(Trainer *trainer, Merge tokens)
{
    int32_t count = byte_table_count(trainer->numbers);
    int32_t pair = byte_table_add(trainer->numbers, &tokens, sizeof tokens);
    if (pair < count)
        return pair;
    if ((size_t)count == trainer->room) {
        size_t room = trainer->room ? 2 * trainer->room : 1024;
        trainer->pairs = memory_grow(trainer->pairs, trainer->room * sizeof(Pair), room * sizeof(Pair));
        trainer->heap = memory_grow(trainer->heap, trainer->room * sizeof(int32_t), room * sizeof(int32_t));
        trainer->room = room;
    }
    trainer->pairs[pair] = (Pair){.tokens = tokens, .first = NONE};
    set_slot(trainer, pair, pair);
    return pair;
}

/* Counts the pair that begins at the place. */
static void join_pair(Trainer *trainer, int32_t at)
{
    Place *places = trainer->places, *place = &places[at];
    place->pair = NONE;
    if (place->right == NONE)
        return;
    Merge tokens = {place->token, places[place->right].token};
    if (trainer->sizes[tokens.left] + trainer->sizes[tokens.right] > MERGE_LONGEST)
        return;
    place->pair = find_pair(trainer, tokens);
    Pair *pair = &trainer->pairs[place->pair];
    place->before = NONE;
    place->after = pair->first;
    if (place->after != NONE)
        places[place->after].before = at;
    pair->first = at;
    pair->count += trainer->word_counts[place->word];
    if (trainer->rule == MERGE_FREQUENT)
        sift_up(trainer, place->pair);
}

static void leave_pair(Trainer *trainer, int32_t at)
{
    Place *places = trainer->places, *place = &places[at];
    if (place->pair == NONE)
        return;
    Pair *pair = &trainer->pairs[place->pair];
    if (place->before != NONE)
        places[place->before].after = place->after;
    else
        pair->first = place->after;
    if (place->after != NONE)
        places[place->after].before = place->before;
    pair->count -= trainer->word_counts[place->word];
    if (trainer->rule == MERGE_FREQUENT)
        sift_down(trainer, place->pair);
    place->pair = NONE;
}

/* The token at the place and its right neighbour become one. */
static void merge_at(Trainer *trainer, int32_t at, int32_t token)
{
    Place *places = trainer->places, *place = &places[at];
    int32_t gone = place->right;
    if (place->left != NONE)
        leave_pair(trainer, place->left);
    leave_pair(trainer, at);
    leave_pair(trainer, gone);
    trainer->token_counts[place->token] -= trainer->word_counts[place->word];
    trainer->token_counts[places[gone].token] -= trainer->word_counts[place->word];
    trainer->token_counts[token] += trainer->word_counts[place->word];
    place->token = token;
    place->right = places[gone].right;
    if (place->right != NONE)
        places[place->right].left = at;
    if (place->left != NONE)
        join_pair(trainer, place->left);
    join_pair(trainer, at);
}

static int compare_numbers(const void *a, const void *b)
{
    int32_t first = *(const int32_t *)a, second = *(const int32_t *)b;
    return (first > second) - (first < second);
}

/* All places of a pair, in ascending order: in "aaa" the first two are merged. */
static void merge_everywhere(Trainer *trainer, int32_t pair, int32_t token)
{
    size_t count = 0;
    for (int32_t at = trainer->pairs[pair].first; at != NONE; at = trainer->places[at].after)
        count++;
    int32_t *list = memory_array(count, sizeof *list), *end = list;
    for (int32_t at = trainer->pairs[pair].first; at != NONE; at = trainer->places[at].after)
        *end++ = at;
    qsort(list, count, sizeof *list, compare_numbers);
    for (size_t i = 0; i < count; i++)
        if (trainer->places[list[i]].pair == pair) /* an overlap may have taken it */
            merge_at(trainer, list[i], token);
    memory_free(list);
}

/* The different words of the text, how often each occurs, and a place for each of their bytes. False: there are more
   than MERGE_MOST_BYTES. */
static bool count_words(Trainer *trainer, const unsigned char *text, size_t size)
{
    ByteTable *words = byte_table_new(trainer->arena);
    size_t total = 0, room = 0;
    for (size_t at = 0, end; at < size; at = end) {
        end = word_end(text, at, size, true);
        int32_t known = byte_table_count(words), word = byte_table_add(words, text + at, end - at);
        if (word == known)
            total += end - at;
        if (total > MERGE_MOST_BYTES)
            return false;
        if ((size_t)word >= room) {
            size_t more = room ? 2 * room : 1024;
            trainer->word_counts = memory_grow(trainer->word_counts, room * sizeof(int64_t), more * sizeof(int64_t));
            room = more;
        }
        trainer->word_counts[word]++;
    }
    trainer->places = memory_array(total, sizeof(Place));
    int32_t at = 0;
    for (int32_t word = 0; word < byte_table_count(words); word++) {
        size_t length;
        const unsigned char *bytes = byte_table_get(words, word, &length);
        for (size_t i = 0; i < length; i++, at++) {
            trainer->token_counts[bytes[i]] += trainer->word_counts[word];
            trainer->places[at] = (Place){.token = bytes[i], .word = word, .left = i ? at - 1 : NONE,
                                          .right = i + 1 < length ? at + 1 : NONE};
        }
    }
    for (int32_t i = 0; i < at; i++)
        join_pair(trainer, i);
    return true;
}

const unsigned char *merge_join(Arena *arena, Merge merge, const unsigned char *const *pieces, const int64_t *sizes)
{
    size_t left = (size_t)sizes[merge.left], right = (size_t)sizes[merge.right];
    unsigned char *piece = arena_alloc(arena, left + right);
    memcpy(piece, pieces[merge.left], left);
    memcpy(piece + left, pieces[merge.right], right);
    return piece;
}

static double likelihood(const Trainer *trainer, const Pair *pair)
{
    const int64_t *counts = trainer->token_counts;
    return (double)pair->count / ((double)counts[pair->tokens.left] * (double)counts[pair->tokens.right]);
}

/* A merge changes the likelihood of every pair with one of its tokens, so a heap would not pay. */
static int32_t most_likely(const Trainer *trainer, int64_t least)
{
    int32_t best = NONE;
    double highest = 0;
    for (int32_t i = 0; i < byte_table_count(trainer->numbers); i++) {
        const Pair *pair = &trainer->pairs[i];
        if (pair->count < least)
            continue;
        double score = likelihood(trainer, pair);
        if (best == NONE || score > highest ||
            (!(score < highest) && precedes(trainer, pair->tokens, trainer->pairs[best].tokens))) {
            best = i;
            highest = score;
        }
    }
    return best;
}

static int32_t best_pair(const Trainer *trainer, int64_t least)
{
    if (trainer->rule == MERGE_LIKELY)
        return most_likely(trainer, least);
    bool found = byte_table_count(trainer->numbers) > 0 && trainer->pairs[trainer->heap[0]].count >= least;
    return found ? trainer->heap[0] : NONE;
}

int32_t merge_train(const unsigned char *text, size_t size, MergeRule rule, int64_t least, int32_t limit, Arena *arena,
                    Merge *merges, const unsigned char **pieces, int64_t *sizes)
{
    assert(size <= TOKENIZER_MAX_BYTES && least >= 1);
    Trainer trainer = {.arena = arena_new(), .rule = rule, .pieces = pieces, .sizes = sizes};
    trainer.numbers = byte_table_new(trainer.arena);
    trainer.token_counts = memory_array((size_t)(MERGE_BYTES + limit), sizeof(int64_t));
    bool counted = count_words(&trainer, text, size);
    int32_t made = 0, best;
    for (; counted && made < limit && (best = best_pair(&trainer, least)) != NONE; made++) {
        int32_t token = MERGE_BYTES + made;
        Merge merge = merges[made] = trainer.pairs[best].tokens;
        pieces[token] = merge_join(arena, merge, pieces, sizes);
        sizes[token] = sizes[merge.left] + sizes[merge.right];
        merge_everywhere(&trainer, best, token);
    }
    memory_free(trainer.token_counts);
    memory_free(trainer.word_counts);
    memory_free(trainer.places);
    memory_free(trainer.pairs);
    memory_free(trainer.heap);
    arena_free(trainer.arena);
    return counted ? made : -1;
}
