/* The output layer of very many classes, o = W h with W [classes, width], factored as W = V U + 1 w^T (Vincent, de
   Brebisson and Bouthillier 2015; 1 w^T, the sums over classes and the products of gradients derived here). For losses
   that are functions of s = sum_k o_k, q = sum_k o_k^2 and the target's o_c alone, the loss, its gradient for h and
   the exact step of gradient descent on W cost O(width^2) a sample, and no output is ever formed. In double; rows of a
   batch are processed in order by one thread. */
#ifndef XENT_NN_FACTORED_OUTPUT_H
#define XENT_NN_FACTORED_OUTPUT_H

#include <stdint.h>

#include "core/base/memory.h"

/* All arrays are parts of one block of factored_output_size doubles, which is the caller's. */
typedef struct FactoredOutput {
    int64_t classes, width;
    double *steps;              /* [1] since W was last multiplied out */
    double *v;                  /* V [classes, width] */
    double *u, *inverse;        /* U and U^-T [width, width] */
    double *gram;               /* W^T W [width, width] */
    double *shift, *sums;       /* w and W^T 1 [width] */
} FactoredOutput;

int64_t factored_output_size(int64_t classes, int64_t width);
/* The layer over `block`, which holds a layer already. */
FactoredOutput factored_output_over(double *block, int64_t classes, int64_t width);
/* From W in `v`: U = I, w = 0. */
void factored_output_start(FactoredOutput *layer);
/* W, [classes, width]; changes nothing. */
void factored_output_weight(const FactoredOutput *layer, double *weight);

/* A batch; working memory is of the arena, and handed out by factored_output_read. */
typedef struct FactoredBatch {
    int64_t count;
    const double *inputs;       /* h [count, width] */
    const int32_t *targets;     /* [count], 0..classes-1 */
    double *sums, *squares, *outputs;       /* s, q, o_c [count] */
    double *rows;               /* W_c [count, width] */
    double *products;           /* W^T W h [count, width] */
    /* The caller's between reading and stepping: derivatives of the batch's loss for s, q and o_c, [count]. */
    double *sum_slopes, *square_slopes, *output_slopes;
    double *gradients;          /* for h [count, width], by factored_output_gradients */
} FactoredBatch;

/* inputs, targets and count are set; fills the moments. */
void factored_output_read(const FactoredOutput *layer, FactoredBatch *batch, Arena *arena);
void factored_output_gradients(const FactoredOutput *layer, FactoredBatch *batch);
/* W -= rate dL/dW, after factored_output_gradients. Multiplies W out afterwards, O(classes width^2), when that was
   `refactor_every` steps ago or U has become badly conditioned. */
void factored_output_step(FactoredOutput *layer, const FactoredBatch *batch, double rate, int64_t refactor_every,
                          Arena *arena);
/* |U|_F |U^-1|_F / width: 1 after multiplying out. */
double factored_output_condition(const FactoredOutput *layer);

#endif
