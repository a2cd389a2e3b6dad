/* CSV as in RFC 4180, and the same with tabs, semicolons or spaces. */
#ifndef XENT_DATA_CSV_READ_H
#define XENT_DATA_CSV_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/memory.h"

enum { CSV_MOST_CELLS = 1 << 27 };

typedef struct CsvOptions {
    char separator;      /* ',' '\t' ';'; ' ': any number of spaces, those at both ends of a line left out;
                            0: the most frequent of the first three in the first row, ',' on a tie */
    bool header;         /* the first row names the columns */
    bool skip_blank;     /* empty lines are no rows, wherever they stand */
    int64_t skip_lines;  /* that many lines are passed over before the first row */
} CsvOptions;

/* All strings and lists belong to the arena. `header` is [columns], or NULL when none was asked for;
   `cells` is [rows][columns], without the header; `lines` is [rows], where each row begins. */
typedef struct CsvTable {
    int64_t rows, columns;
    char separator;
    char **header, **cells;
    int64_t *lines;
} CsvTable;

/* Rows end with LF or CRLF; a UTF-8 byte order mark is skipped. `options` NULL: detect, no header.
   Errors (begin with file:line): rows of different width, a quote out of place or not closed, a CR
   without LF, a NUL byte. So are an empty file, more than 1 GB, and more than
   CSV_MOST_CELLS separators and lines (begin with the file). gzip allowed. */
bool csv_read(const char *path, const CsvOptions *options, Arena *arena, CsvTable *table, Error *error);
/* The same from memory, without gzip; `name` is what messages call it. The text is copied. */
bool csv_parse(const char *name, const unsigned char *bytes, size_t size, const CsvOptions *options, Arena *arena,
               CsvTable *table, Error *error);

#endif
