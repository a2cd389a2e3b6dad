/* A convolution with what often follows it, in one pass: relu, or the largest of each 2 x 2 places and relu. The whole
   result of a pooled convolution is never held, nor is its gradient, which is 0 but at a quarter of the places. */
#include <assert.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/kernels/kernels.h"
#include "core/tensor/convolution_form.h"
#include "core/tensor/unary.h"

typedef struct Fused {
    Form form;
    bool rectified;
} Fused;

enum { AXES = 2, VARIANTS = 5 };

static const ConvolutionOptions sample_options[VARIANTS] = {
    {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1},
    {.stride = {1, 1}, .padding = {0, 1}, .dilation = {1, 1}, .groups = 2},
    {.stride = {2, 1}, .padding = {1, 1}, .dilation = {1, 2}, .groups = 1},
    {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1},
    {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1},
};

/* Few, so that none lies near a tie or 0. The fourth has no samples, the last no bias. */
static int sample_fused(Random *random, int variant, Tensor **inputs)
{
    inputs[0] = sample_leaf(random, -1, 1, SHAPE(variant == 3 ? 0 : 1, 2, 4, 5));
    inputs[1] = sample_leaf(random, -1, 1, SHAPE(2, 2 / sample_options[variant].groups, 3, 2));
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(2));
    return variant == VARIANTS - 1 ? 2 : 3;
}

static void set_gradients(const Node *node, const Form *form, Tensor *gradient, Tensor **gradients)
{
    if (op_wants(node, 0))
        gradients[0] = convolution_transposed(form, gradient, node->inputs[1], NULL);
    if (op_wants(node, 1))
        gradients[1] = convolution_weight_gradient(form, node->inputs[0], gradient);
    if (op_wants(node, 2))
        gradients[2] = convolution_bias_gradient(gradient);
}

static const float *bias_of(const Tensor *bias)
{
    return bias ? tensor_f32(bias) : NULL;
}

static Tensor *whole_double(const Form *form, Tensor *x, Tensor *weight, Tensor *bias)
{
    const ConvolutionShape *s = &form->shape;
    Tensor *y = convolution_tensor(form, x->type, s->batch, s->out_channels, s->out);
    convolution_start(y, bias);
    double_convolution_forward(s, tensor_f64(x), tensor_f64(weight), tensor_f64(y));
    return y;
}

/* ---- Convolution and relu ---- */

static void backward_relu(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Fused *fused = node->attributes;
    set_gradients(node, &fused->form, t_mul(gradient, unary_step(node->output)), gradients);
}

static Tensor *apply_relu(Tensor **inputs, int variant)
{
    return t_convolution_relu(inputs[0], inputs[1], variant == VARIANTS - 1 ? NULL : inputs[2],
                              &sample_options[variant]);
}

const OperationDef operation_convolution_relu = {
    .component = {.name = "convolution_relu", .summary = "max(convolution, 0)"},
    .backward = backward_relu, .variants = VARIANTS, .inputs = sample_fused, .apply = apply_relu,
};

Tensor *t_convolution_relu(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options)
{
    const Fused fused = {.form = convolution_form(x, weight, options), .rectified = true};
    const ConvolutionShape *s = &fused.form.shape;
    Tensor *y;
    if (x->type == ARRAY_F32) {
        y = convolution_tensor(&fused.form, x->type, s->batch, s->out_channels, s->out);
        convolution_forward(s, tensor_f32(x), tensor_f32(weight), bias_of(bias), &(ConvolutionFinish){true, NULL},
                            tensor_f32(y), tape_arena());
    } else {
        y = whole_double(&fused.form, x, weight, bias);
        for (int64_t i = 0; i < y->count; i++)
            tensor_f64(y)[i] = tensor_f64(y)[i] < 0 ? 0 : tensor_f64(y)[i];
    }
    op_record(&operation_convolution_relu, y, bias ? 3 : 2, (Tensor *[]){x, weight, bias}, &fused, sizeof fused);
    return y;
}

/* ---- Convolution, the largest of 2 x 2, and relu ---- */

/* The gradient of the whole result, by operations. */
static Tensor *whole_gradient(const Form *form, Tensor *gradient, Tensor *places)
{
    const ConvolutionShape *s = &form->shape;
    const int64_t planes = places->shape[0], size = s->out[1] * s->out[2];
    Tensor *taken = t_like(places), *share = t_new(gradient->type, places->rank, places->shape);
    for (int64_t i = 0; i < places->count; i++) {
        const int32_t place = tensor_i32(places)[i];
        tensor_i32(taken)[i] = place < 0 ? 0 : place;
        tensor_set(share, i, place >= 0);
    }
    Tensor *flat = t_mul(t_reshape(gradient, places->rank, places->shape), share);
    Tensor *whole = t_scatter_add(t_zeros(gradient->type, SHAPE(planes, size)), 1, taken, flat);
    return t_reshape(whole, SHAPE(s->batch, s->out_channels, s->out[1], s->out[2]));
}

typedef struct BiasSum {
    int64_t batch, channels, size;
    const float *gradient;
    const int32_t *places;
    float *sum;
} BiasSum;

