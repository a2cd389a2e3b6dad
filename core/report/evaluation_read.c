#include <math.h>
#include <string.h>

#include "core/report/evaluation.h"
#include "core/report/json_value.h"

static const int64_t largest = INT64_C(1) << 53;

/* A share is null or 0..1. */
static bool read_share(const JsonReader *reader, const cJSON *object, const char *key, double *out)
{
    if (!json_read_figure(reader, object, key, out))
        return false;
    return isnan(*out) || (*out >= 0 && *out <= 1) ||
           json_refuse(reader, object, "%s: expected a share from 0 to 1", key);
}

static bool read_count(const JsonReader *reader, const cJSON *object, const char *key, double *out)
{
    if (!json_read_figure(reader, object, key, out))
        return false;
    return *out >= 0 || json_refuse(reader, object, "%s: expected a count >= 0", key);
}

static bool read_metrics(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *metrics, *intervals, *entry;
    if (!json_read_object(reader, root, "metrics", &metrics) || !json_read_object(reader, root, "ci", &intervals))
        return false;
    if (!metrics)
        return true;
    if (cJSON_GetArraySize(metrics) > EVALUATION_METRICS_MAX)
        return json_refuse(reader, metrics, "metrics: more than %d", EVALUATION_METRICS_MAX);
    EvaluationMetric *rows = arena_zero(arena, (size_t)cJSON_GetArraySize(metrics), sizeof *rows);
    evaluation->metrics = rows;
    cJSON_ArrayForEach(entry, metrics) {
        EvaluationMetric *row = &rows[evaluation->metric_count++];
        *row = (EvaluationMetric){arena_string(arena, entry->string), NAN, NAN, NAN};
        const cJSON *interval = NULL;
        if (!json_read_figure(reader, metrics, entry->string, &row->value) ||
            (intervals && !json_read_array(reader, intervals, entry->string, 2, 2, &interval)))
            return false;
        if (!interval)
            continue;
        if (!cJSON_IsNumber(interval->child) || !cJSON_IsNumber(interval->child->next))
            continue; /* nulls: no resample was defined */
        row->low = interval->child->valuedouble;
        row->high = interval->child->next->valuedouble;
    }
    return true;
}

/* Their number is that of the names, or of the rows of whichever table is there. */
static bool read_names(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *names, *table = NULL, *entry;
    if (!json_read_array(reader, root, "classes", 1, EVALUATION_CLASSES_MAX, &names))
        return false;
    for (const char *const *key = (const char *const[]){"confusion", "per_class", NULL}; !names && !table && *key;
         key++)
        if (!json_read_array(reader, root, *key, 1, EVALUATION_CLASSES_MAX, &table))
            return false;
    if (!names && !table)
        return true;
    int count = evaluation->class_count = cJSON_GetArraySize(names ? names : table);
    const char **classes = arena_zero(arena, (size_t)count, sizeof *classes);
    for (int i = 0; i < count; i++)
        classes[i] = arena_format(arena, "%d", i);
    int at = 0;
    cJSON_ArrayForEach(entry, names) {
        if (!cJSON_IsString(entry))
            return json_refuse(reader, entry, "classes: expected strings");
        classes[at++] = arena_string(arena, entry->valuestring);
    }
    evaluation->classes = classes;
    return true;
}

static bool read_confusion(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    int classes = evaluation->class_count;
    const cJSON *rows, *row, *entry;
    if (!json_read_array(reader, root, "confusion", classes, classes, &rows))
        return false;
    if (!rows)
        return true;
    double *counts = arena_zero(arena, (size_t)classes * (size_t)classes, sizeof *counts), *at = counts;
    evaluation->confusion = counts;
    cJSON_ArrayForEach(row, rows) {
        if (!cJSON_IsArray(row) || cJSON_GetArraySize(row) != classes)
            return json_refuse(reader, row, "confusion: expected rows of %d counts", classes);
        cJSON_ArrayForEach(entry, row) {
            if (!cJSON_IsNumber(entry) || entry->valuedouble < 0)
                return json_refuse(reader, entry, "confusion: expected counts >= 0");
            *at++ = entry->valuedouble;
        }
    }
    return true;
}

static bool read_per_class(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *rows, *row;
    if (!json_read_array(reader, root, "per_class", evaluation->class_count, evaluation->class_count, &rows))
        return false;
    if (!rows)
        return true;
    ClassFigures *figures = arena_zero(arena, (size_t)evaluation->class_count, sizeof *figures), *at = figures;
    evaluation->per_class = figures;
    cJSON_ArrayForEach(row, rows) {
        if (!read_share(reader, row, "precision", &at->precision) || !read_share(reader, row, "recall", &at->recall) ||
            !read_share(reader, row, "f1", &at->f1) || !read_count(reader, row, "support", &at->targets))
            return false;
        at++;
    }
    return true;
}

