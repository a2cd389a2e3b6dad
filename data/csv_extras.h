/* Columns of a CSV file that are neither features nor targets: each row's group, and what losses take as extras. */
#ifndef XENT_DATA_CSV_EXTRAS_H
#define XENT_DATA_CSV_EXTRAS_H

#include "data/csv_file.h"
#include "data/dataset.h"

typedef struct CsvExtra { const char *name; int64_t width; int64_t *columns; } CsvExtra;

typedef struct CsvExtras {
    int64_t group;              /* column; -1: none */
    int count;
    CsvExtra items[DATASET_MOST_COLUMNS];
} CsvExtras;

/* Finds the columns of the keys `group` (a name or number, or NULL) and `extras` ({name: column or list of columns},
   or NULL), and marks them in used[columns]. */
bool csv_extras_find(const CsvFile *file, const cJSON *group, const cJSON *extras, Arena *arena, CsvExtras *to,
                     unsigned char *used, Error *error);
/* The data set's groups and columns, of rows that it has already. Members of a group must stand side by side. */
bool csv_extras_encode(const CsvFile *file, const CsvExtras *extras, Dataset *dataset, Error *error);

#endif
