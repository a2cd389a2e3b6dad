/* Convolution, its transpose, and its weight gradient: the three derivatives of one trilinear form in x,
   weight and y (core/kernels/convolution.h), so that each one's derivatives are the other two. */
#include <assert.h>
#include <string.h>

#include "core/tensor/convolution_form.h"

int64_t convolution_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation)
{
    int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

Tensor *convolution_tensor(const Form *form, ArrayType type, int64_t first, int64_t second, const int64_t *spatial)
{
    int64_t shape[TENSOR_MAX_RANK] = {first, second};
    for (int a = 0; a < form->axes; a++)
        shape[2 + a] = spatial[3 - form->axes + a];
    return t_new(type, form->axes + 2, shape);
}

static void zero(Tensor *tensor)
{
    memset(tensor->data, 0, (size_t)tensor->count * array_type_size(tensor->type));
}

void convolution_start(Tensor *result, const Tensor *bias)
{
    int64_t channels = result->shape[1], rows = result->shape[0] * channels, size = rows ? result->count / rows : 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < size; j++)
            tensor_f64(result)[i * size + j] = bias ? tensor_f64(bias)[i % channels] : 0;
}

static Tensor *forward(const Form *form, Tensor *x, Tensor *weight, Tensor *bias);

Tensor *convolution_bias_gradient(Tensor *gradient)
{
    int64_t size = 1;
    for (int i = 2; i < gradient->rank; i++)
        size *= gradient->shape[i];
    Tensor *flat = t_reshape(gradient, SHAPE(gradient->shape[0], gradient->shape[1], size));
    return t_sum(t_sum(flat, 2, false), 0, false);
}

/* ---- Samples of all three ---- */

typedef struct Case {
    int axes;
    int64_t batch, in_channels, out_channels, in[3], kernel[3];
    ConvolutionOptions options;
} Case;

static const Case cases[] = {
    {2, 2, 2, 3, {4, 5}, {3, 2}, {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1}},
    {1, 2, 3, 2, {7}, {3}, {.stride = {2}, .padding = {0}, .dilation = {2}, .output_padding = {1}, .groups = 1}},
    {3, 1, 2, 2, {3, 4, 3}, {2, 3, 1}, {.stride = {1, 2, 1}, .padding = {0, 1, 1}, .dilation = {1, 1, 1}, .groups = 1}},
    {2, 1, 4, 6, {5, 4}, {2, 3},
     {.stride = {3, 2}, .padding = {2, 1}, .dilation = {1, 2}, .output_padding = {1, 1}, .groups = 2}},
    {2, 2, 3, 3, {4, 4}, {3, 3}, {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 3}},
    {2, 2, 3, 5, {2, 3}, {1, 1}, {.stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 1}},
    {2, 2, 4, 4, {2, 2}, {1, 1}, {.stride = {1, 1}, .padding = {0, 0}, .dilation = {1, 1}, .groups = 2}},
    {2, 0, 2, 3, {4, 4}, {3, 3}, {.stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1}},
    {1, 9, 1, 1, {1}, {1}, {.stride = {2}, .padding = {1}, .dilation = {1}, .groups = 1}},
    {2, 9, 1, 4, {6, 6}, {3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1}},
};

enum { CASES = sizeof cases / sizeof cases[0] };

/* Fills in kernel, stride, padding and dilation; `weight` is [out, in/groups, kernel...]. */
static Form new_form(const Tensor *x, const Tensor *weight, const ConvolutionOptions *options)
{
    assert(x->type == weight->type && x->rank == weight->rank && x->rank >= 3 && x->rank <= 5 && options->groups >= 1);
    Form form = {.axes = x->rank - 2, .shape = {.batch = x->shape[0], .groups = options->groups}};
    ConvolutionShape *shape = &form.shape;
    for (int a = 0; a < 3; a++) {
        int own = a - (3 - form.axes);
        shape->in[a] = shape->out[a] = shape->kernel[a] = shape->stride[a] = shape->dilation[a] = 1;
        if (own < 0)
            continue;
        shape->kernel[a] = weight->shape[2 + own];
        shape->stride[a] = options->stride[own];
        shape->padding[a] = options->padding[own];
        shape->dilation[a] = options->dilation[own];
        assert(shape->kernel[a] >= 1 && shape->stride[a] >= 1 && shape->dilation[a] >= 1 && shape->padding[a] >= 0);
    }
    shape->out_channels = weight->shape[0];
    shape->in_channels = weight->shape[1] * options->groups;
    assert(shape->out_channels % options->groups == 0);
    return form;
}

