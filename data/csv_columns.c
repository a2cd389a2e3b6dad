#include "data/csv_columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MISTAKES_ARE_BELOW = 20 };

static double number_of(const char *text)
{
    double value = 0;
    csv_number(text, &value);
    return value;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_numbers(const void *a, const void *b)
{
    double x = number_of(*(const char *const *)a), y = number_of(*(const char *const *)b);
    return (x > y) - (x < y);
}

/* Sorted and each once. */
static int64_t make_unique(const char **names, int64_t count, int (*compare)(const void *, const void *))
{
    if (count == 0)
        return 0;
    qsort(names, (size_t)count, sizeof *names, compare);
    int64_t kept = 1;
    for (int64_t i = 1; i < count; i++)
        if (compare(&names[i], &names[kept - 1]) != 0)
            names[kept++] = names[i];
    return kept;
}

void csv_categories_fit(const CsvFile *file, int64_t column, Arena *arena, CsvCategories *categories)
{
    Arena *scratch = arena_new();
    const char **names = arena_alloc(scratch, (size_t)file->rows * sizeof *names);
    for (int64_t i = 0; i < file->rows; i++)
        names[i] = csv_cell(file, i, column);
    int64_t count = make_unique(names, file->rows, compare_text);
    double value;
    categories->numeric = true;
    for (int64_t i = 0; i < count; i++)
        categories->numeric = categories->numeric && csv_number(names[i], &value);
    if (categories->numeric)
        count = make_unique(names, count, compare_numbers);
    categories->count = count;
    categories->names = arena_alloc(arena, (size_t)count * sizeof *names);
    for (int64_t i = 0; i < count; i++)
        categories->names[i] = arena_string(arena, names[i]);
    arena_free(scratch);
}

int64_t csv_category_find(const CsvCategories *categories, const char *text)
{
    double value;
    if (categories->count == 0 || (categories->numeric && !csv_number(text, &value)))
        return -1;
    const char **found = bsearch(&text, categories->names, (size_t)categories->count, sizeof *categories->names,
                                 categories->numeric ? compare_numbers : compare_text);
    return found ? found - categories->names : -1;
}

bool csv_is_mark(const char *text)
{
    static const char *const marks[] = {"", "?", "NA", "N/A", "NaN", "nan", "null"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcmp(text, marks[i]) == 0)
            return true;
    return false;
}

bool csv_is_missing(const CsvColumn *column, const char *text)
{
    return column->categorical ? !text[0] : csv_is_mark(text);
}

bool csv_column_type(const CsvFile *file, int64_t index, bool forced, CsvColumn *column, Error *error)
{
    *column = (CsvColumn){.index = index, .categorical = forced};
    if (forced)
        return true;
    int64_t numbers = 0, texts = 0, first_text = 0;
    for (int64_t i = 0; i < file->rows; i++) {
        const char *cell = csv_cell(file, i, index);
        double value;
        if (csv_number(cell, &value))
            numbers++;
        else if (!csv_is_mark(cell) && texts++ == 0)
            first_text = i;
    }
    column->categorical = texts > 0;
    if (texts && numbers && texts <= (texts + numbers) / MISTAKES_ARE_BELOW)
        return csv_fail(file, first_text, index, error,
                        "\"%.40s\" among %lld numbers; skip the line (skip_lines), or name "
                        "the column in ignore or categorical",
                        csv_cell(file, first_text, index), (long long)numbers);
    return texts || numbers ||
           fail(error, "%s: column %.60s has no values; name it in ignore", file->path, file->names[index]);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* `values` are sorted in place. */
static void fit_edges(CsvColumn *column, double *values, int64_t count, Arena *arena)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    column->edges = arena_alloc(arena, (size_t)column->bins * sizeof *column->edges);
    for (int64_t k = 0; k < column->bins - 1; k++) {
        const double place = (double)(k + 1) / (double)column->bins * (double)(count - 1);
        const int64_t below = (int64_t)place, above = below + 1 < count ? below + 1 : below;
        char text[32];
        snprintf(text, sizeof text, "%.9g", values[below] + (place - (double)below) * (values[above] - values[below]));
        column->edges[k] = number_of(text);
    }
}

int64_t csv_interval(const double *edges, int64_t count, double value)
{
    int64_t interval = 0;
    while (interval < count && edges[interval] < value)
        interval++;
    return interval;
}

bool csv_column_fit(const CsvFile *file, CsvColumn *column, Arena *arena, Error *error)
{
    if (column->categorical) {
        csv_categories_fit(file, column->index, arena, &column->categories);
        return true;
    }
    double sum = 0, *values = memory_array((size_t)file->rows, sizeof *values);
    int64_t count = 0;
    for (int64_t i = 0; i < file->rows; i++)
        if (csv_number(csv_cell(file, i, column->index), &values[count]))
            sum += values[count++];
    column->mean = sum / (double)count;
    if (column->bins && count)
        fit_edges(column, values, count, arena);
    memory_free(values);
    return count > 0 ||
           fail(error, "%s: column %.60s has no values; name it in ignore", file->path, file->names[column->index]);
}

int64_t csv_column_width(const CsvColumn *column)
{
    return column->categorical ? column->categories.count : column->bins ? column->bins : 1;
}

bool csv_column_encode(const CsvFile *file, const CsvColumn *column, int64_t row, float *out, Error *error)
{
    const char *cell = csv_cell(file, row, column->index);
    if (column->categorical) {
        int64_t found = csv_category_find(&column->categories, cell);
        for (int64_t c = 0; c < column->categories.count; c++)
            out[c] = c == found ? 1.0f : 0.0f;
        return true;
    }
    double value;
    if (csv_is_mark(cell))
        value = column->mean;
    else if (!csv_number(cell, &value))
        return csv_fail(file, row, column->index, error, "expected a number, got \"%.40s\"", cell);
    const int64_t interval = csv_interval(column->edges, column->bins - 1, value);
    for (int64_t k = 0; k < column->bins; k++)
        out[k] = k == interval ? 1.0f : 0.0f;
    if (column->bins)
        return isfinite(value) || csv_fail(file, row, column->index, error, "%.40s is no finite number", cell);
    *out = (float)value;
    return isfinite(*out) || csv_fail(file, row, column->index, error, "%.40s is beyond f32", cell);
}
