/* A CSV file as a table of trimmed cells with named columns, for the data set "csv". */
#ifndef XENT_DATA_CSV_FILE_H
#define XENT_DATA_CSV_FILE_H

#include "core/base/json.h"
#include "data/csv_read.h"

enum { CSV_MOST_COLUMNS = 65536 };

typedef enum CsvHeader { CSV_HEADER_DETECT, CSV_HEADER_YES, CSV_HEADER_NO } CsvHeader;

typedef struct CsvFileOptions {
    char separator;         /* as CsvOptions */
    int64_t skip_lines;
    CsvHeader header;       /* DETECT: the first row is one when none of its cells is a number or empty and a
                               cell of the second row is a number */
    const cJSON *names;     /* list of strings, the columns' names where there is no header; NULL: none */
} CsvFileOptions;

/* Everything belongs to the arena. Columns without names are called by their number, from 0. Columns from
   `joined` on came from another file, whose rows lie beside this one's. */
typedef struct CsvFile {
    const char *path;
    int64_t rows, columns;
    bool has_header;
    const char **names;     /* [columns] */
    char **cells;           /* [rows, columns] */
    int64_t *lines;         /* [rows] */
    int64_t joined;         /* == columns: none */
    const char *joined_path;
    int64_t *joined_lines;  /* [rows] */
} CsvFile;

/* Empty lines are no rows; spaces and tabs around a cell do not count. */
bool csv_file_read(const char *path, const CsvFileOptions *options, Arena *arena, CsvFile *file, Error *error);
/* Appends columns of `other`, which must have as many rows. */
bool csv_file_join(CsvFile *file, const CsvFile *other, const int64_t *columns, int64_t count, Arena *arena,
                   Error *error);
/* A column by name or by number from 0; `key` starts the message. */
bool csv_file_column(const CsvFile *file, const char *key, const cJSON *which, int64_t *column, Error *error);
/* Keeps the rows that `keep` marks. */
void csv_file_keep(CsvFile *file, const unsigned char *keep);

char *csv_cell(const CsvFile *file, int64_t row, int64_t column);
/* "file:line: column NAME: ..."; returns false. */
bool csv_fail(const CsvFile *file, int64_t row, int64_t column, Error *error, const char *format, ...)
    FORMAT_LIKE_PRINTF(5, 6);

/* A whole cell as a decimal number; one beyond f64 is infinite. */
bool csv_number(const char *text, double *value);

#endif
