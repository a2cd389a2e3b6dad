#include <math.h>
#include <string.h>

#include "data/csv_extras.h"
#include "data/csv_targets.h"
#include "data/dataset_arrays.h"

enum { MISSING_ERROR, MISSING_MEAN, MISSING_DROP };
static const char *const missing_rules[] = {"error", "mean", "drop", NULL};

struct csv {
    DatasetCommon common;
    const char *path, *test_path, *target_path, *separator, *label_suffix;
    int64_t skip_lines, bins;
    int task, missing;
    const cJSON *header, *columns, *target, *categorical, *ignore, *group, *extras;
};

static const Param params[] = {
    DATASET_COMMON_ROWS(struct csv, "true"),
    PARAM_REQUIRED(PATH, struct csv, path, .help = "the table, plain or .gz"),
    PARAM_PATH(struct csv, test_path, null, .help = "a table of the same columns, the test split"),
    PARAM_PATH(struct csv, target_path, null, .help = "a table whose rows are the targets of the rows of path"),
    PARAM_JSON(struct csv, target, "null",
               .help = "the target's column, a name or a number from 0, or a list of such for several values; the "
                       "last when absent"),
    PARAM_ENUM(struct csv, task, "auto", .choices = csv_task_names,
               .help = "auto: one column with text or at most 50 different whole numbers is classification"),
    PARAM_JSON(struct csv, header, "null",
               .help = "true: the first row names the columns; false: it does not; absent: it does when it holds "
                       "no number and the second does, or when a key names a column"),
    PARAM_JSON(struct csv, columns, "null", .help = "list of the columns' names, for a file without header"),
    PARAM_JSON(struct csv, categorical, "[]",
               .help = "list of columns (names or numbers) that are categories though they look like numbers"),
    PARAM_INT(struct csv, bins, null, .min = 2, .max = 1000,
              .help = "numbers become so many intervals that hold equally many training rows, one-hot; numbers as they "
                      "are when absent"),
    PARAM_JSON(struct csv, ignore, "[]", .help = "list of columns (names or numbers) that are left out"),
    PARAM_JSON(struct csv, group, "null",
               .help = "column (name or number) whose value the rows of a group share (a query, a session), side by "
                       "side; batches, splits and metrics take groups whole"),
    PARAM_JSON(struct csv, extras, "null",
               .help = "numbers that losses and metrics take beside the targets: an object of names and columns, or "
                       "lists of columns, {\"reward\": \"r\", \"reference\": [3, 4]}"),
    PARAM_STRING(struct csv, separator, null,
                 .help = "one of , ; tab or space (any number of them); found in the first row when absent"),
    PARAM_INT(struct csv, skip_lines, 0, .min = 0, .max = 1e9,
              .help = "lines of every file that are passed over first"),
    PARAM_ENUM(struct csv, missing, "error", .choices = missing_rules,
               .help = "cells without value: an error; the training file's mean, of categories one of their own; "
                       "or leave out the row"),
    PARAM_STRING(struct csv, label_suffix, "",
                 .help = "taken off the end of every class that has it, as the dot in the test file of adult"),
    PARAM_END
};

static bool is_column(const cJSON *value)
{
    return cJSON_IsString(value) ||
           (cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble == floor(value->valuedouble));
}

static bool is_list(const cJSON *list, bool names_only)
{
    if (!cJSON_IsArray(list))
        return false;
    for (const cJSON *item = list->child; item; item = item->next)
        if (names_only ? !cJSON_IsString(item) : !is_column(item))
            return false;
    return true;
}

