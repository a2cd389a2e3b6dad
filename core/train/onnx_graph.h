/* An ONNX graph being put together, node after node (onnx.proto, IR version 7, opset 13). */
#ifndef XENT_TRAIN_ONNX_GRAPH_H
#define XENT_TRAIN_ONNX_GRAPH_H

#include <stdbool.h>

#include "core/base/memory.h"
#include "core/train/protobuf.h"

typedef struct OnnxGraph {
    Arena *arena;       /* of names */
    Protobuf body;      /* GraphProto */
    const char *value;  /* name of what the last node gave */
    const char *result; /* what the next node's result is called; NULL: a name is made */
    int names;          /* made so far */
} OnnxGraph;

/* An attribute of a node; ends with name NULL. `count` 0: the one integer or the number. */
typedef struct OnnxAttribute {
    const char *name;
    int count;
    const int64_t *integers;
    int64_t integer;
    float number;
    bool is_number;
} OnnxAttribute;

/* A node of graph->value and up to four further inputs (NULL: no more); its result becomes graph->value. */
void onnx_node(OnnxGraph *graph, const char *operation, const char *const inputs[4], const OnnxAttribute *attributes);
/* The same without attributes. */
void onnx_apply(OnnxGraph *graph, const char *operation, const char *second);
/* A constant under a name of its own (NULL: one is made), f32 or int64; returns the name. */
const char *onnx_floats(OnnxGraph *graph, const char *name, int rank, const int64_t *shape, const float *values);
const char *onnx_integers(OnnxGraph *graph, int64_t count, const int64_t *values);
const char *onnx_number(OnnxGraph *graph, float value);
/* An f32 input (field 11) or output (field 12) of the graph; -1 in shape: the axis "N". */
enum { ONNX_INPUT = 11, ONNX_OUTPUT = 12 };
void onnx_value(OnnxGraph *graph, int field, const char *name, int rank, const int64_t *shape);
/* ModelProto around the graph, whose body it takes over; metadata are pairs of key and value, ending with NULL. */
Protobuf onnx_model(OnnxGraph *graph, const char *const *metadata);

#endif
