#include "data/label_noise.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"

enum { NOISE_SYMMETRIC, NOISE_ASYMMETRIC };

const char *const dataset_noise_types[] = {"symmetric", "asymmetric", NULL};

bool label_noise_apply(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error)
{
    if (keys->label_noise == 0)
        return true;
    Dataset *dataset = splits->train.dataset;
    if (dataset->target_kind != TARGET_CLASS)
        return fail(error, "data.label_noise: the targets are not classes");
    if (dataset->classes < 2)
        return fail(error, "data.label_noise: there is no class but one");
    if (!dataset->clean_labels) {
        size_t bytes = (size_t)dataset->count * sizeof *dataset->labels;
        dataset->clean_labels = memcpy(arena_alloc(dataset->arena, bytes), dataset->labels, bytes);
    }
    Arena *scratch = arena_new();
    int64_t count = splits->train.count, *order = arena_alloc(scratch, (size_t)count * sizeof *order);
    int64_t replaced = llround(keys->label_noise * (double)count);
    Random draw = random_start(seed, "data.label_noise", 0), choice = random_start(seed, "data.label_noise", 1);
    random_permutation(&draw, count, order);
    for (int64_t i = 0; i < replaced; i++) {
        int32_t *label = &dataset->labels[splits->train.order[order[i]]];
        int64_t step = keys->noise_type == NOISE_ASYMMETRIC ? 1 : 1 + random_below(&choice, dataset->classes - 1);
        *label = (int32_t)((*label + step) % dataset->classes);
    }
    arena_free(scratch);
    return true;
}
