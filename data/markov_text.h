/* The truth behind markov-text. A context is the last `order` symbols as a number in base `symbols`,
   the newest last; `transition` [contexts, symbols] are the probabilities of the next symbol. */
#ifndef XENT_DATA_MARKOV_TEXT_H
#define XENT_DATA_MARKOV_TEXT_H

#include "core/base/random.h"
#include "data/dataset.h"

/* Rows (1 - smoothing) Dirichlet(concentration, ...) + smoothing / symbols. */
void markov_draw_transition(Random *random, double concentration, double smoothing, int64_t symbols, int64_t contexts,
                            double *transition);

/* Power iteration from the uniform distribution to `stationary` [contexts]; `scratch` has as much room.
   False when it has not settled to 1e-13 (sum of absolute changes) within 20000 rounds. With a share `s`
   of smoothing and order 1 the sum of absolute errors is below 1e-13 / s. */
bool markov_stationary(int64_t symbols, int64_t contexts, const double *transition, double *stationary,
                       double *scratch);

/* sum_c stationary_c H(transition_c), nats a symbol. */
double markov_entropy_rate(int64_t symbols, int64_t contexts, const double *transition, const double *stationary);

#endif
