#include <math.h>
#include <string.h>

#include "core/train/onnx_layers.h"

static double number_of(const Instance *instance, const char *name)
{
    const Param *param = instance->component->params;
    while (strcmp(param->name, name) != 0)
        param++;
    return *(const double *)((const char *)instance->values + param->offset);
}

static void with_number(OnnxGraph *graph, const char *operation, const char *name, double value)
{
    onnx_node(graph, operation, NULL,
              (const OnnxAttribute[]){{.name = name, .number = (float)value, .is_number = true}, {0}});
}

static void hard_sigmoid(OnnxGraph *graph)
{
    onnx_node(graph, "HardSigmoid", NULL,
              (const OnnxAttribute[]){{.name = "alpha", .number = 1.0f / 6, .is_number = true},
                                      {.name = "beta", .number = 0.5f, .is_number = true},
                                      {0}});
}

/* x Phi(x) = x (1 + erf(x / sqrt 2)) / 2 */
static void gelu(OnnxGraph *graph)
{
    const char *x = graph->value;
    onnx_apply(graph, "Mul", onnx_number(graph, (float)sqrt(0.5)));
    onnx_apply(graph, "Erf", NULL);
    onnx_apply(graph, "Add", onnx_number(graph, 1));
    onnx_apply(graph, "Mul", x);
    onnx_apply(graph, "Mul", onnx_number(graph, 0.5f));
}

static void gelu_tanh(OnnxGraph *graph)
{
    const char *x = graph->value;
    onnx_apply(graph, "Mul", x);
    onnx_apply(graph, "Mul", x);
    onnx_apply(graph, "Mul", onnx_number(graph, 0.044715f));
    onnx_apply(graph, "Add", x);
    onnx_apply(graph, "Mul", onnx_number(graph, (float)sqrt(2 / M_PI)));
    onnx_apply(graph, "Tanh", NULL);
    onnx_apply(graph, "Add", onnx_number(graph, 1));
    onnx_apply(graph, "Mul", x);
    onnx_apply(graph, "Mul", onnx_number(graph, 0.5f));
}

static void silu(OnnxGraph *graph)
{
    const char *x = graph->value;
    onnx_apply(graph, "Sigmoid", NULL);
    onnx_apply(graph, "Mul", x);
}

/* Elements [begin, end) of the last axis of `x`. */
static const char *slice(OnnxGraph *graph, const char *x, int rank, int64_t begin, int64_t end)
{
    int64_t axis = rank - 1;
    graph->value = x;
    onnx_node(graph, "Slice",
              (const char *const[4]){onnx_integers(graph, 1, &begin), onnx_integers(graph, 1, &end),
                                     onnx_integers(graph, 1, &axis)},
              NULL);
    return graph->value;
}

/* The first half gates the second. */
static void gated(OnnxGraph *graph, int rank, int64_t last, void (*function)(OnnxGraph *))
{
    const char *x = graph->value, *second = slice(graph, x, rank, last / 2, last);
    slice(graph, x, rank, 0, last / 2);
    function(graph);
    onnx_apply(graph, "Mul", second);
}

/* Activations that are one operation with the standard's defaults. */
static const char *plain_operation(const char *name)
{
    static const char *const rows[][2] = {
        {"relu", "Relu"},         {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"},
        {"softplus", "Softplus"}, {"selu", "Selu"}, {"identity", "Identity"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i][0], name) == 0)
            return rows[i][1];
    return NULL;
}

/* Those that use their argument twice. */
static bool add_composed(OnnxGraph *graph, const char *name)
{
    const char *x = graph->value;
    if (strcmp(name, "hard_swish") == 0) {
        hard_sigmoid(graph);
        onnx_apply(graph, "Mul", x);
    } else if (strcmp(name, "mish") == 0) {
        onnx_apply(graph, "Softplus", NULL);
        onnx_apply(graph, "Tanh", NULL);
        onnx_apply(graph, "Mul", x);
    } else if (strcmp(name, "squared_relu") == 0) {
        onnx_apply(graph, "Relu", NULL);
        onnx_apply(graph, "Mul", graph->value);
    } else if (strcmp(name, "relu6") == 0) {
        onnx_node(graph, "Clip", (const char *const[4]){onnx_number(graph, 0), onnx_number(graph, 6)}, NULL);
    } else {
        return false;
    }
    return true;
}

bool onnx_add_activation(OnnxGraph *graph, const Instance *activation, int rank, int64_t last)
{
    static const struct {
        const char *name;
        void (*add)(OnnxGraph *);
    } rows[] = {
        {"gelu", gelu},
        {"gelu_tanh", gelu_tanh},
        {"silu", silu},
        {"hard_sigmoid", hard_sigmoid},
    };
    const char *name = activation->component->name, *operation = plain_operation(name);
    if (operation)
        onnx_apply(graph, operation, NULL);
    else if (strcmp(name, "elu") == 0)
        with_number(graph, "Elu", "alpha", number_of(activation, "alpha"));
    else if (strcmp(name, "leaky_relu") == 0)
        with_number(graph, "LeakyRelu", "alpha", number_of(activation, "slope"));
    else if (strcmp(name, "swiglu") == 0)
        gated(graph, rank, last, silu);
    else if (strcmp(name, "geglu") == 0)
        gated(graph, rank, last, gelu);
    else if (!add_composed(graph, name)) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (strcmp(rows[i].name, name) == 0) {
                rows[i].add(graph);
                return true;
            }
        return false;
    }
    return true;
}
