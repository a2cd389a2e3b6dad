#include "data/dataset.h"

const char *const dataset_noise_types[] = {"symmetric", "asymmetric", NULL};

Dataset *dataset_new(void)
{
    Arena *arena = arena_new();
    Dataset *dataset = arena_zero(arena, 1, sizeof *dataset);
    dataset->arena = arena;
    dataset->target_deviation = 1;
    dataset->entropy_rate = NAN;
    return dataset;
}

DataSplit data_split_all(Arena *arena, Dataset *dataset)
{
    DataSplit split = {dataset, dataset->count, arena_alloc(arena, (size_t)dataset->count * sizeof *split.order)};
    for (int64_t i = 0; i < dataset->count; i++)
        split.order[i] = i;
    return split;
}

void data_free(DataSplits *splits)
{
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i])
            arena_free(splits->datasets[i]->arena);
    arena_free(splits->arena);
    *splits = (DataSplits){0};
}
