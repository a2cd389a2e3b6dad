/* CSV rows as features, by the names of a training table's columns. */
#ifndef XENT_TRAIN_FEATURES_CSV_H
#define XENT_TRAIN_FEATURES_CSV_H

#include "core/base/array.h"

/* `names` are [width], COLUMN, COLUMN=CATEGORY or, of the intervals of a column, COLUMN<=EDGE ... COLUMN<=inf; or
   NULL: none. `fills` are [width], what a cell without value becomes (empty; of a number also ?, NA, N/A, NaN, nan,
   null), or NULL: it is an error. *array is F64 [rows, width] in the arena. The first row is a header where one of
   its cells is a column's name, or where none is a number and no column holds categories. `path` "-" is standard
   input. */
bool csv_features_read(const char *path, int64_t width, const char *const *names, const double *fills, Arena *arena,
                       Array *array, Error *error);

#endif
