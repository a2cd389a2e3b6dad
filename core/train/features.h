/* Samples without targets from a file, as a trained model takes them. */
#ifndef XENT_TRAIN_FEATURES_H
#define XENT_TRAIN_FEATURES_H

#include "core/train/saved.h"

/* By the name's ending, .gz apart:
   .npy    [N, shape...], axes of size 1 apart, or [N, elements]; U8 means 0..1 as in training.
           Tokens: integers [N, tokens].
   .csv, .tsv  a row a sample, in the order of the features, or under a header that names the columns of the
           training table, in any order; a feature COLUMN=CATEGORY is 1 where the column holds the category,
           of COLUMN<=EDGE the first that is not below the number;
           columns that the model does not know, such as the target, are passed over.
   .jsonl  an object a line; "features" (or what the training data's `features` says) a list of numbers, or
           "text" (`text`) a text for the model's tokenizer: cut to the window, or padded.
   "-"     CSV from standard input.
   Normalisation is set to the model's. Errors have status 1 and name file and line, row or byte. The caller
   frees the data set; NULL after an error. */
Dataset *features_read(const SavedModel *saved, const char *path, Error *error);

#endif
