/* Clusters of samples by the features that another model has of them (Chakraborty et al. 2020). */
#ifndef XENT_TRAIN_GUIDE_H
#define XENT_TRAIN_GUIDE_H

#include "core/train/k_means.h"
#include "core/train/objective.h"

/* `path` is a trained model that takes samples of the split, `layer` the name of one of its layers; maps [channels,
   ...] are averaged to one number a channel. assigned [split->count]. An error names the file. */
bool guide_clusters(const char *path, const char *layer, const DataSplit *split, const KMeans *options,
                    int32_t *assigned, Error *error);

#endif
