/* Losses. To add one: a file in this folder with

       struct NAME { double q; };
       static const Param params[] = {...};
       static Tensor *forward(const void *self, const LossInput *in) {...}
       const LossDef loss_NAME = { .component = {...}, .targets = LOSS_CLASSES, .forward = forward };

   It is then in `xent list losses`, in `xent loss`, in configs, on its page, and in the tests that walk
   the registry (gradients, extreme logits, declared properties). Nats throughout. */
#ifndef XENT_LOSSES_LOSS_H
#define XENT_LOSSES_LOSS_H

#include "core/base/component.h"
#include "core/base/random.h"
#include "core/tensor/tensor.h"

typedef enum LossTargets {
    LOSS_NO_TARGETS,
    LOSS_CLASSES,               /* I32 [N], 0..C-1 */
    LOSS_CLASSES_OR_SOFT,       /* or probabilities [N, C] of the logits' type */
    LOSS_SOFT,                  /* probabilities [N, C] only */
    LOSS_LABELS,                /* [N, C] of the logits' type, 0..1 */
    LOSS_VALUES,                /* [N] or [N, K] real values */
    LOSS_IDS,                   /* I32 [N], any integers */
    LOSS_TOKENS                 /* I32 [N, T] */
} LossTargets;

/* What the definition claims; each claim is tested. */
enum {
    LOSS_BOUNDED = 1,                   /* finite supremum over the logits */
    LOSS_SYMMETRIC = 2,                 /* the sum over all targets does not depend on the logits */
    LOSS_TRANSLATION_INVARIANT = 4,     /* adding a constant to a row of logits changes nothing */
    LOSS_PROPER = 8                     /* the expected loss is least at softmax = the true probabilities */
};

typedef struct LossExtra { const char *name; Tensor *value; } LossExtra;

typedef struct LossInput {
    Tensor *logits;             /* [N, C], or what takes their place (the definition says) */
    Tensor *targets;            /* as the definition's kind; NULL where there are none */
    Tensor *features;           /* the input of the model's head [N, D]; NULL: unknown */
    Tensor *weights;            /* [N] sample weights; NULL: all 1. Applied by loss_evaluate, not by losses */
    const LossExtra *extras;
    int extra_count;
    const int64_t *ids;         /* [N] of the samples in the data set; NULL: 0, 1, ... */
    float *state;               /* [samples of the data set, state width]; NULL: fresh */
    Random random;              /* for random losses */
    double progress;            /* share of training done, 0..1 */
} LossInput;

typedef struct LossDef {
    Component component;
    LossTargets targets;
    const char *const *extras;  /* names of further inputs, NULL-terminated; a name ending in '?' is optional */
    bool whole_batch;           /* forward returns one value of rank 0, not one a sample */
    int properties;
    int64_t (*state_width)(const void *self, int64_t classes); /* floats kept for each sample; NULL: none */
    Tensor *(*forward)(const void *self, const LossInput *in); /* -> [N] nats, or rank 0 for whole_batch */
    /* What joins the sample weights in the mean, [N], without gradient: class weights, 0 for ignored rows
       (whose forward is 0). NULL, or a result of NULL: nothing. */
    Tensor *(*weights)(const void *self, const LossInput *in);
    /* What shapes and values of the inputs cannot be; exit 1. NULL: the kinds say it all. */
    bool (*check)(const void *self, const LossInput *in, Error *error);
} LossDef;

typedef struct LossResult {
    Tensor *loss;               /* rank 0: sum(w l) / sum(w); 0 where every weight is 0 */
    Tensor *per_sample;         /* [N]; NULL for whole_batch */
} LossResult;

/* Checks shapes, kinds and ranges of the inputs against the definition (exit 1, no place named). */
bool loss_check(const Instance *loss, const LossInput *in, Error *error);
/* Inputs are as loss_check wants them. */
LossResult loss_evaluate(const Instance *loss, const LossInput *in);
Tensor *loss_extra(const LossInput *in, const char *name);      /* NULL: not given */
const char *loss_targets_name(LossTargets targets);             /* "classes", ... */

/* For losses that take classes or probabilities: [N, C] probabilities of the logits' type. */
Tensor *loss_soft_targets(const LossInput *in);
bool loss_targets_are_soft(const LossInput *in);
/* A constant [count] of the type of `like`. */
Tensor *loss_constants(const Tensor *like, FloatList values);

#endif
