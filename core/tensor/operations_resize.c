/* Bilinear interpolation of images: a linear map along each of the two axes, and its transpose. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* Planes [in] to planes [out]. */
typedef struct Resize {
    int64_t batch, channels, in[2], out[2];
    bool align_corners;
} Resize;

/* A result lies between elements `low` and `high` of the axis. */
typedef struct Between {
    int64_t low, high;
    double weight;      /* of high */
} Between;

static Between between(int64_t i, int64_t in, int64_t out, bool align_corners)
{
    double at = align_corners ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                              : ((double)i + 0.5) * (double)in / (double)out - 0.5;
    at = at > 0 ? at : 0;
    int64_t low = (int64_t)at;
    low = low < in - 1 ? low : in - 1;
    return (Between){low, low < in - 1 ? low + 1 : low, fmin(at - (double)low, 1)};
}

typedef struct Planes {
    const Resize *resize;
    const Between *columns;     /* [out[1]] */
    const void *from;
    void *to;
} Planes;

#define RESIZE_PLANES(TYPE, name)                                                            \
    static void name(void *context, int64_t begin, int64_t end)                              \
    {                                                                                        \
        const Planes *p = context;                                                           \
        const Resize *t = p->resize;                                                         \
        for (int64_t row = begin * t->out[0]; row < end * t->out[0]; row++) {                \
            Between rows = between(row % t->out[0], t->in[0], t->out[0], t->align_corners);  \
            const TYPE *x = (const TYPE *)p->from + row / t->out[0] * t->in[0] * t->in[1];   \
            const TYPE *above = x + rows.low * t->in[1], *below = x + rows.high * t->in[1];  \
            const TYPE down = (TYPE)rows.weight;                                             \
            TYPE *y = (TYPE *)p->to + row * t->out[1];                                       \
            for (int64_t j = 0; j < t->out[1]; j++) {                                        \
                const Between *c = &p->columns[j];                                           \
                const TYPE right = (TYPE)c->weight;                                          \
                const TYPE top = (1 - right) * above[c->low] + right * above[c->high];       \
                const TYPE bottom = (1 - right) * below[c->low] + right * below[c->high];    \
                y[j] = (1 - down) * top + down * bottom;                                     \
            }                                                                                \
        }                                                                                    \
    }

RESIZE_PLANES(float, resize_planes_single)
RESIZE_PLANES(double, resize_planes_double)

#define SPREAD_PLANES(TYPE, name)                                                            \
    static void name(void *context, int64_t begin, int64_t end)                              \
    {                                                                                        \
        const Planes *p = context;                                                           \
        const Resize *t = p->resize;                                                         \
        int64_t in = t->in[0] * t->in[1];                                                    \
        memset((TYPE *)p->to + begin * in, 0, (size_t)((end - begin) * in) * sizeof(TYPE));  \
        for (int64_t row = begin * t->out[0]; row < end * t->out[0]; row++) {                \
            Between rows = between(row % t->out[0], t->in[0], t->out[0], t->align_corners);  \
            TYPE *x = (TYPE *)p->to + row / t->out[0] * in;                                  \
            TYPE *above = x + rows.low * t->in[1], *below = x + rows.high * t->in[1];        \
            const TYPE down = (TYPE)rows.weight, *y = (const TYPE *)p->from + row * t->out[1]; \
            for (int64_t j = 0; j < t->out[1]; j++) {                                        \
                const Between *c = &p->columns[j];                                           \
                const TYPE right = (TYPE)c->weight, top = (1 - down) * y[j], bottom = down * y[j]; \
                above[c->low] += (1 - right) * top;                                          \
                above[c->high] += right * top;                                               \
                below[c->low] += (1 - right) * bottom;                                       \
                below[c->high] += right * bottom;                                            \
            }                                                                                \
        }                                                                                    \
    }

SPREAD_PLANES(float, spread_planes_single)
SPREAD_PLANES(double, spread_planes_double)

