#include "data/csv_file.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool csv_number(const char *text, double *value)
{
    /* strtod alone would take words and hexadecimals too. */
    for (const char *c = text; *c; c++)
        if (!strchr("0123456789+-.eE", *c))
            return false;
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

char *csv_cell(const CsvFile *file, int64_t row, int64_t column)
{
    return file->cells[row * file->columns + column];
}

bool csv_fail(const CsvFile *file, int64_t row, int64_t column, Error *error, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bool joined = column >= file->joined;
    return fail(error, "%s:%lld: column %.60s: %s", joined ? file->joined_path : file->path,
                (long long)(joined ? file->joined_lines : file->lines)[row], file->names[column], message);
}

static void trim_cells(CsvTable *table)
{
    for (int64_t i = 0; i < table->rows * table->columns; i++) {
        char *cell = table->cells[i], *end = cell + strlen(cell);
        while (end > cell && (end[-1] == ' ' || end[-1] == '\t'))
            *--end = '\0';
        table->cells[i] = cell + strspn(cell, " \t");
    }
}

static bool looks_like_header(const CsvTable *table)
{
    double value;
    bool number_below = false;
    for (int64_t c = 0; c < table->columns; c++) {
        const char *cell = table->cells[c];
        if (!cell[0] || csv_number(cell, &value))
            return false;
        number_below |= table->rows > 1 && csv_number(table->cells[table->columns + c], &value);
    }
    return number_below;
}

static bool name_columns(CsvFile *file, const CsvFileOptions *options, char **header, Arena *arena, Error *error)
{
    file->names = arena_alloc(arena, (size_t)file->columns * sizeof *file->names);
    const cJSON *name = options->names ? options->names->child : NULL;
    if (options->names && cJSON_GetArraySize(options->names) != file->columns)
        return fail(error, "%s:%lld: %lld columns, data.columns names %d", file->path, (long long)file->lines[0],
                    (long long)file->columns, cJSON_GetArraySize(options->names));
    for (int64_t c = 0; c < file->columns; c++) {
        if (name)
            file->names[c] = arena_string(arena, name->valuestring);
        else
            file->names[c] = header ? header[c] : arena_format(arena, "%lld", (long long)c);
        name = name ? name->next : NULL;
    }
    return true;
}

bool csv_file_read(const char *path, const CsvFileOptions *options, Arena *arena, CsvFile *file, Error *error)
{
    CsvTable table;
    CsvOptions reading = {.separator = options->separator, .skip_lines = options->skip_lines, .skip_blank = true};
    if (!csv_read(path, &reading, arena, &table, error))
        return false;
    if (table.columns > CSV_MOST_COLUMNS)
        return fail(error, "%s:%lld: %lld columns, at most %d are read", path, (long long)table.lines[0],
                    (long long)table.columns, CSV_MOST_COLUMNS);
    trim_cells(&table);
    bool header = options->header == CSV_HEADER_YES ||
                  (options->header == CSV_HEADER_DETECT && !options->names && looks_like_header(&table));
    *file = (CsvFile){.path = arena_string(arena, path), .rows = table.rows - header, .columns = table.columns,
                      .has_header = header, .cells = table.cells + (header ? table.columns : 0),
                      .lines = table.lines + header, .joined = table.columns};
    if (file->rows == 0)
        return fail(error, "%s: a header and no rows", path);
    return name_columns(file, options, header ? table.cells : NULL, arena, error);
}

bool csv_file_join(CsvFile *file, const CsvFile *other, const int64_t *columns, int64_t count, Arena *arena,
                   Error *error)
{
    if (file->rows != other->rows)
        return fail(error, "%s: %lld rows, %s has %lld", other->path, (long long)other->rows, file->path,
                    (long long)file->rows);
    int64_t total = file->columns + count;
    char **cells = arena_alloc(arena, (size_t)(file->rows * total) * sizeof *cells);
    const char **names = arena_alloc(arena, (size_t)total * sizeof *names);
    for (int64_t i = 0; i < file->rows; i++) {
        memcpy(cells + i * total, file->cells + i * file->columns, (size_t)file->columns * sizeof *cells);
        for (int64_t k = 0; k < count; k++)
            cells[i * total + file->columns + k] = csv_cell(other, i, columns[k]);
    }
    memcpy(names, file->names, (size_t)file->columns * sizeof *names);
    for (int64_t k = 0; k < count; k++)
        names[file->columns + k] = other->names[columns[k]];
    file->cells = cells;
    file->names = names;
    file->joined = file->columns;
    file->joined_path = other->path;
    file->joined_lines = other->lines;
    file->columns = total;
    return true;
}

bool csv_file_column(const CsvFile *file, const char *key, const cJSON *which, int64_t *column, Error *error)
{
    if (cJSON_IsNumber(which)) {
        if (which->valuedouble >= (double)file->columns)
            return fail(error, "%s: data.%s: no column %g, there are 0 to %lld", file->path, key, which->valuedouble,
                        (long long)file->columns - 1);
        *column = (int64_t)which->valuedouble;
        return true;
    }
    int64_t found = 0;
    for (int64_t c = 0; c < file->columns; c++)
        if (strcmp(file->names[c], which->valuestring) == 0) {
            *column = c;
            found++;
        }
    if (found > 1)
        return fail(error, "%s: data.%s: %lld columns are named \"%s\"; give the number", file->path, key,
                    (long long)found, which->valuestring);
    return found == 1 || fail(error, "%s: data.%s: no column is named \"%s\"%s", file->path, key, which->valuestring,
                              file->has_header ? "" : " (the file is read without a header)");
}

void csv_file_keep(CsvFile *file, const unsigned char *keep)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < file->rows; i++) {
        if (!keep[i])
            continue;
        memmove(file->cells + kept * file->columns, file->cells + i * file->columns,
                (size_t)file->columns * sizeof(char *));
        file->lines[kept] = file->lines[i];
        if (file->joined_lines)
            file->joined_lines[kept] = file->joined_lines[i];
        kept++;
    }
    file->rows = kept;
}
