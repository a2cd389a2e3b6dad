/* Pooling over the spatial axes of [channels, sizes...]. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

static const Param params[] = {
    PARAM_INTS(struct pool, kernel, "[2]", .min = 1, .max = 1e4, .min_count = 1,
               .help = "size along each axis; one for all"),
    PARAM_INTS(struct pool, stride, "[]", .min = 1, .max = 1e4, .help = "step along each axis; empty: the kernel"),
    PARAM_INTS(struct pool, padding, "[0]", .min = 0, .max = 1e4, .min_count = 1,
               .help = "on both sides of each axis; one for all"),
    PARAM_END};

static bool spatial(Builder *builder, const Layer *layer)
{
    if (layer->input.vocabulary || layer->input.rank < 2 || layer->input.rank > 4)
        return builder_fail(builder, "%s needs [channels, 1 to 3 sizes], got %s", layer->def->component.name,
                            shape_text(builder->arena, layer->input));
    return true;
}

static int64_t entry(IntList list, int i)
{
    return list.items[list.count == 1 ? 0 : i];
}

static bool build(Builder *builder, Layer *layer)
{
    const struct pool *self = layer->values;
    PoolingOptions *options = layer->state = arena_zero(builder->arena, 1, sizeof *options);
    if (!spatial(builder, layer))
        return false;
    int axes = layer->input.rank - 1;
    const struct { const char *key; IntList list; } lists[] = {
        {"kernel", self->kernel}, {"stride", self->stride}, {"padding", self->padding}};
    for (int i = 0; i < 3; i++)
        if (lists[i].list.count > 1 && lists[i].list.count != axes)
            return builder_fail(builder, "%s has %lld numbers for %d spatial axes", lists[i].key,
                                (long long)lists[i].list.count, axes);
    for (int i = 0; i < axes; i++) {
        options->kernel[i] = entry(self->kernel, i);
        options->stride[i] = self->stride.count ? entry(self->stride, i) : options->kernel[i];
        options->padding[i] = entry(self->padding, i);
        if (2 * options->padding[i] > options->kernel[i])
            return builder_fail(builder, "padding %lld is more than half of the kernel %lld",
                                (long long)options->padding[i], (long long)options->kernel[i]);
        int64_t size =
            convolution_size(layer->input.sizes[i + 1], options->kernel[i], options->stride[i], options->padding[i], 1);
        if (size < 1)
            return builder_fail(builder, "a kernel of %lld does not fit the input %s", (long long)options->kernel[i],
                                shape_text(builder->arena, layer->input));
        layer->output.sizes[i + 1] = size;
    }
    return true;
}

static Tensor *forward_max(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return t_max_pool(x, layer->state);
}

bool pools_2x2(const Layer *layer)
{
    if (layer->def != &layer_max_pool)
        return false;
    const PoolingOptions *options = layer->state;
    for (int i = 0; i < layer->input.rank - 1; i++)
        if (options->kernel[i] != 2 || options->stride[i] != 2 || options->padding[i] != 0)
            return false;
    return layer->input.rank == 3;
}

static Tensor *forward_average(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return t_average_pool(x, layer->state);
}

const LayerDef layer_max_pool = {
    .component = {.name = "max_pool",
                  .summary = "largest value of each window",
                  .params = params,
                  .size = sizeof(struct pool)},
    .build = build,
    .forward = forward_max,
    .selects_maxima = true,
};

const LayerDef layer_average_pool = {
    .component = {.name = "average_pool",
                  .summary = "mean of each window",
                  .params = params,
                  .size = sizeof(struct pool)},
    .build = build,
    .forward = forward_average,
};

static bool build_global(Builder *builder, Layer *layer)
{
    if (!spatial(builder, layer))
        return false;
    layer->output = shape_of(1, layer->input.sizes);
    return true;
}

static Tensor *forward_global_average(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)layer, (void)forward;
    return t_mean(t_reshape(x, SHAPE(x->shape[0], x->shape[1], -1)), 2, false);
}

static Tensor *forward_global_max(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)layer, (void)forward;
    return t_max(t_reshape(x, SHAPE(x->shape[0], x->shape[1], -1)), 2, false);
}

const LayerDef layer_global_average_pool = {
    .component = {.name = "global_average_pool", .summary = "mean of each channel"},
    .build = build_global, .forward = forward_global_average,
};

const LayerDef layer_global_max_pool = {
    .component = {.name = "global_max_pool", .summary = "largest value of each channel"},
    .build = build_global, .forward = forward_global_max,
};

static const Param adaptive_params[] = {PARAM_INTS(struct adaptive_pool, size, NULL, .min = 1, .max = 1e4,
                                                   .min_count = 1,
                                                   .help = "size of the output along each axis; one for all"),
                                        PARAM_END};

static bool build_adaptive(Builder *builder, Layer *layer)
{
    const struct adaptive_pool *self = layer->values;
    if (!spatial(builder, layer))
        return false;
    if (self->size.count != 1 && self->size.count != layer->input.rank - 1)
        return builder_fail(builder, "size has %lld numbers for %d spatial axes", (long long)self->size.count,
                            layer->input.rank - 1);
    for (int i = 1; i < layer->input.rank; i++)
        layer->output.sizes[i] = entry(self->size, i - 1);
    return true;
}

static Tensor *forward_adaptive_average(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return t_adaptive_average_pool(x, layer->output.sizes + 1);
}

static Tensor *forward_adaptive_max(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    return t_adaptive_max_pool(x, layer->output.sizes + 1);
}

const LayerDef layer_adaptive_average_pool = {
    .component = {.name = "adaptive_average_pool",
                  .summary = "mean of windows that give a fixed size",
                  .params = adaptive_params,
                  .size = sizeof(struct adaptive_pool)},
    .build = build_adaptive,
    .forward = forward_adaptive_average,
};

const LayerDef layer_adaptive_max_pool = {
    .component = {.name = "adaptive_max_pool",
                  .summary = "largest value of windows that give a fixed size",
                  .params = adaptive_params,
                  .size = sizeof(struct adaptive_pool)},
    .build = build_adaptive,
    .forward = forward_adaptive_max,
};