static void over_planes(const Resize *t, ParallelBody body, const void *from, void *to)
{
    enum { CHUNK = 16 * 1024 };
    size_t bytes = (size_t)t->out[1] * sizeof(Between);
    Between *columns = arena_alloc(tape_arena(), bytes);
    for (int64_t j = 0; j < t->out[1]; j++)
        columns[j] = between(j, t->in[1], t->out[1], t->align_corners);
    Planes planes = {t, columns, from, to};
    parallel_for(t->batch * t->channels, CHUNK / (t->out[0] * t->out[1] + 1) + 1, body, &planes);
    arena_recycle(tape_arena(), columns, bytes);
}

static Tensor *resize(Tensor *x, const Resize *t);
static Tensor *spread(Tensor *y, const Resize *t);

static int sample_resize(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 2: inputs[0] = sample_leaf(random, -1, 1, SHAPE(2, 1, 5, 6)); break;
    case 4: inputs[0] = sample_leaf(random, -1, 1, SHAPE(0, 2, 3, 3)); break;
    case 5: inputs[0] = sample_leaf(random, -1, 1, SHAPE(1, 2, 1, 3)); break;
    default: inputs[0] = sample_leaf(random, -1, 1, SHAPE(2, 2, 3, 4)); break;
    }
    return 1;
}

static Resize sample_plan(const Tensor *x, int variant)
{
    static const int64_t out[6][2] = {{5, 7}, {5, 7}, {3, 2}, {1, 1}, {2, 5}, {4, 4}};
    return (Resize){x->shape[0], x->shape[1], {x->shape[2], x->shape[3]}, {out[variant][0], out[variant][1]},
                    variant & 1};
}

static Tensor *apply_resize(Tensor **inputs, int variant)
{
    Resize plan = sample_plan(inputs[0], variant);
    return t_resize_bilinear(inputs[0], plan.out[0], plan.out[1], plan.align_corners);
}

static void backward_resize(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = spread(gradient, node->attributes);
}

const OperationDef operation_resize_bilinear = {
    .component = {.name = "resize_bilinear", .summary = "bilinear interpolation of images"},
    .backward = backward_resize, .variants = 6, .inputs = sample_resize, .apply = apply_resize,
};

static Tensor *resize(Tensor *x, const Resize *t)
{
    Tensor *result = t_new(x->type, SHAPE(t->batch, t->channels, t->out[0], t->out[1]));
    over_planes(t, x->type == ARRAY_F32 ? resize_planes_single : resize_planes_double, x->data, result->data);
    op_record(&operation_resize_bilinear, result, 1, &x, t, sizeof *t);
    return result;
}

Tensor *t_resize_bilinear(Tensor *x, int64_t height, int64_t width, bool align_corners)
{
    assert(x->rank == 4 && x->shape[2] >= 1 && x->shape[3] >= 1 && height >= 1 && width >= 1);
    Resize plan = {x->shape[0], x->shape[1], {x->shape[2], x->shape[3]}, {height, width}, align_corners};
    return resize(x, &plan);
}

/* x comes along for its shape. */
static int sample_spread(Random *random, int variant, Tensor **inputs)
{
    sample_resize(random, variant, &inputs[1]);
    inputs[1]->requires_gradient = false;
    Resize plan = sample_plan(inputs[1], variant);
    inputs[0] = sample_leaf(random, -1, 1, SHAPE(plan.batch, plan.channels, plan.out[0], plan.out[1]));
    return 2;
}

static Tensor *apply_spread(Tensor **inputs, int variant)
{
    Resize plan = sample_plan(inputs[1], variant);
    return spread(inputs[0], &plan);
}

static void backward_spread(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = resize(gradient, node->attributes);
}

const OperationDef operation_resize_bilinear_transposed = {
    .component = {.name = "resize_bilinear_transposed", .summary = "the transpose of resize_bilinear"},
    .backward = backward_spread, .variants = 6, .inputs = sample_spread, .apply = apply_spread,
};

static Tensor *spread(Tensor *y, const Resize *t)
{
    Tensor *result = t_new(y->type, SHAPE(t->batch, t->channels, t->in[0], t->in[1]));
    over_planes(t, y->type == ARRAY_F32 ? spread_planes_single : spread_planes_double, y->data, result->data);
    op_record(&operation_resize_bilinear_transposed, result, 1, &y, t, sizeof *t);
    return result;
}
