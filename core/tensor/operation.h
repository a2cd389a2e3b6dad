/* How an operation is written. In one file stand its shape rule, its forward and its derivative:

   1. `const OperationDef operation_NAME = {...};` at the start of a
      line; the build finds it, and tests/test_operations.c checks its derivatives by finite differences
      on what `inputs` and `apply` make, for every variant from 0 to variants-1.
   2. The function t_NAME(...) declared in operations.h: asserts the shapes, computes the result into
      t_new(...), then calls op_record(&operation_NAME, ...), which does nothing when no gradient can be
      wanted.
   3. `backward` computes the gradients of the inputs with t_ functions; they are recorded only where
      gradients of gradients are asked for. A fused operation whose backward does not go through t_
      functions sets `once` and is refused, by name, in t_gradients(..., differentiable). */
#ifndef XENT_TENSOR_OPERATION_H
#define XENT_TENSOR_OPERATION_H

#include "core/base/component.h"
#include "core/base/random.h"
#include "core/tensor/tensor.h"

enum { OPERATION_MAX_INPUTS = 8, OPERATION_MAX_SAVED = 4 };

typedef struct OperationDef {
    Component component;
    /* Given the gradient of the output, puts the gradient of input i (of its shape and type) into
       gradients[i]; only where op_wants(node, i). gradients[i] may be `gradient` itself or a reshape of it,
       but nothing may write into `gradient`. */
    void (*backward)(const Node *node, Tensor *gradient, Tensor **gradients);
    bool once;              /* has no second derivative */
    bool hides_leaves;      /* gradients may be wanted of tensors that are not among its inputs */

    /* For the check. Fills inputs with random leaves (F64, require gradients; I32 where indices are
       wanted) away from kinks, and returns their number. Variants cover broadcasting, size 1, an empty
       batch, every option. */
    int variants;
    int (*inputs)(Random *random, int variant, Tensor **inputs);
    Tensor *(*apply)(Tensor **inputs, int variant);
    double tolerance;       /* relative, of the check; 0: 1e-6 */
} OperationDef;

struct Node {
    const OperationDef *operation;
    Tensor *output;
    int input_count;
    Tensor **inputs;
    Tensor *saved[OPERATION_MAX_SAVED]; /* what forward computed and backward reads, besides inputs and output */
    const void *attributes;             /* the operation's own struct */
    bool needed, done;                  /* marks of t_gradients and t_backward */
};

/* Records `output` as the result of `operation`. NULL when no input requires a gradient or recording is
   off: then nothing needs to be saved. `attributes` (bytes may be 0) are copied. A tensor put into
   node->saved is handed back after the node's backward: list each only there. */
Node *op_record(const OperationDef *operation, Tensor *output, int input_count, Tensor *const *inputs,
                const void *attributes, size_t bytes);
bool op_will_record(int input_count, Tensor *const *inputs);
bool op_wants(const Node *node, int input);
/* A second header over the same elements: for reshapes. */
Tensor *op_view(Tensor *source, int rank, const int64_t *shape);

/* For `inputs` of the check: F64 leaves that require gradients, elements uniform in [low, high). */
Tensor *sample_leaf(Random *random, double low, double high, int rank, const int64_t *shape);
/* I32 constants uniform in [0, below). */
Tensor *sample_indices(Random *random, int64_t below, int rank, const int64_t *shape);

#endif
