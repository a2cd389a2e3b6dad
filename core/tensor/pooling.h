/* What pooling operations share: which elements each result is made of. */
#ifndef XENT_TENSOR_POOLING_H
#define XENT_TENSOR_POOLING_H

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Planes [in] pooled to planes [out]; fewer than 3 axes are preceded by axes of size 1. */
typedef struct Windows {
    int64_t planes, in[3], out[3], kernel[3], stride[3], padding[3];
    bool adaptive, count_padding;
    int rank, axes;                     /* of the tensors; of them spatial */
    int64_t x_shape[TENSOR_MAX_RANK], y_shape[TENSOR_MAX_RANK];
} Windows;

/* The elements of one window. */
typedef struct Box {
    int64_t begin[3], end[3];
} Box;

/* The arrays of a loop over planes: from `from` to `to`. */
typedef struct Planes {
    const Windows *windows;
    const Box *boxes;                   /* of one plane, one for each result */
    const void *from;
    void *to;
    int32_t *places;
} Planes;

/* for (i: every element of the box, by its number in the plane) */
#define EACH_IN_BOX(t, box, i)                                                         \
    for (int64_t i0 = (box).begin[0]; i0 < (box).end[0]; i0++)                         \
        for (int64_t i1 = (box).begin[1]; i1 < (box).end[1]; i1++)                     \
            for (int64_t i = (i0 * (t)->in[1] + i1) * (t)->in[2] + (box).begin[2],     \
                         end_ = i - (box).begin[2] + (box).end[2]; i < end_; i++)

static inline int64_t pooling_product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

Windows pooling_fixed(const Tensor *x, const PoolingOptions *options);
Windows pooling_adaptive(const Tensor *x, const int64_t *sizes);
/* Calls body for planes begin..end-1 of Planes. */
void pooling_planes(const Windows *windows, ParallelBody body, const void *from, void *to, int32_t *places);

/* Samples of every pooling operation: variants below POOLING_FIXED have options, the others sizes. */
enum { POOLING_FIXED = 6, POOLING_VARIANTS = 10 };
extern const PoolingOptions pooling_options[POOLING_FIXED];
const int64_t *pooling_sizes(int variant);
Windows pooling_sample_windows(const Tensor *x, int variant);
int pooling_sample(Random *random, int variant, Tensor **inputs);

#endif
