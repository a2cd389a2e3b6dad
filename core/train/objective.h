/* Objectives: how a batch becomes the number that a step minimises. The loop knows nothing else of them.
   To add one: a file in objectives/ with `const ObjectiveDef objective_NAME`. */
#ifndef XENT_TRAIN_OBJECTIVE_H
#define XENT_TRAIN_OBJECTIVE_H

#include "core/models/model.h"
#include "core/train/config.h"
#include "data/loader.h"
#include "losses/loss.h"

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
    double progress;            /* share of the run done, 0..1 */
    double schedule_factor;     /* of learning rates at this step */
    double *figures;            /* [LOSS_MOST_FIGURES] of the loss's last input; NULL: nobody asks for them */
} ObjectiveContext;

/* A batch as tensors of the tape in use. */
typedef struct BatchTensors {
    const Batch *batch;
    Tensor *x;                  /* [N, shape...] F32, or I32 [N, tokens] */
    Tensor *targets;            /* I32 [N] or [N, tokens], or F32 [N, classes] */
    Tensor *weights;            /* [N] or NULL */
    Tensor *groups;             /* I32 [N]: numbers that members of a group share; NULL: samples stand alone */
    LossExtra columns[DATASET_MOST_COLUMNS]; /* the data set's further columns, [N] or [N, width] */
    int column_count;
} BatchTensors;

typedef struct ObjectiveDef {
    Component component;
    /* Whether the loss can be had with data like `shape`, and what the data must be; exit 2 and the reason. NULL:
       check_loss, for objectives that hold the model's outputs to the data's targets. */
    bool (*check)(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error);
    /* Outputs of the model, which are then no predictions: nothing is measured with them. NULL: those of the loss. */
    int64_t (*outputs)(const void *values);
    /* Checks what only the run's parts together show, loads teachers and the like. NULL: nothing. */
    bool (*prepare)(ObjectiveContext *context, Error *error);
    /* Frees what `prepare` made, also where it failed half-way; not called while `state` is NULL. */
    void (*release)(ObjectiveContext *context);
    /* Tensors of its own that going on needs: checkpoints keep them beside the model's. Borrowed; NULL: none. */
    ParameterSet *(*kept)(const ObjectiveContext *context);
    /* Writes to the model's parameters what the objective keeps elsewhere; before the model is measured or saved. NULL:
       nothing. */
    void (*settle)(ObjectiveContext *context);
    /* Rank 0. Layers' penalties are added by the loop. */
    Tensor *(*loss)(ObjectiveContext *context, Forward *forward, const BatchTensors *batch);
} ObjectiveDef;

/* Whether this loss can be had with these targets: exit 2 and the reason. */
bool check_loss(const Instance *loss, const Dataset *dataset, const TrainConfig *train, Error *error);
/* Over tensors of the tape in use; features are not copied. */
BatchTensors batch_tensors(const Model *model, const Dataset *dataset, const Batch *batch);
/* The layer that the loss looks at, NULL where it looks at none. False (exit 2) where there is no such layer. */
bool objective_tap(const Model *model, const Instance *loss, const Layer **layer, Error *error);
/* The model's logits; what the loss looks at is kept in forward. */
Tensor *objective_logits(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch);
/* What the batch gives a loss that takes an extra of this name; NULL: nothing. "x" is the input
   (not of tokens), "group" the group of each sample, all else a column of the data set. */
Tensor *batch_extra(const BatchTensors *batch, const char *name);
/* The loss's input of logits of this batch; per-position logits and targets become rows, and the one column of a loss
   of scores [N] loses its axis. */
LossInput objective_loss_input(const ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               Tensor *logits);

#endif
