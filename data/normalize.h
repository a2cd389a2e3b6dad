/* Mean and deviation of the training split. */
#ifndef XENT_DATA_NORMALIZE_H
#define XENT_DATA_NORMALIZE_H

#include "data/dataset.h"

/* Fits on splits->train and sets mean, deviation and normalized of every data set of `splits`. */
bool normalize_features(DataSplits *splits, Error *error);
/* The same for TARGET_VALUES; the values of every data set change. */
bool normalize_targets(DataSplits *splits, Error *error);

#endif
