/* Batches of a split. A batch is a function of (seed, epoch, index) alone: it does not depend on
   threads, on prefetching or on what was read before, so a resumed run sees the same batches. */
#ifndef XENT_DATA_LOADER_H
#define XENT_DATA_LOADER_H

#include "data/dataset.h"

/* Belongs to the loader and is valid until the next call of loader_batch. */
typedef struct Batch {
    int64_t count;
    float *features;        /* [count, shape...], normalised and transformed; NULL for tokens */
    int32_t *tokens;        /* [count, length]; NULL for features */
    int32_t *labels;        /* [count]; tokens: [count, length], the token that follows each */
    float *values;          /* [count, classes]: soft targets, labels, values; also what MixUp and CutMix make of classes */
    float *weights;         /* [count] or NULL */
    int64_t *ids;           /* [count], index into the data set */
} Batch;

typedef struct LoaderOptions {
    int64_t batch_size;
    bool shuffle;           /* a new permutation each epoch */
    bool drop_last;         /* leave out a last batch that is not full */
    InstanceList transforms;/* applied in order; training only */
    uint64_t seed;
    bool prefetch;          /* prepare the next batch on a thread of its own */
} LoaderOptions;

typedef struct Loader Loader;
Loader *loader_new(const DataSplit *split, LoaderOptions options); /* borrows the split */
void loader_free(Loader *loader);
int64_t loader_batches(const Loader *loader);   /* an epoch's number of batches */
/* Batch `index` of `epoch`; calls in running order are prefetched, any other order is right too. */
const Batch *loader_batch(Loader *loader, int64_t epoch, int64_t index);

#endif
