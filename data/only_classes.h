/* Data of some of its classes: the key only_classes. */
#ifndef XENT_DATA_ONLY_CLASSES_H
#define XENT_DATA_ONLY_CLASSES_H

#include "data/dataset.h"

/* What the list alone shows: a class twice (exit 2). */
bool only_classes_validate(const DatasetCommon *keys, Error *error);
/* Step 0 of data_load: samples of other classes leave all splits; the k-th class of the list becomes class k, with its
   name and its share of the posterior. Nothing where the list is empty. Errors have status 2. */
bool only_classes_apply(const DatasetCommon *keys, DataSplits *splits, Error *error);
/* The same of a shape that DatasetDef.describe gave. False where the classes do not fit. */
bool only_classes_describe(const DatasetCommon *keys, Dataset *shape);

#endif
