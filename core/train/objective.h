/* Objectives: how a batch becomes the number that a step minimises. The loop knows nothing else of them.
   To add one: a file in objectives/ with `const ObjectiveDef objective_NAME`. */
#ifndef XENT_TRAIN_OBJECTIVE_H
#define XENT_TRAIN_OBJECTIVE_H

#include "core/models/model.h"
#include "core/train/config.h"
#include "data/loader.h"
#include "losses/loss.h"

/* A figure of a step that an objective gives besides the loss, for metrics.jsonl. */
typedef struct StepFigure { char name[64]; double value; } StepFigure;
enum { OBJECTIVE_MOST_STEP_FIGURES = 64, OBJECTIVE_MOST_SPLIT_FIGURES = 8 };

/* What an objective works with; everything but `state` is borrowed from the run. */
typedef struct ObjectiveContext {
    const Config *config;
    Model *model;
    const DataSplits *splits;
    Instance loss;
    const void *values;         /* the objective's own parameters */
    void *state;                /* what prepare made */
    uint64_t seed;
    const Layer *tap;           /* the layer that the loss looks at; NULL: none */
    float *loss_state;          /* per-sample state of the loss, [training samples, width]; NULL: none */
    float *loss_run_state;      /* what the loss keeps for the run, [width]; NULL: none */
    ScheduleContext at;         /* where the run is */
    double schedule_factor;     /* of learning rates at this step */
    bool logged;                /* whether this step gets a line of metrics.jsonl */
    StepFigure figures[OBJECTIVE_MOST_STEP_FIGURES]; /* since the last line of metrics.jsonl */
    int figure_count;
} ObjectiveContext;

/* A batch as tensors of the tape in use. */
typedef struct BatchTensors {
    const Batch *batch;
    Tensor *x;                  /* [N, shape...] F32, or I32 [N, tokens] */
    Tensor *targets;            /* I32 [N] or [N, tokens], or F32 [N, classes] */
    Tensor *weights;            /* [N] or NULL */
    Tensor *mask;               /* [N, tokens], 0 where a position has no target (which is then 0), else 1; NULL: 1 */
    Tensor *groups;             /* I32 [N]: numbers that members of a group share; NULL: samples stand alone */
    LossExtra columns[DATASET_MOST_COLUMNS]; /* the data set's further columns, [N] or [N, width] */
    int column_count;
} BatchTensors;

/* Figures of a split by name, the first the loss. */
typedef struct SplitFigures {
    int count;
    struct { const char *name; double value; } items[OBJECTIVE_MOST_SPLIT_FIGURES];
} SplitFigures;

typedef struct ObjectiveDef {
    Component component;
    /* Whether the loss can be had with data like `shape`, and what the data must be; exit 2 and the reason. NULL:
       check_loss, for objectives that hold the model's outputs to the data's targets. */
    bool (*check)(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error);
    /* What the targets of the data are to this objective, where that is not what they seem; also of a data set without
       arrays, of which only the shape is known. Exit 1. NULL: what they seem. */
    bool (*adapt)(Dataset *dataset, Error *error);
    /* Outputs of the model, which are then no predictions: nothing is measured with them. NULL: those of the loss. */
    int64_t (*outputs)(const void *values);
    /* Checks what only the run's parts together show, loads teachers and the like. NULL: nothing. */
    bool (*prepare)(ObjectiveContext *context, Error *error);
    /* Frees what `prepare` made, also where it failed half-way; not called while `state` is NULL. */
    void (*release)(ObjectiveContext *context);
    /* The clusters of the training samples that batches are made of (loader_stratify), and how; NULL, or a result of
       NULL: batches are drawn. */
    const int32_t *(*strata)(const ObjectiveContext *context, StrataRule *rule);
    /* Tensors of its own that going on needs: checkpoints keep them beside the model's. Borrowed; NULL: none. */
    ParameterSet *(*kept)(const ObjectiveContext *context);
    /* The key that says where these tensors come from, where it is not set and only the run knows; NULL, or a result of
       NULL: `prepare` finds them. */
    const char *(*unset_source)(const void *values);
    /* Writes to the model's parameters what the objective keeps elsewhere; before the model is measured or saved. NULL:
       nothing. */
    void (*settle)(ObjectiveContext *context);
    /* In place of the loss of the model's outputs and the metrics of predictions: figures of a split that is not empty,
       of the model as it is. NULL: those. */
    SplitFigures (*measure)(ObjectiveContext *context, const DataSplit *split);
    /* Rank 0. Layers' penalties are added by the loop. */
    Tensor *(*loss)(ObjectiveContext *context, Forward *forward, const BatchTensors *batch);
} ObjectiveDef;

/* data_load, then `adapt` of the objective for every data set. */
bool objective_load_data(const ObjectiveDef *objective, const Config *config, DataSplits *splits, Error *error);
/* The value of a figure of this step, in place of an earlier one of that name; beyond the most, none is kept. */
void objective_figure(ObjectiveContext *context, const char *name, double value);
/* Whether this loss can be had with these targets: exit 2 and the reason. */
bool check_loss(const Instance *loss, const Dataset *dataset, const TrainConfig *train, Error *error);
/* Over tensors of the tape in use; features are not copied. */
BatchTensors batch_tensors(const Model *model, const Dataset *dataset, const Batch *batch);
/* The layer that the loss looks at, NULL where it looks at none. False (exit 2) where there is no such layer, or
   where terms look at different ones. */
bool objective_tap(const Model *model, const Instance *loss, const Layer **layer, Error *error);
/* The model's logits; what the loss looks at is kept in forward. */
Tensor *objective_logits(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch);
/* What the batch gives a loss that takes an extra of this name; NULL: nothing. "x" is the input
   (not of tokens), "group" the group of each sample, all else a column of the data set. */
Tensor *batch_extra(const BatchTensors *batch, const char *name);
/* The loss's input of logits of this batch; per-position logits and targets become rows, unless the loss is one of
   sequences (LOSS_TOKENS), and the one column of a loss of scores [N] loses its axis. */
LossInput objective_loss_input(ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               Tensor *logits);

#endif
