/* The classes that data.only_classes kept from a trained model, and the model with them (Pereira et al. 2021). */
#ifndef XENT_TRAIN_NEW_CLASSES_H
#define XENT_TRAIN_NEW_CLASSES_H

#include "core/train/embeddings.h"
#include "core/train/saved.h"

typedef struct NewClasses {
    DataSplits splits;              /* of the new classes alone, 0 to count - 1; the caller's to free */
    int64_t count;
    const int64_t *numbers;         /* [count], of the classes in the data without only_classes; the arena's */
} NewClasses;

/* The run's data without only_classes, then without the classes that it lists; no label noise, all training samples. An
   error (exit 2) where nothing was left out; then there is nothing to free. */
bool new_classes_load(const SavedModel *saved, Arena *arena, NewClasses *classes, Error *error);

/* The saved file with the new classes behind its own, written to `path`: rows of the head are `directions` [count,
   width] of length 1, with a bias of 0 where the head has one, and data.only_classes lists them too. A calibration is
   left out. An error where the head's rows are not the classes, or are quantized. */
bool new_classes_write(const SavedModel *saved, const NewClasses *classes, int64_t width, const double *directions,
                       const char *path, Error *error);

#endif
