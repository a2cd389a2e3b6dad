/* Cut cross-entropy between the operation (operations_cut_cross_entropy.c, which has doubles too) and the road of
   floats (cut_cross_entropy.c). */
#ifndef XENT_TENSOR_CUT_CROSS_ENTROPY_H
#define XENT_TENSOR_CUT_CROSS_ENTROPY_H

#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

typedef struct CutProblem {
    int64_t tokens, words, width;
    CutCrossEntropyOptions options;
} CutProblem;

/* Whether a token with this target has a loss; the others are ignored. */
static inline bool cut_counts(const CutProblem *problem, int32_t target)
{
    return target >= 0 && target < problem->words;
}

/* inputs: embeddings, weight, bias (may be NULL), targets. Sets loss [N] and parts [N, 2]: the log-sum-exp of each
   token in two parts, the largest logit and the logarithm of the rest. */
void cut_forward_single(const CutProblem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts);
/* Sets those of gradients[0..2] that are not NULL, given that of the loss. */
void cut_backward_single(const CutProblem *problem, Tensor *const *inputs, const Tensor *parts, const Tensor *gradient,
                         Tensor **gradients);

#endif
