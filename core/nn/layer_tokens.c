/* Layers that let convolutions see tokens. */
#include "core/nn/layers.h"
#include "core/tensor/operations.h"

static bool build_one_hot(Builder *builder, Layer *layer)
{
    if (!layer->input.vocabulary)
        return builder_fail(builder, "one_hot needs tokens, got features %s", shape_text(builder->arena, layer->input));
    if (layer->input.rank >= TENSOR_MAX_RANK - 1)
        return builder_fail(builder, "one_hot takes tokens of at most %d axes, got %d", TENSOR_MAX_RANK - 2,
                            layer->input.rank);
    layer->output.sizes[layer->output.rank++] = layer->input.vocabulary;
    layer->output.vocabulary = 0;
    return true;
}

static Tensor *forward_one_hot(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    int64_t shape[TENSOR_MAX_RANK], vocabulary = layer->input.vocabulary;
    for (int i = 0; i < x->rank; i++)
        shape[i] = x->shape[i];
    shape[x->rank] = vocabulary;
    Tensor *y = t_zeros(ARRAY_F32, x->rank + 1, shape);
    for (int64_t i = 0; i < x->count; i++)
        tensor_f32(y)[i * vocabulary + tensor_i32(x)[i]] = 1;
    return y;
}

const LayerDef layer_one_hot = {
    .component = {.name = "one_hot", .summary = "a vector for each token, 1 at the token and 0 elsewhere"},
    .build = build_one_hot, .forward = forward_one_hot};

static bool build_transpose(Builder *builder, Layer *layer)
{
    int rank = layer->input.rank;
    if (layer->input.vocabulary || rank < 2)
        return builder_fail(builder, "transpose needs features of at least 2 axes, got %s",
                            shape_text(builder->arena, layer->input));
    layer->output.sizes[rank - 1] = layer->input.sizes[rank - 2];
    layer->output.sizes[rank - 2] = layer->input.sizes[rank - 1];
    return true;
}

static Tensor *forward_transpose(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)layer, (void)forward;
    return t_transpose(x);
}

const LayerDef layer_transpose = {
    .component = {.name = "transpose", .summary = "the last two axes change places",
                  .notes = "Between [tokens, width], which embeddings and the head of a model for tokens have, and "
                           "[channels, length], which convolutions take. A convolution over tokens looks ahead: in a "
                           "language model it would see the token that it is to predict."},
    .build = build_transpose, .forward = forward_transpose};
