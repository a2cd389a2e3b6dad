#include "core/train/features_csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/csv_columns.h"

enum { STDIN_MOST_BYTES = 1 << 30 };

/* A column of the training table: one number, or `count` categories or intervals from `first` on. */
typedef struct Source {
    const char *name;              /* NULL: features have no names */
    const char *const *categories; /* [count], what stands behind the = */
    double *edges;                 /* [count], of intervals: the largest numbers, ascending; NULL: categories */
    int64_t first, count;
    int64_t column; /* of the file; -1: not there */
} Source;

typedef struct Reading {
    const char *path;
    CsvTable table;
    Source *sources;
    int64_t count, width;
    const double *fills;
    bool categories;
} Reading;

static bool read_standard_input(Arena *arena, CsvTable *table, Error *error)
{
    static const CsvOptions options = {.skip_blank = true};
    size_t size = 0, room = 1 << 16;
    unsigned char *bytes = memory_new(room);
    for (size_t got; (got = fread(bytes + size, 1, room - size, stdin)) > 0;) {
        size += got;
        if (size == room && room < STDIN_MOST_BYTES) {
            bytes = memory_grow(bytes, room, 2 * room);
            room *= 2;
        }
    }
    bool good = !ferror(stdin) || fail_errno(error, "standard input");
    if (good && size == STDIN_MOST_BYTES)
        good = fail(error, "standard input: more than %d bytes; give a file", STDIN_MOST_BYTES);
    good = good && csv_parse("standard input", bytes, size, &options, arena, table, error);
    memory_free(bytes);
    return good;
}

static void trim(CsvTable *table)
{
    for (int64_t i = 0; i < table->rows * table->columns; i++) {
        char *cell = table->cells[i];
        while (*cell == ' ' || *cell == '\t')
            cell++;
        size_t length = strlen(cell);
        while (length && (cell[length - 1] == ' ' || cell[length - 1] == '\t'))
            cell[--length] = '\0';
        table->cells[i] = cell;
    }
}

/* COLUMN<=A, COLUMN<=B, ... are intervals of numbers. */
static void find_edges(Source *source, Arena *arena)
{
    size_t length = strlen(source->name);
    if (length < 2 || source->name[length - 1] != '<')
        return;
    double *edges = arena_alloc(arena, (size_t)source->count * sizeof *edges);
    for (int64_t k = 0; k < source->count; k++) {
        const char *edge = strchr(source->categories[k], '=') + 1;
        if (k + 1 == source->count ? strcmp(edge, "inf") != 0 : !csv_number(edge, &edges[k]))
            return;
    }
    char *name = arena_string(arena, source->name);
    name[length - 1] = '\0';
    source->name = name;
    source->edges = edges;
}

/* Neighbours COLUMN=A, COLUMN=B are one column. */
static void find_sources(Reading *r, const char *const *names, Arena *arena)
{
    r->sources = arena_zero(arena, (size_t)r->width, sizeof *r->sources);
    for (int64_t i = 0; i < r->width; i++) {
        const char *equals = names ? strchr(names[i], '=') : NULL;
        Source *last = r->count ? &r->sources[r->count - 1] : NULL;
        if (equals) {
            size_t length = (size_t)(equals - names[i]);
            if (last && last->categories && strlen(last->name) == length &&
                strncmp(last->name, names[i], length) == 0) {
                last->count++;
                continue;
            }
            char *name = arena_string(arena, names[i]);
            name[length] = '\0';
            r->sources[r->count++] =
                (Source){.name = name, .categories = names + i, .first = i, .count = 1, .column = -1};
        } else {
            r->sources[r->count++] = (Source){.name = names ? names[i] : NULL, .first = i, .count = 1, .column = -1};
        }
    }
    for (int64_t s = 0; s < r->count; s++) {
        if (r->sources[s].categories)
            find_edges(&r->sources[s], arena);
        r->categories |= r->sources[s].categories && !r->sources[s].edges;
    }
}

