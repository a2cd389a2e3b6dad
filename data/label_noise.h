/* Synthetic label noise: the transition models of Patrini et al. 2017, arXiv:1609.03683, with an exact
   number of replaced labels. */
#ifndef XENT_DATA_LABEL_NOISE_H
#define XENT_DATA_LABEL_NOISE_H

#include "data/dataset.h"

/* Step 4 of data_load, on splits->train. */
bool label_noise_apply(const DatasetCommon *keys, uint64_t seed, DataSplits *splits, Error *error);

#endif
