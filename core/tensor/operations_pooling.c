/* Pooling: of windows of fixed size, and of windows that cut an axis into a given number of bins. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Planes [in] pooled to planes [out]; fewer than 3 axes are preceded by axes of size 1. */
typedef struct Windows {
    int64_t planes, in[3], out[3], kernel[3], stride[3], padding[3];
    bool adaptive, count_padding;
    int rank, axes;                     /* of the tensors; of them spatial */
    int64_t x_shape[TENSOR_MAX_RANK], y_shape[TENSOR_MAX_RANK];
} Windows;

static int64_t product(const int64_t *size)
{
    return size[0] * size[1] * size[2];
}

static Windows new_windows(const Tensor *x)
{
    assert(x->rank >= 3 && x->rank <= 5);
    Windows windows = {.planes = x->shape[0] * x->shape[1], .rank = x->rank, .axes = x->rank - 2};
    memcpy(windows.x_shape, x->shape, sizeof windows.x_shape);
    memcpy(windows.y_shape, x->shape, sizeof windows.y_shape);
    for (int a = 0; a < 3; a++) {
        int own = a - (3 - windows.axes);
        windows.in[a] = own >= 0 ? x->shape[2 + own] : 1;
        windows.out[a] = windows.kernel[a] = windows.stride[a] = 1;
    }
    assert(product(windows.in) <= INT32_MAX);
    return windows;
}

static Windows fixed_windows(const Tensor *x, const PoolingOptions *options)
{
    Windows windows = new_windows(x);
    windows.count_padding = options->count_padding;
    for (int own = 0; own < windows.axes; own++) {
        int a = own + 3 - windows.axes;
        windows.kernel[a] = options->kernel[own];
        windows.stride[a] = options->stride[own];
        windows.padding[a] = options->padding[own];
        /* Every window holds an element. */
        assert(windows.kernel[a] >= 1 && windows.stride[a] >= 1 && windows.padding[a] >= 0);
        assert(2 * windows.padding[a] <= windows.kernel[a]);
        windows.out[a] = windows.y_shape[2 + own] =
            convolution_size(windows.in[a], windows.kernel[a], windows.stride[a], windows.padding[a], 1);
        assert(windows.in[a] >= 1 || windows.out[a] == 0);
    }
    return windows;
}

static Windows adaptive_windows(const Tensor *x, const int64_t *sizes)
{
    Windows windows = new_windows(x);
    windows.adaptive = true;
    for (int own = 0; own < windows.axes; own++) {
        int a = own + 3 - windows.axes;
        assert(sizes[own] >= 1 && windows.in[a] >= 1);
        windows.out[a] = windows.y_shape[2 + own] = sizes[own];
    }
    return windows;
}

/* The elements of window j along one axis. */
static void window(const Windows *t, int axis, int64_t j, int64_t *begin, int64_t *end)
{
    int64_t n = t->in[axis], first = j * t->stride[axis] - t->padding[axis], last = first + t->kernel[axis];
    if (t->adaptive) {
        first = j * n / t->out[axis];
        last = ((j + 1) * n + t->out[axis] - 1) / t->out[axis];
    }
    *begin = first > 0 ? first : 0;
    *end = last < n ? last : n;
}

typedef struct Box {
    int64_t begin[3], end[3];
} Box;

/* The boxes of one plane, one for each result. */
static Box *boxes_of(const Windows *t, Arena *arena)
{
    int64_t count = product(t->out);
    Box *boxes = arena_alloc(arena, (size_t)count * sizeof *boxes);
    for (int64_t j = 0; j < count; j++) {
        int64_t at[3] = {j / (t->out[1] * t->out[2]), j / t->out[2] % t->out[1], j % t->out[2]};
        for (int a = 0; a < 3; a++)
            window(t, a, at[a], &boxes[j].begin[a], &boxes[j].end[a]);
    }
    return boxes;
}

static double divisor(const Windows *t, const Box *box)
{
    double inside = 1, whole = (double)product(t->kernel);
    for (int a = 0; a < 3; a++)
        inside *= (double)(box->end[a] - box->begin[a]);
    return t->count_padding && !t->adaptive ? whole : inside;
}

static bool is_2x2(const Windows *t)
{
    return !t->adaptive && t->kernel[0] == 1 && t->stride[0] == 1 && t->kernel[1] == 2 && t->kernel[2] == 2 &&
           t->stride[1] == 2 && t->stride[2] == 2 && product(t->padding) == 0 && t->padding[1] + t->padding[2] == 0;
}

