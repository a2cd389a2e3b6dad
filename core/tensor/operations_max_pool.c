/* The largest of each window. */
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/tensor/pooling.h"

enum { MOST_TAPS = 128 };

/* Names of a window's largest element, and of a loop over planes. */
#define MAX_PLANES(TYPE, largest, planes)                                              \
    static int32_t largest(const Windows *t, const TYPE *x, const Box *box)            \
    {                                                                                  \
        int64_t best = (box->begin[0] * t->in[1] + box->begin[1]) * t->in[2] + box->begin[2]; \
        EACH_IN_BOX(t, *box, i)                                                        \
            if (x[i] > x[best] || (x[i] != x[i] && x[best] == x[best]))                \
                best = i;                                                              \
        return (int32_t)best;                                                          \
    }                                                                                  \
    static void planes(void *context, int64_t begin, int64_t end)                      \
    {                                                                                  \
        const Planes *p = context;                                                     \
        int64_t in = pooling_product(p->windows->in), out = pooling_product(p->windows->out);          \
        for (int64_t plane = begin; plane < end; plane++) {                            \
            const TYPE *x = (const TYPE *)p->from + plane * in;                        \
            for (int64_t j = 0; j < out; j++) {                                        \
                int32_t best = largest(p->windows, x, &p->boxes[j]);                   \
                ((TYPE *)p->to)[plane * out + j] = x[best];                            \
                p->places[plane * out + j] = best;                                     \
            }                                                                          \
        }                                                                              \
    }

MAX_PLANES(float, largest_single, max_planes_single)
MAX_PLANES(double, largest_double, max_planes_double)

/* The taps of a window that stretches over rows of x, from the element where `whole` begins. */
static int64_t taps_of(const Windows *t, const Box *whole, int32_t *taps)
{
    int64_t count = 0, first = (whole->begin[0] * t->in[1] + whole->begin[1]) * t->in[2] + whole->begin[2];
    EACH_IN_BOX(t, *whole, i)
        taps[count++] = (int32_t)(i - first);
    return count;
}

static void border_windows(const Planes *p, int64_t plane, int64_t begin, int64_t end)
{
    const float *x = (const float *)p->from + plane * pooling_product(p->windows->in);
    int64_t first = plane * pooling_product(p->windows->out);
    for (int64_t j = begin; j < end; j++) {
        int32_t best = largest_single(p->windows, x, &p->boxes[j]);
        ((float *)p->to)[first + j] = x[best];
        p->places[first + j] = best;
    }
}

/* Windows that the borders do not cut are taken a row at a time. */
static void max_rows_single(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    const Windows *t = p->windows;
    int64_t in = pooling_product(t->in), out = pooling_product(t->out), width = t->out[2];
    int64_t first = 0, last = width;
    if (out == 0) /* nothing along another axis: no boxes */
        return;
    while (first < width && p->boxes[first].end[2] - p->boxes[first].begin[2] < t->kernel[2])
        first++;
    while (last > first && p->boxes[last - 1].end[2] - p->boxes[last - 1].begin[2] < t->kernel[2])
        last--;
    int32_t taps[MOST_TAPS];
    int64_t tap_count = 0, planes_high = 0, rows_high = 0;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t row = 0; row < out; row += width) {
            const float *x = (const float *)p->from + plane * in;
            float *y = (float *)p->to + plane * out;
            int32_t *places = p->places + plane * out;
            border_windows(p, plane, row, row + first);
            border_windows(p, plane, row + last, row + width);
            if (first == last)
                continue;
            const Box *box = &p->boxes[row + first];
            if (box->end[0] - box->begin[0] != planes_high || box->end[1] - box->begin[1] != rows_high) {
                planes_high = box->end[0] - box->begin[0];
                rows_high = box->end[1] - box->begin[1];
                tap_count = taps_of(t, box, taps);
            }
            /* What later rows of this chunk overwrite. */
            int64_t spare = last - first == width ? (end - plane) * out - row - width : 0;
            int64_t at = (box->begin[0] * t->in[1] + box->begin[1]) * t->in[2] + box->begin[2];
            kernels()->max_pool_row(last - first, spare, t->stride[2], x + at, (t->planes - plane) * in - at,
                                    tap_count, taps, (int32_t)at, y + row + first, places + row + first);
        }
}

static void scatter_planes(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    int64_t in = pooling_product(p->windows->in), out = pooling_product(p->windows->out);
    memset((float *)p->to + begin * in, 0, (size_t)((end - begin) * in) * sizeof(float));
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t j = plane * out; j < (plane + 1) * out; j++)
            ((float *)p->to)[plane * in + p->places[j]] += ((const float *)p->from)[j];
}

static void backward_max_pool(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Windows *t = node->attributes;
    Tensor *x = node->inputs[0], *places = node->saved[0];
    if (x->type == ARRAY_F32 && !tape_recording()) {
        gradients[0] = t_like(x);
        pooling_planes(t, scatter_planes, gradient->data, gradients[0]->data, tensor_i32(places));
        return;
    }
    Tensor *flat = t_reshape(gradient, places->rank, places->shape);
    Tensor *zeros = t_zeros(x->type, SHAPE(t->planes, pooling_product(t->in)));
    gradients[0] = t_reshape(t_scatter_add(zeros, 1, places, flat), x->rank, x->shape);
}

static Tensor *apply_max_pool(Tensor **inputs, int variant)
{
    return variant < POOLING_FIXED ? t_max_pool(inputs[0], &pooling_options[variant])
                           : t_adaptive_max_pool(inputs[0], pooling_sizes(variant));
}

const OperationDef operation_max_pool = {
    .component = {.name = "max_pool", .summary = "the largest of each window"},
    .backward = backward_max_pool, .variants = POOLING_VARIANTS, .inputs = pooling_sample, .apply = apply_max_pool,
};

static Tensor *max_pool(Tensor *x, const Windows *t)
{
    Tensor *result = t_new(x->type, t->rank, t->y_shape);
    Tensor *places = t_new(ARRAY_I32, SHAPE(t->planes, pooling_product(t->out)));
    bool by_rows = !t->adaptive && pooling_product(t->kernel) <= MOST_TAPS;
    ParallelBody body = x->type == ARRAY_F64 ? max_planes_double : by_rows ? max_rows_single : max_planes_single;
    pooling_planes(t, body, x->data, result->data, tensor_i32(places));
    Node *node = op_record(&operation_max_pool, result, 1, &x, t, sizeof *t);
    if (node)
        node->saved[0] = places;
    return result;
}

Tensor *t_max_pool(Tensor *x, const PoolingOptions *options)
{
    Windows windows = pooling_fixed(x, options);
    return max_pool(x, &windows);
}

Tensor *t_adaptive_max_pool(Tensor *x, const int64_t *sizes)
{
    Windows windows = pooling_adaptive(x, sizes);
    return max_pool(x, &windows);
}