static void sum_channels(void *context, int64_t begin, int64_t end)
{
    const BiasSum *t = context;
    for (int64_t c = begin; c < end; c++) {
        t->sum[c] = 0;
        for (int64_t n = 0; n < t->batch; n++) {
            const int64_t first = (n * t->channels + c) * t->size;
            t->sum[c] += kernels()->sum_placed(t->size, t->gradient + first, t->places + first);
        }
    }
}

static void backward_max_pool(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Fused *fused = node->attributes;
    const ConvolutionShape *s = &fused->form.shape;
    Tensor *x = node->inputs[0], *weight = node->inputs[1], *places = node->saved[0];
    if (x->type == ARRAY_F64 || tape_recording()) {
        set_gradients(node, &fused->form, whole_gradient(&fused->form, gradient, places), gradients);
        return;
    }
    const float *y = tensor_f32(gradient);
    if (op_wants(node, 0)) {
        gradients[0] = t_like(x);
        convolution_data(s, y, tensor_i32(places), tensor_f32(weight), NULL, tensor_f32(gradients[0]), tape_arena());
    }
    if (op_wants(node, 1)) {
        gradients[1] = t_like(weight);
        convolution_weight(s, tensor_f32(x), y, tensor_i32(places), tensor_f32(gradients[1]), tape_arena());
    }
    if (op_wants(node, 2)) {
        gradients[2] = t_like(node->inputs[2]);
        BiasSum sum = {s->batch, s->out_channels, places->shape[1], y, tensor_i32(places), tensor_f32(gradients[2])};
        parallel_for(s->out_channels, 32 * 1024 / (s->batch * sum.size + 1) + 1, sum_channels, &sum);
    }
}

static Tensor *apply_max_pool(Tensor **inputs, int variant)
{
    return t_convolution_max_pool(inputs[0], inputs[1], variant == VARIANTS - 1 ? NULL : inputs[2],
                                  &sample_options[variant], variant > 0);
}

const OperationDef operation_convolution_max_pool = {
    .component = {.name = "convolution_max_pool", .summary = "the largest of each 2 x 2 places of a convolution"},
    .backward = backward_max_pool, .variants = VARIANTS, .inputs = sample_fused, .apply = apply_max_pool,
};

/* The first largest of 2 x 2 of a plane whose rows have `width` elements; NaN is largest. */
static int32_t largest_of(const double *plane, int64_t first, int64_t width)
{
    int64_t best = first;
    for (int64_t tap = 1; tap < 4; tap++) {
        const int64_t i = first + tap / 2 * width + tap % 2;
        if (plane[i] > plane[best] || (plane[i] != plane[i] && plane[best] == plane[best]))
            best = i;
    }
    return (int32_t)best;
}

static void pool_double(const Fused *fused, const Tensor *whole, Tensor *y, Tensor *places)
{
    const int64_t height = fused->form.shape.out[1], width = fused->form.shape.out[2];
    for (int64_t i = 0; i < y->count; i++) {
        const int64_t size = places->shape[1], place = i % size, half = width / 2;
        const double *plane = tensor_f64(whole) + i / size * height * width;
        const int32_t best = largest_of(plane, place / half * 2 * width + place % half * 2, width);
        const bool flat = fused->rectified && !(plane[best] > 0);
        tensor_i32(places)[i] = flat ? -1 : best;
        tensor_f64(y)[i] = fused->rectified && plane[best] < 0 ? 0 : plane[best];
    }
}

static Tensor *one_after_the_other(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options,
                                   bool rectified)
{
    const PoolingOptions windows = {.kernel = {2, 2}, .stride = {2, 2}};
    Tensor *y = t_max_pool(t_convolution(x, weight, bias, options), &windows);
    return rectified ? t_relu(y) : y;
}

Tensor *t_convolution_max_pool(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options,
                               bool rectified)
{
    assert(x->rank == AXES + 2);
    const Fused fused = {.form = convolution_form(x, weight, options), .rectified = rectified};
    const ConvolutionShape *s = &fused.form.shape;
    const int64_t half[3] = {1, s->out[1] / 2, s->out[2] / 2};
    if (x->type == ARRAY_F32 && !convolution_pools(s))
        return one_after_the_other(x, weight, bias, options, rectified);
    Tensor *y = convolution_tensor(&fused.form, x->type, s->batch, s->out_channels, half);
    Tensor *places = t_new(ARRAY_I32, SHAPE(s->batch * s->out_channels, half[1] * half[2]));
    if (x->type == ARRAY_F32)
        convolution_forward(s, tensor_f32(x), tensor_f32(weight), bias_of(bias),
                            &(ConvolutionFinish){rectified, tensor_i32(places)}, tensor_f32(y), tape_arena());
    else
        pool_double(&fused, whole_double(&fused.form, x, weight, bias), y, places);
    Node *node = op_record(&operation_convolution_max_pool, y, bias ? 3 : 2, (Tensor *[]){x, weight, bias}, &fused,
                           sizeof fused);
    if (node)
        node->saved[0] = places;
    return y;
}