Form convolution_form(const Tensor *x, const Tensor *weight, const ConvolutionOptions *options)
{
    Form form = new_form(x, weight, options);
    ConvolutionShape *s = &form.shape;
    assert(x->shape[1] == s->in_channels);
    for (int a = 3 - form.axes; a < 3; a++) {
        s->in[a] = x->shape[a + form.axes - 1];
        s->out[a] = convolution_size(s->in[a], s->kernel[a], s->stride[a], s->padding[a], s->dilation[a]);
    }
    return form;
}

static Form transposed_form(const Tensor *y, const Tensor *weight, const ConvolutionOptions *options)
{
    Form form = new_form(y, weight, options);
    ConvolutionShape *s = &form.shape;
    assert(y->shape[1] == s->out_channels);
    for (int a = 3 - form.axes; a < 3; a++) {
        int own = a + form.axes - 3;
        s->out[a] = y->shape[own + 2];
        int64_t size = (s->out[a] - 1) * s->stride[a] - 2 * s->padding[a] + s->dilation[a] * (s->kernel[a] - 1) + 1;
        s->in[a] = size + options->output_padding[own];
        assert(s->in[a] >= 0);
    }
    return form;
}

static Tensor *case_leaf(Random *random, const Case *sample, int64_t first, int64_t second, const int64_t *spatial)
{
    int64_t shape[TENSOR_MAX_RANK] = {first, second};
    memcpy(shape + 2, spatial, (size_t)sample->axes * sizeof *spatial);
    return sample_leaf(random, -1, 1, sample->axes + 2, shape);
}

static void case_out(const Case *sample, int64_t *out)
{
    const ConvolutionOptions *o = &sample->options;
    for (int a = 0; a < sample->axes; a++)
        out[a] = convolution_size(sample->in[a], sample->kernel[a], o->stride[a], o->padding[a], o->dilation[a]);
}

static Tensor *case_weight(Random *random, const Case *sample)
{
    int64_t in = sample->in_channels / sample->options.groups;
    return case_leaf(random, sample, sample->out_channels, in, sample->kernel);
}

/* Variants from CASES on: without bias. */
static const Case *case_of(int variant)
{
    return &cases[variant % CASES];
}

/* ---- Convolution ---- */

static void backward_convolution(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Form *form = node->attributes;
    if (op_wants(node, 0))
        gradients[0] = convolution_transposed(form, gradient, node->inputs[1], NULL);
    if (op_wants(node, 1))
        gradients[1] = convolution_weight_gradient(form, node->inputs[0], gradient);
    if (op_wants(node, 2))
        gradients[2] = convolution_bias_gradient(gradient);
}

static int sample_convolution(Random *random, int variant, Tensor **inputs)
{
    const Case *sample = case_of(variant);
    inputs[0] = case_leaf(random, sample, sample->batch, sample->in_channels, sample->in);
    inputs[1] = case_weight(random, sample);
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(sample->out_channels));
    return variant < CASES ? 3 : 2;
}

static Tensor *apply_convolution(Tensor **inputs, int variant)
{
    return t_convolution(inputs[0], inputs[1], variant < CASES ? inputs[2] : NULL, &case_of(variant)->options);
}

const OperationDef operation_convolution = {
    .component = {.name = "convolution", .summary = "sums of a weighted neighbourhood, in 1 to 3 dimensions"},
    .backward = backward_convolution, .variants = CASES + 1, .inputs = sample_convolution, .apply = apply_convolution,
};

static Tensor *forward(const Form *form, Tensor *x, Tensor *weight, Tensor *bias)
{
    const ConvolutionShape *s = &form->shape;
    Tensor *result = convolution_tensor(form, x->type, s->batch, s->out_channels, s->out);
    if (x->type == ARRAY_F32) {
        convolution_forward(s, tensor_f32(x), tensor_f32(weight), bias ? tensor_f32(bias) : NULL, NULL,
                            tensor_f32(result), tape_arena());
    } else {
        convolution_start(result, bias);
        double_convolution_forward(s, tensor_f64(x), tensor_f64(weight), tensor_f64(result));
    }
    op_record(&operation_convolution, result, bias ? 3 : 2, (Tensor *[]){x, weight, bias}, form, sizeof *form);
    return result;
}

Tensor *t_convolution(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options)
{
    Form form = convolution_form(x, weight, options);
    assert(!bias || (bias->type == x->type && bias->count == form.shape.out_channels));
    return forward(&form, x, weight, bias);
}

/* ---- Transposed convolution ---- */

