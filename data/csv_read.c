#include "data/csv_read.h"

#include <assert.h>
#include <string.h>

#include "core/base/file.h"

static const size_t csv_limit = (size_t)1 << 30;

/* Fields are unquoted in place: a field is never longer than its source, and the byte behind it (a
   separator, an end of line or the NUL behind the text) makes room for its NUL. */
typedef struct Reader {
    const char *name;
    char *at, *end;
    int64_t line;
    char separator;
    Error *error;
} Reader;

static bool refuse(Reader *reader, int64_t line, const char *what)
{
    return fail(reader->error, "%s:%lld: %s", reader->name, (long long)line, what);
}

/* The most frequent of the three outside quotes in the first row. */
static char detect_separator(const char *at, const char *end)
{
    static const char known[] = {',', '\t', ';'};
    size_t counts[sizeof known] = {0}, best = 0;
    bool quoted = false;
    for (; at < end && (quoted || *at != '\n'); at++) {
        if (*at == '"')
            quoted = !quoted;
        for (size_t i = 0; i < sizeof known; i++)
            counts[i] += !quoted && *at == known[i];
    }
    for (size_t i = 1; i < sizeof known; i++)
        if (counts[i] > counts[best])
            best = i;
    return known[best];
}

/* After the opening quote; moves behind the closing one and gives the end of the unquoted text. */
static bool read_quoted(Reader *reader, char **stop)
{
    int64_t opened = reader->line;
    char *out = reader->at;
    while (reader->at < reader->end) {
        char c = *reader->at++;
        if (c == '"') {
            if (reader->at == reader->end || *reader->at != '"') {
                *stop = out;
                return true;
            }
            reader->at++;
        }
        if (!c)
            return refuse(reader, reader->line, "NUL byte");
        reader->line += c == '\n';
        *out++ = c;
    }
    return refuse(reader, opened, "the quote that opens here is not closed");
}

static bool read_plain(Reader *reader, char **stop)
{
    for (; reader->at < reader->end; reader->at++) {
        char c = *reader->at;
        if (c == reader->separator || c == '\n' || c == '\r')
            break;
        if (c == '"')
            return refuse(reader, reader->line, "quote inside an unquoted field; quote the field and double the quote");
        if (!c)
            return refuse(reader, reader->line, "NUL byte");
    }
    *stop = reader->at;
    return true;
}

static void skip_spaces(Reader *reader)
{
    while (reader->separator == ' ' && reader->at < reader->end && *reader->at == ' ')
        reader->at++;
}

/* Takes the separator (spaces before the end of a line are none) or the end of the row. */
static bool end_field(Reader *reader, bool *last)
{
    const char *field_end = reader->at;
    skip_spaces(reader);
    *last = true;
    if (reader->at == reader->end)
        return true;
    if (*reader->at == reader->separator || (reader->at > field_end && !strchr("\r\n", *reader->at))) {
        *last = false;
        reader->at += reader->separator != ' ';
        return true;
    }
    if (*reader->at == '\r' && ++reader->at == reader->end)
        return refuse(reader, reader->line, "carriage return without line feed");
    if (*reader->at != '\n')
        return refuse(reader, reader->line, reader->at[-1] == '\r' ? "carriage return without line feed"
                                                                   : "text behind a closing quote");
    reader->line++;
    reader->at++;
    return true;
}

/* One field and what ends it; *last says that the row ended too. */
static bool read_field(Reader *reader, char **field, bool *last)
{
    bool quoted = reader->at < reader->end && *reader->at == '"';
    reader->at += quoted;
    *field = reader->at;
    char *stop = reader->at;
    if (!(quoted ? read_quoted(reader, &stop) : read_plain(reader, &stop)) || !end_field(reader, last))
        return false;
    *stop = '\0'; /* only now: it may overwrite the separator just looked at */
    return true;
}

