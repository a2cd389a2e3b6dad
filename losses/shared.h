/* What losses share: parts of softmax in stable forms, class weights, embeddings. Logits z are [N, C], classes I32 [N];
   results are nats of the logits' type. */
#ifndef XENT_LOSSES_SHARED_H
#define XENT_LOSSES_SHARED_H

#include "core/schedules/weight.h"
#include "core/tensor/operations.h"
#include "losses/loss.h"

int64_t loss_columns(const LossInput *in);                      /* size of the logits' last axis */

/* The state of the sample in this row, `width` floats; NULL: none is kept. */
float *loss_state_of(const LossInput *in, int64_t row, int64_t width);
/* For LossRows.takes: rows of one sample would write the same state at once. */
bool loss_samples_differ(const void *self, const LossInput *in);
/* -log p_y of hard targets, [N]. */
Tensor *loss_negative_log_likelihood(const LossInput *in);
/* log(1 - p_y), [N]: log-sum-exp of the others minus that of all; -inf where there is one class. */
Tensor *loss_log_of_others(Tensor *logits, Tensor *classes);
/* e^x - 1 and its derivative e^x, both exact near 0 and far below it. */
Tensor *loss_expm1(Tensor *x);
/* 1 - p_y from -log p_y. */
Tensor *loss_one_minus(Tensor *negative_log);
/* -sum_k p_k log p_k of rows of log p, [N]. */
Tensor *loss_entropy_of(Tensor *log_p);
/* sum_k p_k (log p_k - log q_k), [N], of rows of finite logarithms. */
Tensor *loss_divergence(Tensor *log_p, Tensor *log_q);

/* For losses that take classes or probabilities: [N, C] probabilities of the logits' type. */
bool loss_targets_are_soft(const LossInput *in);
/* The same for LossRows.takes. */
bool loss_has_soft_targets(const void *self, const LossInput *in);
Tensor *loss_soft_targets(const LossInput *in);
Tensor *loss_one_hot(const LossInput *in);
/* -sum_k t_k log p_k, [N]. */
Tensor *loss_cross_entropy_of(const LossInput *in, Tensor *logits);
/* [N, C]: `value` at the target's place, z elsewhere. */
Tensor *loss_without_target(Tensor *logits, Tensor *classes, double value);

/* A constant [count] of the type of `like`. */
Tensor *loss_constants(const Tensor *like, FloatList values);
/* The values of the targets' classes, [N], constant. */
Tensor *loss_by_class(const LossInput *in, const double *values);
/* The list `key` has a value for each class (or none, where it may be empty). */
bool loss_check_per_class(const char *key, FloatList values, bool may_be_empty, const LossInput *in, Error *error);

/* The extra `name` has the shape of the logits. */
bool loss_check_like_logits(const LossInput *in, const char *name, Error *error);

/* z less the largest of its row, as a constant: so that what is added to it is not lost beside logits of 1e4. */
Tensor *loss_centered(Tensor *logits);
/* Rows divided by their Euclidean length; lengths below 1e-12 count as 1e-12. */
Tensor *loss_normalized(Tensor *rows);

/* The family of comp_sum.c at -log p_y = g. */
Tensor *loss_comp_sum_of(Tensor *negative_log, double tau);

#endif
