/* k-means: Lloyd's iterations from k-means++ starts (Arthur and Vassilvitskii 2007), the best of several. */
#ifndef XENT_TRAIN_K_MEANS_H
#define XENT_TRAIN_K_MEANS_H

#include <stdint.h>

typedef struct KMeans {
    int64_t clusters, restarts, iterations; /* at most so many iterations a start */
    uint64_t seed;
} KMeans;

/* points [count, width], count >= clusters >= 1 -> assigned [count], the nearest centre; returns the inertia, the sum
   of squared distances to it. A centre without points moves to the point farthest from its own. The bits do not depend
   on the number of threads. */
double k_means(const KMeans *options, const float *points, int64_t count, int64_t width, int32_t *assigned);

#endif
