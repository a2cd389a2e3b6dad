#include "core/train/onnx_layers.h"

#include <string.h>

#include "core/nn/layers.h"

typedef struct Emitting {
    OnnxGraph *graph;
    const Model *model;
    const Layer *layer;
    int index; /* of the layer in the model's list */
    Error *error;
} Emitting;

static int end_of(const Model *model, int index)
{
    int end = index + 1;
    while (end < model->layer_count && model->layers[end]->depth > model->layers[index]->depth)
        end++;
    return end;
}

/* The parameter `name` of the layer as a constant; NULL: it has none. */
static const char *parameter(const Emitting *e, const char *name)
{
    const char *full = arena_format(e->graph->arena, "%s.%s", e->layer->name, name);
    const Parameter *found = parameters_find(e->model->parameters, full);
    return found ? onnx_floats(e->graph, full, found->value->rank, found->value->shape, tensor_f32(found->value))
                 : NULL;
}

/* Gemm is for matrices; over more axes the weight is turned round for MatMul. */
static bool add_linear(const Emitting *e)
{
    OnnxGraph *graph = e->graph;
    if (e->layer->input.rank == 1) {
        const char *weight = parameter(e, "weight");
        onnx_node(graph, "Gemm", (const char *const[4]){weight, parameter(e, "bias")},
                  (const OnnxAttribute[]){{.name = "transB", .integer = 1}, {0}});
        return true;
    }
    const char *x = graph->value;
    graph->value = parameter(e, "weight");
    onnx_node(graph, "Transpose", NULL,
              (const OnnxAttribute[]){{.name = "perm", .count = 2, .integers = (const int64_t[]){1, 0}}, {0}});
    const char *weight = graph->value, *bias = parameter(e, "bias");
    graph->value = x;
    onnx_apply(graph, "MatMul", weight);
    if (bias)
        onnx_apply(graph, "Add", bias);
    return true;
}

static int64_t entry(IntList list, int i)
{
    return list.items[list.count == 1 ? 0 : i];
}

static bool add_convolution(const Emitting *e)
{
    const struct convolution *self = e->layer->values;
    int axes = e->layer->input.rank - 1;
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    for (int i = 0; i < axes; i++) {
        kernel[i] = entry(self->kernel, i);
        stride[i] = entry(self->stride, i);
        dilation[i] = entry(self->dilation, i);
        pads[i] = pads[axes + i] = self->same ? dilation[i] * (kernel[i] - 1) / 2 : entry(self->padding, i);
    }
    const char *weight = parameter(e, "weight");
    bool transposed = strcmp(e->layer->def->component.name, "convolution_transposed") == 0;
    onnx_node(e->graph, transposed ? "ConvTranspose" : "Conv", (const char *const[4]){weight, parameter(e, "bias")},
              (const OnnxAttribute[]){{.name = "kernel_shape", .count = axes, .integers = kernel},
                                      {.name = "strides", .count = axes, .integers = stride},
                                      {.name = "dilations", .count = axes, .integers = dilation},
                                      {.name = "pads", .count = 2 * axes, .integers = pads},
                                      {.name = "group", .integer = self->groups},
                                      {0}});
    return true;
}

static bool add_pool(const Emitting *e)
{
    const struct pool *self = e->layer->values;
    int axes = e->layer->input.rank - 1;
    int64_t kernel[3], stride[3], pads[6];
    for (int i = 0; i < axes; i++) {
        kernel[i] = entry(self->kernel, i);
        stride[i] = self->stride.count ? entry(self->stride, i) : kernel[i];
        pads[i] = pads[axes + i] = entry(self->padding, i);
    }
    bool average = strcmp(e->layer->def->component.name, "average_pool") == 0;
    onnx_node(e->graph, average ? "AveragePool" : "MaxPool", NULL,
              (const OnnxAttribute[]){{.name = "kernel_shape", .count = axes, .integers = kernel},
                                      {.name = "strides", .count = axes, .integers = stride},
                                      {.name = "pads", .count = 2 * axes, .integers = pads},
                                      {0}});
    return true;
}