static bool first_row_is_header(const Reading *r)
{
    bool number = false;
    double value;
    for (int64_t c = 0; c < r->table.columns; c++) {
        for (int64_t s = 0; s < r->count; s++)
            if (r->sources[s].name && strcmp(r->sources[s].name, r->table.cells[c]) == 0 &&
                !csv_number(r->table.cells[c], &value))
                return true;
        number |= csv_number(r->table.cells[c], &value);
    }
    return !number && !r->categories;
}

/* By the header's names where the features have some and one is there, else in order. */
static bool place_columns(Reading *r, bool header, Error *error)
{
    int64_t line = r->table.lines[0];
    bool named = false;
    for (int64_t s = 0; header && s < r->count; s++)
        for (int64_t c = 0; r->sources[s].name && c < r->table.columns; c++)
            if (strcmp(r->sources[s].name, r->table.cells[c]) == 0) {
                if (r->sources[s].column >= 0)
                    return fail(error, "%s:%lld: two columns are named \"%.60s\"", r->path, (long long)line,
                                r->sources[s].name);
                r->sources[s].column = c;
                named = true;
            }
    for (int64_t s = 0; named && s < r->count; s++)
        if (r->sources[s].column < 0)
            return fail(error, "%s:%lld: no column \"%.60s\", which the model needs", r->path, (long long)line,
                        r->sources[s].name);
    if (named)
        return true;
    if (r->table.columns != r->count)
        return fail(error, "%s:%lld: %lld columns, the model takes %lld", r->path, (long long)line,
                    (long long)r->table.columns, (long long)r->count);
    for (int64_t s = 0; s < r->count; s++)
        r->sources[s].column = s;
    return true;
}

static bool same_category(const char *a, const char *b)
{
    double x, y;
    return strcmp(a, b) == 0 || (csv_number(a, &x) && csv_number(b, &y) && x == y);
}

static bool encode_row(const Reading *r, int64_t row, double *out, Error *error)
{
    for (int64_t s = 0; s < r->count; s++) {
        const Source *source = &r->sources[s];
        const char *cell = r->table.cells[row * r->table.columns + source->column];
        long long line = (long long)r->table.lines[row], column = (long long)source->column + 1;
        const bool number = !source->categories || source->edges;
        double value = 0;
        if (r->fills && (number ? csv_is_mark(cell) : cell[0] == '\0')) {
            memcpy(out + source->first, r->fills + source->first, (size_t)source->count * sizeof *out);
            continue;
        }
        if (cell[0] == '\0')
            return fail(error, "%s:%lld: column %lld: no value, and the model was not trained with data.missing "
                        "\"mean\"", r->path, line, column);
        if (number && !(csv_number(cell, &value) && isfinite((float)value)))
            return fail(error, "%s:%lld: column %lld: expected a number, got \"%.60s\"", r->path, line, column, cell);
        const int64_t interval = source->edges ? csv_interval(source->edges, source->count - 1, value) : 0;
        for (int64_t k = 0; k < source->count; k++)
            out[source->first + k] = source->edges ? k == interval
                                     : number      ? value
                                                   : same_category(strchr(source->categories[k], '=') + 1, cell);
    }
    return true;
}

bool csv_features_read(const char *path, int64_t width, const char *const *names, const double *fills, Arena *arena,
                       Array *array, Error *error)
{
    static const CsvOptions options = {.skip_blank = true};
    bool standard = strcmp(path, "-") == 0;
    Reading r = {.path = standard ? "standard input" : path, .width = width, .fills = fills};
    if (!(standard ? read_standard_input(arena, &r.table, error) : csv_read(path, &options, arena, &r.table, error)))
        return false;
    trim(&r.table);
    find_sources(&r, names, arena);
    bool header = first_row_is_header(&r);
    int64_t rows = r.table.rows - header;
    if (rows < 1)
        return fail(error, "%s: no rows", r.path);
    if (!place_columns(&r, header, error))
        return false;
    double *out = arena_alloc(arena, (size_t)(rows * width) * sizeof *out);
    for (int64_t i = 0; i < rows; i++)
        if (!encode_row(&r, i + header, out + i * width, error))
            return false;
    *array = (Array){.type = ARRAY_F64, .rank = 2, .shape = {rows, width}, .count = rows * width, .data = out};
    return true;
}