/* Where row `row` of the results begins in x, both counted through the planes. */
static int64_t row_of_x(const Windows *t, int64_t row)
{
    return (row / t->out[1] * t->in[1] + row % t->out[1] * 2) * t->in[2];
}

/* The arrays of a loop over planes: from `from` to `to`. */
typedef struct Planes {
    const Windows *windows;
    const Box *boxes;
    const void *from;
    void *to;
    int32_t *places;
} Planes;

static void over_planes(const Windows *windows, ParallelBody body, const void *from, void *to, int32_t *places)
{
    enum { CHUNK = 32 * 1024 };
    Box *boxes = boxes_of(windows, tape_arena());
    Planes planes = {windows, boxes, from, to, places};
    parallel_for(windows->planes, CHUNK / (product(windows->in) + 1) + 1, body, &planes);
    arena_recycle(tape_arena(), boxes, (size_t)product(windows->out) * sizeof *boxes);
}

/* for (i: every element of the box, by its number in the plane) */
#define EACH_IN_BOX(t, box, i)                                                         \
    for (int64_t i0 = (box).begin[0]; i0 < (box).end[0]; i0++)                         \
        for (int64_t i1 = (box).begin[1]; i1 < (box).end[1]; i1++)                     \
            for (int64_t i = (i0 * (t)->in[1] + i1) * (t)->in[2] + (box).begin[2],     \
                         end_ = i - (box).begin[2] + (box).end[2]; i < end_; i++)

/* ---- Largest ---- */

#define MAX_PLANES(TYPE, name)                                                         \
    static void name(void *context, int64_t begin, int64_t end)                        \
    {                                                                                  \
        const Planes *p = context;                                                     \
        const Windows *t = p->windows;                                                 \
        int64_t in = product(t->in), out = product(t->out);                            \
        for (int64_t plane = begin; plane < end; plane++) {                            \
            const TYPE *x = (const TYPE *)p->from + plane * in;                        \
            for (int64_t j = 0; j < out; j++) {                                        \
                const Box box = p->boxes[j];                                                  \
                int64_t best = (box.begin[0] * t->in[1] + box.begin[1]) * t->in[2] + box.begin[2]; \
                TYPE largest = x[best];                                                \
                EACH_IN_BOX(t, box, i) {                                               \
                    bool larger = (x[i] > largest) | ((x[i] != x[i]) & (largest == largest)); \
                    largest = larger ? x[i] : largest;                                 \
                    best = larger ? i : best;                                          \
                }                                                                      \
                ((TYPE *)p->to)[plane * out + j] = largest;                            \
                p->places[plane * out + j] = (int32_t)best;                            \
            }                                                                          \
        }                                                                              \
    }

MAX_PLANES(float, max_planes_single)
MAX_PLANES(double, max_planes_double)

static void max_planes_2x2(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    const Windows *t = p->windows;
    int64_t rows = t->out[0] * t->out[1], in = product(t->in);
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t row = 0; row < rows; row++) {
            int64_t first = row_of_x(t, row), to = (plane * rows + row) * t->out[2];
            kernels()->max_pool_2x2_row(t->out[2], (const float *)p->from + plane * in + first, t->in[2], (int32_t)first,
                                        (float *)p->to + to, p->places + to);
        }
}

static void scatter_planes(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    int64_t in = product(p->windows->in), out = product(p->windows->out);
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
        over_planes(t, scatter_planes, gradient->data, gradients[0]->data, tensor_i32(places));
        return;
    }
    Tensor *flat = t_reshape(gradient, places->rank, places->shape);
    Tensor *zeros = t_zeros(x->type, SHAPE(t->planes, product(t->in)));
    gradients[0] = t_reshape(t_scatter_add(zeros, 1, places, flat), x->rank, x->shape);
}

/* Fixed windows, then (from FIXED on) adaptive ones. */
enum { FIXED = 6, VARIANTS = 10 };

static const PoolingOptions fixed[FIXED] = {
    {.kernel = {2, 2}, .stride = {2, 2}},
    {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 1}},
    {.kernel = {3}, .stride = {2}, .padding = {1}, .count_padding = true},
    {.kernel = {2, 1, 3}, .stride = {1, 1, 2}, .padding = {1, 0, 1}, .count_padding = true},
    {.kernel = {2, 2}, .stride = {2, 2}},
    {.kernel = {1, 2, 2}, .stride = {1, 2, 2}},
};

