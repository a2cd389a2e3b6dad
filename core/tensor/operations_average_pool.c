/* The average of each window: a linear map, and its transpose. */
#include <string.h>

#include "core/kernels/kernels.h"
#include "core/tensor/pooling.h"

static double divisor(const Windows *t, const Box *box)
{
    double inside = 1, whole = (double)pooling_product(t->kernel);
    for (int a = 0; a < 3; a++)
        inside *= (double)(box->end[a] - box->begin[a]);
    return t->count_padding && !t->adaptive ? whole : inside;
}

static bool is_2x2(const Windows *t)
{
    return !t->adaptive && t->kernel[0] == 1 && t->stride[0] == 1 && t->kernel[1] == 2 && t->kernel[2] == 2 &&
           t->stride[1] == 2 && t->stride[2] == 2 && t->padding[1] + t->padding[2] == 0;
}

/* Where row `row` of the results begins in x, both counted through the planes. */
static int64_t row_of_x(const Windows *t, int64_t row)
{
    return (row / t->out[1] * t->in[1] + row % t->out[1] * 2) * t->in[2];
}

#define AVERAGE_PLANES(TYPE, name)                                                     \
    static void name(void *context, int64_t begin, int64_t end)                        \
    {                                                                                  \
        const Planes *p = context;                                                     \
        const Windows *t = p->windows;                                                 \
        int64_t in = pooling_product(t->in), out = pooling_product(t->out);                            \
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
        int64_t in = pooling_product(t->in), out = pooling_product(t->out);                            \
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
    int64_t rows = t->out[0] * t->out[1], in = pooling_product(t->in);
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
    return variant < POOLING_FIXED ? t_average_pool(inputs[0], &pooling_options[variant])
                           : t_adaptive_average_pool(inputs[0], pooling_sizes(variant));
}

const OperationDef operation_average_pool = {
    .component = {.name = "average_pool", .summary = "the average of each window"},
    .backward = backward_average_pool, .variants = POOLING_VARIANTS, .inputs = pooling_sample,
    .apply = apply_average_pool,
};

static Tensor *average_pool(Tensor *x, const Windows *t)
{
    Tensor *result = t_new(x->type, t->rank, t->y_shape);
    ParallelBody single = is_2x2(t) ? average_planes_2x2 : average_planes_single;
    pooling_planes(t, x->type == ARRAY_F64 ? average_planes_double : single, x->data, result->data, NULL);
    op_record(&operation_average_pool, result, 1, &x, t, sizeof *t);
    return result;
}

Tensor *t_average_pool(Tensor *x, const PoolingOptions *options)
{
    Windows windows = pooling_fixed(x, options);
    return average_pool(x, &windows);
}

Tensor *t_adaptive_average_pool(Tensor *x, const int64_t *sizes)
{
    Windows windows = pooling_adaptive(x, sizes);
    return average_pool(x, &windows);
}

static void backward_average_spread(const Node *node, Tensor *gradient, Tensor **gradients)
{
    gradients[0] = average_pool(gradient, node->attributes);
}

/* y of the shape that the sample's x is pooled to; x comes along for its shape. */
static int sample_spread(Random *random, int variant, Tensor **inputs)
{
    pooling_sample(random, variant, &inputs[1]);
    inputs[1]->requires_gradient = false;
    Windows windows = pooling_sample_windows(inputs[1], variant);
    inputs[0] = sample_leaf(random, -2, 2, windows.rank, windows.y_shape);
    return 2;
}

static Tensor *apply_spread(Tensor **inputs, int variant)
{
    Windows windows = pooling_sample_windows(inputs[1], variant);
    return average_spread(inputs[0], &windows);
}

const OperationDef operation_average_spread = {
    .component = {.name = "average_spread", .summary = "the transpose of average_pool"},
    .backward = backward_average_spread, .variants = POOLING_VARIANTS, .inputs = sample_spread, .apply = apply_spread,
};

static Tensor *average_spread(Tensor *y, const Windows *t)
{
    Tensor *result = t_new(y->type, t->rank, t->x_shape);
    ParallelBody single = is_2x2(t) ? spread_planes_2x2 : spread_planes_single;
    pooling_planes(t, y->type == ARRAY_F64 ? spread_planes_double : single, y->data, result->data, NULL);
    op_record(&operation_average_spread, result, 1, &y, t, sizeof *t);
    return result;
}
