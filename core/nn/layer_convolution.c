/* Convolution over one to three spatial axes; the input's rank says how many. */
#include "core/nn/layers.h"
#include "core/nn/quantized.h"
#include "core/tensor/operations.h"

struct convolution_state { Tensor *weight, *bias; ConvolutionOptions options; };

#define CONVOLUTION_PARAMS(same_default)                                                                               \
    {                                                                                                                  \
        PARAM_REQUIRED(INT, struct convolution, channels, .min = 1, .max = 1e6, .help = "number of output channels"),  \
            PARAM_INTS(struct convolution, kernel, "[3]", .min = 1, .max = 1e4, .min_count = 1,                        \
                       .help = "size along each spatial axis; one for all"),                                           \
            PARAM_INTS(struct convolution, stride, "[1]", .min = 1, .max = 1e4, .min_count = 1,                        \
                       .help = "step along each axis; one for all"),                                                   \
            PARAM_INTS(struct convolution, padding, "[0]", .min = 0, .max = 1e4, .min_count = 1,                       \
                       .help = "zeros on both sides of each axis; one for all"),                                       \
            PARAM_INTS(struct convolution, dilation, "[1]", .min = 1, .max = 1e4, .min_count = 1,                      \
                       .help = "distance of taps; one for all"),                                                       \
            PARAM_INT(struct convolution, groups, 1, .min = 1, .max = 1e6,                                             \
                      .help = "groups of channels; as many as channels: depthwise"),                                   \
            PARAM_BOOL(struct convolution, bias, true, .help = "add a value to each channel"),                         \
            PARAM_ROW(PARAM_TYPE_BOOL, struct convolution, same, same_default,                                         \
                      .help = "pad so that stride 1 keeps the size; padding is ignored"),                              \
            PARAM_END                                                                                                  \
    }
static const Param params[] = CONVOLUTION_PARAMS("true");
static const Param transposed_params[] = CONVOLUTION_PARAMS("false");

/* One number stands for all axes. */
static bool spread(Builder *builder, const char *key, IntList list, int axes, int64_t *out)
{
    if (list.count != 1 && list.count != axes)
        return builder_fail(builder, "%s has %lld numbers for %d spatial axes", key, (long long)list.count, axes);
    for (int i = 0; i < axes; i++)
        out[i] = list.items[list.count == 1 ? 0 : i];
    return true;
}

static bool read_options(Builder *builder, Layer *layer, ConvolutionOptions *options, int64_t *kernel)
{
    const struct convolution *self = layer->values;
    int axes = layer->input.rank - 1;
    if (layer->input.vocabulary || axes < 1 || axes > 3)
        return builder_fail(builder, "%s needs [channels, 1 to 3 sizes], got %s", layer->def->component.name,
                            shape_text(builder->arena, layer->input));
    if (!spread(builder, "kernel", self->kernel, axes, kernel) ||
        !spread(builder, "stride", self->stride, axes, options->stride) ||
        !spread(builder, "padding", self->padding, axes, options->padding) ||
        !spread(builder, "dilation", self->dilation, axes, options->dilation))
        return false;
    options->groups = self->groups;
    if (layer->input.sizes[0] % self->groups || self->channels % self->groups)
        return builder_fail(builder, "groups %lld does not divide %lld input and %lld output channels",
                            (long long)self->groups, (long long)layer->input.sizes[0], (long long)self->channels);
    for (int i = 0; i < axes && self->same; i++) {
        if (kernel[i] % 2 == 0)
            return builder_fail(builder, "\"same\" needs an odd kernel, got %lld", (long long)kernel[i]);
        options->padding[i] = options->dilation[i] * (kernel[i] - 1) / 2;
    }
    return true;
}

