/* A run: everything that a config makes, and the one training loop over it. */
#ifndef XENT_TRAIN_RUN_H
#define XENT_TRAIN_RUN_H

#include <signal.h>

#include "core/optim/optimizer.h"
#include "core/schedules/schedule.h"
#include "core/train/objective.h"

/* Where the loop is; what a checkpoint keeps besides tensors. */
typedef struct Progress {
    int64_t step;               /* updates done */
    int64_t epoch;              /* epochs begun and finished */
    int64_t batch;              /* batches of the current epoch done */
    double best_loss;           /* of the validation split; NAN: none yet */
    int64_t best_epoch, best_step, bad_epochs;
    double schedule_factor, schedule_state[4];
    double seconds;             /* wall time of training so far, over all resumptions */
    bool finished;
} Progress;

typedef struct Run {
    Config *config;
    DataSplits splits;
    Model *model;
    ParameterSet *average;      /* EMA of the parameters, or NULL */
    Optimizer *optimizer;
    const ObjectiveDef *objective;
    const Layer *tap;           /* that the loss looks at; NULL: none */
    ObjectiveContext context;
    Tape *tape;
    Loader *loader;
    int64_t loss_state_rows, loss_state_width, loss_run_state_width; /* width 0: none */
    float **gradient_sums;      /* train.accumulate > 1: a buffer for each parameter */
    Progress progress;
} Run;

/* What the model must fit: samples of the data, and as many outputs as the loss makes of its classes. */
ModelInput model_input_of(const Dataset *dataset, const Instance *loss);
/* The loss that a config without one gets; NULL: there is none of that kind. */
const char *default_loss(TargetKind kind);

/* Takes the config over. `objective` is an instance of an objective, or of what begins with one, and is the
   config's own when NULL. NULL after an error; nothing has been written. */
Run *run_new(Config *config, const Instance *objective, Error *error);
void run_free(Run *run);

int64_t run_steps_per_epoch(const Run *run);
int64_t run_total_steps(const Run *run);    /* 0: limited by seconds alone */

bool run_at_end(const Run *run);            /* epochs, steps, seconds or patience are used up */

/* Parameters and their averages change places, where there are averages. */
void run_swap_average(Run *run);

/* One figure a split, of the model as it is: the mean loss, and accuracy (classes, tokens) or NAN. Count 0 where the
   split is empty or the loss cannot be measured on samples alone (loss_measures). */
typedef struct Measure {
    int64_t count;
    double loss, accuracy;
    SplitFigures figures;   /* of an objective that measures by itself; count 0: of others */
} Measure;
Measure run_measure(Run *run, const DataSplit *split);
/* The same of any model; a tape must be in use, and is reset. */
Measure split_measure(Model *model, const Instance *loss, const DataSplit *split, int64_t batch_size, uint64_t seed);

/* What the loop tells while it runs; called from the thread that runs it. */
typedef struct TrainReport {
    const Run *run;
    bool epoch_end;             /* figures of an epoch, else of a step */
    double loss, lr;            /* of the step */
    Measure validation;         /* count 0: none */
    int64_t total_steps;
    double samples_per_second;
} TrainReport;

typedef struct TrainOptions {
    const char *folder;
    const volatile sig_atomic_t *stop;  /* not 0: save and return; NULL: never */
    void (*report)(void *context, const TrainReport *report);
    void *report_context;
} TrainOptions;

typedef struct RunFolder RunFolder;
/* Trains to the end, or until *stop; then run->progress.finished says which. Checkpoints and metrics.jsonl
   go to the folder, whose metrics are open. */
bool run_train(Run *run, RunFolder *folder, const TrainOptions *options, Error *error);

#endif
