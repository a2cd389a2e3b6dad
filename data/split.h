/* Which samples go where: splits, folds, subsets. Every draw is a function of the seed alone. */
#ifndef XENT_DATA_SPLIT_H
#define XENT_DATA_SPLIT_H

#include "data/dataset.h"

/* Cuts splits->train as data_load says (steps 1 and 2). */
bool split_divide(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error);
/* Thins out splits->train (step 3). */
bool split_reduce(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error);

#endif