static bool extras_are_valid(const cJSON *extras, Error *error)
{
    if (extras && (!cJSON_IsObject(extras) || cJSON_GetArraySize(extras) > DATASET_MOST_COLUMNS))
        return fail_usage(error, "extras: expected an object of at most %d names and columns", DATASET_MOST_COLUMNS);
    for (const cJSON *item = extras ? extras->child : NULL; item; item = item->next) {
        if (strcmp(item->string, "x") == 0 || strcmp(item->string, "group") == 0)
            return fail_usage(error, "extras.%s: this name is taken; the %s", item->string,
                              item->string[0] == 'x' ? "features are the extra x" : "key group names its column");
        if (!is_column(item) && !(is_list(item, false) && item->child))
            return fail_usage(error, "extras.%s: expected a column's name, its number from 0, or a list of such",
                              item->string);
    }
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct csv *csv = values;
    if (csv->header && !cJSON_IsBool(csv->header))
        return fail_usage(error, "header: expected true, false or null");
    if (csv->columns && !is_list(csv->columns, true))
        return fail_usage(error, "columns: expected a list of names");
    if (csv->columns && cJSON_IsTrue(csv->header))
        return fail_usage(error, "columns: given beside \"header\": true; the names are those of one or the other");
    if (csv->target && !is_column(csv->target) && !(is_list(csv->target, false) && csv->target->child))
        return fail_usage(error, "target: expected a column's name, its number from 0, or a list of such");
    if (!csv->categorical || !is_list(csv->categorical, false))
        return fail_usage(error, "categorical: expected a list of columns' names or numbers");
    if (!csv->ignore || !is_list(csv->ignore, false))
        return fail_usage(error, "ignore: expected a list of columns' names or numbers");
    if (csv->group && !is_column(csv->group))
        return fail_usage(error, "group: expected a column's name or its number from 0");
    if (!extras_are_valid(csv->extras, error))
        return false;
    if (csv->separator && (strlen(csv->separator) != 1 || !strchr(",;\t ", csv->separator[0])))
        return fail_usage(error, "separator: expected \",\", \";\", \"\\t\" or \" \"");
    return !csv->target_path || !csv->test_path ||
           fail_usage(error, "target_path: cannot stand beside test_path; make train and test parts of their own");
}

static bool names_a_column(const cJSON *value)
{
    for (const cJSON *item = value ? value->child : NULL; item; item = item->next)
        if (cJSON_IsString(item))
            return true;
    return cJSON_IsString(value);
}

static bool extras_name_a_column(const cJSON *extras)
{
    for (const cJSON *item = extras ? extras->child : NULL; item; item = item->next)
        if (names_a_column(item))
            return true;
    return false;
}

static CsvFileOptions reading_of(const struct csv *csv)
{
    CsvFileOptions options = {.separator = csv->separator ? csv->separator[0] : '\0', .skip_lines = csv->skip_lines,
                              .names = csv->columns};
    bool named = names_a_column(csv->categorical) || names_a_column(csv->ignore) || names_a_column(csv->group) ||
                 extras_name_a_column(csv->extras) ||
                 (!csv->target_path && names_a_column(csv->target));
    if (csv->header)
        options.header = cJSON_IsTrue(csv->header) ? CSV_HEADER_YES : CSV_HEADER_NO;
    else if (named && !csv->columns)
        options.header = CSV_HEADER_YES;
    return options;
}

/* Everything that is fitted on the training file and applied to both; in an arena of its own. */
typedef struct Encoder {
    const struct csv *keys;
    Arena *arena;
    CsvTargets targets;
    CsvExtras extras;
    int64_t count, width;
    CsvColumn *columns;         /* [count], the features */
    unsigned char *unused;      /* [columns of the file], targets, extras and what is ignored */
} Encoder;

static bool find_targets(Encoder *encoder, const CsvFile *file, Error *error)
{
    const cJSON *which = encoder->keys->target;
    CsvTargets *targets = &encoder->targets;
    targets->count = cJSON_IsArray(which) ? cJSON_GetArraySize(which) : 1;
    int64_t *columns = arena_alloc(encoder->arena, (size_t)targets->count * sizeof *columns);
    columns[0] = file->columns - 1;
    targets->columns = columns;
    if (which && cJSON_IsArray(which))
        which = which->child;
    for (int64_t k = 0; which && k < targets->count; k++, which = which->next)
        if (!csv_file_column(file, "target", which, &columns[k], error))
            return false;
    return true;
}

/* Puts the targets of a file of their own behind the columns, so that both lose the same rows. */
static bool join_targets(Encoder *encoder, CsvFile *file, Error *error)
{
    CsvFileOptions options = reading_of(encoder->keys);
    options.names = NULL;
    options.header = encoder->keys->header           ? options.header
                     : names_a_column(encoder->keys->target) ? CSV_HEADER_YES : CSV_HEADER_DETECT;
    CsvFile other;
    int64_t first = file->columns;
    if (!csv_file_read(encoder->keys->target_path, &options, encoder->arena, &other, error) ||
        !find_targets(encoder, &other, error) ||
        !csv_file_join(file, &other, encoder->targets.columns, encoder->targets.count, encoder->arena, error))
        return false;
    int64_t *columns = arena_alloc(encoder->arena, (size_t)encoder->targets.count * sizeof *columns);
    for (int64_t k = 0; k < encoder->targets.count; k++)
        columns[k] = first + k;
    encoder->targets.columns = columns;
    return true;
}

static bool mark(const CsvFile *file, const char *key, const cJSON *list, unsigned char *marks, Error *error)
{
    for (const cJSON *item = list->child; item; item = item->next) {
        int64_t column = 0;
        if (!csv_file_column(file, key, item, &column, error))
            return false;
        marks[column] = 1;
    }
    return true;
}

