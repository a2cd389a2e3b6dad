#include "data/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/png_image.h"
#include "data/tokenizer.h"

static const char *const names[] = {"train", "val", "test"};
static const char *const suffixes[] = {"", "_val", "_test"};

static const DataSplit *split_of(const DataSplits *splits, int i)
{
    return i == 0 ? &splits->train : i == 1 ? &splits->val : &splits->test;
}

/* The elements of sample `i` of the split. */
static const void *sample(const DataSplit *split, int64_t i)
{
    const Dataset *dataset = split->dataset;
    return (const char *)dataset->features +
           (size_t)(split->order[i] * dataset->sample_stride) * array_type_size(dataset->type);
}

static Array features_array(const DataSplit *split, Arena *arena)
{
    const Dataset *dataset = split->dataset;
    int64_t size = dataset_sample_size(dataset);
    size_t bytes = (size_t)size * array_type_size(dataset->type);
    Array array = {
        .type = dataset->type, .rank = dataset->rank + 1, .shape = {split->count}, .count = split->count * size};
    for (int d = 0; d < dataset->rank; d++)
        array.shape[d + 1] = dataset->shape[d];
    char *out = array.data = arena_alloc(arena, (size_t)split->count * bytes + 1);
    for (int64_t i = 0; i < split->count; i++)
        memcpy(out + (size_t)i * bytes, sample(split, i), bytes);
    return array;
}

static double value_of(const Dataset *dataset, int64_t index, int64_t k)
{
    double value = (double)dataset->values[index * dataset->classes + k];
    return dataset->target_mean ? value * dataset->target_deviation[k] + dataset->target_mean[k] : value;
}

/* The target at each position. */
static Array token_targets(const DataSplit *split, Arena *arena)
{
    int64_t size = dataset_sample_size(split->dataset);
    const int32_t *labels = split->dataset->own_tokens ? split->dataset->labels : NULL;
    Array array = {.type = ARRAY_I32, .rank = 2, .shape = {split->count, size}, .count = split->count * size};
    int32_t *out = array.data = arena_alloc(arena, (size_t)array.count * sizeof *out + 1);
    for (int64_t i = 0; i < split->count; i++)
        memcpy(out + i * size, labels ? labels + split->order[i] * size : (const int32_t *)sample(split, i) + 1,
               (size_t)size * sizeof *out);
    return array;
}

static Array labels_array(const DataSplit *split, const int32_t *labels, Arena *arena)
{
    Array array = {.type = ARRAY_I64, .rank = 1, .shape = {split->count}, .count = split->count};
    int64_t *out = array.data = arena_alloc(arena, (size_t)split->count * sizeof *out + 1);
    for (int64_t i = 0; i < split->count; i++)
        out[i] = labels[split->order[i]];
    return array;
}

static Array targets_array(const DataSplit *split, Arena *arena)
{
    const Dataset *dataset = split->dataset;
    if (dataset->target_kind == TARGET_TOKENS)
        return token_targets(split, arena);
    if (dataset->target_kind == TARGET_CLASS)
        return labels_array(split, dataset->labels, arena);
    Array array = {.type = ARRAY_F32,
                   .rank = 2,
                   .shape = {split->count, dataset->classes},
                   .count = split->count * dataset->classes};
    float *out = array.data = arena_alloc(arena, (size_t)array.count * sizeof *out + 1);
    for (int64_t i = 0; i < split->count; i++)
        for (int64_t k = 0; k < dataset->classes; k++)
            out[i * dataset->classes + k] = (float)value_of(dataset, split->order[i], k);
    if (dataset->target_kind != TARGET_LABELS)
        return array;
    int64_t *labels = arena_alloc(arena, (size_t)array.count * sizeof *labels + 1);
    for (int64_t i = 0; i < array.count; i++)
        labels[i] = (int64_t)out[i];
    array.type = ARRAY_I64;
    array.data = labels;
    return array;
}

static Array column_array(const DataSplit *split, const DatasetColumn *column, Arena *arena)
{
    Array array = {.type = ARRAY_F32, .rank = column->width == 1 ? 1 : 2, .shape = {split->count, column->width},
                   .count = split->count * column->width};
    float *out = array.data = arena_alloc(arena, (size_t)array.count * sizeof *out + 1);
    for (int64_t i = 0; i < split->count; i++)
        memcpy(out + i * column->width, column->values + split->order[i] * column->width,
               (size_t)column->width * sizeof *out);
    return array;
}

enum { MOST_ARRAYS = 8 + 3 * (DATASET_MOST_COLUMNS + 1) };

