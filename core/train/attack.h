/* Attacks: for each sample of a batch a point near it at which a goal is large, with the model as it is in evaluation.
   To add one: a file with `const AttackDef attack_NAME`. */
#ifndef XENT_TRAIN_ATTACK_H
#define XENT_TRAIN_ATTACK_H

#include "core/models/model.h"
#include "data/dataset.h"

/* What an attack makes large, [N]: of the logits at the points and those at the samples, both [N, C]; classes I32 [N].
   Objectives take their terms from the same functions, with gradients through both. */
typedef Tensor *(*AttackGoal)(Tensor *logits, Tensor *clean, Tensor *classes);
Tensor *attack_cross_entropy(Tensor *logits, Tensor *clean, Tensor *classes);  /* of the points; `clean` may be NULL */
Tensor *attack_divergence(Tensor *logits, Tensor *clean, Tensor *classes); /* KL(softmax(clean) || softmax(logits)) */
/* ||D(logits) - D(clean)||_2 of the margins D = (z_y - z_k)_k, arXiv:2304.07288; derivative 0 at 0. */
Tensor *attack_margin_change(Tensor *logits, Tensor *clean, Tensor *classes);

/* One batch to attack. */
typedef struct AttackInput {
    Tensor *x;                  /* [N, shape...] F32, normalised as the model takes it */
    const int32_t *classes;     /* [N] */
    AttackGoal goal;
    uint64_t seed;
    uint32_t step;
    uint64_t first;             /* number of the first sample among those of this seed and step */
} AttackInput;

typedef struct Attack Attack;

typedef struct AttackDef {
    Component component;
    /* Writes the points of a restart, [N, size], in the units of input->x. `clean`, [N, C], are the logits at the
       samples; `moved` is room of the size of `points`. The attack's own tape is in use, and may be reset. */
    void (*points)(Attack *attack, const AttackInput *input, const float *clean, int64_t restart, float *moved,
                   float *points);
    int64_t (*restarts)(const void *values);
    bool (*moves)(const void *values);  /* false: points are the samples themselves */
    bool (*starts_at_sample)(const void *values);
    FloatList (*range)(const void *values);
} AttackDef;

struct Attack {
    const AttackDef *def;
    const void *values;
    const Model *model;
    Tape *tape;                 /* of its own: nothing of it stays on the caller's, and it records whether that does */
    int64_t size;               /* elements of a sample */
    /* [size]: raw = deviation * x + mean, the data's own units, which lie from `low` to `high`. */
    float *mean, *deviation;
    double low, high;
};

/* Samples are features, one class each, and their logits are read by a softmax; else false and the reason, exit 2. */
bool attack_check(const Model *model, const Dataset *dataset, const Instance *loss, Error *error);
/* Borrows the instance's values and the model. Distances and the range are those of raw data, before `normalize`. */
Attack *attack_new(const Instance *instance, const Model *model, const Dataset *dataset);
void attack_free(Attack *attack);           /* NULL allowed */

int64_t attack_restarts(const Attack *attack);
bool attack_moves(const Attack *attack);
/* The points of one restart, [N, shape...], on the tape in use, without gradient. No parameter gets a gradient and no
   running statistic moves. A function of input and restart alone. */
Tensor *attack_restart(Attack *attack, const AttackInput *input, int64_t restart);
/* Of all restarts, the point with the largest goal for each sample. values, [N], the goal there; may be NULL. */
Tensor *attack_strongest(Attack *attack, const AttackInput *input, double *values);

#endif