/* Whether an empty line stood here; it is passed over. */
static bool skip_blank_line(Reader *reader)
{
    const char *at = reader->at;
    at += at < reader->end && *at == '\r';
    if (at == reader->end || *at != '\n')
        return false;
    reader->at += at - reader->at + 1;
    reader->line++;
    return true;
}

/* Room for every field the text can have: one behind each separator and each line feed. */
static size_t most_fields(const Reader *reader, size_t *rows)
{
    size_t fields = 1;
    *rows = 1;
    for (const char *at = reader->at; at < reader->end; at++) {
        fields += *at == reader->separator || *at == '\n';
        *rows += *at == '\n';
    }
    return fields;
}

static bool read_rows(Reader *reader, bool skip_blank, CsvTable *table, char **fields, int64_t *lines)
{
    int64_t count = 0;
    while (skip_spaces(reader), reader->at < reader->end) {
        if (skip_blank && skip_blank_line(reader))
            continue;
        int64_t line = reader->line, columns = 0;
        bool last = false;
        while (!last) {
            if (!read_field(reader, &fields[count], &last))
                return false;
            count++;
            columns++;
        }
        if (table->rows == 0)
            table->columns = columns;
        if (columns != table->columns)
            return fail(reader->error, "%s:%lld: expected %lld columns, got %lld", reader->name, (long long)line,
                        (long long)table->columns, (long long)columns);
        lines[table->rows++] = line;
    }
    return true;
}

/* `text` is the arena's, writable, with a NUL behind it. */
static bool parse_in_place(const char *name, char *text, size_t size, const CsvOptions *options, Arena *arena,
                           CsvTable *table, Error *error)
{
    Reader reader = {name, text, text + size, 1, options ? options->separator : '\0', error};
    assert(!reader.separator || strchr(",\t; ", reader.separator));
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        reader.at += 3;
    for (int64_t i = 0; options && i < options->skip_lines; i++) {
        char *end = memchr(reader.at, '\n', (size_t)(reader.end - reader.at));
        if (!end)
            return fail(error, "%s: no line behind the %lld to skip", name, (long long)options->skip_lines);
        reader.at = end + 1;
        reader.line++;
    }
    while (options && options->skip_blank && skip_blank_line(&reader))
        continue; /* the separator is found in the first row */
    if (reader.at == reader.end)
        return fail(error, "%s: no rows", name);
    if (!reader.separator)
        reader.separator = detect_separator(reader.at, reader.end);
    size_t rows, room = most_fields(&reader, &rows);
    if (room > CSV_MOST_CELLS)
        return fail(error, "%s: %zu separators and lines, at most %d are read", name, room, CSV_MOST_CELLS);
    char **fields = arena_alloc(arena, room * sizeof *fields);
    int64_t *lines = arena_alloc(arena, rows * sizeof *lines);
    *table = (CsvTable){.separator = reader.separator};
    if (!read_rows(&reader, options && options->skip_blank, table, fields, lines))
        return false;
    if (table->rows == 0)
        return fail(error, "%s: no rows", name);
    bool header = options && options->header;
    table->header = header ? fields : NULL;
    table->cells = fields + (header ? table->columns : 0);
    table->lines = lines + header;
    table->rows -= header;
    return true;
}

bool csv_parse(const char *name, const unsigned char *bytes, size_t size, const CsvOptions *options, Arena *arena,
               CsvTable *table, Error *error)
{
    if (size > csv_limit)
        return fail(error, "%s: %zu bytes, at most %zu are read", name, size, csv_limit);
    char *text = arena_alloc(arena, size + 1);
    if (size)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return parse_in_place(name, text, size, options, arena, table, error);
}

bool csv_read(const char *path, const CsvOptions *options, Arena *arena, CsvTable *table, Error *error)
{
    unsigned char *bytes;
    size_t size;
    return file_read(path, csv_limit, arena, &bytes, &size, error) &&
           parse_in_place(path, (char *)bytes, size, options, arena, table, error);
}
