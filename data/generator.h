/* What the generators of data sets with a known truth share: number of samples a split, and samples
   that are each a function of (seed, generator, split, place in the split) alone, so that neither
   threads nor the size of another split change a byte.

   A generator's parameter struct begins with
       DatasetCommon common;
       SplitCounts counts;
   and its table with DATASET_COMMON_ROWS(struct NAME, ...) and SPLIT_COUNT_ROWS(struct NAME, ...). */
#ifndef XENT_DATA_GENERATOR_H
#define XENT_DATA_GENERATOR_H

#include "core/base/random.h"
#include "data/dataset.h"

typedef struct SplitCounts {
    int64_t train, val, test;   /* samples; 0: no such split (never of train) */
} SplitCounts;

/* Each sample takes a 32-bit step of its stream. */
#define SPLIT_COUNT_MAX 1e9

#define SPLIT_COUNT_ROWS(structure, train_, val_, test_)                                                       \
    {"count", PARAM_TYPE_INT, offsetof(structure, counts.train), train_, 1, SPLIT_COUNT_MAX, 0, NULL, NULL,     \
     "number of training samples", false},                                                                     \
    {"val_count", PARAM_TYPE_INT, offsetof(structure, counts.val), val_, 0, SPLIT_COUNT_MAX, 0, NULL, NULL,     \
     "number of validation samples", false},                                                                   \
    {"test_count", PARAM_TYPE_INT, offsetof(structure, counts.test), test_, 0, SPLIT_COUNT_MAX, 0, NULL, NULL,  \
     "number of test samples", false}

/* `data_seed` where it is given, otherwise `seed`, the run's. */
uint64_t generator_seed(const DatasetCommon *common, uint64_t seed);

/* The sequence of the truth that all samples share (means, transition matrices, ...). */
Random generator_truth(uint64_t seed, const char *name);

/* A sample to fill: `index` in the data set, `place` in its split, and a random sequence of its own. */
typedef struct SampleSlot {
    int64_t index, place;
    Random random;
} SampleSlot;

typedef void (*SampleFunction)(const void *context, Dataset *dataset, SampleSlot *slot);

/* Gives `dataset` to `splits` as its only one, train first, then val, then test, and calls `fill` for
   every sample, in parallel; shape, type and targets of `dataset` are set, its arrays allocated for
   split_counts_total(counts) samples. `splits->arena` exists. */
int64_t split_counts_total(const SplitCounts *counts);
void generate_samples(DataSplits *splits, Dataset *dataset, const SplitCounts *counts, uint64_t seed, const char *name,
                      SampleFunction fill, const void *context);

/* Samples of one class of `classes` in turn: every class within one of every other. */
static inline int32_t balanced_label(const SampleSlot *slot, int64_t classes)
{
    return (int32_t)(slot->place % classes);
}

/* Where a uniform draw `u` in [0, 1) falls among `count` probabilities that sum to 1. */
int64_t random_choice(const double *probabilities, int64_t count, double u);

#endif