static int sample_pool(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 2: case 6: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 2, 7)); break;
    case 3: case 7: inputs[0] = sample_leaf(random, -2, 2, SHAPE(1, 2, 3, 2, 5)); break;
    case 4: case 8: inputs[0] = sample_leaf(random, -2, 2, SHAPE(0, 2, 4, 4)); break;
    case 5: inputs[0] = sample_leaf(random, -2, 2, SHAPE(1, 1, 2, 5, 6)); break;
    default: inputs[0] = sample_leaf(random, -2, 2, SHAPE(2, 2, 5, 4)); break;
    }
    return 1;
}

static const int64_t *adaptive_sizes(int variant)
{
    static const int64_t sizes[VARIANTS - FIXED][3] = {{3}, {2, 2, 3}, {1, 1}, {7, 3}};
    return sizes[variant - FIXED];
}

static Tensor *apply_max_pool(Tensor **inputs, int variant)
{
    return variant < FIXED ? t_max_pool(inputs[0], &fixed[variant]) : t_adaptive_max_pool(inputs[0], adaptive_sizes(variant));
}

const OperationDef operation_max_pool = {
    .component = {.name = "max_pool", .summary = "the largest of each window"},
    .backward = backward_max_pool, .variants = VARIANTS, .inputs = sample_pool, .apply = apply_max_pool,
};

static Tensor *max_pool(Tensor *x, const Windows *t)
{
    Tensor *result = t_new(x->type, t->rank, t->y_shape), *places = t_new(ARRAY_I32, SHAPE(t->planes, product(t->out)));
    ParallelBody body = x->type == ARRAY_F64 ? max_planes_double : is_2x2(t) ? max_planes_2x2 : max_planes_single;
    over_planes(t, body, x->data, result->data, tensor_i32(places));
    Node *node = op_record(&operation_max_pool, result, 1, &x, t, sizeof *t);
    if (node)
        node->saved[0] = places;
    return result;
}

Tensor *t_max_pool(Tensor *x, const PoolingOptions *options)
{
    Windows windows = fixed_windows(x, options);
    return max_pool(x, &windows);
}

Tensor *t_adaptive_max_pool(Tensor *x, const int64_t *sizes)
{
    Windows windows = adaptive_windows(x, sizes);
    return max_pool(x, &windows);
}

/* ---- Average: a linear map, and its transpose ---- */

#define AVERAGE_PLANES(TYPE, name)                                                     \
    static void name(void *context, int64_t begin, int64_t end)                        \
    {                                                                                  \
        const Planes *p = context;                                                     \
        const Windows *t = p->windows;                                                 \
        int64_t in = product(t->in), out = product(t->out);                            \
        for (int64_t plane = begin; plane < end; plane++) {                            \
            const TYPE *x = (const TYPE *)p->from + plane * in;                        \
            for (int64_t j = 0; j < out; j++) {                                        \
                const Box box = p->boxes[j];                                                  \
                double sum = 0;                                                        \
                EACH_IN_BOX(t, box, i)                                                 \
                    sum += (double)x[i];                                               \
                ((TYPE *)p->to)[plane * out + j] = (TYPE)(sum / divisor(t, &box));     \
            }                                                                          \
        }                                                                              \
    }

AVERAGE_PLANES(float, average_planes_single)
AVERAGE_PLANES(double, average_planes_double)

#define SPREAD_PLANES(TYPE, name)                                                      \
    static void name(void *context, int64_t begin, int64_t end)                        \
    {                                                                                  \
        const Planes *p = context;                                                     \
        const Windows *t = p->windows;                                                 \
        int64_t in = product(t->in), out = product(t->out);                            \
        memset((TYPE *)p->to + begin * in, 0, (size_t)((end - begin) * in) * sizeof(TYPE)); \
        for (int64_t plane = begin; plane < end; plane++) {                            \
            TYPE *x = (TYPE *)p->to + plane * in;                                      \
            for (int64_t j = 0; j < out; j++) {                                        \
                const Box box = p->boxes[j];                                                  \
                TYPE share = (TYPE)((double)((const TYPE *)p->from)[plane * out + j] / divisor(t, &box)); \
                EACH_IN_BOX(t, box, i)                                                 \
                    x[i] += share;                                                     \
            }                                                                          \
        }                                                                              \
    }

