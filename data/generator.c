#include "data/generator.h"

#include <assert.h>

#include "core/base/threads.h"

enum { SAMPLES_PER_TASK = 64, SPLITS = 3 };

uint64_t generator_seed(const DatasetCommon *common, uint64_t seed)
{
    return common->data_seed == PARAM_UNSET ? seed : (uint64_t)common->data_seed;
}

Random generator_truth(uint64_t seed, const char *name)
{
    return (Random){.seed = seed, .stream = random_stream(name) ^ random_stream("truth")};
}

Random generator_sample(uint64_t seed, const char *name, SplitPart part, int64_t place)
{
    static const char *const names[SPLITS] = {"train", "val", "test"};
    return (Random){.seed = seed, .stream = random_stream(name) ^ random_stream(names[part]), .step = (uint32_t)place};
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
    const Task *task = context;
    for (int64_t index = begin; index < end; index++) {
        int part = PART_TRAIN;
        while (index >= task->ends[part])
            part++;
        int64_t place = part == PART_TRAIN ? index : index - task->ends[part - 1];
        SampleSlot slot = {index, place, generator_sample(task->seed, task->name, (SplitPart)part, place)};
        task->fill(task->context, task->dataset, &slot);
    }
}

DataSplit split_range(Arena *arena, Dataset *dataset, int64_t begin, int64_t end)
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
    while (probabilities[i] == 0) /* the sum was rounded below u */
        i--;
    return i;
}

void softmax_in_place(double *logits, int64_t count)
{
    double largest = logits[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        largest = fmax(largest, logits[i]);
    for (int64_t i = 0; i < count; i++)
        sum += logits[i] = exp(logits[i] - largest);
    for (int64_t i = 0; i < count; i++)
        logits[i] /= sum;
}

void vector_describe(int64_t columns, TargetKind kind, int64_t classes, Dataset *dataset)
{
    dataset->type = ARRAY_F32;
    dataset->rank = 1;
    dataset->shape[0] = dataset->sample_stride = columns;
    dataset->target_kind = kind;
    dataset->classes = classes;
    dataset->entropy_rate = dataset->discount = NAN;
}

Dataset *vector_dataset_new(int64_t columns, TargetKind kind, int64_t classes, int64_t count)
{
    Dataset *dataset = dataset_new();
    vector_describe(columns, kind, classes, dataset);
    dataset->count = count;
    dataset->features = arena_zero(dataset->arena, (size_t)(count * columns), sizeof(float));
    if (kind == TARGET_CLASS)
        dataset->labels = arena_zero(dataset->arena, (size_t)count, sizeof *dataset->labels);
    else
        dataset->values = arena_zero(dataset->arena, (size_t)(count * classes), sizeof *dataset->values);
    return dataset;
}
