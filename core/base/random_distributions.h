/* Distributions beyond the uniform and the normal. Rejection makes the number of draws vary, so give
   each sample a sequence of its own where others must not move with it. */
#ifndef XENT_BASE_RANDOM_DISTRIBUTIONS_H
#define XENT_BASE_RANDOM_DISTRIBUTIONS_H

#include "core/base/random.h"

/* Gamma with shape > 0 and scale 1; mean and variance are `shape`. Marsaglia and Tsang 2000. */
double random_gamma(Random *random, double shape);

/* Beta with a, b >= 1e-300, in [0, 1]; as G(a) / (G(a) + G(b)), through logarithms, so that small parameters
   give values next to 0 and 1 and never 0/0. */
double random_beta(Random *random, double a, double b);

#endif
