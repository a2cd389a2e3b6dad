#include "core/train/export_onnx.h"

#include <string.h>

#include "core/base/file.h"
#include "core/train/onnx_layers.h"

/* Protocol buffers end at 2 GB. */
static const double most_bytes = 2147483647.0;

/* Models whose forward pass is their outermost layers one after the other. */
static bool is_chain(const Model *model)
{
    static const char *const names[] = {"cnn", "mlp", "sequential"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], model->def->component.name) == 0)
            return true;
    return false;
}

/* x - mean, / deviation; of channels (the first axis) where there are three axes, else of the last axis. */
static void normalize(OnnxGraph *graph, const SavedModel *saved)
{
    static const char *const operations[] = {"Sub", "Div"};
    const float *const values[] = {saved->mean, saved->deviation};
    int rank = saved->model->input.shape.rank;
    for (int k = 0; k < 2 && saved->normalized; k++) {
        int64_t shape[] = {saved->normalized, 1, 1, 1};
        onnx_apply(graph, operations[k], onnx_floats(graph, NULL, rank >= 3 ? rank : 1, shape, values[k]));
    }
}

static void turn_back(OnnxGraph *graph, const SavedModel *saved)
{
    static const char *const operations[] = {"Mul", "Add"};
    const double *const values[] = {saved->target_deviation, saved->target_mean};
    for (int k = 0; k < 2 && saved->target_mean; k++) {
        float *row = arena_alloc(graph->arena, (size_t)saved->classes * sizeof *row);
        for (int64_t i = 0; i < saved->classes; i++)
            row[i] = (float)values[k][i];
        onnx_apply(graph, operations[k], onnx_floats(graph, NULL, 1, &saved->classes, row));
    }
}

static bool add_layers(OnnxGraph *graph, const Model *model, Error *error)
{
    for (int index = 0; index < model->layer_count;)
        if (!onnx_add_layer(graph, model, index, &index, error))
            return false;
    return is_chain(model) || fail(error, "model: %s has no translation to ONNX", model->def->component.name);
}

static bool build_graph(OnnxGraph *graph, const SavedModel *saved, Error *error)
{
    const Model *model = saved->model;
    Shape shape = model->input.shape;
    int64_t sizes[TENSOR_MAX_RANK] = {-1};
    double bytes = 0;
    for (int64_t i = 0; i < model->parameters->count; i++)
        bytes += 4.0 * (double)model->parameters->items[i].value->count;
    if (bytes > most_bytes)
        return fail(error, "%g bytes of weights, an ONNX file holds at most 2 GB", bytes);
    const LossDef *loss = (const LossDef *)saved->config->loss.component;
    if (loss_decodes(&saved->config->loss))
        return fail(error, "loss: what %s makes of the model's outputs has no translation to ONNX",
                    loss->component.name);
    for (int i = 0; i < shape.rank; i++)
        sizes[i + 1] = shape.sizes[i];
    graph->value = "input";
    onnx_value(graph, ONNX_INPUT, "input", shape.rank + 1, sizes);
    normalize(graph, saved);
    if (!add_layers(graph, model, error))
        return false;
    turn_back(graph, saved);
    const char *output = graph->result = saved->target_kind == TARGET_VALUES ? "values" : "logits";
    onnx_apply(graph, "Identity", NULL);
    sizes[shape.rank] = model->input.outputs;
    if (!model->input.per_position)
        sizes[1] = model->input.outputs;
    onnx_value(graph, ONNX_OUTPUT, output, model->input.per_position ? shape.rank + 1 : 2, sizes);
    return true;
}

static const char *class_names(const SavedModel *saved, Arena *arena)
{
    cJSON *list = cJSON_CreateArray();
    for (int64_t i = 0; i < saved->classes; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(saved->class_names[i]));
    char *text = cJSON_PrintUnformatted(list);
    const char *result = arena_string(arena, text);
    cJSON_free(text);
    cJSON_Delete(list);
    return result;
}

bool export_onnx(const SavedModel *saved, const char *path, Error *error)
{
    OnnxGraph graph = {.arena = arena_new()};
    bool good = build_graph(&graph, saved, error) || fail_at(error, "%s", saved->path);
    if (good) {
        const char *metadata[] = {saved->class_names ? "class_names" : NULL,
                                  saved->class_names ? class_names(saved, graph.arena) : NULL, NULL};
        Protobuf model = onnx_model(&graph, metadata);
        good = file_write(path, model.bytes, model.size, error);
        protobuf_free(&model);
    }
    protobuf_free(&graph.body);
    arena_free(graph.arena);
    return good;
}
