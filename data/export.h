/* Data sets to files that the formats of this folder read again. */
#ifndef XENT_DATA_EXPORT_H
#define XENT_DATA_EXPORT_H

#include "data/dataset.h"

/* Features as they were read, not normalised; targets as they were read, label noise included. A split's samples
   in its order. Everything is written atomically, file by file; errors name the file. */

/* One NPZ file: x, y, and x_val, y_val, x_test, y_test where there are such splits, clean_y where labels are noisy. */
bool export_npz(const DataSplits *splits, const char *path, Error *error);
/* NPY files PREFIX_x.npy, PREFIX_y.npy and so on, the arrays of export_npz. */
bool export_npy(const DataSplits *splits, const char *prefix, Error *error);
/* FOLDER/SPLIT/CLASS/NUMBER.png: F32 images are 0..1 and rounded to bytes. fail_usage where samples are no images of
   one or three channels with a class each. */
bool export_png(const DataSplits *splits, const char *folder, Error *error);
/* Tables and texts: a file a split, paths[3] for train, val, test; splits that are not there are passed over. */

/* Named columns, the targets last. fail_usage where samples are no vectors. */
bool export_csv(const DataSplits *splits, const char *const paths[3], Error *error);
/* What the windows of text cover. */
bool export_text(const DataSplits *splits, const char *const paths[3], Error *error);

#endif
