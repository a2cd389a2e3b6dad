/* What a CSV file's columns are, and their way into numbers. */
#ifndef XENT_DATA_CSV_COLUMNS_H
#define XENT_DATA_CSV_COLUMNS_H

#include "data/csv_file.h"

/* Different cells of a column: in the order of their numbers when all are numbers (then 1 and 1.0 are one),
   else of their bytes. */
typedef struct CsvCategories {
    int64_t count;
    const char **names;     /* [count] */
    bool numeric;
} CsvCategories;

void csv_categories_fit(const CsvFile *file, int64_t column, Arena *arena, CsvCategories *categories);
int64_t csv_category_find(const CsvCategories *categories, const char *text); /* -1: not among them */

/* A feature. Numbers take one element, or one for each of `bins` intervals; categories one each (one-hot). */
typedef struct CsvColumn {
    int64_t index;
    bool categorical;
    int64_t bins;               /* of numbers; 0: as they are */
    double *edges;              /* [bins - 1]: the first interval is what is <= edges[0], the last what is above all */
    double mean;                /* of the training file's numbers */
    CsvCategories categories;
} CsvColumn;

/* Finds out whether the column holds numbers. Text in at most one cell of 20 is taken for a mistake:
   an error, unless the column is `forced` to be categorical. */
bool csv_column_type(const CsvFile *file, int64_t index, bool forced, CsvColumn *column, Error *error);
/* No value: an empty cell; among numbers and targets also ?, NA, N/A, NaN, nan and null. */
bool csv_is_mark(const char *text);
bool csv_is_missing(const CsvColumn *column, const char *text);
/* Mean or categories of all rows, and with `bins` the edges: quantiles by linear interpolation, rounded to nine
   digits, so that their names say them exactly. Equal ones leave intervals empty. */
bool csv_column_fit(const CsvFile *file, CsvColumn *column, Arena *arena, Error *error);
/* The interval of a number among count + 1. */
int64_t csv_interval(const double *edges, int64_t count, double value);
int64_t csv_column_width(const CsvColumn *column);
/* Row `row` into out[width]: a missing number as the mean, a category that the fit has not seen as zeros. */
bool csv_column_encode(const CsvFile *file, const CsvColumn *column, int64_t row, float *out, Error *error);

#endif
