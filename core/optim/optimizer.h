/* Optimizers. To add one: a file in this folder with `const OptimizerDef optimizer_NAME`, whose parameter
   struct begins with `OptimizerCommon common` and whose table begins with OPTIMIZER_COMMON_ROWS(struct NAME, lr). */
#ifndef XENT_OPTIM_OPTIMIZER_H
#define XENT_OPTIM_OPTIMIZER_H

#include "core/base/component.h"
#include "core/nn/parameters.h"

enum { OPTIMIZER_MAX_SLOTS = 2 };

/* Keys that every optimizer takes. */
typedef struct OptimizerCommon {
    double lr, weight_decay;
    bool decay_all;             /* also biases, scales of norms and embeddings */
    const cJSON *groups;        /* [{"match": "head.*", "lr_scale": 2, "weight_decay": 0, "frozen": false}, ...] */
} OptimizerCommon;

#define OPTIMIZER_COMMON_ROWS(structure, lr_, decay_)                                                                  \
    {"lr",                                                                                                             \
     PARAM_TYPE_FLOAT,                                                                                                 \
     offsetof(structure, common.lr),                                                                                   \
     lr_,                                                                                                              \
     0,                                                                                                                \
     1e38,                                                                                                             \
     0,                                                                                                                \
     NULL,                                                                                                             \
     NULL,                                                                                                             \
     "learning rate, before the schedule",                                                                             \
     false},                                                                                                           \
        {"weight_decay",                                                                                               \
         PARAM_TYPE_FLOAT,                                                                                             \
         offsetof(structure, common.weight_decay),                                                                     \
         decay_,                                                                                                       \
         0,                                                                                                            \
         1e6,                                                                                                          \
         0,                                                                                                            \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "of matrices and filters; see decay_all",                                                                     \
         false},                                                                                                       \
        {"decay_all",                                                                                                  \
         PARAM_TYPE_BOOL,                                                                                              \
         offsetof(structure, common.decay_all),                                                                        \
         "false",                                                                                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         0,                                                                                                            \
         NULL,                                                                                                         \
         NULL,                                                                                                         \
         "decay biases, scales and embeddings too",                                                                    \
         false},                                                                                                       \
    {                                                                                                                  \
        "groups", PARAM_TYPE_JSON, offsetof(structure, common.groups), "[]", 0, 0, 0, NULL, NULL,                      \
            "list of {\"match\": name pattern with * and ?, \"lr_scale\", \"weight_decay\", \"frozen\"}; the last "    \
            "that matches holds",                                                                                      \
            false                                                                                                      \
    }

/* What one parameter is updated with. */
typedef struct Update {
    double lr, weight_decay;
    int64_t step;               /* from 1 */
} Update;

typedef struct OptimizerDef {
    Component component;
    int slots;                  /* state of a parameter: so many f32 arrays of its shape */
    const char *slot_names[OPTIMIZER_MAX_SLOTS];
    /* Elements [0, count) of one parameter, in place; independent of how the parameter is cut. */
    void (*elements)(const void *values, const Update *update, int64_t count, float *weight, const float *gradient,
                     float *const *slots);
    /* A whole parameter of rank >= 2 and role weight, where the update couples its elements; NULL: all go
       through `elements`. Scratch comes from tape_arena(). */
    void (*whole)(const void *values, const Update *update, const Parameter *parameter, const float *gradient,
                  float *const *slots);
} OptimizerDef;

typedef struct Optimizer Optimizer;
/* Checks the groups (exit 2: an unknown key, a pattern that no parameter matches) and freezes what they
   freeze. State is zero. Borrows the parameters. NULL after an error. */
Optimizer *optimizer_new(const Instance *instance, ParameterSet *parameters, Error *error);
void optimizer_free(Optimizer *optimizer);
/* One step from gradients[i] of parameter i (NULL: none, the parameter is left alone) at `lr_factor` times
   the configured rates; `step` counts from 1. */
void optimizer_step(Optimizer *optimizer, float *const *gradients, double lr_factor, int64_t step);
double optimizer_lr(const Optimizer *optimizer);
/* The state, for checkpoints: tensor k is called "SLOT.PARAMETER". Owned by the optimizer. */
int64_t optimizer_state_count(const Optimizer *optimizer);
float *optimizer_state(const Optimizer *optimizer, int64_t k, const char **slot, const Parameter **parameter);

/* `*` any run of characters, `?` any one. */
bool name_matches(const char *pattern, const char *name);

#endif