static bool read_reliability(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *rows, *row;
    if (!json_read_array(reader, root, "reliability", 1, EVALUATION_BINS_MAX, &rows))
        return false;
    if (!rows)
        return true;
    ReliabilityBin *bins = arena_zero(arena, (size_t)cJSON_GetArraySize(rows), sizeof *bins);
    evaluation->bins = bins;
    cJSON_ArrayForEach(row, rows) {
        ReliabilityBin *bin = &bins[evaluation->bin_count++];
        if (!read_count(reader, row, "count", &bin->count) ||
            !read_share(reader, row, "confidence", &bin->confidence) ||
            !read_share(reader, row, "accuracy", &bin->accuracy))
            return false;
        if (bin->count > 0 && (isnan(bin->confidence) || isnan(bin->accuracy)))
            return json_refuse(reader, row, "reliability: a bin with samples has no confidence or accuracy");
    }
    return true;
}

static bool is_png_base64(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                      signature[] = "iVBORw0KGgo";
    size_t length = strlen(text), digits = strspn(text, alphabet), padding = strspn(text + digits, "=");
    return length % 4 == 0 && digits + padding == length && padding <= 2 &&
           strncmp(text, signature, sizeof signature - 1) == 0;
}

static bool read_image(const JsonReader *reader, const cJSON *object, Arena *arena, ExampleImage *image)
{
    int64_t width, height, channels;
    const char *text;
    if (!json_read_integer(reader, object, "width", 1, EVALUATION_SIDE_MAX, &width) ||
        !json_read_integer(reader, object, "height", 1, EVALUATION_SIDE_MAX, &height) ||
        !json_read_integer(reader, object, "channels", 1, 3, &channels) ||
        !json_read_string(reader, object, "png_base64", &text))
        return false;
    if (!is_png_base64(text))
        return json_refuse(reader, json_member(object, "png_base64"), "png_base64: not a PNG in base64");
    *image = (ExampleImage){(int)width, (int)height, (int)channels, NULL, arena_string(arena, text)};
    return true;
}

static bool read_hardest(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *rows, *row, *image;
    int64_t last = evaluation->class_count ? evaluation->class_count - 1 : largest;
    if (!json_read_array(reader, root, "hardest", 0, EVALUATION_HARDEST_MAX, &rows))
        return false;
    HardExample *examples = arena_zero(arena, EVALUATION_HARDEST_MAX, sizeof *examples);
    evaluation->hardest = examples;
    cJSON_ArrayForEach(row, rows) {
        HardExample *example = &examples[evaluation->hardest_count++];
        if (!json_read_integer(reader, row, "index", 0, largest, &example->index) ||
            !json_read_integer(reader, row, "label", 0, last, &example->label) ||
            !json_read_integer(reader, row, "predicted", 0, last, &example->predicted) ||
            !json_read_figure(reader, row, "loss", &example->loss) ||
            !read_share(reader, row, "confidence", &example->confidence) ||
            !json_read_object(reader, row, "image", &image) ||
            (image && !read_image(reader, image, arena, &example->image)))
            return false;
    }
    return true;
}

static bool read_layers(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const cJSON *rows, *row, *shape, *axis;
    if (!json_read_array(reader, root, "layers", 0, EVALUATION_LAYERS_MAX, &rows))
        return false;
    LayerRow *layers = arena_zero(arena, rows ? (size_t)cJSON_GetArraySize(rows) : 0, sizeof *layers);
    evaluation->layers = layers;
    cJSON_ArrayForEach(row, rows) {
        LayerRow *layer = &layers[evaluation->layer_count++];
        const char *name, *type;
        if (!json_read_string(reader, row, "name", &name) || !json_read_string(reader, row, "type", &type) ||
            !json_read_array(reader, row, "output", 0, 8, &shape) ||
            !json_read_integer(reader, row, "parameters", 0, largest, &layer->parameters) ||
            !read_count(reader, row, "flops", &layer->flops))
            return false;
        layer->name = arena_string(arena, name);
        layer->type = arena_string(arena, type);
        cJSON_ArrayForEach(axis, shape) {
            if (!cJSON_IsNumber(axis) || !(axis->valuedouble >= 0 && axis->valuedouble <= (double)largest))
                return json_refuse(reader, axis, "output: expected sizes >= 0");
            layer->output[layer->rank++] = (int64_t)axis->valuedouble;
        }
    }
    return true;
}

static bool read_root(const JsonReader *reader, const cJSON *root, Arena *arena, Evaluation *evaluation)
{
    const char *split;
    if (!cJSON_IsObject(root))
        return json_refuse(reader, root, "expected an object");
    if (!json_read_string(reader, root, "split", &split) ||
        !json_read_integer(reader, root, "n", 0, largest, &evaluation->n))
        return false;
    evaluation->split = arena_string(arena, split);
    return read_metrics(reader, root, arena, evaluation) && read_names(reader, root, arena, evaluation) &&
           read_confusion(reader, root, arena, evaluation) && read_per_class(reader, root, arena, evaluation) &&
           read_reliability(reader, root, arena, evaluation) && read_hardest(reader, root, arena, evaluation) &&
           read_layers(reader, root, arena, evaluation);
}

bool evaluation_read(const char *path, Arena *arena, Evaluation *evaluation, Error *error)
{
    *evaluation = (Evaluation){0};
    JsonReader reader = {json_source_new(), error};
    cJSON *root = json_parse_file(reader.source, path, error);
    bool good = root ? read_root(&reader, root, arena, evaluation) : false;
    if (!good)
        error->status = STATUS_FAILED; /* not a config: what a run folder holds is data */
    json_source_free(reader.source);
    return good;
}
