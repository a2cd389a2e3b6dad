/* Trained models as ONNX (opset 13): chains of linear, convolutional, pooling, normalising and residual layers. */
#ifndef XENT_TRAIN_EXPORT_ONNX_H
#define XENT_TRAIN_EXPORT_ONNX_H

#include "core/train/saved.h"

/* Input "input" [N, shape...] f32, not normalised (bytes of images as 0..1): the graph normalises. Output "logits"
   [N, classes], of a regression "values", turned back. The names of classes are in the metadata "class_names".
   A layer that has no translation is an error (exit 1) that names it. Atomic. */
bool export_onnx(const SavedModel *saved, const char *path, Error *error);

#endif
