/* Orders of samples in strata (clusters, classes) such that batches cut from them hold few of a stratum. */
#ifndef XENT_DATA_STRATA_H
#define XENT_DATA_STRATA_H

#include "core/base/random.h"

/* STRICT: every batch takes one sample of each of the strata that have most left; the rest is dropped, once fewer
   strata are not empty than a batch has samples. INTERLEAVED (Chakraborty et al. 2020): the first samples of all
   strata, then the second ones, ..., without the rest that fills no batch; as soon as a stratum is used up,
   batches hold some twice. */
typedef enum StrataRule { STRATA_STRICT, STRATA_INTERLEAVED } StrataRule;
extern const char *const strata_rules[];

/* strata [count], from 0. Fills order [count] from the front and returns how many places: a multiple of `batch`, a
   function of the strata's sizes alone. `random` draws the order inside strata; NULL: as they come. */
int64_t strata_order(StrataRule rule, int64_t count, const int32_t *strata, int64_t batch, Random *random,
                     int64_t *order);

#endif
