/* Functions of rows in closed form, of one array or of the same row of several: value and gradients by loops over
   floats, where composed operations would pass over memory once each. */
#ifndef XENT_TENSOR_ROW_FUNCTION_H
#define XENT_TENSOR_ROW_FUNCTION_H

#include "core/tensor/tensor.h"

enum { ROW_MOST_INPUTS = 3 };

typedef struct Row {
    int64_t index, columns;
    const float *x[ROW_MOST_INPUTS];    /* [columns] each */
    /* [columns] each, where the derivatives by x go; all NULL: they are not wanted */
    float *gradients[ROW_MOST_INPUTS];
    float *scratch;             /* [scratch columns], undefined */
} Row;

typedef struct RowFunction {
    int64_t scratch;            /* floats of room for each column */
    /* The function's value. Rows come in any order, and from several threads at once. */
    float (*run)(const void *context, const Row *row);
    /* The same of operations, [rows, columns] -> [rows]: it is what is meant, and serves F64. */
    Tensor *(*composed)(const void *context, Tensor *const *inputs);
} RowFunction;

/* Inputs [N, C], of one type, -> [N]; `function` and `context` live until the tape is reset. F32 has no second
   derivatives. */
Tensor *t_rows(const RowFunction *function, const void *context, int count, Tensor *const *inputs);

#endif
