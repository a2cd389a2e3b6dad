/* Layers without parameters of their own. */
#include "core/nn/activation.h"
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

static bool build_flatten(Builder *builder, Layer *layer)
{
    if (layer->input.vocabulary)
        return builder_fail(builder, "flatten needs features, got tokens");
    layer->output = shape_of(1, (int64_t[]){shape_count(layer->input)});
    return true;
}

static Tensor *forward_flatten(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return t_reshape(x, SHAPE(x->shape[0], layer->output.sizes[0]));
}

const LayerDef layer_flatten = {.component = {.name = "flatten", .summary = "all axes into one"},
                                .build = build_flatten,
                                .forward = forward_flatten};

static const Param activation_params[] = {
    PARAM_COMPONENT(struct activation_layer, activation, "\"relu\"", "activation", .help = "which"), PARAM_END};

static bool build_activation(Builder *builder, Layer *layer)
{
    const struct activation_layer *self = layer->values;
    if (layer->input.vocabulary)
        return builder_fail(builder, "activation needs features, got tokens");
    if (activation_is_gated(&self->activation)) {
        int last = layer->input.rank - 1;
        if (last < 0 || layer->input.sizes[last] % 2)
            return builder_fail(builder, "%s needs an even last axis, got %s", self->activation.component->name,
                                shape_text(builder->arena, layer->input));
        layer->output.sizes[last] /= 2;
    }
    return true;
}

static Tensor *forward_activation(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return activation_apply(&((const struct activation_layer *)layer->values)->activation, x);
}

const LayerDef layer_activation = {.component = {.name = "activation",
                                                 .summary = "an activation",
                                                 .params = activation_params,
                                                 .size = sizeof(struct activation_layer)},
                                   .build = build_activation,
                                   .forward = forward_activation};

static const Param dropout_params[] = {
    PARAM_FLOAT(struct dropout, rate, 0.5, .min = 0, .max = 0.999, .help = "share of values set to zero in training"),
    PARAM_END};

static bool build_dropout(Builder *builder, Layer *layer)
{
    return !layer->input.vocabulary ||
           builder_fail(builder, "%s needs features, got tokens", layer->def->component.name);
}

static Tensor *forward_dropout(const Layer *layer, Forward *forward, Tensor *x)
{
    double rate = ((const struct dropout *)layer->values)->rate;
    return forward->training && rate > 0 ? t_dropout(x, rate, TENSOR_MAX_RANK, forward_random(forward)) : x;
}

const LayerDef layer_dropout = {.component = {.name = "dropout",
                                              .summary = "zeroes values at random in training",
                                              .params = dropout_params,
                                              .size = sizeof(struct dropout),
                                              .source = "Srivastava et al. 2014"},
                                .build = build_dropout,
                                .forward = forward_dropout};

static Tensor *forward_drop_path(const Layer *layer, Forward *forward, Tensor *x)
{
    double rate = ((const struct dropout *)layer->values)->rate;
    return forward->training && rate > 0 ? t_dropout(x, rate, 1, forward_random(forward)) : x;
}

const LayerDef layer_drop_path = {
    .component = {.name = "drop_path", .summary = "zeroes whole samples at random in training, inside a residual block",
                  .params = dropout_params, .size = sizeof(struct dropout), .source = "arXiv:1603.09382"},
    .build = build_dropout, .forward = forward_drop_path};

static const Param reshape_params[] = {
    PARAM_INTS(struct reshape, shape, NULL, .min = 1, .max = 1e9, .min_count = 1, .help = "sizes of a sample's axes"),
    PARAM_END};

static bool build_reshape(Builder *builder, Layer *layer)
{
    const struct reshape *self = layer->values;
    if (layer->input.vocabulary)
        return builder_fail(builder, "reshape needs features, got tokens");
    if (self->shape.count > TENSOR_MAX_RANK - 1)
        return builder_fail(builder, "reshape gives at most %d axes, got %lld", TENSOR_MAX_RANK - 1,
                            (long long)self->shape.count);
    layer->output = shape_of((int)self->shape.count, self->shape.items);
    int64_t left = shape_count(layer->input);
    for (int i = 0; i < layer->output.rank && left; i++) /* no product of sizes that could overflow */
        left = left % layer->output.sizes[i] ? 0 : left / layer->output.sizes[i];
    if (left != 1)
        return builder_fail(builder, "%s does not hold the %lld values of the input %s",
                            shape_text(builder->arena, layer->output), (long long)shape_count(layer->input),
                            shape_text(builder->arena, layer->input));
    return true;
}

static Tensor *forward_reshape(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    int64_t shape[TENSOR_MAX_RANK] = {x->shape[0]};
    for (int i = 0; i < layer->output.rank; i++)
        shape[i + 1] = layer->output.sizes[i];
    return t_reshape(x, layer->output.rank + 1, shape);
}

const LayerDef layer_reshape = {.component = {.name = "reshape",
                                              .summary = "the same values in another shape",
                                              .params = reshape_params,
                                              .size = sizeof(struct reshape)},
                                .build = build_reshape,
                                .forward = forward_reshape};

static bool build_mean_tokens(Builder *builder, Layer *layer)
{
    if (layer->input.vocabulary || layer->input.rank != 2)
        return builder_fail(builder, "mean_tokens needs [tokens, width], got %s",
                            shape_text(builder->arena, layer->input));
    layer->output = shape_of(1, layer->input.sizes + 1);
    return true;
}

static Tensor *forward_mean_tokens(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)layer, (void)forward;
    return t_mean(x, 1, false);
}

const LayerDef layer_mean_tokens = {
    .component = {.name = "mean_tokens", .summary = "mean over the tokens of [tokens, width]"},
    .build = build_mean_tokens, .forward = forward_mean_tokens};