static int all_arrays(const DataSplits *splits, Arena *arena, const char *keys[MOST_ARRAYS], Array arrays[MOST_ARRAYS])
{
    int count = 0;
    for (int i = 0; i < 3; i++) {
        const DataSplit *split = split_of(splits, i);
        if (split->count == 0)
            continue;
        keys[count] = arena_format(arena, "x%s", suffixes[i]);
        arrays[count++] = features_array(split, arena);
        keys[count] = arena_format(arena, "y%s", suffixes[i]);
        arrays[count++] = targets_array(split, arena);
        const Dataset *dataset = split->dataset;
        if (dataset->group_count) {
            keys[count] = arena_format(arena, "group%s", suffixes[i]);
            arrays[count++] = labels_array(split, dataset->groups, arena);
        }
        for (int c = 0; c < dataset->column_count; c++) {
            keys[count] = arena_format(arena, "%s%s", dataset->columns[c].name, suffixes[i]);
            arrays[count++] = column_array(split, &dataset->columns[c], arena);
        }
    }
    const Dataset *train = splits->train.dataset;
    if (train->label_features) {
        keys[count] = "label_features";
        arrays[count++] = (Array){.type = ARRAY_F32, .rank = 2, .shape = {train->classes, train->label_width},
                                  .count = train->classes * train->label_width, .data = (void *)train->label_features};
    }
    if (splits->train.dataset->clean_labels) {
        keys[count] = "clean_y";
        arrays[count++] = labels_array(&splits->train, splits->train.dataset->clean_labels, arena);
    }
    return count;
}

bool export_npz(const DataSplits *splits, const char *path, Error *error)
{
    Arena *arena = arena_new();
    const char *keys[MOST_ARRAYS];
    Array arrays[MOST_ARRAYS];
    int count = all_arrays(splits, arena, keys, arrays);
    bool good = npz_write(path, count, keys, arrays, error);
    arena_free(arena);
    return good;
}

bool export_npy(const DataSplits *splits, const char *prefix, Error *error)
{
    Arena *arena = arena_new();
    const char *keys[MOST_ARRAYS];
    Array arrays[MOST_ARRAYS];
    int count = all_arrays(splits, arena, keys, arrays);
    bool good = true;
    for (int i = 0; i < count && good; i++)
        good = npy_write(arena_format(arena, "%s_%s.npy", prefix, keys[i]), &arrays[i], error);
    arena_free(arena);
    return good;
}

/* A class as the name of a folder: numbers are padded, so that the order of names is that of classes. */
static const char *class_folder(const Dataset *dataset, int32_t label, Arena *arena)
{
    int digits = snprintf(NULL, 0, "%lld", (long long)dataset->classes - 1);
    const char *name = dataset->class_names ? dataset->class_names[label] : NULL;
    if (!name || !name[0] || name[0] == '.' || strchr(name, '/'))
        return arena_format(arena, "%0*d", digits, label);
    return name;
}

static void to_bytes(const Dataset *dataset, const void *features, int64_t size, unsigned char *pixels)
{
    for (int64_t i = 0; i < size; i++) {
        if (dataset->type == ARRAY_U8) {
            pixels[i] = ((const uint8_t *)features)[i];
            continue;
        }
        double value = (double)((const float *)features)[i];
        pixels[i] = (unsigned char)lround(fmin(fmax(value, 0), 1) * 255);
    }
}

static bool export_images(const DataSplit *split, const char *folder, Arena *arena, Error *error)
{
    const Dataset *dataset = split->dataset;
    int64_t size = dataset_sample_size(dataset);
    PngImage image = {dataset->shape[0], dataset->shape[1], dataset->shape[2], arena_alloc(arena, (size_t)size)};
    Arena *scratch = arena_new();
    bool good = true;
    for (int64_t i = 0; i < split->count && good; i++) {
        const char *class =
            path_join(scratch, folder, class_folder(dataset, dataset->labels[split->order[i]], scratch));
        to_bytes(dataset, sample(split, i), size, image.pixels);
        good = folder_make(class, error) &&
               png_image_write(arena_format(scratch, "%s/%07lld.png", class, (long long)i), &image, error);
        arena_reset(scratch);
    }
    arena_free(scratch);
    return good;
}

bool export_png(const DataSplits *splits, const char *folder, Error *error)
{
    const Dataset *dataset = splits->train.dataset;
    if (dataset->rank != 3 || (dataset->shape[0] != 1 && dataset->shape[0] != 3) ||
        dataset->target_kind != TARGET_CLASS)
        return fail_usage(error, "%s: only images of one or three channels with classes are written as PNG folders",
                          folder);
    Arena *arena = arena_new();
    bool good = true;
    for (int i = 0; i < 3 && good; i++)
        if (split_of(splits, i)->count)
            good = export_images(split_of(splits, i), arena_format(arena, "%s/%s", folder, names[i]), arena, error);
    arena_free(arena);
    return good;
}

/* Quoted, with quotes doubled, as RFC 4180 has it. */
static void write_quoted(FILE *stream, const char *text)
{
    putc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', stream);
        putc(*text, stream);
    }
    putc('"', stream);
}

