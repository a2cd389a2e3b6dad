#include "data/generator.h"

#include <assert.h>

#include "core/base/threads.h"

enum { SAMPLES_PER_TASK = 64, SPLITS = 3 };

uint64_t generator_seed(const DatasetCommon *common, uint64_t seed)
{
    return common->data_seed == PARAM_UNSET ? seed : (uint64_t)common->data_seed;
}

static Random start(uint64_t seed, const char *name, const char *part, uint32_t step)
{
    Random random = {.seed = seed, .stream = random_stream(name) ^ random_stream(part), .step = step};
    return random;
}

Random generator_truth(uint64_t seed, const char *name)
{
    return start(seed, name, "truth", 0);
}

int64_t split_counts_total(const SplitCounts *counts)
{
    return counts->train + counts->val + counts->test;
}

typedef struct Task {
    Dataset *dataset;
    int64_t ends[SPLITS];       /* of train, val, test in the data set */
    uint64_t seed;
    const char *name;
    SampleFunction fill;
    const void *context;
} Task;

static void fill_range(void *context, int64_t begin, int64_t end)
{
    static const char *const parts[SPLITS] = {"train", "val", "test"};
    const Task *task = context;
    for (int64_t index = begin; index < end; index++) {
        int part = 0;
        while (index >= task->ends[part])
            part++;
        int64_t place = part == 0 ? index : index - task->ends[part - 1];
        SampleSlot slot = {index, place, start(task->seed, task->name, parts[part], (uint32_t)place)};
        task->fill(task->context, task->dataset, &slot);
    }
}

static DataSplit split_range(Arena *arena, Dataset *dataset, int64_t begin, int64_t end)
{
    DataSplit split = {dataset, end - begin, arena_zero(arena, (size_t)(end - begin), sizeof *split.order)};
    for (int64_t i = 0; i < split.count; i++)
        split.order[i] = begin + i;
    return split;
}

void generate_samples(DataSplits *splits, Dataset *dataset, const SplitCounts *counts, uint64_t seed, const char *name,
                      SampleFunction fill, const void *context)
{
    int64_t val = counts->train, test = val + counts->val, end = test + counts->test;
    assert(splits->arena && dataset->count == end);
    Task task = {dataset, {val, test, end}, seed, name, fill, context};
    parallel_for(end, SAMPLES_PER_TASK, fill_range, &task);
    splits->datasets[0] = dataset;
    splits->train = split_range(splits->arena, dataset, 0, val);
    if (counts->val)
        splits->val = split_range(splits->arena, dataset, val, test);
    if (counts->test)
        splits->test = split_range(splits->arena, dataset, test, end);
}

int64_t random_choice(const double *probabilities, int64_t count, double u)
{
    int64_t i = 0;
    for (double sum = probabilities[0]; i < count - 1 && u >= sum; sum += probabilities[i])
        i++;
    return i;
}
