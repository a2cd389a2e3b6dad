/* Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): a part of a graph that keeps its result alone, and is
   computed again when its gradient is wanted. */
#ifndef XENT_TENSOR_RECOMPUTE_H
#define XENT_TENSOR_RECOMPUTE_H

#include "core/tensor/tensor.h"

/* From what `context` points to and `inputs` alone; called once now and once for the gradient, with the same result.
   What it is given for an input that another operation made is a stand-in; leaves it may reach by other ways too. */
typedef Tensor *(*RecomputeFunction)(const void *context, Tensor *const *inputs);

/* The result of `function`, a tensor that it makes. `inputs` are all that the result has a gradient to; the context
   (bytes) is copied. What the function makes on the way takes no memory of the tape. No second derivative. */
Tensor *t_recompute(RecomputeFunction function, const void *context, size_t bytes, int count, Tensor *const *inputs);

#endif
