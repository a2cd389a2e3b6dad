/* The component "parts": a data set for each of train, val and test. */
#ifndef XENT_DATA_PARTS_H
#define XENT_DATA_PARTS_H

#include "data/dataset.h"

typedef struct Parts {
    DatasetCommon common;
    Instance train, val, test;
} Parts;

extern const DatasetDef dataset_parts;

/* Where the keys normalize and standardize_targets of `data` stand: of parts, those of train. */
const DatasetCommon *parts_fitting_keys(const Instance *data);
/* Loads without fitting (steps 1 to 4 of data_load). On failure nothing is left to free. */
bool data_load_unfitted(const Instance *data, uint64_t seed, DataSplits *splits, Error *error);

#endif
