/* What models that are a chain of layers share: append layers, run them, keep the features. */
#ifndef XENT_MODELS_CHAIN_H
#define XENT_MODELS_CHAIN_H

#include "core/models/model.h"
#include "core/nn/layers.h"

typedef struct Chain {
    Layer **layers;
    int count, room;
    Shape shape;                /* of the last layer's output */
    Builder *builder;
} Chain;

/* An empty chain over `input`; belongs to the builder's arena. */
Chain *chain_new(Builder *builder, Shape input);
/* False after an error. */
bool chain_add(Chain *chain, const char *name, const char *component, const void *values);
bool chain_add_instance(Chain *chain, const char *name, const Instance *instance);
/* A layer already built over the shape so far; false where it is NULL. */
bool chain_append(Chain *chain, Layer *layer);
/* The layer "head", from features to the outputs that the data asks for. */
bool chain_add_head(Chain *chain, ModelInput input);
/* Every layer but the last, then the last; forward->features is set between. */
Tensor *chain_forward(const Chain *chain, Forward *forward, Tensor *x);
Tensor *chain_features(const Chain *chain, Forward *forward, Tensor *x);

#endif
