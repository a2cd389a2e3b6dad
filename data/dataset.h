/* Data sets in memory: what a config's `data` becomes. A data set holds its samples whole; a split is
   a list of indices into it, so subsets, folds and class balance copy nothing.

   To add one: a file in this folder with
       const DatasetDef dataset_NAME = { .component = {...}, .load = load };
   whose parameter struct begins with `DatasetCommon common` and whose table begins with
   DATASET_COMMON_ROWS(struct NAME, "true" or "false": whether features are normalised by default). */
#ifndef XENT_DATA_DATASET_H
#define XENT_DATA_DATASET_H

#include "core/base/array.h"
#include "core/base/component.h"

typedef enum TargetKind {
    TARGET_CLASS,           /* one class a sample */
    TARGET_SOFT,            /* probabilities over the classes, [count, classes] f32 */
    TARGET_LABELS,          /* 0/1 for each of the labels, [count, classes] f32 */
    TARGET_VALUES,          /* real values, [count, classes] f32 (classes is the number of outputs) */
    TARGET_TOKENS           /* a token at every position: of a window the next one, else one of `labels` */
} TargetKind;

/* A further number, or several, of each sample that losses (as extras) and metrics take by name. */
typedef struct DatasetColumn {
    const char *name;
    int64_t width;
    const float *values;                /* [count, width] */
} DatasetColumn;

enum { DATASET_MOST_COLUMNS = 8 };

/* Columns of data that are steps of a decision process: in the state that is the sample an action was taken, a number
   from 0; its reward; the state reached, as long as a sample and not normalised; and, where episodes end, 1 where one
   did. The sample's values are those of all actions, [count, actions], if they are known. */
#define COLUMN_ACTION "action"
#define COLUMN_REWARD "reward"
#define COLUMN_NEXT "next"
#define COLUMN_DONE "done"

/* Everything belongs to `arena`, which belongs to the data set. */
typedef struct Dataset {
    Arena *arena;
    int64_t count;                      /* samples; windows for text */

    /* One sample: F32 or U8 [shape] (images are [channels, height, width]), or I32 tokens [length]. */
    ArrayType type;
    int rank;
    int64_t shape[4];
    int64_t sample_stride;              /* elements from a sample to the next; below its size: windows overlap */
    const void *features;
    const char *const *feature_names;   /* [shape[0]], columns of vectors; NULL: they have no names */
    const double *fills;                /* [shape[0]], what stands for a cell without value; NULL: such are errors */
    /* x -> (x - mean[c]) / deviation[c]; c is the channel (first axis) of images and what else has rank 3
       or 4, and the last axis of vectors and sequences of vectors; `normalized` of them. U8 is scaled to
       0..1 before, always. Zero: features are used as they are. */
    int64_t normalized;
    float *mean, *deviation;

    TargetKind target_kind;
    int64_t classes;                    /* classes, labels, outputs, or the vocabulary of text */
    const char *const *class_names;     /* [classes] or NULL */
    /* [count], TARGET_CLASS; of TARGET_TOKENS [count, shape[0]], -1 where a position has no target, or NULL: the token
       that follows in the window. */
    int32_t *labels;
    bool own_tokens;                    /* TARGET_TOKENS: the targets are `labels` */
    bool masks_targets;                 /* and some positions may have none */
    float *values;                      /* [count, classes], the other kinds but tokens */
    float *weights;                     /* [count] sample weights or NULL */
    int32_t *clean_labels;              /* [count], labels before label noise; NULL: there was none */
    const double *posteriors;           /* [count, classes], known by construction; NULL: unknown */
    /* TARGET_VALUES: values are (v - target_mean[k]) / target_deviation[k], [classes]; NULL: as they were read. */
    const double *target_mean, *target_deviation;

    /* TARGET_LABELS. */
    int64_t label_width;                /* 0: labels have no features of their own */
    const float *label_features;        /* [classes, label_width], as they are */
    const double *propensities;         /* [classes], by how many training samples have the label (data_load) */

    int column_count;
    DatasetColumn columns[DATASET_MOST_COLUMNS];
    /* Samples in groups (queries, sessions) whose members are compared with each other: they stand side by side, and
       splits, subsets and batches take groups whole. */
    int64_t group_count;                /* 0: every sample stands alone */
    const int32_t *groups;              /* [count], 0, ..., group_count - 1, never falling */

    double discount;                    /* of values of actions that are known; NAN: there are none */
    bool values_unknown;                /* TARGET_VALUES: they are zeros, with which nothing is measured */

    /* Text. */
    const struct Tokenizer *tokenizer;  /* NULL: not text */
    double bytes_per_token;             /* of the split it was measured on; for bits per byte */
    double entropy_rate;                /* nats a token, known by construction; NAN: unknown */
    int32_t end_token;                  /* ends a response (masks_targets); -1: none does */
} Dataset;

