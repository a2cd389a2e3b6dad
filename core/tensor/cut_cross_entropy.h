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

/* Whether words are to be put in an order. */
bool cut_sorts(const CutProblem *problem);
/* inputs: embeddings, weight, bias (may be NULL), targets. Sets loss [N], parts [N, 2]: the log-sum-exp of each token
   in two parts, the largest logit and the logarithm of the rest; and, where not NULL, unit [N, D]: the gradient of each
   token's loss by its embedding, and order I32 [V + N]: the words in the order in which they meet the filter, and where
   each token's target stands in it. */
void cut_forward_single(const CutProblem *problem, Tensor *const *inputs, Tensor *loss, Tensor *parts, Tensor *unit,
                        Tensor *order);
/* unit becomes the gradient by the embeddings, given that of the loss. */
void cut_scale_unit(const Tensor *gradient, Tensor *unit);
/* Sets dweight and dbias (NULL: not wanted), given the gradient of the loss. order: as forward set it, or NULL. */
void cut_backward_single(const CutProblem *problem, Tensor *const *inputs, const Tensor *parts, const Tensor *order,
                         const Tensor *gradient, Tensor *dweight, Tensor *dbias);

#endif
