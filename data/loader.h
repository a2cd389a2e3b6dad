/* Batches of a split. A batch is a function of (seed, epoch, index) alone: it does not depend on
   threads, on prefetching or on what was read before, so a resumed run sees the same batches. */
#ifndef XENT_DATA_LOADER_H
#define XENT_DATA_LOADER_H

#include "data/dataset.h"
#include "data/strata.h"

/* Belongs to the loader and is valid until the next call of loader_batch. */
typedef struct Batch {
    int64_t count;
    int64_t epoch, index;   /* what it was asked for by */
    float *features;        /* [count, shape...], normalised and transformed; U8 is scaled to 0..1 before, also where
                               nothing is normalised; NULL for tokens */
    int32_t *tokens;        /* [count, length]; NULL for features */
    int32_t *labels;        /* TARGET_CLASS: [count], the sample's own class, mixed or not; TARGET_TOKENS:
                               [count, length], the token that follows each; otherwise NULL */
    float *values;          /* [count, classes]: soft targets, labels, values; also what MixUp and CutMix make of
                               classes (one-hot without a change); otherwise NULL */
    float *weights;         /* [count], the samples' own, mixed or not; NULL: the data set has none */
    int64_t *ids;           /* [count], index into the data set */
    int32_t *groups;        /* [count], of whole groups side by side; NULL: the data set has none */
    float *columns[DATASET_MOST_COLUMNS]; /* [count, width] of the data set's columns, in their order */
} Batch;

typedef struct LoaderOptions {
    int64_t batch_size;     /* samples; groups, where the data set has groups */
    bool shuffle;           /* a new permutation each epoch */
    bool drop_last;         /* leave out a last batch that is not full */
    InstanceList transforms;/* applied in order; training only */
    uint64_t seed;
    int64_t view;           /* other views are the same samples in the same order under other draws of transforms */
    bool prefetch;          /* prepare the next batch on a thread of its own; no thread to be had: without, same bits */
} LoaderOptions;

typedef struct Loader Loader;

/* What only split and options together tell: no samples, no full batch with drop_last, a transform that
   cannot work on these samples. fail_usage; the message begins with the option ("transforms[1]: crop: ..."). */
bool loader_check(const DataSplit *split, const LoaderOptions *options, Error *error);

/* Borrows the split and the transforms; both have passed loader_check. Allocates everything at once: after the
   first epoch's first batches no call allocates. Windows of TARGET_TOKENS without targets of their own
   are read one token past their end, for the last label. */
Loader *loader_new(const DataSplit *split, LoaderOptions options);
void loader_free(Loader *loader);               /* NULL allowed */
/* From now on batches are cut from the order that strata_order gives; strata are [samples of the split], borrowed.
   Before the first batch, of data without groups. What fills no batch is left out. */
void loader_stratify(Loader *loader, StrataRule rule, const int32_t *strata);
int64_t loader_batches(const Loader *loader);   /* an epoch's number of batches */
/* Batch 0 <= index < loader_batches of 0 <= epoch < 2^32. Calls in running order are prefetched, any other
   order is right too. One thread at a time may call. */
const Batch *loader_batch(Loader *loader, int64_t epoch, int64_t index);

#endif