/* Samples of one split: order[0..count-1] are indices into `dataset`. Owned by the DataSplits' arena. */
typedef struct DataSplit {
    Dataset *dataset;
    int64_t count;
    int64_t *order;
} DataSplit;

/* What a config's `data` gives. count 0: the split is absent. Several splits may share a data set. */
typedef struct DataSplits {
    Arena *arena;
    DataSplit train, val, test;
    Dataset *datasets[3];               /* owned; NULL-padded */
} DataSplits;

/* Keys that every data set takes. */
typedef struct DatasetCommon {
    IntList only_classes;       /* samples of these, in this order; empty: all */
    FloatList split;            /* shares of train, val, test; empty: as the data set itself divides */
    bool stratified;            /* every split has the classes in equal shares */
    int64_t fold, folds;        /* fold `fold` of `folds` is the test split; folds 0: none */
    int64_t subset;             /* keep so many training samples, or groups; PARAM_UNSET: all */
    bool balance;               /* as many training samples of every class as the rarest has */
    double label_noise;         /* share of training labels replaced */
    int noise_type;             /* symmetric, asymmetric (y -> y+1) */
    double blank;               /* share of training samples next to blank, with a random class */
    bool normalize;             /* with mean and deviation of the training split */
    bool standardize_targets;   /* TARGET_VALUES: with mean and deviation of the training split */
    int64_t data_seed;          /* of splits, noise, generators; PARAM_UNSET: the run's seed */
} DatasetCommon;

extern const char *const dataset_noise_types[];

/* What divides and changes the training data, for sets that leave the fitting to others (parts). */
#define DATASET_DIVISION_ROWS(structure)                                                                         \
    {"only_classes", PARAM_TYPE_INTS, offsetof(structure, common.only_classes), "[]", 0, 1e9, 0, NULL, NULL,     \
     "keep the samples of these classes alone, which become 0, 1, ... in this order; empty: all", false},        \
    {"split", PARAM_TYPE_FLOATS, offsetof(structure, common.split), "[]", 0, 1, 0, NULL, NULL,                   \
     "shares of train, val and test, sum 1; two: of train and val; empty: as the data set itself divides", false}, \
    {"stratified", PARAM_TYPE_BOOL, offsetof(structure, common.stratified), "false", 0, 0, 0, NULL, NULL,        \
     "give every split, fold and subset the classes in equal shares", false},                                    \
    {"fold", PARAM_TYPE_INT, offsetof(structure, common.fold), "0", 0, 999, 0, NULL, NULL,                       \
     "which of `folds` parts is the test split, from 0", false},                                                \
    {"folds", PARAM_TYPE_INT, offsetof(structure, common.folds), "0", 0, 1000, 0, NULL, NULL,                    \
     "k-fold cross-validation: number of parts; 0: none", false},                                               \
    {"subset", PARAM_TYPE_INT, offsetof(structure, common.subset), "null", 1, 1e12, 0, NULL, NULL,               \
     "keep so many training samples; groups, where the data has groups", true},                                  \
    {"balance", PARAM_TYPE_BOOL, offsetof(structure, common.balance), "false", 0, 0, 0, NULL, NULL,              \
     "keep as many training samples of every class as the rarest has", false},                                  \
    {"label_noise", PARAM_TYPE_FLOAT, offsetof(structure, common.label_noise), "0", 0, 1, 0, NULL, NULL,         \
     "share of training labels that are replaced", false},                                                      \
    {"noise_type", PARAM_TYPE_ENUM, offsetof(structure, common.noise_type), "\"symmetric\"", 0, 0, 0,            \
     dataset_noise_types, NULL, "symmetric: any other class; asymmetric: the next class", false},               \
    {"blank", PARAM_TYPE_FLOAT, offsetof(structure, common.blank), "0", 0, 1, 0, NULL, NULL,                     \
     "share of training samples with a twentieth of their contrast and a random class, whose extra marked is 1",   \
     false},                                                                                                     \
    {"data_seed", PARAM_TYPE_INT, offsetof(structure, common.data_seed), "null", 0, 9007199254740991.0, 0, NULL, \
     NULL, "seed of splits, noise and generators; the run's seed when absent", true}