static bool type_columns(Encoder *encoder, const CsvFile *file, Error *error)
{
    size_t count = (size_t)file->columns;
    unsigned char *forced = arena_zero(encoder->arena, count, 1);
    encoder->unused = arena_zero(encoder->arena, count, 1);
    encoder->columns = arena_zero(encoder->arena, count, sizeof *encoder->columns);
    if (!mark(file, "ignore", encoder->keys->ignore, encoder->unused, error) ||
        !mark(file, "categorical", encoder->keys->categorical, forced, error) ||
        !csv_extras_find(file, encoder->keys->group, encoder->keys->extras, encoder->arena, &encoder->extras,
                         encoder->unused, error))
        return false;
    for (int64_t k = 0; k < encoder->targets.count; k++)
        encoder->unused[encoder->targets.columns[k]] = 1;
    for (int64_t c = 0; c < file->columns; c++)
        if (!encoder->unused[c] && !csv_column_type(file, c, forced[c], &encoder->columns[encoder->count++], error))
            return false;
    return encoder->count > 0 || fail(error, "%s: no column is left beside the target", file->path);
}

/* Takes label_suffix off, and finds every cell without value: an error or a row to drop, as the keys say. */
static bool settle_rows(const Encoder *encoder, CsvFile *file, Error *error)
{
    const char *suffix = encoder->keys->label_suffix;
    size_t suffix_length = strlen(suffix);
    unsigned char *keep = arena_alloc(encoder->arena, (size_t)file->rows);
    for (int64_t i = 0; i < file->rows; i++) {
        keep[i] = 1;
        for (int64_t c = 0; c < encoder->count; c++) {
            const CsvColumn *column = &encoder->columns[c];
            if (!csv_is_missing(column, csv_cell(file, i, column->index)))
                continue;
            if (encoder->keys->missing == MISSING_ERROR)
                return csv_fail(file, i, column->index, error, "no value; set data.missing to \"mean\" or \"drop\"");
            keep[i] = encoder->keys->missing == MISSING_MEAN;
        }
        for (int64_t k = 0; k < encoder->targets.count; k++) {
            char *cell = csv_cell(file, i, encoder->targets.columns[k]);
            size_t length = strlen(cell);
            if (suffix_length && length > suffix_length && strcmp(cell + length - suffix_length, suffix) == 0)
                cell[length - suffix_length] = '\0';
            if (csv_is_mark(cell) && encoder->keys->missing == MISSING_DROP)
                keep[i] = 0;
        }
    }
    csv_file_keep(file, keep);
    return file->rows > 0 || fail(error, "%s: every row lacks a value", file->path);
}

static bool fit(Encoder *encoder, const CsvFile *file, Error *error)
{
    for (int64_t c = 0; c < encoder->count; c++) {
        encoder->columns[c].bins = encoder->keys->bins == PARAM_UNSET ? 0 : encoder->keys->bins;
        if (!csv_column_fit(file, &encoder->columns[c], encoder->arena, error))
            return false;
        encoder->width += csv_column_width(&encoder->columns[c]);
    }
    return csv_targets_fit(file, (CsvTask)encoder->keys->task, encoder->arena, &encoder->targets, error);
}

static const char *const *name_features(const Encoder *encoder, const CsvFile *file, Arena *arena)
{
    const char **names = arena_alloc(arena, (size_t)encoder->width * sizeof *names);
    int64_t at = 0;
    for (int64_t c = 0; c < encoder->count; c++) {
        const CsvColumn *column = &encoder->columns[c];
        const char *name = file->names[column->index];
        if (!column->categorical && !column->bins)
            names[at++] = arena_string(arena, name);
        for (int64_t k = 0; !column->categorical && k < column->bins; k++)
            names[at++] = k < column->bins - 1 ? arena_format(arena, "%s<=%.9g", name, column->edges[k])
                                               : arena_format(arena, "%s<=inf", name);
        for (int64_t k = 0; column->categorical && k < column->categories.count; k++)
            names[at++] = arena_format(arena, "%s=%s", name, column->categories.names[k]);
    }
    return names;
}