static bool add_flatten(const Emitting *e)
{
    onnx_node(e->graph, "Flatten", NULL, (const OnnxAttribute[]){{.name = "axis", .integer = 1}, {0}});
    return true;
}

static bool add_global_pool(const Emitting *e)
{
    bool average = strcmp(e->layer->def->component.name, "global_average_pool") == 0;
    onnx_apply(e->graph, average ? "GlobalAveragePool" : "GlobalMaxPool", NULL);
    return add_flatten(e);
}

/* 0 keeps the batch axis. */
static void reshape(OnnxGraph *graph, Shape shape)
{
    int64_t sizes[TENSOR_MAX_RANK] = {0};
    for (int i = 0; i < shape.rank; i++)
        sizes[i + 1] = shape.sizes[i];
    onnx_apply(graph, "Reshape", onnx_integers(graph, shape.rank + 1, sizes));
}

static bool add_reshape(const Emitting *e)
{
    reshape(e->graph, e->layer->output);
    return true;
}

static bool add_nothing(const Emitting *e)
{
    (void)e;
    return true;
}

static bool add_batch_norm(const Emitting *e)
{
    const struct batch_norm *self = e->layer->values;
    const char *inputs[4] = {parameter(e, "weight"), parameter(e, "bias"), parameter(e, "running_mean"),
                             parameter(e, "running_var")};
    onnx_node(e->graph, "BatchNormalization", inputs,
              (const OnnxAttribute[]){{.name = "epsilon", .number = (float)self->epsilon, .is_number = true}, {0}});
    return true;
}

/* Each group is an instance. */
static bool add_group_norm(const Emitting *e)
{
    const struct group_norm *self = e->layer->values;
    OnnxGraph *graph = e->graph;
    Shape input = e->layer->input;
    float *one = arena_zero(graph->arena, (size_t)self->groups, sizeof *one),
          *zero = arena_zero(graph->arena, (size_t)self->groups, sizeof *zero);
    for (int64_t i = 0; i < self->groups; i++)
        one[i] = 1;
    reshape(graph, shape_of(2, (int64_t[]){self->groups, shape_count(input) / self->groups}));
    onnx_node(graph, "InstanceNormalization",
              (const char *const[4]){onnx_floats(graph, NULL, 1, &self->groups, one),
                                     onnx_floats(graph, NULL, 1, &self->groups, zero)},
              (const OnnxAttribute[]){{.name = "epsilon", .number = (float)self->epsilon, .is_number = true}, {0}});
    reshape(graph, input);
    static const char *const names[] = {"weight", "bias"}, *const operations[] = {"Mul", "Add"};
    for (int k = 0; k < 2; k++) {
        const char *x = graph->value;
        int64_t shape[TENSOR_MAX_RANK] = {input.sizes[0], 1, 1, 1, 1};
        graph->value = parameter(e, names[k]);
        onnx_apply(graph, "Reshape", onnx_integers(graph, input.rank, shape));
        const char *factor = graph->value;
        graph->value = x;
        onnx_apply(graph, operations[k], factor);
    }
    return true;
}

/* x / sqrt(mean(x^2) + epsilon) over the last axis. */
static void divide_by_root_mean_square(OnnxGraph *graph, int rank, double epsilon)
{
    const int64_t axis = rank - 1;
    const char *x = graph->value;
    onnx_apply(graph, "Mul", x);
    onnx_node(graph, "ReduceMean", NULL, (const OnnxAttribute[]){{.name = "axes", .count = 1, .integers = &axis}, {0}});
    onnx_apply(graph, "Add", onnx_number(graph, (float)epsilon));
    onnx_apply(graph, "Sqrt", NULL);
    const char *root = graph->value;
    graph->value = x;
    onnx_apply(graph, "Div", root);
}

static bool add_layer_norm(const Emitting *e)
{
    const struct norm *self = e->layer->values;
    OnnxGraph *graph = e->graph;
    const int64_t axis = e->layer->input.rank;
    const char *x = graph->value;
    onnx_node(graph, "ReduceMean", NULL, (const OnnxAttribute[]){{.name = "axes", .count = 1, .integers = &axis}, {0}});
    const char *mean = graph->value;
    graph->value = x;
    onnx_apply(graph, "Sub", mean);
    divide_by_root_mean_square(graph, e->layer->input.rank + 1, self->epsilon);
    onnx_apply(graph, "Mul", parameter(e, "weight"));
    onnx_apply(graph, "Add", parameter(e, "bias"));
    return true;
}