static void backward_transposed(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Form *form = node->attributes;
    if (op_wants(node, 0))
        gradients[0] = forward(form, gradient, node->inputs[1], NULL);
    if (op_wants(node, 1))
        gradients[1] = convolution_weight_gradient(form, gradient, node->inputs[0]);
    if (op_wants(node, 2))
        gradients[2] = convolution_bias_gradient(gradient);
}

static int sample_transposed(Random *random, int variant, Tensor **inputs)
{
    const Case *sample = case_of(variant);
    int64_t out[3];
    case_out(sample, out);
    inputs[0] = case_leaf(random, sample, sample->batch, sample->out_channels, out);
    inputs[1] = case_weight(random, sample);
    inputs[2] = sample_leaf(random, -1, 1, SHAPE(sample->in_channels));
    return variant < CASES ? 3 : 2;
}

static Tensor *apply_transposed(Tensor **inputs, int variant)
{
    Tensor *bias = variant < CASES ? inputs[2] : NULL;
    return t_convolution_transposed(inputs[0], inputs[1], bias, &case_of(variant)->options);
}

const OperationDef operation_convolution_transposed = {
    .component = {.name = "convolution_transposed", .summary = "the transpose of a convolution"},
    .backward = backward_transposed, .variants = CASES + 1, .inputs = sample_transposed, .apply = apply_transposed,
};

Tensor *convolution_transposed(const Form *form, Tensor *y, Tensor *weight, Tensor *bias)
{
    const ConvolutionShape *s = &form->shape;
    Tensor *result = convolution_tensor(form, y->type, s->batch, s->in_channels, s->in);
    if (y->type == ARRAY_F32) {
        convolution_data(s, tensor_f32(y), NULL, tensor_f32(weight), bias ? tensor_f32(bias) : NULL,
                         tensor_f32(result), tape_arena());
    } else {
        convolution_start(result, bias);
        double_convolution_data(s, tensor_f64(y), tensor_f64(weight), tensor_f64(result));
    }
    op_record(&operation_convolution_transposed, result, bias ? 3 : 2, (Tensor *[]){y, weight, bias}, form,
              sizeof *form);
    return result;
}

Tensor *t_convolution_transposed(Tensor *x, Tensor *weight, Tensor *bias, const ConvolutionOptions *options)
{
    Form form = transposed_form(x, weight, options);
    assert(!bias || (bias->type == x->type && bias->count == form.shape.in_channels));
    return convolution_transposed(&form, x, weight, bias);
}

/* ---- Weight gradient ---- */

static void backward_weight_gradient(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Form *form = node->attributes;
    if (op_wants(node, 0))
        gradients[0] = convolution_transposed(form, node->inputs[1], gradient, NULL);
    if (op_wants(node, 1))
        gradients[1] = forward(form, node->inputs[0], gradient, NULL);
}

static int sample_weight_gradient(Random *random, int variant, Tensor **inputs)
{
    const Case *sample = case_of(variant);
    int64_t out[3];
    case_out(sample, out);
    inputs[0] = case_leaf(random, sample, sample->batch, sample->in_channels, sample->in);
    inputs[1] = case_leaf(random, sample, sample->batch, sample->out_channels, out);
    return 2;
}

static Tensor *apply_weight_gradient(Tensor **inputs, int variant)
{
    const Case *sample = case_of(variant);
    int64_t shape[TENSOR_MAX_RANK] = {sample->out_channels, sample->in_channels / sample->options.groups};
    memcpy(shape + 2, sample->kernel, (size_t)sample->axes * sizeof *shape);
    Form form = convolution_form(inputs[0], t_new(inputs[0]->type, sample->axes + 2, shape), &sample->options);
    return convolution_weight_gradient(&form, inputs[0], inputs[1]);
}

const OperationDef operation_convolution_weight = {
    .component = {.name = "convolution_weight", .summary = "the derivative of a convolution by its weight"},
    .backward = backward_weight_gradient, .variants = CASES, .inputs = sample_weight_gradient,
    .apply = apply_weight_gradient,
};

Tensor *convolution_weight_gradient(const Form *form, Tensor *x, Tensor *y)
{
    const ConvolutionShape *s = &form->shape;
    Tensor *result = convolution_tensor(form, x->type, s->out_channels, s->in_channels / s->groups, s->kernel);
    if (x->type == ARRAY_F32) {
        convolution_weight(s, tensor_f32(x), tensor_f32(y), NULL, tensor_f32(result), tape_arena());
    } else {
        zero(result);
        double_convolution_weight(s, tensor_f64(x), tensor_f64(y), tensor_f64(result));
    }
    op_record(&operation_convolution_weight, result, 2, (Tensor *[]){x, y}, form, sizeof *form);
    return result;
}
