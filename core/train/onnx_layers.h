/* Layers and activations as nodes of an ONNX graph. */
#ifndef XENT_TRAIN_ONNX_LAYERS_H
#define XENT_TRAIN_ONNX_LAYERS_H

#include "core/models/model.h"
#include "core/train/onnx_graph.h"

/* The layer at `index` of the model's list, with those in it. *next is the first after them. False: an error that
   names the layer that has no translation. */
bool onnx_add_layer(OnnxGraph *graph, const Model *model, int index, int *next, Error *error);

/* False: there is no translation, and the graph is as it was. `rank` counts the batch axis; `last` is the size of the
   last axis, which gated activations halve. */
bool onnx_add_activation(OnnxGraph *graph, const Instance *activation, int rank, int64_t last);

#endif
