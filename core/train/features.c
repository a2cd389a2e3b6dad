#include "core/train/features.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/memory_limit.h"
#include "core/train/features_csv.h"
#include "data/dataset_arrays.h"
#include "data/jsonl_read.h"
#include "data/npy.h"

/* Whether `path` ends with `ending`, or with it and .gz. */
static bool has_ending(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    if (length > 3 && strcmp(path + length - 3, ".gz") == 0)
        length -= 3;
    return length >= tail && strncmp(path + length - tail, ending, tail) == 0;
}

static void shape_as_model(const SavedModel *saved, Dataset *dataset, int64_t count)
{
    Shape shape = saved->model->input.shape;
    dataset->count = count;
    dataset->rank = shape.rank;
    for (int i = 0; i < shape.rank; i++)
        dataset->shape[i] = shape.sizes[i];
    dataset->sample_stride = shape_count(shape);
}

static bool take_tokens(const SavedModel *saved, const char *path, const Array *array, Dataset *dataset, Error *error)
{
    int64_t tokens = shape_count(saved->model->input.shape), vocabulary = saved->model->input.shape.vocabulary;
    if (!array_is_integer(array) || array->rank != 2 || array->shape[1] != tokens || array->count < 1)
        return fail(error, "%s: expected integer tokens [N, %lld]", path, (long long)tokens);
    int32_t *out = arena_alloc(dataset->arena, (size_t)array->count * sizeof *out);
    for (int64_t i = 0; i < array->count; i++) {
        int64_t token = array_integer(array, i);
        if (token < 0 || token >= vocabulary)
            return fail(error, "%s: row %lld: token %lld is outside 0..%lld", path, (long long)(i / tokens),
                        (long long)token, (long long)vocabulary - 1);
        out[i] = (int32_t)token;
    }
    dataset->type = ARRAY_I32;
    dataset->features = out;
    shape_as_model(saved, dataset, array->shape[0]);
    return true;
}

/* Whether the sizes are the model's, axes of size 1 apart: [28, 28] for [1, 28, 28]. */
static bool same_but_ones(int rank, const int64_t *sizes, Shape shape)
{
    int at = 0;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.sizes[i] == 1)
            continue;
        while (at < rank && sizes[at] == 1)
            at++;
        if (at == rank || sizes[at++] != shape.sizes[i])
            return false;
    }
    while (at < rank && sizes[at] == 1)
        at++;
    return at == rank;
}

static bool read_npy(const SavedModel *saved, const char *path, Dataset *dataset, Error *error)
{
    Array array;
    Shape shape = saved->model->input.shape;
    if (!npy_read(path, dataset->arena, &array, error))
        return false;
    if (shape.vocabulary)
        return take_tokens(saved, path, &array, dataset, error);
    bool flat =
        (array.rank == 2 && array.shape[1] == shape_count(shape)) || (array.rank == 1 && shape_count(shape) == 1);
    bool fits = array.rank > 0 && (flat || same_but_ones(array.rank - 1, array.shape + 1, shape));
    if (!fits) {
        const char *expected = shape_text(dataset->arena, shape),
                   *got =
                       shape_text(dataset->arena, array.rank ? shape_of(array.rank - 1, array.shape + 1) : (Shape){0});
        return fail(error, "%s: samples of shape %s, the model takes %s", path, got, expected);
    }
    if (!dataset_take_features(dataset, path, &array, error))
        return false;
    shape_as_model(saved, dataset, array.shape[0]);
    return true;
}

/* What the training data's config calls the field, or the key itself. */
static const char *field_name(const SavedModel *saved, Arena *arena, const char *key)
{
    cJSON *config = config_resolved(saved->config);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(config, "data"), key);
    const char *result = arena_string(arena, cJSON_IsString(name) ? name->valuestring : key);
    cJSON_Delete(config);
    return result;
}

/* Rows of one width that grow by doubling. */
typedef struct Rows {
    int64_t count, room, width;
    size_t element;
    unsigned char *data;
} Rows;

static void *rows_add(Rows *rows)
{
    size_t bytes = (size_t)rows->width * rows->element;
    if (rows->count == rows->room) {
        int64_t room = rows->room ? 2 * rows->room : 64;
        rows->data = memory_grow(rows->data, (size_t)rows->room * bytes, (size_t)room * bytes);
        rows->room = room;
    }
    return rows->data + (size_t)rows->count++ * bytes;
}

static bool take_list(const JsonlReader *reader, const char *key, const cJSON *list, int64_t width, float *out)
{
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != width)
        return jsonl_fail(reader, "%s: expected a list of %lld numbers", key, (long long)width);
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item) || !isfinite((float)item->valuedouble))
            return jsonl_fail(reader, "%s: expected numbers that are finite in f4", key);
        *out++ = (float)item->valuedouble;
    }
    return true;
}

