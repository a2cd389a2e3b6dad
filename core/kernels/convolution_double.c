#include "core/kernels/convolution.h"

/* One product of the form x[n, c, i] weight[o, c, k] y[n, o, j]: where its three values lie. */
typedef void (*Visit)(const void *context, int64_t x, int64_t weight, int64_t y, int64_t count, int64_t x_step);

typedef struct Arrays {
    const double *x, *weight, *y;
    double *result;
} Arrays;

/* The outputs j of one axis for which j stride + offset lies in [0, size): from *begin to *end. */
static void valid_range(int64_t offset, int64_t stride, int64_t size, int64_t out, int64_t *begin, int64_t *end)
{
    *begin = offset < 0 ? (-offset + stride - 1) / stride : 0;
    *end = size > offset ? (size - offset + stride - 1) / stride : 0;
    *end = *end < out ? *end : out;
}

/* All products for one image, one pair of channels and one place of the kernel, a row at a time. */
static void visit_tap(const ConvolutionShape *s, const int64_t *tap, int64_t x, int64_t weight, int64_t y,
                      Visit visit, const Arrays *arrays)
{
    int64_t offset[3], begin[3], end[3];
    for (int a = 0; a < 3; a++) {
        offset[a] = tap[a] * s->dilation[a] - s->padding[a];
        valid_range(offset[a], s->stride[a], s->in[a], s->out[a], &begin[a], &end[a]);
    }
    if (begin[2] >= end[2])
        return;
    for (int64_t j0 = begin[0]; j0 < end[0]; j0++)
        for (int64_t j1 = begin[1]; j1 < end[1]; j1++) {
            int64_t i0 = j0 * s->stride[0] + offset[0], i1 = j1 * s->stride[1] + offset[1];
            int64_t i2 = begin[2] * s->stride[2] + offset[2];
            visit(arrays, x + (i0 * s->in[1] + i1) * s->in[2] + i2, weight,
                  y + (j0 * s->out[1] + j1) * s->out[2] + begin[2], end[2] - begin[2], s->stride[2]);
        }
}

static void visit_all(const ConvolutionShape *s, Visit visit, const Arrays *arrays)
{
    int64_t in = s->in_channels / s->groups, out = s->out_channels / s->groups;
    int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    int64_t in_size = s->in[0] * s->in[1] * s->in[2], out_size = s->out[0] * s->out[1] * s->out[2];
    for (int64_t n = 0; n < s->batch; n++)
        for (int64_t o = 0; o < s->out_channels; o++)
            for (int64_t c = 0; c < in; c++)
                for (int64_t k = 0; k < taps; k++) {
                    int64_t tap[3] = {k / (s->kernel[1] * s->kernel[2]), k / s->kernel[2] % s->kernel[1],
                                      k % s->kernel[2]};
                    int64_t channel = o / out * in + c;
                    visit_tap(s, tap, (n * s->in_channels + channel) * in_size, (o * in + c) * taps + k,
                              (n * s->out_channels + o) * out_size, visit, arrays);
                }
}

static void visit_forward(const void *context, int64_t x, int64_t weight, int64_t y, int64_t count, int64_t x_step)
{
    const Arrays *t = context;
    for (int64_t i = 0; i < count; i++)
        t->result[y + i] += t->weight[weight] * t->x[x + i * x_step];
}

static void visit_data(const void *context, int64_t x, int64_t weight, int64_t y, int64_t count, int64_t x_step)
{
    const Arrays *t = context;
    for (int64_t i = 0; i < count; i++)
        t->result[x + i * x_step] += t->weight[weight] * t->y[y + i];
}

static void visit_weight(const void *context, int64_t x, int64_t weight, int64_t y, int64_t count, int64_t x_step)
{
    const Arrays *t = context;
    for (int64_t i = 0; i < count; i++)
        t->result[weight] += t->x[x + i * x_step] * t->y[y + i];
}

void double_convolution_forward(const ConvolutionShape *shape, const double *x, const double *weight, double *y)
{
    visit_all(shape, visit_forward, &(Arrays){.x = x, .weight = weight, .result = y});
}

void double_convolution_data(const ConvolutionShape *shape, const double *y, const double *weight, double *x)
{
    visit_all(shape, visit_data, &(Arrays){.y = y, .weight = weight, .result = x});
}

void double_convolution_weight(const ConvolutionShape *shape, const double *x, const double *y, double *weight)
{
    visit_all(shape, visit_weight, &(Arrays){.x = x, .y = y, .result = weight});
}
