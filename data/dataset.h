/* Data sets in memory: what a config's `data` becomes. A data set holds its samples whole; a split is
   a list of indices into it, so subsets, folds and class balance copy nothing.

   To add one: a file in this folder with
       const DatasetDef dataset_NAME = { .component = {...}, .load = load };
   whose parameter struct begins with `DatasetCommon common` and whose table begins with
   DATASET_COMMON_ROWS(struct NAME). */
#ifndef XENT_DATA_DATASET_H
#define XENT_DATA_DATASET_H

#include "core/base/array.h"
#include "core/base/component.h"

typedef enum TargetKind {
    TARGET_CLASS,           /* one class a sample */
    TARGET_SOFT,            /* probabilities over the classes, [count, classes] f32 */
    TARGET_LABELS,          /* 0/1 for each of the labels, [count, classes] f32 */
    TARGET_VALUES,          /* real values, [count, classes] f32 (classes is the number of outputs) */
    TARGET_TOKENS           /* the next token at every position of a window */
} TargetKind;

/* Everything belongs to `arena`, which belongs to the data set. */
typedef struct Dataset {
    Arena *arena;
    int64_t count;                      /* samples; windows for text */

    /* One sample: F32 or U8 [shape] (images are [channels, height, width]), or I32 tokens [length]. */
    ArrayType type;
    int rank;
    int64_t shape[4];
    int64_t sample_stride;              /* elements from a sample to the next; less than its size where windows overlap */
    const void *features;
    /* x -> (x - mean[c]) / deviation[c]; c is the channel (first axis) of images and the column of
       vectors, `normalized` of them. U8 is scaled to 0..1 before. Zero: features are used as they are. */
    int64_t normalized;
    float *mean, *deviation;

    TargetKind target_kind;
    int64_t classes;                    /* classes, labels, outputs, or the vocabulary of text */
    const char *const *class_names;     /* [classes] or NULL */
    int32_t *labels;                    /* [count], TARGET_CLASS */
    float *values;                      /* [count, classes], the other kinds but tokens */
    float *weights;                     /* [count] sample weights or NULL */
    int32_t *clean_labels;              /* [count], labels before label noise; NULL: there was none */
    const double *posteriors;           /* [count, classes], known by construction; NULL: unknown */
    double target_mean, target_deviation; /* TARGET_VALUES: what the values were standardised with (0, 1: not) */

    /* Text. */
    const struct Tokenizer *tokenizer;  /* NULL: not text */
    double bytes_per_token;             /* of the split it was measured on; for bits per byte */
    double entropy_rate;                /* nats a token, known by construction; NAN: unknown */
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
    FloatList split;            /* shares of train, val, test; empty: as the data set itself divides */
    bool stratified;            /* every split has the classes in equal shares */
    int64_t fold, folds;        /* fold `fold` of `folds` is the test split; folds 0: none */
    int64_t subset;             /* keep so many training samples; PARAM_UNSET: all */
    bool balance;               /* as many training samples of every class as the rarest has */
    double label_noise;         /* share of training labels replaced */
    int noise_type;             /* symmetric, asymmetric (y -> y+1) */
    bool normalize;             /* with mean and deviation of the training split */
    int64_t data_seed;          /* of splits, noise, generators; PARAM_UNSET: the run's seed */
} DatasetCommon;

extern const char *const dataset_noise_types[];

#define DATASET_COMMON_ROWS(structure, normalize_)                                                              \
    {"split", PARAM_TYPE_FLOATS, offsetof(structure, common.split), "[]", 0, 1, 0, NULL, NULL,                   \
     "shares of train, val and test; empty: as the data set itself divides", false},                            \
    {"stratified", PARAM_TYPE_BOOL, offsetof(structure, common.stratified), "false", 0, 0, 0, NULL, NULL,        \
     "give every split the classes in equal shares", false},                                                    \
    {"fold", PARAM_TYPE_INT, offsetof(structure, common.fold), "0", 0, 1000, 0, NULL, NULL,                      \
     "which of `folds` parts is the test split, from 0", false},                                                \
    {"folds", PARAM_TYPE_INT, offsetof(structure, common.folds), "0", 0, 1000, 0, NULL, NULL,                    \
     "k-fold cross-validation: number of parts; 0: none", false},                                               \
    {"subset", PARAM_TYPE_INT, offsetof(structure, common.subset), "null", 1, 1e12, 0, NULL, NULL,               \
     "keep so many training samples", true},                                                                    \
    {"balance", PARAM_TYPE_BOOL, offsetof(structure, common.balance), "false", 0, 0, 0, NULL, NULL,              \
     "keep as many training samples of every class as the rarest has", false},                                  \
    {"label_noise", PARAM_TYPE_FLOAT, offsetof(structure, common.label_noise), "0", 0, 1, 0, NULL, NULL,         \
     "share of training labels that are replaced", false},                                                      \
    {"noise_type", PARAM_TYPE_ENUM, offsetof(structure, common.noise_type), "\"symmetric\"", 0, 0, 0,            \
     dataset_noise_types, NULL, "symmetric: any other class; asymmetric: the next class", false},               \
    {"normalize", PARAM_TYPE_BOOL, offsetof(structure, common.normalize), normalize_, 0, 0, 0, NULL, NULL,       \
     "subtract the mean and divide by the deviation of the training split", false},                             \
    {"data_seed", PARAM_TYPE_INT, offsetof(structure, common.data_seed), "null", 0, 9007199254740991.0, 0, NULL, \
     NULL, "seed of splits, noise and generators; the run's seed when absent", true}

typedef struct DatasetDef {
    Component component;
    /* Reads or makes the data: fills splits->train, val, test with data sets and orders (in file order;
       a data set that has no division of its own fills train only). Reading errors name the file. */
    bool (*load)(const void *values, uint64_t seed, DataSplits *splits, Error *error);
    /* Shape and targets without reading, where the parameters alone tell; NULL or false: unknown. */
    bool (*describe)(const void *values, Dataset *shape);
} DatasetDef;

Dataset *dataset_new(void);                         /* with an arena of its own */
/* All samples of `dataset`, in order. */
DataSplit data_split_all(Arena *arena, Dataset *dataset);

/* Loads a config's data component and applies the common keys: split, folds, subset, balance, label
   noise, normalisation. On failure nothing is left to free. `seed` is the run's. */
bool data_load(const Instance *data, uint64_t seed, DataSplits *splits, Error *error);
void data_free(DataSplits *splits);

/* Sample `index` as f32 (normalised) into out[size of a sample]. */
void dataset_sample(const Dataset *dataset, int64_t index, float *out);
int64_t dataset_sample_size(const Dataset *dataset);

#endif