/* What csv_column_encode gives for a cell without value: for rows that are predicted later. */
static const double *list_fills(const Encoder *encoder, Arena *arena)
{
    if (encoder->keys->missing != MISSING_MEAN)
        return NULL;
    double *fills = arena_alloc(arena, (size_t)encoder->width * sizeof *fills), *out = fills;
    for (int64_t c = 0; c < encoder->count; c++) {
        const CsvColumn *column = &encoder->columns[c];
        int64_t unknown = column->categorical ? csv_category_find(&column->categories, "")
                                              : csv_interval(column->edges, column->bins - 1, column->mean);
        for (int64_t k = 0; k < csv_column_width(column); k++)
            *out++ = !column->categorical && !column->bins ? column->mean : k == unknown;
    }
    return fills;
}

static bool encode(const Encoder *encoder, const CsvFile *file, Dataset *dataset, Error *error)
{
    if (encoder->width > ((int64_t)2 << 30) / (int64_t)sizeof(float) / file->rows)
        return fail(error,
                    "%s: %lld rows of %lld numbers (categories take one each) are more than 2 GB; name columns in "
                    "ignore",
                    file->path, (long long)file->rows, (long long)encoder->width);
    float *features = arena_alloc(dataset->arena, (size_t)(file->rows * encoder->width) * sizeof *features);
    for (int64_t i = 0; i < file->rows; i++) {
        float *out = features + i * encoder->width;
        for (int64_t c = 0; c < encoder->count; c++) {
            if (!csv_column_encode(file, &encoder->columns[c], i, out, error))
                return false;
            out += csv_column_width(&encoder->columns[c]);
        }
    }
    dataset->type = ARRAY_F32;
    dataset->rank = 1;
    dataset->shape[0] = dataset->sample_stride = encoder->width;
    dataset->features = features;
    dataset->count = file->rows;
    dataset->feature_names = name_features(encoder, file, dataset->arena);
    dataset->fills = list_fills(encoder, dataset->arena);
    return csv_targets_encode(file, &encoder->targets, dataset, error) &&
           csv_extras_encode(file, &encoder->extras, dataset, error);
}

static bool load_train(Encoder *encoder, DataSplits *splits, CsvFile *file, Error *error)
{
    const struct csv *csv = encoder->keys;
    CsvFileOptions options = reading_of(csv);
    if (!csv_file_read(csv->path, &options, encoder->arena, file, error) ||
        !(csv->target_path ? join_targets(encoder, file, error) : find_targets(encoder, file, error)) ||
        !type_columns(encoder, file, error) || !settle_rows(encoder, file, error) || !fit(encoder, file, error))
        return false;
    Dataset *train = data_splits_add(splits);
    if (!encode(encoder, file, train, error))
        return false;
    splits->train = data_split_all(splits->arena, train);
    return true;
}

static bool load_test(Encoder *encoder, DataSplits *splits, const CsvFile *train, Error *error)
{
    CsvFileOptions options = reading_of(encoder->keys);
    options.header = train->has_header ? CSV_HEADER_YES : CSV_HEADER_NO;
    CsvFile file;
    if (!csv_file_read(encoder->keys->test_path, &options, encoder->arena, &file, error))
        return false;
    if (file.columns != train->columns)
        return fail(error, "%s: %lld columns, %s has %lld", file.path, (long long)file.columns, train->path,
                    (long long)train->columns);
    for (int64_t c = 0; c < file.columns; c++)
        if (strcmp(file.names[c], train->names[c]) != 0)
            return fail(error, "%s: column %lld is named \"%.60s\", in %s \"%.60s\"", file.path, (long long)c,
                        file.names[c], train->path, train->names[c]);
    Dataset *test = data_splits_add(splits);
    if (!settle_rows(encoder, &file, error) || !encode(encoder, &file, test, error))
        return false;
    splits->test = data_split_all(splits->arena, test);
    return true;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)seed;
    const struct csv *csv = values;
    Encoder encoder = {.keys = csv, .arena = arena_new()};
    CsvFile file;
    bool good = load_train(&encoder, splits, &file, error) &&
                (!csv->test_path || load_test(&encoder, splits, &file, error));
    arena_free(encoder.arena);
    return good;
}

const DatasetDef dataset_csv = {
    .component = {
        .name = "csv",
        .summary = "a table of numbers and categories with a target column",
        .params = params,
        .size = sizeof(struct csv),
        .notes = "A column whose cells are numbers is one feature; one with text becomes a feature for each of its "
                 "categories (one-hot), sorted, as they occur in the training file; a category that only the test "
                 "file has gives zeros. Classes are sorted too, as numbers where all are. Cells are trimmed, empty "
                 "lines are no rows. Without value are empty cells and, among numbers and targets, ?, NA, N/A, NaN, "
                 "nan and null; text in at most one of 20 cells of a column of numbers is an error. Means and "
                 "categories are those of the whole training file, before it is split.",
        .validate = validate,
    },
    .load = load,
};
