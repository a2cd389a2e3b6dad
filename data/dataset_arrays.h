/* From arrays to a data set's features and targets: what the formats share. Messages begin with `name`,
   the file's, and give the element's index. */
#ifndef XENT_DATA_DATASET_ARRAYS_H
#define XENT_DATA_DATASET_ARRAYS_H

#include "data/dataset.h"

/* How an array of targets is read. AUTO: integers [N] (or [N, 1]) are classes, integers [N, K] that are
   0 or 1 labels, reals values. */
typedef enum TargetReading { READ_AUTO, READ_CLASS, READ_SOFT, READ_LABELS, READ_VALUES } TargetReading;
extern const char *const target_reading_names[];

/* Count, type, shape and features from array [N, ...] of rank 1 to 5; [N] becomes [N, 1]. F32 and U8 are
   borrowed as they are, the rest becomes F32 in the data set's arena. Fails where a value is not finite
   in f32, where there are no samples, and where a sample has no elements. */
bool dataset_take_features(Dataset *dataset, const char *name, const Array *array, Error *error);

/* What is allocated for each class stays small beside 2 GB. */
enum { DATASET_MOST_CLASSES = 1 << 24 };

/* Targets of `dataset->count` samples. Classes are 0 <= y < classes; `classes` PARAM_UNSET takes the largest + 1, which
   is at most DATASET_MOST_CLASSES. Soft targets are >= 0 with sums within 1e-3 of 1; labels are 0 or 1. */
bool dataset_take_targets(Dataset *dataset, const char *name, const Array *array, TargetReading reading,
                          int64_t classes, Error *error);

/* An array [N] or [N, width] as the column `column` of the data set. */
bool dataset_take_column(Dataset *dataset, const char *name, const char *column, const Array *array, Error *error);
/* Integers [N], one for each group, whose members stand side by side. */
bool dataset_take_groups(Dataset *dataset, const char *name, const Array *array, Error *error);
/* Features of the labels, [classes, width]; the data set has its targets already. */
bool dataset_take_label_features(Dataset *dataset, const char *name, const Array *array, Error *error);

/* One number of classes for data sets that were read apart: the larger one of both. */
void dataset_share_classes(Dataset *a, Dataset *b);

/* Names as an arena's own; NULL stays NULL. */
const char *const *copy_names(Arena *arena, const char *const *names, int64_t count);

/* The path of folder/name or folder/name.gz, whichever exists, the plain one first; NULL: neither. */
char *find_file(Arena *arena, const char *folder, const char *name);

#endif
