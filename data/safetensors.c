#include "data/safetensors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"

static const struct { const char *name; ArrayType type;
} types[] = {
    {"F32", ARRAY_F32}, {"F64", ARRAY_F64}, {"I32", ARRAY_I32}, {"I64", ARRAY_I64},
    {"U8", ARRAY_U8},   {"I8", ARRAY_I8},   {"BOOL", ARRAY_U8},
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

typedef struct Extent { int64_t begin, end; NamedArray item; } Extent;

static bool read_count(const cJSON *value, int64_t *out)
{
    if (!cJSON_IsNumber(value) || value->valuedouble < 0 || value->valuedouble > 9007199254740991.0)
        return false;
    *out = (int64_t)value->valuedouble;
    return (double)*out == value->valuedouble;
}

static bool read_type(const cJSON *value, ArrayType *type)
{
    for (int i = 0; cJSON_IsString(value) && i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, value->valuestring) == 0) {
            *type = types[i].type;
            return true;
        }
    return false;
}

static bool read_shape(const cJSON *shape, Array *array)
{
    if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > ARRAY_MAX_RANK)
        return false;
    array->count = 1;
    const cJSON *size;
    cJSON_ArrayForEach(size, shape)
    {
        int64_t *out = &array->shape[array->rank++];
        if (!read_count(size, out) || (*out && array->count > INT64_MAX / 8 / *out))
            return false;
        array->count *= *out;
    }
    return true;
}

static bool read_tensor(const char *name, const cJSON *item, int64_t data_size, Extent *extent, Error *error)
{
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    Array *array = &extent->item.array;
    if (!cJSON_IsObject(item) || cJSON_GetArraySize(item) != 3)
        return fail(error, "%s: tensor %s: expected dtype, shape and data_offsets", name, item->string);
    if (!read_type(cJSON_GetObjectItemCaseSensitive(item, "dtype"), &array->type))
        return fail(error, "%s: tensor %s: dtype is none of F32, F64, I32, I64, U8, I8, BOOL", name, item->string);
    if (!read_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), array))
        return fail(error, "%s: tensor %s: shape is not a list of at most %d sizes", name, item->string,
                    ARRAY_MAX_RANK);
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !read_count(cJSON_GetArrayItem(offsets, 0), &extent->begin) ||
        !read_count(cJSON_GetArrayItem(offsets, 1), &extent->end))
        return fail(error, "%s: tensor %s: data_offsets is not a pair of counts", name, item->string);
    if (extent->begin > extent->end || extent->end > data_size)
        return fail(error, "%s: tensor %s: data_offsets [%lld, %lld] lie outside %lld bytes of data", name,
                    item->string, (long long)extent->begin, (long long)extent->end, (long long)data_size);
    if (extent->end - extent->begin != array->count * (int64_t)array_type_size(array->type))
        return fail(error, "%s: tensor %s: %lld bytes do not hold its shape", name, item->string,
                    (long long)(extent->end - extent->begin));
    return true;
}

static bool read_metadata(const char *name, const cJSON *object, Arena *arena, Safetensors *file, Error *error)
{
    if (!cJSON_IsObject(object))
        return fail(error, "%s: __metadata__ is not an object", name);
    size_t count = (size_t)cJSON_GetArraySize(object);
    file->keys = arena_zero(arena, count, sizeof *file->keys);
    file->values = arena_zero(arena, count, sizeof *file->values);
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsString(item))
            return fail(error, "%s: __metadata__: %s is not a string", name, item->string);
        file->keys[file->metadata_count] = arena_string(arena, item->string);
        file->values[file->metadata_count++] = arena_string(arena, item->valuestring);
    }
    return true;
}

