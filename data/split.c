#include "data/split.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/random.h"

/* The indices of `split` in random order; with `by_class` sorted by class after that, so that every
   regular pick along the sequence takes the classes in equal shares, to within one sample. */
static int64_t *make_sequence(Arena *arena, const DataSplit *split, uint64_t seed, const char *stream, bool by_class)
{
    int64_t count = split->count, *shuffled = arena_alloc(arena, (size_t)count * sizeof *shuffled);
    Random random = random_start(seed, stream, 0);
    random_permutation(&random, count, shuffled);
    for (int64_t i = 0; i < count; i++)
        shuffled[i] = split->order[shuffled[i]];
    if (!by_class)
        return shuffled;
    const Dataset *dataset = split->dataset;
    int64_t *next = arena_zero(arena, (size_t)dataset->classes + 1, sizeof *next);
    for (int64_t i = 0; i < count; i++)
        next[dataset->labels[shuffled[i]] + 1]++;
    for (int64_t c = 0; c < dataset->classes; c++)
        next[c + 1] += next[c];
    int64_t *sequence = arena_alloc(arena, (size_t)count * sizeof *sequence);
    for (int64_t i = 0; i < count; i++)
        sequence[next[dataset->labels[shuffled[i]]]++] = shuffled[i];
    return sequence;
}

/* Moves `picked` of the sequence's `count` entries, at regular distances, into out; the others close up.
   Entry i is picked where floor((i + 1) picked / count) passes floor(i picked / count). */
static void pick_regularly(int64_t *sequence, int64_t count, int64_t picked, int64_t *out)
{
    int64_t kept = 0, taken = 0, remainder = 0;
    for (int64_t i = 0; i < count; i++) {
        remainder += picked;
        if (remainder >= count) {
            remainder -= count;
            out[taken++] = sequence[i];
        } else {
            sequence[kept++] = sequence[i];
        }
    }
    assert(taken == picked);
}

/* Ascending: marks on a map of the data set. Memory is read in order, and the order of a split does not
   depend on how it was drawn. */
static DataSplit as_split(Arena *arena, Dataset *dataset, const int64_t *indices, int64_t count)
{
    Arena *scratch = arena_new();
    unsigned char *chosen = arena_zero(scratch, (size_t)dataset->count, 1);
    for (int64_t i = 0; i < count; i++)
        chosen[indices[i]] = 1;
    DataSplit split = {dataset, 0, arena_alloc(arena, (size_t)count * sizeof *split.order)};
    for (int64_t i = 0; i < dataset->count; i++)
        if (chosen[i])
            split.order[split.count++] = i;
    assert(split.count == count);
    arena_free(scratch);
    return split;
}

/* Draws of data with groups are draws of each group's first sample: a split of these, and back. */
static DataSplit group_heads(Arena *arena, const DataSplit *split)
{
    DataSplit heads = {split->dataset, 0, arena_alloc(arena, (size_t)split->count * sizeof *heads.order)};
    for (int64_t i = 0; i < split->count; i = dataset_group_end(split->dataset, split->order, i, split->count))
        heads.order[heads.count++] = split->order[i];
    return heads;
}

static DataSplit whole_groups(Arena *arena, const DataSplit *heads)
{
    const Dataset *dataset = heads->dataset;
    DataSplit split = {heads->dataset, 0, arena_alloc(arena, (size_t)dataset->count * sizeof *split.order)};
    for (int64_t i = 0; i < heads->count; i++)
        for (int64_t k = heads->order[i]; k < dataset->count && dataset->groups[k] == dataset->groups[heads->order[i]];
             k++)
            split.order[split.count++] = k;
    return split;
}

static void cut_fold(const DatasetCommon *keys, uint64_t seed, DataSplits *splits)
{
    Arena *scratch = arena_new();
    int64_t count = splits->train.count, tested = 0, kept = 0;
    int64_t *sequence = make_sequence(scratch, &splits->train, seed, "data.folds", keys->stratified);
    int64_t *test = arena_alloc(scratch, (size_t)count * sizeof *test);
    for (int64_t i = 0; i < count; i++) {
        if (i % keys->folds == keys->fold)
            test[tested++] = sequence[i];
        else
            sequence[kept++] = sequence[i];
    }
    Dataset *dataset = splits->train.dataset;
    splits->test = as_split(splits->arena, dataset, test, tested);
    splits->train = as_split(splits->arena, dataset, sequence, kept);
    arena_free(scratch);
}

/* Sizes by largest remainder: floors first, then one each to the largest fractions, the earlier on a tie. */
static void share_out(int64_t count, const double *shares, int64_t parts, int64_t *sizes)
{
    double fractions[3];
    int64_t left = count;
    for (int64_t i = 0; i < parts; i++) {
        double exact = shares[i] * (double)count;
        double whole = floor(exact + 1e-9); /* 0.7 * 10 is just below 7 */
        sizes[i] = (int64_t)whole;
        fractions[i] = exact - whole;
        left -= sizes[i];
    }
    while (left > 0) {
        int64_t best = 0;
        for (int64_t i = 1; i < parts; i++)
            if (fractions[i] > fractions[best])
                best = i;
        sizes[best]++;
        fractions[best] -= 1;
        left--;
    }
}

/* Text: train, val and test follow each other. */
static void cut_in_order(DataSplits *splits, const int64_t *sizes)
{
    DataSplit whole = splits->train, *parts[] = {&splits->train, &splits->val, &splits->test};
    int64_t begin = 0;
    for (int i = 0; i < 3; i++) {
        if (sizes[i] || i == 0)
            *parts[i] = (DataSplit){whole.dataset, sizes[i], whole.order + begin};
        begin += sizes[i];
    }
}

