#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/file.h"
#include "core/report/evaluation.h"
#include "data/png_image.h"

static void add_figure(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name, json_number9(value));
}

static void add_metrics(cJSON *object, const Evaluation *evaluation)
{
    cJSON *metrics = cJSON_AddObjectToObject(object, "metrics"), *ci = cJSON_AddObjectToObject(object, "ci");
    for (int i = 0; i < evaluation->metric_count; i++) {
        const EvaluationMetric *metric = &evaluation->metrics[i];
        add_figure(metrics, metric->name, metric->value);
        if (isfinite(metric->low) && isfinite(metric->high))
            cJSON_AddItemToObject(ci, metric->name, json_numbers9((double[]){metric->low, metric->high}, 2));
    }
}

static void add_classes(cJSON *object, const Evaluation *evaluation)
{
    if (evaluation->classes)
        cJSON_AddItemToObject(object, "classes", cJSON_CreateStringArray(evaluation->classes, evaluation->class_count));
    if (evaluation->confusion) {
        cJSON *rows = cJSON_AddArrayToObject(object, "confusion");
        for (int i = 0; i < evaluation->class_count; i++)
            cJSON_AddItemToArray(rows,
                                 json_numbers9(evaluation->confusion + (size_t)i * (size_t)evaluation->class_count,
                                               evaluation->class_count));
    }
    cJSON *rows = evaluation->per_class ? cJSON_AddArrayToObject(object, "per_class") : NULL;
    for (int i = 0; rows && i < evaluation->class_count; i++) {
        cJSON *row = cJSON_CreateObject();
        add_figure(row, "precision", evaluation->per_class[i].precision);
        add_figure(row, "recall", evaluation->per_class[i].recall);
        add_figure(row, "f1", evaluation->per_class[i].f1);
        add_figure(row, "support", evaluation->per_class[i].targets);
        cJSON_AddItemToArray(rows, row);
    }
}

static void add_reliability(cJSON *object, const Evaluation *evaluation)
{
    cJSON *rows = evaluation->bin_count ? cJSON_AddArrayToObject(object, "reliability") : NULL;
    for (int i = 0; i < evaluation->bin_count; i++) {
        const ReliabilityBin *bin = &evaluation->bins[i];
        cJSON *row = cJSON_CreateObject();
        add_figure(row, "count", bin->count);
        add_figure(row, "confidence", bin->count > 0 ? bin->confidence : NAN);
        add_figure(row, "accuracy", bin->count > 0 ? bin->accuracy : NAN);
        cJSON_AddItemToArray(rows, row);
    }
}

static bool add_image(cJSON *object, const ExampleImage *image, Error *error)
{
    uint8_t *png;
    size_t size;
    bool good =
        png_encode_planes(image->width, image->height, image->channels, image->pixels, &png, &size, error);
    if (!good)
        return false;
    char *text = base64_encode(png, size);
    memory_free(png);
    cJSON *entry = cJSON_AddObjectToObject(object, "image");
    cJSON_AddNumberToObject(entry, "width", image->width);
    cJSON_AddNumberToObject(entry, "height", image->height);
    cJSON_AddNumberToObject(entry, "channels", image->channels);
    cJSON_AddStringToObject(entry, "png_base64", text);
    memory_free(text);
    return true;
}

static bool add_hardest(cJSON *object, const Evaluation *evaluation, Error *error)
{
    cJSON *rows = evaluation->hardest_count ? cJSON_AddArrayToObject(object, "hardest") : NULL;
    for (int i = 0; i < evaluation->hardest_count; i++) {
        const HardExample *example = &evaluation->hardest[i];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddItemToArray(rows, row);
        cJSON_AddNumberToObject(row, "index", (double)example->index);
        cJSON_AddNumberToObject(row, "label", (double)example->label);
        cJSON_AddNumberToObject(row, "predicted", (double)example->predicted);
        add_figure(row, "loss", example->loss);
        add_figure(row, "confidence", example->confidence);
        if (example->image.width && !add_image(row, &example->image, error))
            return false;
    }
    return true;
}

static void add_layers(cJSON *object, const Evaluation *evaluation)
{
    cJSON *rows = evaluation->layer_count ? cJSON_AddArrayToObject(object, "layers") : NULL;
    for (int i = 0; i < evaluation->layer_count; i++) {
        const LayerRow *layer = &evaluation->layers[i];
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "name", layer->name);
        cJSON_AddStringToObject(row, "type", layer->type);
        cJSON *shape = cJSON_AddArrayToObject(row, "output");
        for (int axis = 0; axis < layer->rank; axis++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)layer->output[axis]));
        cJSON_AddNumberToObject(row, "parameters", (double)layer->parameters);
        add_figure(row, "flops", layer->flops);
        cJSON_AddItemToArray(rows, row);
    }
}

bool evaluation_write(const char *path, const Evaluation *evaluation, Error *error)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "split", evaluation->split);
    cJSON_AddNumberToObject(object, "n", (double)evaluation->n);
    add_metrics(object, evaluation);
    add_classes(object, evaluation);
    add_reliability(object, evaluation);
    bool good = add_hardest(object, evaluation, error);
    if (good) {
        add_layers(object, evaluation);
        char *text = cJSON_PrintUnformatted(object);
        size_t size = strlen(text);
        good = size <= JSON_MAX_BYTES
                   ? file_write(path, text, size, error)
                   : fail(error, "%s: would be %zu bytes, more than %d; give fewer or smaller images", path, size,
                          (int)JSON_MAX_BYTES);
        cJSON_free(text);
    }
    cJSON_Delete(object);
    return good;
}
