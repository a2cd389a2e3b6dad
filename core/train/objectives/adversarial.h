/* What the objectives under attack share. Their structs begin with `Instance attack`. */
#ifndef XENT_TRAIN_OBJECTIVES_ADVERSARIAL_H
#define XENT_TRAIN_OBJECTIVES_ADVERSARIAL_H

#include "core/train/attack.h"
#include "core/train/objective.h"

#define ADVERSARIAL_ROW(structure)                                                                                     \
    PARAM_COMPONENT(structure, attack, "\"pgd\"", "attack",                                                            \
                    .help = "how points near samples are found; see xent-attacks(7)")

/* prepare and release of all of them; the state is the Attack. */
bool adversarial_prepare(ObjectiveContext *context, Error *error);
void adversarial_release(ObjectiveContext *context);
/* For `validate`: goals whose gradient is 0 at the sample itself need attacks that begin elsewhere. */
bool adversarial_starts_elsewhere(const Instance *attack, Error *error);

/* The batch with each sample moved to where the attack finds the goal large. */
BatchTensors adversarial_batch(ObjectiveContext *context, const Forward *forward, const BatchTensors *batch,
                               AttackGoal goal);
/* I32 [N]: the samples' own classes. */
Tensor *adversarial_classes(const BatchTensors *batch);
/* Mean of [N] by the samples' weights; 0 where all are 0. */
Tensor *adversarial_mean(Tensor *values, const BatchTensors *batch);

#endif