/* Windows of text overlap, or would: they are cut in order and never drawn. */
static bool is_windows(const Dataset *dataset)
{
    return dataset->target_kind == TARGET_TOKENS && !dataset->own_tokens;
}

static void cut_shares(const DatasetCommon *keys, uint64_t seed, DataSplits *splits)
{
    int64_t sizes[3] = {0}, count = splits->train.count;
    share_out(count, keys->split.items, keys->split.count, sizes);
    if (is_windows(splits->train.dataset)) {
        cut_in_order(splits, sizes);
        return;
    }
    Arena *scratch = arena_new();
    Dataset *dataset = splits->train.dataset;
    int64_t *sequence = make_sequence(scratch, &splits->train, seed, "data.split", keys->stratified);
    int64_t *picked = arena_alloc(scratch, (size_t)count * sizeof *picked);
    if (sizes[2]) {
        pick_regularly(sequence, count, sizes[2], picked);
        splits->test = as_split(splits->arena, dataset, picked, sizes[2]);
    }
    if (sizes[1]) {
        pick_regularly(sequence, count - sizes[2], sizes[1], picked);
        splits->val = as_split(splits->arena, dataset, picked, sizes[1]);
    }
    splits->train = as_split(splits->arena, dataset, sequence, sizes[0]);
    arena_free(scratch);
}

static bool needs_classes(const DataSplits *splits, const char *key, Error *error)
{
    if (splits->train.dataset->group_count)
        return fail(error, "data.%s: groups are drawn whole, whatever their members' classes", key);
    return splits->train.dataset->target_kind == TARGET_CLASS ||
           fail(error, "data.%s: the targets are not classes", key);
}

static bool divide(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (keys->stratified && !needs_classes(splits, "stratified", error))
        return false;
    if (keys->folds) {
        if (is_windows(splits->train.dataset))
            return fail(error, "data.folds: windows of text overlap; give split, which cuts them in order");
        if (splits->test.count)
            return fail(error, "data.folds: the data set has a test split of its own; remove the key");
        if (splits->train.count < keys->folds)
            return fail(error, "data.folds: %lld parts of %lld samples", (long long)keys->folds,
                        (long long)splits->train.count);
        cut_fold(keys, seed, splits);
    }
    if (keys->split.count == 0)
        return true;
    bool divided = splits->val.count || splits->test.count;
    if (divided && is_windows(splits->train.dataset))
        return true;
    if (keys->split.count == 3 && divided)
        return fail(error, "data.split: three shares, but there is a %s split already; "
                    "give two shares (train, val) or none", splits->test.count ? "test" : "val");
    if (splits->val.count)
        return fail(error, "data.split: the data set has a val split of its own; remove the key");
    cut_shares(keys, seed, splits);
    return splits->train.count > 0 ||
           fail(error, "data.split: no training samples are left of %lld", (long long)splits->train.dataset->count);
}

bool split_divide(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (splits->train.dataset->group_count == 0)
        return divide(keys, seed, splits, error);
    DataSplit *drawn[] = {&splits->train, &splits->val, &splits->test};
    bool fixed[] = {false, splits->val.count > 0, splits->test.count > 0};
    splits->train = group_heads(splits->arena, &splits->train);
    if (!divide(keys, seed, splits, error))
        return false;
    for (int i = 0; i < 3; i++)
        if (drawn[i]->count && !fixed[i])
            *drawn[i] = whole_groups(splits->arena, drawn[i]);
    return true;
}

/* As many of every class as the rarest that occurs has. */
static void balance_classes(uint64_t seed, DataSplits *splits)
{
    Arena *scratch = arena_new();
    Dataset *dataset = splits->train.dataset;
    int64_t *sequence = make_sequence(scratch, &splits->train, seed, "data.balance", false);
    int64_t *counts = arena_zero(scratch, (size_t)dataset->classes, sizeof *counts), least = INT64_MAX, kept = 0;
    for (int64_t i = 0; i < splits->train.count; i++)
        counts[dataset->labels[sequence[i]]]++;
    for (int64_t c = 0; c < dataset->classes; c++)
        if (counts[c] && counts[c] < least)
            least = counts[c];
    memset(counts, 0, (size_t)dataset->classes * sizeof *counts);
    for (int64_t i = 0; i < splits->train.count; i++)
        if (counts[dataset->labels[sequence[i]]]++ < least)
            sequence[kept++] = sequence[i];
    splits->train = as_split(splits->arena, dataset, sequence, kept);
    arena_free(scratch);
}

static bool reduce(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (keys->balance) {
        if (!needs_classes(splits, "balance", error))
            return false;
        balance_classes(seed, splits);
    }
    if (keys->subset == PARAM_UNSET)
        return true;
    if (keys->subset > splits->train.count)
        return fail(error, "data.subset: %lld asked for, the training split has %lld %s", (long long)keys->subset,
                    (long long)splits->train.count, splits->train.dataset->group_count ? "groups" : "samples");
    Arena *scratch = arena_new();
    bool by_class = keys->stratified || keys->balance;
    int64_t *sequence = make_sequence(scratch, &splits->train, seed, "data.subset", by_class);
    int64_t *picked = arena_alloc(scratch, (size_t)keys->subset * sizeof *picked);
    pick_regularly(sequence, splits->train.count, keys->subset, picked);
    splits->train = as_split(splits->arena, splits->train.dataset, picked, keys->subset);
    arena_free(scratch);
    return true;
}

bool split_reduce(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (splits->train.dataset->group_count == 0)
        return reduce(keys, seed, splits, error);
    splits->train = group_heads(splits->arena, &splits->train);
    if (!reduce(keys, seed, splits, error))
        return false;
    splits->train = whole_groups(splits->arena, &splits->train);
    return true;
}
