#include "data/dataset.h"

const char *const dataset_noise_types[] = {"symmetric", "asymmetric", NULL};

Dataset *dataset_new(void)
{
    Dataset *dataset = memory_new(sizeof *dataset);
    dataset->arena = arena_new();
    dataset->target_deviation = 1;
    dataset->entropy_rate = NAN;
    return dataset;
}

void data_free(DataSplits *splits)
{
    for (int i = 0; i < 3; i++)
        if (splits->datasets[i]) {
            arena_free(splits->datasets[i]->arena);
            memory_free(splits->datasets[i]);
        }
    arena_free(splits->arena);
    *splits = (DataSplits){0};
}
