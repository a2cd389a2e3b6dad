/* How the operations walk over tensors: around one axis, and over several tensors that broadcast together. */
#ifndef XENT_TENSOR_WALK_H
#define XENT_TENSOR_WALK_H

#include "core/tensor/tensor.h"

/* x seen as [outer, size, inner] around one axis; over all axes as [1, count, 1]. */
typedef struct Axis {
    int64_t outer, size, inner;
    int number;                         /* from 0, or ALL_AXES */
    int rank;
    int64_t shape[TENSOR_MAX_RANK];     /* without the axis, or with size 1 when it is kept */
} Axis;

Axis axis_around(const Tensor *x, int axis, bool keep);
/* From 0. */
int axis_number(const Tensor *x, int axis);

enum { WALK_MAX_OPERANDS = 3 };

/* Operands walked in the order of the result. Axes are merged where every operand allows it, so that the
   last axis is as long as can be; on it each operand has stride 1, or 0 where it is stretched. */
typedef struct Walk {
    int result_rank, operands;
    int64_t result_shape[TENSOR_MAX_RANK];
    int rank;                           /* merged, at least 2 */
    int64_t shape[TENSOR_MAX_RANK], stride[WALK_MAX_OPERANDS][TENSOR_MAX_RANK];
} Walk;

Walk walk_together(int operands, Tensor *const *operand);

/* Rows [begin, end) of `rows` rows of n elements, each operand at its offset; the rows of a call lie along
   the last axis but one, whose strides are row_stride. */
typedef struct WalkRows {
    int64_t rows, n, to, from[WALK_MAX_OPERANDS], row_stride[WALK_MAX_OPERANDS], stride[WALK_MAX_OPERANDS];
} WalkRows;

typedef void (*WalkBody)(void *context, const WalkRows *rows);
/* Calls `body` for pieces that cover the result, from several threads where there is enough of it. */
void walk_run(const Walk *walk, WalkBody body, void *context);

#endif
