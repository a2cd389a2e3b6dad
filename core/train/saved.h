/* A trained model from disk: a run folder, or one .safetensors file that carries its config. */
#ifndef XENT_TRAIN_SAVED_H
#define XENT_TRAIN_SAVED_H

#include "core/train/run.h"
#include "data/tokenizer.h"

typedef struct SavedModel {
    Arena *arena;
    const char *path;           /* of the .safetensors file */
    const char *folder;         /* of the run; NULL: the file stands alone */
    Config *config;             /* as it was trained, with the caller's changes */
    Model *model;
    TargetKind target_kind;
    int64_t classes;
    const char *const *class_names;     /* [classes] or NULL */
    const char *const *feature_names;   /* [shape[0]], of vectors: columns, or COLUMN=CATEGORY; or NULL */
    const double *fills;        /* [shape[0]], features of a cell without value; NULL: such are errors */
    int64_t normalized;         /* what features are normalised with; 0: nothing */
    const float *mean, *deviation;
    const double *target_mean, *target_deviation; /* [classes] or NULL */
    Tokenizer *tokenizer;       /* NULL: not text */
    const char *calibration;    /* JSON text, or NULL */
    int64_t step, epoch;
} SavedModel;

/* `path` is a run folder (its best checkpoint, or the last where there is no best) or a file. `sets`, `seed`: as for
   config_load. A tape must be in use. NULL after an error; messages name the file. */
SavedModel *saved_open(const char *path, const char *const *sets, const uint64_t *seed, Error *error);
void saved_close(SavedModel *saved);

/* The file with one more string in its metadata, or one replaced, to another path; atomic. */
bool saved_copy(const SavedModel *saved, const char *key, const char *value, const char *path, Error *error);

/* The data of its config (or of `config`, when not NULL), normalised as the model's was; checked against the model. */
bool saved_load_data(const SavedModel *saved, const Config *config, DataSplits *splits, Error *error);
/* What the objective measures of a split by itself, with what the run kept beside the model; count 0: nothing, as of
   other objectives and of data that this one cannot have. *missing: NULL, or why it could not, in the arena of
   `saved`. */
bool saved_figures(const SavedModel *saved, const DataSplits *splits, const DataSplit *split, SplitFigures *figures,
                   const char **missing, Error *error);
/* Data of other classes than the model's, which must be classes and of its samples' shape; normalised as its own was.
   */
bool saved_load_classes(const SavedModel *saved, const Instance *data, DataSplits *splits, Error *error);

#endif
