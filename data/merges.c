#include "data/merges.h"

/* Room for `limit` merges, with the bytes filled in. */
static Merges *start(Arena *arena, int32_t limit, const unsigned char ***pieces, int64_t **sizes)
{
    Merges *merges = arena_alloc(arena, sizeof *merges);
    *merges = (Merges){arena_alloc(arena, (size_t)limit * sizeof(Merge)), 0, byte_table_new(arena)};
    unsigned char *bytes = arena_alloc(arena, MERGE_BYTES);
    *pieces = arena_alloc(arena, (size_t)(MERGE_BYTES + limit) * sizeof **pieces);
    *sizes = arena_alloc(arena, (size_t)(MERGE_BYTES + limit) * sizeof **sizes);
    for (int i = 0; i < MERGE_BYTES; i++) {
        bytes[i] = (unsigned char)i;
        (*pieces)[i] = bytes + i;
        (*sizes)[i] = 1;
    }
    return merges;
}

static void finish(Tokenizer *tokenizer, Merges *merges, const unsigned char **pieces, int64_t *sizes)
{
    tokenizer->vocabulary = MERGE_BYTES + merges->count;
    tokenizer->pieces = pieces;
    tokenizer->piece_sizes = sizes;
    tokenizer->state = merges;
}

bool merges_train(int64_t vocabulary, MergeRule rule, int64_t least, const unsigned char *text, size_t size,
                  Arena *arena, Tokenizer *tokenizer, Error *error)
{
    int32_t limit = (int32_t)vocabulary - MERGE_BYTES;
    const unsigned char **pieces;
    int64_t *sizes;
    Merges *merges = start(arena, limit, &pieces, &sizes);
    merges->count = merge_train(text, size, rule, least, limit, arena, merges->items, pieces, sizes);
    if (merges->count < 0)
        return fail(error, "the different words have more than %d bytes; the tokenizers byte and char need no words",
                    MERGE_MOST_BYTES);
    for (int32_t i = 0; i < merges->count; i++)
        byte_table_add(merges->numbers, &merges->items[i], sizeof(Merge));
    finish(tokenizer, merges, pieces, sizes);
    return true;
}

cJSON *merges_save(const Merges *merges)
{
    cJSON *state = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(state, "merges");
    for (int32_t i = 0; i < merges->count; i++) {
        const int pair[] = {merges->items[i].left, merges->items[i].right};
        cJSON_AddItemToArray(list, cJSON_CreateIntArray(pair, 2));
    }
    return state;
}

/* Two earlier tokens. */
static bool read_merge(const cJSON *item, int32_t known, Merge *merge)
{
    const cJSON *left = cJSON_IsArray(item) ? item->child : NULL, *right = left ? left->next : NULL;
    if (!cJSON_IsNumber(left) || !cJSON_IsNumber(right) || right->next)
        return false;
    double a = left->valuedouble, b = right->valuedouble;
    if (!(a >= 0 && a < known && b >= 0 && b < known))
        return false;
    *merge = (Merge){(int32_t)a, (int32_t)b};
    return a == merge->left && b == merge->right;
}

bool merges_restore(int64_t vocabulary, const cJSON *state, Arena *arena, Tokenizer *tokenizer, Error *error)
{
    int32_t limit = (int32_t)vocabulary - MERGE_BYTES;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(state, "merges"), *item;
    if (!cJSON_IsArray(list))
        return fail(error, "expected \"merges\", a list of pairs of tokens");
    int32_t announced = cJSON_GetArraySize(list);
    if (announced > limit)
        return fail(error, "%d merges, a vocabulary of %d has at most %d", announced, limit + MERGE_BYTES, limit);
    const unsigned char **pieces;
    int64_t *sizes;
    Merges *merges = start(arena, announced, &pieces, &sizes);
    cJSON_ArrayForEach(item, list)
    {
        Merge merge;
        int32_t k = merges->count, token = MERGE_BYTES + k;
        if (!read_merge(item, token, &merge))
            return fail(error, "merges[%d]: expected two tokens between 0 and %d", k, token - 1);
        sizes[token] = sizes[merge.left] + sizes[merge.right];
        if (sizes[token] > MERGE_LONGEST)
            return fail(error, "merges[%d]: stands for more than %d bytes", k, MERGE_LONGEST);
        if (byte_table_add(merges->numbers, &merge, sizeof merge) != k)
            return fail(error, "merges[%d]: the same pair as an earlier merge", k);
        pieces[token] = merge_join(arena, merge, pieces, sizes);
        merges->items[merges->count++] = merge;
    }
    finish(tokenizer, merges, pieces, sizes);
    return true;
}
