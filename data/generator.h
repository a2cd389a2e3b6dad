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

/* `unit` is what is counted, a string literal: "samples", "tokens". */
#define SPLIT_COUNT_ROWS(structure, unit, train_, val_, test_)                                                 \
    {"count", PARAM_TYPE_INT, offsetof(structure, counts.train), train_, 1, SPLIT_COUNT_MAX, 0, NULL, NULL,     \
     "number of training " unit, false},                                                                       \
    {"val_count", PARAM_TYPE_INT, offsetof(structure, counts.val), val_, 0, SPLIT_COUNT_MAX, 0, NULL, NULL,     \
     "number of validation " unit "; 0: none", false},                                                         \
    {"test_count", PARAM_TYPE_INT, offsetof(structure, counts.test), test_, 0, SPLIT_COUNT_MAX, 0, NULL, NULL,  \
     "number of test " unit "; 0: none", false}

/* `data_seed` where it is given, otherwise `seed`, the run's. */
uint64_t generator_seed(const DatasetCommon *common, uint64_t seed);

/* The sequence of what all samples share (means, transition matrices, ...). */
Random generator_truth(uint64_t seed, const char *name);

typedef enum SplitPart { PART_TRAIN, PART_VAL, PART_TEST } SplitPart;

/* The sequence of one sample: `place` in its split. */
Random generator_sample(uint64_t seed, const char *name, SplitPart part, int64_t place);

/* A sample to fill: `index` in the data set, `place` in its split, and its sequence. */
typedef struct SampleSlot {
    int64_t index, place;
    Random random;
} SampleSlot;

typedef void (*SampleFunction)(const void *context, Dataset *dataset, SampleSlot *slot);

int64_t split_counts_total(const SplitCounts *counts);

/* Gives `dataset` to `splits` as its only one, train first, then val, then test, and calls `fill` for
   every sample, in parallel; shape, type and targets of `dataset` are set, its arrays allocated for
   split_counts_total(counts) samples. `splits->arena` exists. */
void generate_samples(DataSplits *splits, Dataset *dataset, const SplitCounts *counts, uint64_t seed, const char *name,
                      SampleFunction fill, const void *context);

/* Samples begin..end-1 of `dataset`, in order; the order belongs to `arena`. */
DataSplit split_range(Arena *arena, Dataset *dataset, int64_t begin, int64_t end);

/* Type and shape of samples that are vectors of f32, and their targets. */
void vector_describe(int64_t columns, TargetKind kind, int64_t classes, Dataset *dataset);
/* The same with arrays for `count` samples: features, and labels or values. */
Dataset *vector_dataset_new(int64_t columns, TargetKind kind, int64_t classes, int64_t count);

/* logits[count] to probabilities, in place. */
void softmax_in_place(double *logits, int64_t count);

/* Samples of one class of `classes` in turn: every class within one of every other. */
static inline int32_t balanced_label(const SampleSlot *slot, int64_t classes)
{
    return (int32_t)(slot->place % classes);
}

/* Where a uniform draw `u` in [0, 1) falls among `count` probabilities that sum to 1. */
int64_t random_choice(const double *probabilities, int64_t count, double u);

#endif
