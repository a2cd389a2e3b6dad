/* Samples with next to nothing on them, whose class says nothing: what a loss should not learn from. */
#ifndef XENT_DATA_BLANK_H
#define XENT_DATA_BLANK_H

#include "data/dataset.h"

#define BLANK_COLUMN "marked"

/* Step 5 of data_load, on splits->train. */
bool blank_apply(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error);

/* What it adds to data_describe. */
void blank_describe(const DatasetCommon *keys, Dataset *shape);

#endif