static int by_begin(const void *a, const void *b)
{
    const Extent *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

/* The tensors cover the data without hole or overlap. Without data the arrays have none. */
static bool place_data(const char *name, Extent *extents, unsigned char *data, int64_t data_size, Arena *arena,
                       Safetensors *file, Error *error)
{
    if (file->count)
        qsort(extents, (size_t)file->count, sizeof *extents, by_begin);
    file->items = arena_zero(arena, (size_t)file->count, sizeof *file->items);
    int64_t at = 0;
    for (int64_t i = 0; i < file->count; i++) {
        Extent *extent = &extents[i];
        size_t size = array_type_size(extent->item.array.type);
        if (extent->begin != at)
            return fail(error, "%s: tensor %s begins at byte %lld of the data, expected %lld", name, extent->item.name,
                        (long long)extent->begin, (long long)at);
        /* Packers may put bytes before floats: such data is copied to where it can be read. */
        extent->item.array.data = data ? data + at : NULL;
        if (data && (uintptr_t)(data + at) % size != 0)
            extent->item.array.data =
                memcpy(arena_alloc(arena, (size_t)(extent->end - at)), data + at, (size_t)(extent->end - at));
        file->items[i] = extent->item;
        at = extent->end;
    }
    if (at != data_size)
        return fail(error, "%s: %lld bytes of data belong to no tensor", name, (long long)(data_size - at));
    return true;
}

static bool parse_header(const char *name, const cJSON *header, unsigned char *data, int64_t data_size, Arena *arena,
                         Safetensors *file, Error *error)
{
    if (!cJSON_IsObject(header))
        return fail(error, "%s: the header is not a JSON object", name);
    Extent *extents = arena_zero(arena, (size_t)cJSON_GetArraySize(header), sizeof *extents);
    const cJSON *item;
    cJSON_ArrayForEach(item, header)
    {
        if (strcmp(item->string, "__metadata__") == 0) {
            if (!read_metadata(name, item, arena, file, error))
                return false;
            continue;
        }
        if (!read_tensor(name, item, data_size, &extents[file->count], error))
            return false;
        extents[file->count++].item.name = arena_string(arena, item->string);
    }
    return place_data(name, extents, data, data_size, arena, file, error);
}

/* `bytes` are the whole file, or with `header_alone` no more than its header. `size` is always the file's. */
static bool parse(const char *name, unsigned char *bytes, size_t size, bool header_alone, Arena *arena,
                  Safetensors *file, Error *error)
{
    *file = (Safetensors){0};
    uint64_t length = 0;
    for (int i = 7; i >= 0 && size >= 8; i--)
        length = length << 8 | bytes[i];
    if (size < 8 || length > size - 8)
        return fail(error, "%s: truncated: the header ends beyond byte %zu", name, size);
    if (length > SAFETENSORS_MAX_HEADER)
        return fail(error, "%s: a header of %llu bytes exceeds %d", name, (unsigned long long)length,
                    (int)SAFETENSORS_MAX_HEADER);
    if (length % 8)
        return fail(error, "%s: the data does not start on a multiple of 8 bytes", name);
    JsonSource *source = json_source_new();
    const cJSON *header = json_parse(source, name, (const char *)bytes + 8, (size_t)length, error);
    bool good = header && parse_header(name, header, header_alone ? NULL : bytes + 8 + length,
                                       (int64_t)(size - 8 - length), arena, file, error);
    error->status = good ? error->status : STATUS_FAILED;
    json_source_free(source);
    return good;
}

bool safetensors_parse(const char *name, unsigned char *bytes, size_t size, Arena *arena, Safetensors *file,
                       Error *error)
{
    return parse(name, bytes, size, false, arena, file, error);
}

/* *packed: the file is gzip, whose header is not known before all is unpacked; nothing is parsed. */
static bool read_header(const char *path, Arena *arena, Safetensors *file, bool *packed, Error *error)
{
    enum { MOST = 8 + SAFETENSORS_MAX_HEADER };
    unsigned char *head = memory_new(MOST);
    size_t size;
    struct stat status;
    bool good = file_read_head(path, MOST, head, &size, error);
    *packed = good && size >= 2 && head[0] == 0x1f && head[1] == 0x8b;
    if (good && !*packed) {
        size_t whole = stat(path, &status) == 0 ? (size_t)status.st_size : size;
        good = parse(path, head, whole, true, arena, file, error);
    }
    memory_free(head);
    return good;
}

bool safetensors_read_header(const char *path, Arena *arena, Safetensors *file, Error *error)
{
    bool packed;
    return read_header(path, arena, file, &packed, error) && (!packed || safetensors_read(path, arena, file, error));
}

bool safetensors_read(const char *path, Arena *arena, Safetensors *file, Error *error)
{
    unsigned char *bytes;
    size_t size;
    bool packed;
    Arena *scratch = arena_new(); /* what is wrong with the header is said before the data is read */
    bool good = read_header(path, scratch, file, &packed, error);
    arena_free(scratch);
    return good && file_read(path, SAFETENSORS_MOST_BYTES, arena, &bytes, &size, error) &&
           safetensors_parse(path, bytes, size, arena, file, error);
}

const Array *safetensors_find(const Safetensors *file, const char *name)
{
    for (int64_t i = 0; i < file->count; i++)
        if (strcmp(file->items[i].name, name) == 0)
            return &file->items[i].array;
    return NULL;
}

const char *safetensors_metadata(const Safetensors *file, const char *key)
{
    for (int64_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->keys[i], key) == 0)
            return file->values[i];
    return NULL;
}

static char *make_header(const Safetensors *file)
{
    cJSON *header = cJSON_CreateObject();
    if (file->metadata_count) {
        cJSON *metadata = cJSON_AddObjectToObject(header, "__metadata__");
        for (int64_t i = 0; i < file->metadata_count; i++)
            cJSON_AddStringToObject(metadata, file->keys[i], file->values[i]);
    }
    double at = 0;
    for (int64_t i = 0; i < file->count; i++) {
        const Array *array = &file->items[i].array;
        cJSON *item = cJSON_AddObjectToObject(header, file->items[i].name);
        int type = 0;
        while (types[type].type != array->type)
            type++;
        cJSON_AddStringToObject(item, "dtype", types[type].name);
        cJSON *shape = cJSON_AddArrayToObject(item, "shape"), *offsets = cJSON_AddArrayToObject(item, "data_offsets");
        for (int k = 0; k < array->rank; k++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)array->shape[k]));
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber(at));
        at += (double)array->count * (double)array_type_size(array->type);
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber(at));
    }
    char *text = cJSON_PrintUnformatted(header);
    cJSON_Delete(header);
    return text;
}

size_t safetensors_data_bytes(const Safetensors *file)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < file->count; i++)
        bytes += (size_t)file->items[i].array.count * array_type_size(file->items[i].array.type);
    return bytes;
}

bool safetensors_write(const char *path, const Safetensors *file, Error *error)
{
    char *header = make_header(file);
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    size_t bytes = 8 + padded + safetensors_data_bytes(file);
    OutputFile output;
    bool good = bytes <= SAFETENSORS_MOST_BYTES ||
                fail(error, "%s: %zu bytes, more than the %d that a safetensors file may have", path, bytes,
                     SAFETENSORS_MOST_BYTES);
    good = good && output_open(&output, path, error);
    if (good) {
        fwrite(prefix, 1, 8, output.stream);
        fwrite(header, 1, length, output.stream);
        fwrite("       ", 1, padded - length, output.stream);
        for (int64_t i = 0; i < file->count; i++)
            fwrite(file->items[i].array.data, array_type_size(file->items[i].array.type),
                   (size_t)file->items[i].array.count, output.stream);
        good = output_commit(&output, error);
    }
    cJSON_free(header);
    return good;
}