SPREAD_PLANES(float, spread_planes_single)
SPREAD_PLANES(double, spread_planes_double)

static void average_planes_2x2(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    const Windows *t = p->windows;
    int64_t rows = t->out[0] * t->out[1];
    for (int64_t row = begin * rows; row < end * rows; row++)
        kernels()->average_pool_2x2_row(t->out[2], (const float *)p->from + row_of_x(t, row), t->in[2],
                                        (float *)p->to + row * t->out[2]);
}

static void spread_planes_2x2(void *context, int64_t begin, int64_t end)
{
    const Planes *p = context;
    const Windows *t = p->windows;
    int64_t rows = t->out[0] * t->out[1], in = product(t->in);
    if (t->in[1] % 2 || t->in[2] % 2) /* a last row or column that no window covers */
        memset((float *)p->to + begin * in, 0, (size_t)((end - begin) * in) * sizeof(float));
    for (int64_t row = begin * rows; row < end * rows; row++)
        kernels()->average_spread_2x2_row(t->out[2], (const float *)p->from + row * t->out[2], t->in[2],
                                          (float *)p->to + row_of_x(t, row));
}

static Tensor *average_pool(Tensor *x, const Windows *windows);
static Tensor *average_spread(Tensor *y, const Windows *windows);

static void backward_average_pool(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = average_spread(gradient, node->attributes);
}

static Tensor *apply_average_pool(Tensor **inputs, int variant)
{
    return variant < FIXED ? t_average_pool(inputs[0], &fixed[variant])
                           : t_adaptive_average_pool(inputs[0], adaptive_sizes(variant));
}

const OperationDef operation_average_pool = {
    .component = {.name = "average_pool", .summary = "the average of each window"},
    .backward = backward_average_pool, .variants = VARIANTS, .inputs = sample_pool, .apply = apply_average_pool,
};

static Tensor *average_pool(Tensor *x, const Windows *t)
{
    Tensor *result = t_new(x->type, t->rank, t->y_shape);
    ParallelBody body = x->type == ARRAY_F64 ? average_planes_double : is_2x2(t) ? average_planes_2x2 : average_planes_single;
    over_planes(t, body, x->data, result->data, NULL);
    op_record(&operation_average_pool, result, 1, &x, t, sizeof *t);
    return result;
}

Tensor *t_average_pool(Tensor *x, const PoolingOptions *options)
{
    Windows windows = fixed_windows(x, options);
    return average_pool(x, &windows);
}

Tensor *t_adaptive_average_pool(Tensor *x, const int64_t *sizes)
{
    Windows windows = adaptive_windows(x, sizes);
    return average_pool(x, &windows);
}

static void backward_average_spread(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = average_pool(gradient, node->attributes);
}

static Windows sample_windows(const Tensor *x, int variant)
{
    return variant < FIXED ? fixed_windows(x, &fixed[variant]) : adaptive_windows(x, adaptive_sizes(variant));
}

/* y of the shape that the sample's x is pooled to; x comes along for its shape. */
static int sample_spread(Random *random, int variant, Tensor **inputs)
{
    sample_pool(random, variant, &inputs[1]);
    inputs[1]->requires_gradient = false;
    Windows windows = sample_windows(inputs[1], variant);
    inputs[0] = sample_leaf(random, -2, 2, windows.rank, windows.y_shape);
    return 2;
}

static Tensor *apply_spread(Tensor **inputs, int variant)
{
    Windows windows = sample_windows(inputs[1], variant);
    return average_spread(inputs[0], &windows);
}

const OperationDef operation_average_spread = {
    .component = {.name = "average_spread", .summary = "the transpose of average_pool"},
    .backward = backward_average_spread, .variants = VARIANTS, .inputs = sample_spread, .apply = apply_spread,
};

static Tensor *average_spread(Tensor *y, const Windows *t)
{
    Tensor *result = t_new(y->type, t->rank, t->x_shape);
    ParallelBody body = y->type == ARRAY_F64 ? spread_planes_double : is_2x2(t) ? spread_planes_2x2 : spread_planes_single;
    over_planes(t, body, y->data, result->data, NULL);
    op_record(&operation_average_spread, result, 1, &y, t, sizeof *t);
    return result;
}
