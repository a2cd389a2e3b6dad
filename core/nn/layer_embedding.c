/* Tokens to vectors. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

static const Param params[] = {
    PARAM_REQUIRED(INT, struct embedding, width, .min = 1, .max = 1e6, .help = "size of a vector"), PARAM_END};

static bool build(Builder *builder, Layer *layer)
{
    int64_t width = ((const struct embedding *)layer->values)->width;
    if (!layer->input.vocabulary)
        return builder_fail(builder, "embedding needs tokens, got features %s",
                            shape_text(builder->arena, layer->input));
    if (layer->input.rank >= TENSOR_MAX_RANK - 1)
        return builder_fail(builder, "embedding takes tokens of at most %d axes, got %d", TENSOR_MAX_RANK - 2,
                            layer->input.rank);
    layer->state = builder_weight(builder, "weight", ROLE_EMBEDDING, "normal", SHAPE(layer->input.vocabulary, width));
    layer->output.vocabulary = 0;
    layer->output.sizes[layer->output.rank++] = width;
    return layer->state != NULL;
}

static Tensor *forward(const Layer *layer, Forward *forward_, Tensor *x)
{
    (void)forward_;
    return t_index_select(layer->state, x);
}

const LayerDef layer_embedding = {.component = {.name = "embedding",
                                                .summary = "a trained vector for each token",
                                                .params = params,
                                                .size = sizeof(struct embedding)},
                                  .build = build,
                                  .forward = forward};