/* The weight, the bias, and the flops of a kernel of shape[2..] at each place of `swept`. */
static bool build_kernel(Builder *builder, Layer *layer, const int64_t *shape, const Shape *swept)
{
    const struct convolution *self = layer->values;
    struct convolution_state *state = layer->state;
    int axes = layer->input.rank - 1;
    state->weight = builder_weight(builder, "weight", ROLE_WEIGHT, "kaiming_uniform", 2 + axes, shape);
    if (self->bias)
        state->bias = builder_constant(builder, "bias", ROLE_BIAS, 0, SHAPE(self->channels));
    layer->flops = 2.0 * (double)shape[1] * (double)shape_count(*swept);
    for (int i = 0; i < axes; i++)
        layer->flops *= (double)shape[i + 2];
    return state->weight && (state->bias || !self->bias);
}

static bool build(Builder *builder, Layer *layer)
{
    const struct convolution *self = layer->values;
    struct convolution_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    const ConvolutionOptions *options = &state->options;
    int64_t shape[5] = {self->channels, layer->input.sizes[0] / self->groups};
    if (!read_options(builder, layer, &state->options, shape + 2))
        return false;
    layer->output.sizes[0] = self->channels;
    for (int i = 0; i < layer->input.rank - 1; i++) {
        int64_t size = convolution_size(layer->input.sizes[i + 1], shape[i + 2], options->stride[i],
                                        options->padding[i], options->dilation[i]);
        if (size < 1)
            return builder_fail(builder, "a kernel of %lld does not fit the input %s", (long long)shape[i + 2],
                                shape_text(builder->arena, layer->input));
        layer->output.sizes[i + 1] = size;
    }
    return build_kernel(builder, layer, shape, &layer->output);
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    const struct convolution_state *state = layer->state;
    if (quantized_runs(layer))
        return quantized_convolution(layer, x, state->bias, state->weight->shape + 2, &state->options);
    return t_convolution(x, state->weight, state->bias, &state->options);
}

static Tensor *forward_fused(const Layer *layer, Tensor *x, bool pooled, bool rectified)
{
    const struct convolution_state *state = layer->state;
    if (quantized_runs(layer) || (pooled && layer->output.rank != 3))
        return NULL;
    return pooled ? t_convolution_max_pool(x, state->weight, state->bias, &state->options, rectified)
                  : t_convolution_relu(x, state->weight, state->bias, &state->options);
}

const LayerDef layer_convolution = {
    .component = {.name = "convolution",
                  .summary = "convolution over one to three axes",
                  .params = params,
                  .size = sizeof(struct convolution)},
    .build = build,
    .forward = forward,
    .forward_fused = forward_fused,
    .quantizable = true,
};

static bool build_transposed(Builder *builder, Layer *layer)
{
    const struct convolution *self = layer->values;
    struct convolution_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    const ConvolutionOptions *options = &state->options;
    int64_t shape[5] = {layer->input.sizes[0], self->channels / self->groups};
    if (!read_options(builder, layer, &state->options, shape + 2))
        return false;
    layer->output.sizes[0] = self->channels;
    for (int i = 0; i < layer->input.rank - 1; i++) {
        int64_t size = (layer->input.sizes[i + 1] - 1) * options->stride[i] - 2 * options->padding[i]
                       + options->dilation[i] * (shape[i + 2] - 1) + 1;
        if (size < 1)
            return builder_fail(builder, "padding leaves nothing of the input %s",
                                shape_text(builder->arena, layer->input));
        layer->output.sizes[i + 1] = size;
    }
    return build_kernel(builder, layer, shape, &layer->input);
}

static Tensor *forward_transposed(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    const struct convolution_state *state = layer->state;
    return t_convolution_transposed(x, state->weight, state->bias, &state->options);
}

const LayerDef layer_convolution_transposed = {
    .component = {.name = "convolution_transposed", .summary = "transpose of a convolution, for upsampling",
                  .params = transposed_params, .size = sizeof(struct convolution)},
    .build = build_transposed, .forward = forward_transposed,
};