static void write_header(const Dataset *dataset, FILE *stream)
{
    for (int64_t k = 0; k < dataset->shape[0]; k++) {
        if (dataset->feature_names)
            write_quoted(stream, dataset->feature_names[k]);
        else
            fprintf(stream, "x%lld", (long long)k);
        putc(',', stream);
    }
    if (dataset->group_count)
        fputs("group,", stream);
    for (int c = 0; c < dataset->column_count; c++)
        for (int64_t k = 0; k < dataset->columns[c].width; k++) {
            fputs(dataset->columns[c].name, stream);
            fprintf(stream, dataset->columns[c].width > 1 ? "_%lld," : ",", (long long)k);
        }
    if (dataset->target_kind == TARGET_CLASS)
        fputs("target\n", stream);
    for (int64_t k = 0; dataset->target_kind != TARGET_CLASS && k < dataset->classes; k++)
        fprintf(stream, "y%lld%c", (long long)k, k + 1 < dataset->classes ? ',' : '\n');
}

static void write_row(const DataSplit *split, int64_t i, FILE *stream)
{
    const Dataset *dataset = split->dataset;
    int64_t index = split->order[i];
    for (int64_t k = 0; k < dataset->shape[0]; k++) {
        if (dataset->type == ARRAY_U8)
            fprintf(stream, "%d,", ((const uint8_t *)sample(split, i))[k]);
        else
            fprintf(stream, "%.9g,", (double)((const float *)sample(split, i))[k]);
    }
    if (dataset->group_count)
        fprintf(stream, "%d,", dataset->groups[index]);
    for (int c = 0; c < dataset->column_count; c++)
        for (int64_t k = 0; k < dataset->columns[c].width; k++)
            fprintf(stream, "%.9g,", (double)dataset->columns[c].values[index * dataset->columns[c].width + k]);
    if (dataset->target_kind != TARGET_CLASS) {
        for (int64_t k = 0; k < dataset->classes; k++)
            fprintf(stream, "%.9g%c", value_of(dataset, index, k), k + 1 < dataset->classes ? ',' : '\n');
        return;
    }
    if (dataset->class_names)
        write_quoted(stream, dataset->class_names[dataset->labels[index]]);
    else
        fprintf(stream, "%d", dataset->labels[index]);
    putc('\n', stream);
}

/* A file for every split that is there. */
static bool write_files(const DataSplits *splits, const char *const paths[3], void (*write)(const DataSplit *, FILE *),
                        Error *error)
{
    for (int i = 0; i < 3; i++) {
        OutputFile file;
        if (split_of(splits, i)->count == 0)
            continue;
        if (!output_open(&file, paths[i], error))
            return false;
        write(split_of(splits, i), file.stream);
        if (!output_commit(&file, error))
            return false;
    }
    return true;
}

static void write_table(const DataSplit *split, FILE *stream)
{
    write_header(split->dataset, stream);
    for (int64_t i = 0; i < split->count; i++)
        write_row(split, i, stream);
}

bool export_csv(const DataSplits *splits, const char *const paths[3], Error *error)
{
    const Dataset *dataset = splits->train.dataset;
    if (dataset->rank != 1 || dataset->type == ARRAY_I32)
        return fail_usage(error, "%s: only vectors are written as CSV; give a name that ends with .npz", paths[0]);
    return write_files(splits, paths, write_table, error);
}

static void write_token(const Dataset *dataset, int32_t token, FILE *stream)
{
    if (dataset->tokenizer)
        fwrite(dataset->tokenizer->pieces[token], 1, (size_t)dataset->tokenizer->piece_sizes[token], stream);
    else
        fputs(dataset->class_names[token], stream);
}

/* Windows that overlap or touch are one text; each ends with the token that follows it. */
static void write_windows(const DataSplit *split, FILE *stream)
{
    const Dataset *dataset = split->dataset;
    int64_t written = 0; /* tokens before this one are done */
    for (int64_t i = 0; i < split->count; i++) {
        int64_t begin = split->order[i] * dataset->sample_stride, end = begin + dataset->shape[0] + 1;
        for (int64_t t = begin < written ? written : begin; t < end; t++)
            write_token(dataset, ((const int32_t *)dataset->features)[t], stream);
        written = end > written ? end : written;
    }
}

bool export_text(const DataSplits *splits, const char *const paths[3], Error *error)
{
    const Dataset *dataset = splits->train.dataset;
    if (dataset->target_kind != TARGET_TOKENS || dataset->own_tokens || (!dataset->tokenizer && !dataset->class_names))
        return fail_usage(
            error, "%s: only texts of language models are written as text; give a name that ends with .npz", paths[0]);
    return write_files(splits, paths, write_windows, error);
}