static bool take_text(const JsonlReader *reader, const SavedModel *saved, const char *text, Arena *scratch,
                      int64_t width, int32_t *out)
{
    int32_t *tokens;
    int64_t count;
    if (!tokenizer_encode(saved->tokenizer, (const unsigned char *)text, strlen(text), scratch, &tokens, &count,
                          reader->error)) {
        reader->error->status = STATUS_FAILED;
        return fail_at(reader->error, "%s:%d", reader->path, reader->line);
    }
    if (saved->target_kind == TARGET_TOKENS && count < width)
        return jsonl_fail(reader, "%lld tokens, the language model's window is %lld", (long long)count,
                          (long long)width);
    for (int64_t i = 0; i < width; i++)
        out[i] = i < count ? tokens[i] : (int32_t)saved->tokenizer->vocabulary; /* the padding */
    return true;
}

static bool read_jsonl(const SavedModel *saved, const char *path, Dataset *dataset, Error *error)
{
    JsonlReader reader;
    Arena *scratch = arena_new();
    bool text = saved->model->input.shape.vocabulary != 0, good = true;
    const char *key = field_name(saved, dataset->arena, text ? "text" : "features");
    Rows rows = {.width = shape_count(saved->model->input.shape), .element = text ? sizeof(int32_t) : sizeof(float)};
    const cJSON *object = NULL;
    if (text && !saved->tokenizer)
        good = fail(error, "%s: the model has no tokenizer for texts; give tokens as NPY [N, %lld]", path,
                    (long long)rows.width);
    bool opened = good && (good = jsonl_open(&reader, path, error));
    while (good && (good = jsonl_next(&reader, &object)) && object) {
        void *out = rows_add(&rows);
        if (text) {
            const char *value = jsonl_string(&reader, object, key);
            good = value && take_text(&reader, saved, value, scratch, rows.width, out);
            arena_reset(scratch);
        } else {
            const cJSON *list = jsonl_field(&reader, object, key);
            good = list && take_list(&reader, key, list, rows.width, out);
        }
    }
    if (opened)
        jsonl_close(&reader);
    if (good && rows.count == 0)
        good = fail(error, "%s: no samples", path);
    if (good) {
        size_t bytes = (size_t)(rows.count * rows.width) * rows.element;
        dataset->features = memcpy(arena_alloc(dataset->arena, bytes), rows.data, bytes);
        dataset->type = text ? ARRAY_I32 : ARRAY_F32;
        shape_as_model(saved, dataset, rows.count);
    }
    memory_free(rows.data);
    arena_free(scratch);
    return good;
}

static bool read_csv(const SavedModel *saved, const char *path, Dataset *dataset, Error *error)
{
    Array array;
    if (!csv_features_read(path, shape_count(saved->model->input.shape), saved->feature_names, saved->fills,
                           dataset->arena, &array, error))
        return false;
    if (saved->model->input.shape.vocabulary) {
        Array tokens = {.type = ARRAY_I64, .rank = 2, .shape = {array.shape[0], array.shape[1]}, .count = array.count};
        int64_t *values = tokens.data = arena_alloc(dataset->arena, (size_t)array.count * sizeof *values);
        for (int64_t i = 0; i < array.count; i++) {
            double value = array_value(&array, i);
            values[i] = value == floor(value) && fabs(value) < 9e15 ? (int64_t)value : -1;
        }
        return take_tokens(saved, path, &tokens, dataset, error);
    }
    if (!dataset_take_features(dataset, path, &array, error))
        return false;
    shape_as_model(saved, dataset, array.shape[0]);
    return true;
}

static bool read_file(const SavedModel *saved, const char *path, Dataset *dataset, Error *error)
{
    if (strcmp(path, "-") == 0 || has_ending(path, ".csv") || has_ending(path, ".tsv"))
        return read_csv(saved, path, dataset, error);
    if (has_ending(path, ".npy"))
        return read_npy(saved, path, dataset, error);
    if (has_ending(path, ".jsonl"))
        return read_jsonl(saved, path, dataset, error);
    return fail_usage(error, "%s: expected a name that ends with .npy, .csv, .tsv or .jsonl, or -", path);
}

static void set_normalization(const SavedModel *saved, Dataset *dataset)
{
    size_t bytes = (size_t)saved->normalized * sizeof(float);
    dataset->normalized = saved->normalized;
    if (!saved->normalized)
        return;
    dataset->mean = memcpy(arena_alloc(dataset->arena, bytes), saved->mean, bytes);
    dataset->deviation = memcpy(arena_alloc(dataset->arena, bytes), saved->deviation, bytes);
}

Dataset *features_read(const SavedModel *saved, const char *path, Error *error)
{
    Dataset *dataset = dataset_new();
    size_t before = memory_limit(INPUT_MOST_MEMORY);
    bool good = read_file(saved, path, dataset, error);
    memory_limit_restore(before);
    if (!good) {
        dataset_free(dataset);
        return NULL;
    }
    set_normalization(saved, dataset);
    return dataset;
}