static bool add_rms_norm(const Emitting *e)
{
    divide_by_root_mean_square(e->graph, e->layer->input.rank + 1, ((const struct norm *)e->layer->values)->epsilon);
    onnx_apply(e->graph, "Mul", parameter(e, "weight"));
    return true;
}

static bool add_activation_of(const Emitting *e, const Instance *activation, Shape shape)
{
    if (onnx_add_activation(e->graph, activation, shape.rank + 1, shape.rank ? shape.sizes[shape.rank - 1] : 1))
        return true;
    return fail(e->error, "layer %s: the activation %s has no translation to ONNX", e->layer->name,
                activation->component->name);
}

static bool add_activation(const Emitting *e)
{
    return add_activation_of(e, &((const struct activation_layer *)e->layer->values)->activation, e->layer->input);
}

/* The layers within, one after the other; a residual's shortcut, which is the last of them, apart. */
static bool add_children(const Emitting *e, int end)
{
    for (int index = e->index + 1; index < end;)
        if (!onnx_add_layer(e->graph, e->model, index, &index, e->error))
            return false;
    return true;
}

static bool add_chain(const Emitting *e)
{
    return add_children(e, end_of(e->model, e->index));
}

static int find_shortcut(const Emitting *e, int end)
{
    const char *name = arena_format(e->graph->arena, "%s.shortcut", e->layer->name);
    for (int i = e->index + 1; i < end; i++)
        if (e->model->layers[i]->depth == e->layer->depth + 1 && strcmp(e->model->layers[i]->name, name) == 0)
            return i;
    return end;
}

static bool add_residual(const Emitting *e)
{
    int end = end_of(e->model, e->index), shortcut = find_shortcut(e, end), next;
    const char *x = e->graph->value;
    if (!add_children(e, shortcut))
        return false;
    const char *branch = e->graph->value;
    e->graph->value = x;
    if (shortcut < end && !onnx_add_layer(e->graph, e->model, shortcut, &next, e->error))
        return false;
    onnx_apply(e->graph, "Add", branch);
    return true;
}

static bool add_feed_forward(const Emitting *e)
{
    int down;
    if (!onnx_add_layer(e->graph, e->model, e->index + 1, &down, e->error) ||
        !add_activation_of(e, &((const struct feed_forward *)e->layer->values)->activation,
                           e->model->layers[e->index + 1]->output))
        return false;
    return onnx_add_layer(e->graph, e->model, down, &down, e->error);
}

static const struct {
    const char *type;
    bool (*add)(const Emitting *);
} translations[] = {
    {"activation", add_activation},
    {"average_pool", add_pool},
    {"batch_norm", add_batch_norm},
    {"chain", add_chain},
    {"convolution", add_convolution},
    {"convolution_transposed", add_convolution},
    {"drop_path", add_nothing},
    {"dropout", add_nothing},
    {"feed_forward", add_feed_forward},
    {"flatten", add_flatten},
    {"global_average_pool", add_global_pool},
    {"global_max_pool", add_global_pool},
    {"group_norm", add_group_norm},
    {"layer_norm", add_layer_norm},
    {"linear", add_linear},
    {"max_pool", add_pool},
    {"reshape", add_reshape},
    {"residual", add_residual},
    {"rms_norm", add_rms_norm},
};

bool onnx_add_layer(OnnxGraph *graph, const Model *model, int index, int *next, Error *error)
{
    const Layer *layer = model->layers[index];
    Emitting e = {graph, model, layer, index, error};
    *next = end_of(model, index);
    for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
        if (strcmp(translations[i].type, layer->def->component.name) == 0)
            return translations[i].add(&e);
    return fail(error, "layer %s: %s has no translation to ONNX", layer->name, layer->def->component.name);
}