#define DATASET_COMMON_ROWS(structure, normalize_)                                                              \
    DATASET_DIVISION_ROWS(structure),                                                                           \
    {"normalize", PARAM_TYPE_BOOL, offsetof(structure, common.normalize), normalize_, 0, 0, 0, NULL, NULL,       \
     "subtract the mean and divide by the deviation of the training split", false},                             \
    {"standardize_targets", PARAM_TYPE_BOOL, offsetof(structure, common.standardize_targets), "false", 0, 0, 0,  \
     NULL, NULL, "the same for the values of a regression", false}

typedef struct DatasetDef {
    Component component;
    /* Reads or makes the data: fills splits->train, val, test with data sets and orders (in file order;
       a data set that has no division of its own fills train only). Reading errors name the file. */
    bool (*load)(const void *values, uint64_t seed, DataSplits *splits, Error *error);
    /* Shape and targets without reading, where the parameters alone tell; NULL or false: unknown. */
    bool (*describe)(const void *values, Dataset *shape);
} DatasetDef;

Dataset *dataset_new(void);                         /* with an arena of its own, which holds the Dataset too */
void dataset_free(Dataset *dataset);                /* NULL allowed */
/* A new data set that belongs to `splits`; load functions use it, so that failing leaves nothing behind. */
Dataset *data_splits_add(DataSplits *splits);
/* All samples of `dataset`, in order. */
DataSplit data_split_all(Arena *arena, Dataset *dataset);

/* Loads a config's data component and applies the common keys, in this order:
   0. only_classes: samples of other classes leave every split, and those that stay are numbered anew.
   1. folds: what the data set gave as train is cut into `folds` parts of sizes that differ by at most
      one; part `fold` is test, the rest train. An error when the data set has a test split, and for text.
   2. split: three shares divide train into train, val and test, an error when there is a val or test
      split already (of the data set itself or by 1): what is fixed is not drawn anew. Two shares divide
      train into train and val, an error when there is a val split. Sizes are the shares of the count,
      rounded to the nearest with sum kept; each split keeps the data set's order. Windows of text
      (TARGET_TOKENS) are not drawn but cut in order; where such a set came divided, `split` was its own.
   3. balance, then subset, on train. A subset takes the classes in equal shares with `stratified` and
      with `balance`.
   4. label_noise: exactly round(label_noise * training samples) labels, drawn without replacement,
      become another class: symmetric, uniformly one of the others; asymmetric, y + 1 mod classes.
      clean_labels keeps what was there.
   5. blank: exactly round(blank * training samples), drawn without replacement, keep a twentieth of what differs from
      the sample's mean, and their class is drawn uniformly from all. Every split gets the extra "marked", 1 for them.
   6. normalize and standardize_targets: fitted on train as it is now, applied to every split.
      Deviations divide by n; one of 0 counts as 1. So are the propensities of labels, the chance that a label that is
      true was noted: 1 / (1 + C (n_l + 1.5)^-0.55), C = (log N - 1) 2.5^0.55, of n_l of N samples that have label l
      (Jain, Prabhu and Varma, KDD 2016).
   `only_classes`, `stratified`, `balance` and `label_noise` need classes (TARGET_CLASS). Where the data has groups,
   groups are what 1 to 3 count and draw, and `only_classes`, `stratified` and `balance` cannot be had. Everything drawn
   is a function of `data_seed`, where it is given, else of `seed`, the run's. On failure nothing is left to free. */
bool data_load(const Instance *data, uint64_t seed, DataSplits *splits, Error *error);
void data_free(DataSplits *splits);
/* DatasetDef.describe of a config's data, after only_classes. */
bool data_describe(const Instance *data, Dataset *shape);

/* What the ranges of single common keys cannot say; `values` begins with a DatasetCommon. */
bool dataset_common_validate(const void *values, Error *error);
/* A config's `data`: a component, or an object without "type" that has a key train, val or test, which
   is the component "parts". The common keys are validated too. */
bool data_instance_parse(ParamContext *context, const cJSON *value, Instance *instance);

/* Sample `index` as f32 (U8 scaled, normalised) into out[size of a sample]. Not for tokens. */
void dataset_sample(const Dataset *dataset, int64_t index, float *out);
/* The same of the state that the sample's step reached; F32 with a column COLUMN_NEXT. */
void dataset_next_sample(const Dataset *dataset, int64_t index, float *out);
int64_t dataset_sample_size(const Dataset *dataset); /* elements: the product of the shape */

/* Values are borrowed, the name is copied. At most DATASET_MOST_COLUMNS. */
void dataset_add_column(Dataset *dataset, const char *name, int64_t width, const float *values);
const DatasetColumn *dataset_column(const Dataset *dataset, const char *name); /* NULL: there is none */

/* The first position after `begin` of order[count] that holds a sample of another group. */
int64_t dataset_group_end(const Dataset *dataset, const int64_t *order, int64_t begin, int64_t count);

#endif
