#include "core/tensor/pooling.h"

#include <assert.h>
#include <string.h>

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
    assert(pooling_product(windows.in) <= INT32_MAX);
    return windows;
}

Windows pooling_fixed(const Tensor *x, const PoolingOptions *options)
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

Windows pooling_adaptive(const Tensor *x, const int64_t *sizes)
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

/* The boxes of one plane, one for each result. */
static Box *boxes_of(const Windows *t, Arena *arena)
{
    int64_t count = pooling_product(t->out);
    Box *boxes = arena_alloc(arena, (size_t)count * sizeof *boxes);
    for (int64_t j = 0; j < count; j++) {
        int64_t at[3] = {j / (t->out[1] * t->out[2]), j / t->out[2] % t->out[1], j % t->out[2]};
        for (int a = 0; a < 3; a++)
            window(t, a, at[a], &boxes[j].begin[a], &boxes[j].end[a]);
    }
    return boxes;
}

void pooling_planes(const Windows *windows, ParallelBody body, const void *from, void *to, int32_t *places)
{
    enum { CHUNK = 32 * 1024 };
    Box *boxes = boxes_of(windows, tape_arena());
    Planes planes = {windows, boxes, from, to, places};
    parallel_for(windows->planes, CHUNK / (pooling_product(windows->in) + 1) + 1, body, &planes);
    arena_recycle(tape_arena(), boxes, (size_t)pooling_product(windows->out) * sizeof *boxes);
}

const PoolingOptions pooling_options[POOLING_FIXED] = {
    {.kernel = {2, 2}, .stride = {2, 2}},
    {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 1}},
    {.kernel = {3}, .stride = {2}, .padding = {1}, .count_padding = true},
    {.kernel = {2, 1, 3}, .stride = {1, 1, 2}, .padding = {1, 0, 1}, .count_padding = true},
    {.kernel = {2, 2}, .stride = {2, 2}},
    {.kernel = {1, 2, 2}, .stride = {1, 2, 2}},
};

int pooling_sample(Random *random, int variant, Tensor **inputs)
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

const int64_t *pooling_sizes(int variant)
{
    static const int64_t sizes[POOLING_VARIANTS - POOLING_FIXED][3] = {{3}, {2, 2, 3}, {1, 1}, {7, 3}};
    return sizes[variant - POOLING_FIXED];
}

Windows pooling_sample_windows(const Tensor *x, int variant)
{
    return variant < POOLING_FIXED ? pooling_fixed(x, &pooling_options[variant])
                                   : pooling_adaptive(x, pooling_sizes(variant));
}
