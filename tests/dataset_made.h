/* For tests of what data_load does: a data set of their own, so that sizes, classes and values are known. */
#ifndef XENT_TESTS_DATASET_MADE_H
#define XENT_TESTS_DATASET_MADE_H

#include "tests/testing.h"

#include <string.h>

#include "core/base/random.h"
#include "data/dataset.h"
#include "data/parts.h"

struct made {
    DatasetCommon common;
    int64_t count, own_val, own_test, rank;
    bool bytes, regression, tokens;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct made, "false"),
    PARAM_INT(struct made, count, 100),
    PARAM_INT(struct made, own_val, 0),
    PARAM_INT(struct made, own_test, 0),
    PARAM_INT(struct made, rank, 1),
    PARAM_BOOL(struct made, bytes, false),
    PARAM_BOOL(struct made, regression, false),
    PARAM_BOOL(struct made, tokens, false),
    PARAM_END
};

enum { CLASSES = 5, EXTENT = 3 };

/* Class sizes 1:1:2:3:3, scattered. Column k has mean 10 k and deviation k + 1, the last is constant. */
static inline int32_t class_of(int64_t index)
{
    return (int32_t[]){0, 1, 2, 2, 3, 3, 3, 4, 4, 4}[index * 7 % 10];
}

static inline void make_features(const struct made *made, Dataset *dataset, int64_t shift)
{
    dataset->type = made->bytes ? ARRAY_U8 : ARRAY_F32;
    dataset->rank = (int)made->rank;
    for (int i = 0; i < dataset->rank; i++)
        dataset->shape[i] = EXTENT;
    int64_t size = dataset->sample_stride = dataset_sample_size(dataset);
    float *reals = arena_zero(dataset->arena, (size_t)(dataset->count * size), sizeof *reals);
    uint8_t *bytes = arena_zero(dataset->arena, (size_t)(dataset->count * size), 1);
    Random random = random_start(5, "test", (uint32_t)shift);
    for (int64_t i = 0; i < dataset->count * size; i++) {
        int64_t k = dataset->rank < 3 ? i % EXTENT : i % size / (size / EXTENT);
        reals[i] = (float)((k == EXTENT - 1 ? 0 : (double)(k + 1) * random_normal(&random)) + 10 * (double)k +
                           (double)shift);
        bytes[i] = (uint8_t)(k == EXTENT - 1 ? 9 : random_below(&random, 50 + 100 * k) + shift);
    }
    dataset->features = made->bytes ? (const void *)bytes : reals;
}

static inline DataSplit make_split(const struct made *made, DataSplits *splits, int64_t count, int64_t shift)
{
    Dataset *dataset = data_splits_add(splits);
    dataset->count = count;
    make_features(made, dataset, shift);
    dataset->target_kind = made->tokens ? TARGET_TOKENS : made->regression ? TARGET_VALUES : TARGET_CLASS;
    dataset->classes = made->regression ? 2 : CLASSES;
    dataset->tokenizer = made->tokens ? (const struct Tokenizer *)(const void *)made : NULL;
    dataset->labels = arena_alloc(dataset->arena, (size_t)count * sizeof *dataset->labels);
    dataset->values = arena_alloc(dataset->arena, (size_t)count * 2 * sizeof *dataset->values);
    for (int64_t i = 0; i < count; i++) {
        dataset->labels[i] = class_of(i);
        dataset->values[2 * i] = (float)(i % 7 + shift);
        dataset->values[2 * i + 1] = 4;
    }
    return data_split_all(splits->arena, dataset);
}

static inline bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    (void)error;
    const struct made *made = values;
    splits->train = make_split(made, splits, made->count, 0);
    if (made->own_val)
        splits->val = make_split(made, splits, made->own_val, 1);
    if (made->own_test)
        splits->test = make_split(made, splits, made->own_test, 2);
    return true;
}

static const DatasetDef made_definition = {
    .component = {.name = "made", .params = params, .size = sizeof(struct made)}, .load = load};

static Error error;

static inline bool try_load(const char *keys, uint64_t seed, DataSplits *splits)
{
    JsonSource *source = json_source_new();
    Arena *arena = arena_new();
    ParamContext context = {.source = source, .arena = arena, .error = &error};
    struct made made;
    const cJSON *tree = json_parse(source, "keys", keys, strlen(keys), &error);
    bool good = tree && params_parse(&context, params, true, tree, &made);
    assert_true(good);
    Instance data = {&made_definition.component, &made};
    good = data_load(&data, seed, splits, &error);
    json_source_free(source);
    arena_free(arena);
    return good;
}

static inline DataSplits load_keys(const char *keys, uint64_t seed)
{
    DataSplits splits;
    if (!try_load(keys, seed, &splits))
        fail_msg("%s: %s", keys, error.message);
    return splits;
}

#endif
