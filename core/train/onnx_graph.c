#include "core/train/onnx_graph.h"

#include <string.h>

/* Field numbers of onnx.proto. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OPERATION = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEMENT = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIMENSION = 1,
    DIMENSION_VALUE = 1,
    DIMENSION_PARAMETER = 2,
};
enum { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };
enum { IS_FLOAT = 1, IS_INT = 2, IS_INTS = 7 };
enum { IR_VERSION = 7, OPSET = 13 };

static void add_attribute(Protobuf *node, const OnnxAttribute *attribute)
{
    Protobuf part = {0};
    protobuf_string(&part, ATTRIBUTE_NAME, attribute->name);
    if (attribute->is_number)
        protobuf_float(&part, ATTRIBUTE_FLOAT, attribute->number);
    else if (attribute->count == 0)
        protobuf_integer(&part, ATTRIBUTE_INT, attribute->integer);
    for (int i = 0; i < attribute->count; i++)
        protobuf_integer(&part, ATTRIBUTE_INTS, attribute->integers[i]);
    protobuf_integer(&part, ATTRIBUTE_TYPE, attribute->is_number ? IS_FLOAT : attribute->count ? IS_INTS : IS_INT);
    protobuf_message(node, NODE_ATTRIBUTE, &part);
}

void onnx_node(OnnxGraph *graph, const char *operation, const char *const inputs[4], const OnnxAttribute *attributes)
{
    Protobuf node = {0};
    const char *result = graph->result ? graph->result : arena_format(graph->arena, "v%d", graph->names++);
    graph->result = NULL;
    protobuf_string(&node, NODE_INPUT, graph->value);
    for (int i = 0; inputs && i < 4 && inputs[i]; i++)
        protobuf_string(&node, NODE_INPUT, inputs[i]);
    protobuf_string(&node, NODE_OUTPUT, result);
    protobuf_string(&node, NODE_NAME, result);
    protobuf_string(&node, NODE_OPERATION, operation);
    for (; attributes && attributes->name; attributes++)
        add_attribute(&node, attributes);
    protobuf_message(&graph->body, GRAPH_NODE, &node);
    graph->value = result;
}

void onnx_apply(OnnxGraph *graph, const char *operation, const char *second)
{
    onnx_node(graph, operation, (const char *const[4]){second}, NULL);
}

static const char *add_tensor(OnnxGraph *graph, const char *name, int type, int rank, const int64_t *shape,
                              const void *data, size_t size)
{
    Protobuf tensor = {0};
    name = name ? name : arena_format(graph->arena, "c%d", graph->names++);
    for (int i = 0; i < rank; i++)
        protobuf_integer(&tensor, TENSOR_DIMS, shape[i]);
    protobuf_integer(&tensor, TENSOR_TYPE, type);
    protobuf_string(&tensor, TENSOR_NAME, name);
    protobuf_bytes(&tensor, TENSOR_RAW, data, size);
    protobuf_message(&graph->body, GRAPH_INITIALIZER, &tensor);
    return name;
}

const char *onnx_floats(OnnxGraph *graph, const char *name, int rank, const int64_t *shape, const float *values)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)shape[i];
    return add_tensor(graph, name, ELEMENT_FLOAT, rank, shape, values, count * sizeof *values);
}

const char *onnx_integers(OnnxGraph *graph, int64_t count, const int64_t *values)
{
    return add_tensor(graph, NULL, ELEMENT_INT64, 1, &count, values, (size_t)count * sizeof *values);
}

const char *onnx_number(OnnxGraph *graph, float value)
{
    return onnx_floats(graph, NULL, 0, NULL, &value);
}

void onnx_value(OnnxGraph *graph, int field, const char *name, int rank, const int64_t *shape)
{
    Protobuf sizes = {0}, tensor = {0}, type = {0}, value = {0};
    for (int i = 0; i < rank; i++) {
        Protobuf dimension = {0};
        if (shape[i] < 0)
            protobuf_string(&dimension, DIMENSION_PARAMETER, "N");
        else
            protobuf_integer(&dimension, DIMENSION_VALUE, shape[i]);
        protobuf_message(&sizes, SHAPE_DIMENSION, &dimension);
    }
    protobuf_integer(&tensor, TENSOR_TYPE_ELEMENT, ELEMENT_FLOAT);
    protobuf_message(&tensor, TENSOR_TYPE_SHAPE, &sizes);
    protobuf_message(&type, TYPE_TENSOR, &tensor);
    protobuf_string(&value, VALUE_NAME, name);
    protobuf_message(&value, VALUE_TYPE, &type);
    protobuf_message(&graph->body, field, &value);
}

Protobuf onnx_model(OnnxGraph *graph, const char *const *metadata)
{
    Protobuf model = {0}, opset = {0};
    protobuf_string(&graph->body, GRAPH_NAME, "xent");
    protobuf_integer(&model, MODEL_IR_VERSION, IR_VERSION);
    protobuf_string(&model, MODEL_PRODUCER, "xent");
    protobuf_string(&model, MODEL_PRODUCER_VERSION, XENT_VERSION);
    protobuf_message(&model, MODEL_GRAPH, &graph->body);
    protobuf_string(&opset, OPSET_DOMAIN, "");
    protobuf_integer(&opset, OPSET_VERSION, OPSET);
    protobuf_message(&model, MODEL_OPSET, &opset);
    for (; metadata && metadata[0]; metadata += 2) {
        Protobuf entry = {0};
        protobuf_string(&entry, ENTRY_KEY, metadata[0]);
        protobuf_string(&entry, ENTRY_VALUE, metadata[1]);
        protobuf_message(&model, MODEL_METADATA, &entry);
    }
    return model;
}
