#include "data/csv_extras.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv_columns.h"

static bool find_extra(const CsvFile *file, const cJSON *item, Arena *arena, CsvExtra *extra, Error *error)
{
    bool list = cJSON_IsArray(item);
    const cJSON *which = list ? item->child : item;
    *extra = (CsvExtra){arena_string(arena, item->string), list ? cJSON_GetArraySize(item) : 1, NULL};
    extra->columns = arena_alloc(arena, (size_t)extra->width * sizeof *extra->columns);
    for (int64_t k = 0; k < extra->width; k++, which = which->next)
        if (!csv_file_column(file, "extras", which, &extra->columns[k], error))
            return false;
    return true;
}

bool csv_extras_find(const CsvFile *file, const cJSON *group, const cJSON *extras, Arena *arena, CsvExtras *to,
                     unsigned char *used, Error *error)
{
    *to = (CsvExtras){.group = -1};
    if (group && !csv_file_column(file, "group", group, &to->group, error))
        return false;
    if (group)
        used[to->group] = 1;
    for (const cJSON *item = extras ? extras->child : NULL; item; item = item->next) {
        CsvExtra *extra = &to->items[to->count++];
        if (!find_extra(file, item, arena, extra, error))
            return false;
        for (int64_t k = 0; k < extra->width; k++)
            used[extra->columns[k]] = 1;
    }
    return true;
}

typedef struct GroupStart { const char *name; int64_t row; } GroupStart;

static int compare_names(const void *a, const void *b)
{
    const GroupStart *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : (left->row > right->row) - (left->row < right->row);
}

/* Two runs of one name are a group that was left and entered again. */
static bool check_apart(const CsvFile *file, int64_t column, GroupStart *starts, int64_t count, Error *error)
{
    qsort(starts, (size_t)count, sizeof *starts, compare_names);
    for (int64_t i = 1; i < count; i++)
        if (strcmp(starts[i].name, starts[i - 1].name) == 0)
            return csv_fail(file, starts[i].row, column, error,
                            "group \"%.40s\" goes on after another began; sort the rows by group", starts[i].name);
    return true;
}

static bool encode_groups(const CsvFile *file, int64_t column, Dataset *dataset, Error *error)
{
    int32_t *groups = arena_alloc(dataset->arena, (size_t)file->rows * sizeof *groups);
    Arena *scratch = arena_new();
    GroupStart *starts = arena_alloc(scratch, (size_t)file->rows * sizeof *starts);
    int64_t count = 0;
    bool good = true;
    for (int64_t i = 0; i < file->rows && good; i++) {
        const char *cell = csv_cell(file, i, column);
        if (csv_is_mark(cell))
            good = csv_fail(file, i, column, error, "no group");
        else if (count == 0 || strcmp(cell, starts[count - 1].name) != 0)
            starts[count++] = (GroupStart){cell, i};
        groups[i] = (int32_t)(count - 1);
    }
    dataset->groups = groups;
    dataset->group_count = count;
    good = good && check_apart(file, column, starts, count, error);
    arena_free(scratch);
    return good;
}

static bool encode_extra(const CsvFile *file, const CsvExtra *extra, Dataset *dataset, Error *error)
{
    float *values = arena_alloc(dataset->arena, (size_t)(file->rows * extra->width) * sizeof *values);
    for (int64_t i = 0; i < file->rows; i++)
        for (int64_t k = 0; k < extra->width; k++) {
            const char *cell = csv_cell(file, i, extra->columns[k]);
            double value;
            if (!csv_number(cell, &value) || !isfinite((float)value))
                return csv_fail(file, i, extra->columns[k], error, "expected a number for the extra \"%s\", got "
                                "\"%.40s\"", extra->name, cell);
            values[i * extra->width + k] = (float)value;
        }
    dataset_add_column(dataset, extra->name, extra->width, values);
    return true;
}

bool csv_extras_encode(const CsvFile *file, const CsvExtras *extras, Dataset *dataset, Error *error)
{
    if (extras->group >= 0 && !encode_groups(file, extras->group, dataset, error))
        return false;
    for (int i = 0; i < extras->count; i++)
        if (!encode_extra(file, &extras->items[i], dataset, error))
            return false;
    return true;
}
