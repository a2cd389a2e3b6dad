#include "core/train/new_classes.h"

#include <string.h>

#include "data/only_classes.h"
#include "data/safetensors.h"

static bool is_listed(IntList list, int64_t class)
{
    for (int64_t k = 0; k < list.count; k++)
        if (list.items[k] == class)
            return true;
    return false;
}

bool new_classes_load(const SavedModel *saved, Arena *arena, NewClasses *classes, Error *error)
{
    const Instance *data = &saved->config->data;
    if (!config_require(saved->config, "data", error))
        return false;
    IntList known = ((const DatasetCommon *)data->values)->only_classes;
    if (known.count == 0)
        return fail_usage(error, "%s: the model knows all classes of its data; train it with data.only_classes",
                          saved->path);
    DatasetCommon *open = arena_alloc(arena, data->component->size);
    memcpy(open, data->values, data->component->size);
    open->only_classes = (IntList){0};
    open->label_noise = open->blank = 0;
    open->balance = false;
    open->subset = PARAM_UNSET;
    *classes = (NewClasses){0};
    if (!saved_load_classes(saved, &(Instance){data->component, open}, &classes->splits, error))
        return false;
    int64_t all = classes->splits.train.dataset->classes, *numbers = arena_alloc(arena, (size_t)all * sizeof *numbers);
    for (int64_t c = 0; c < all; c++)
        if (!is_listed(known, c))
            numbers[classes->count++] = c;
    classes->numbers = numbers;
    open->only_classes = (IntList){classes->count, numbers};
    bool good = classes->count > 0 ||
                fail_usage(error, "%s: data.only_classes lists every class; there are no new ones", saved->path);
    good = good && only_classes_apply(open, &classes->splits, error);
    if (!good)
        data_free(&classes->splits);
    return good;
}

/* ---- The file ---- */

static NamedArray *find(Safetensors *file, const char *name)
{
    for (int64_t i = 0; i < file->count; i++)
        if (strcmp(file->items[i].name, name) == 0)
            return &file->items[i];
    return NULL;
}

/* More rows, `added` [count, width], or zeros where it is NULL. */
static void extend(Array *array, Arena *arena, int64_t count, int64_t width, const double *added)
{
    float *rows = arena_zero(arena, (size_t)(array->count + count * width), sizeof *rows);
    memcpy(rows, array->data, (size_t)array->count * sizeof *rows);
    for (int64_t i = 0; added && i < count * width; i++)
        rows[array->count + i] = (float)added[i];
    array->data = rows;
    array->shape[0] += count;
    array->count += count * width;
}

static bool extend_head(const SavedModel *saved, Safetensors *file, Arena *arena, int64_t count, int64_t width,
                        const double *directions, Error *error)
{
    NamedArray *weight = find(file, "head.weight"), *bias = find(file, "head.bias");
    if (safetensors_metadata(file, "quantization"))
        return fail(error, "%s: its weights are quantized; add classes first, then quantize", saved->path);
    if (!weight || weight->array.type != ARRAY_F32 || weight->array.rank != 2 ||
        weight->array.shape[0] != saved->classes || weight->array.shape[1] != width)
        return fail(error, "%s: the model's last layer is not a head with a row for each class", saved->path);
    extend(&weight->array, arena, count, width, directions);
    if (bias)
        extend(&bias->array, arena, count, 1, NULL);
    return true;
}

/* The metadata `key`, parsed; NULL after an error. */
static cJSON *metadata_json(const SavedModel *saved, const Safetensors *file, JsonSource *source, const char *key,
                            Error *error)
{
    const char *text = safetensors_metadata(file, key);
    if (text)
        return json_parse(source, saved->path, text, strlen(text), error);
    fail(error, "%s: the file holds no \"%s\"", saved->path, key);
    return NULL;
}

static void set_metadata(Safetensors *file, Arena *arena, const char *key, const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->keys[i], key) == 0)
            file->values[i] = arena_string(arena, text);
    cJSON_free(text);
}

static void drop_metadata(Safetensors *file, const char *key)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->keys[i], key) != 0) {
            file->keys[kept] = file->keys[i];
            file->values[kept++] = file->values[i];
        }
    file->metadata_count = kept;
}

static bool describe(const SavedModel *saved, const NewClasses *classes, Safetensors *file, Arena *arena, Error *error)
{
    JsonSource *source = json_source_new();
    cJSON *config = metadata_json(saved, file, source, "config", error);
    cJSON *data = config ? metadata_json(saved, file, source, "data", error) : NULL;
    if (data) {
        cJSON *only =
                  cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(config, "data"), "only_classes"),
              *names = cJSON_GetObjectItemCaseSensitive(data, "class_names");
        const char *const *new_names = classes->splits.train.dataset->class_names;
        for (int64_t c = 0; c < classes->count; c++) {
            cJSON_AddItemToArray(only, cJSON_CreateNumber((double)classes->numbers[c]));
            if (names && new_names)
                cJSON_AddItemToArray(names, cJSON_CreateString(new_names[c]));
        }
        cJSON_SetNumberHelper(cJSON_GetObjectItemCaseSensitive(data, "classes"),
                              (double)(saved->classes + classes->count));
        set_metadata(file, arena, "config", config);
        set_metadata(file, arena, "data", data);
        drop_metadata(file, "calibration");
    }
    json_source_free(source);
    return data != NULL;
}

bool new_classes_write(const SavedModel *saved, const NewClasses *classes, int64_t width, const double *directions,
                       const char *path, Error *error)
{
    Arena *arena = arena_new();
    Safetensors file;
    bool good = safetensors_read(saved->path, arena, &file, error) &&
                extend_head(saved, &file, arena, classes->count, width, directions, error) &&
                describe(saved, classes, &file, arena, error) && safetensors_write(path, &file, error);
    arena_free(arena);
    return good;
}
