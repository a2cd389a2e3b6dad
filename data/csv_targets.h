/* The target columns of a CSV file: one of classes, or one or several of values. */
#ifndef XENT_DATA_CSV_TARGETS_H
#define XENT_DATA_CSV_TARGETS_H

#include "data/csv_columns.h"
#include "data/dataset.h"

typedef enum CsvTask { CSV_AUTO, CSV_CLASSIFICATION, CSV_REGRESSION } CsvTask;
extern const char *const csv_task_names[];

typedef struct CsvTargets {
    int64_t count;
    const int64_t *columns;
    bool classification;
    CsvCategories classes;
} CsvTargets;

/* Decides the task and, for classes, sorts them. AUTO: one column with text, or with at most
   CSV_MOST_CLASSES different whole numbers, holds classes; all else are values. */
enum { CSV_MOST_CLASSES = 50 };
bool csv_targets_fit(const CsvFile *file, CsvTask task, Arena *arena, CsvTargets *targets, Error *error);
/* Labels or values of all rows; a class that the fit has not seen is an error. */
bool csv_targets_encode(const CsvFile *file, const CsvTargets *targets, Dataset *dataset, Error *error);

#endif
