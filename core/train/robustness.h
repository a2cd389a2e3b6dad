/* How a model stands an attack, sample by sample. */
#ifndef XENT_TRAIN_ROBUSTNESS_H
#define XENT_TRAIN_ROBUSTNESS_H

#include "core/train/attack.h"

/* [samples of the split], in its order; in the arena. */
typedef struct Robustness {
    double *robust;             /* 1: the class has the largest logit at the sample and at the end of every restart */
    double *margin_change;      /* largest ||D(x') - D(x)||_2 found; NULL where the attack starts at the sample, whose
                                   gradient is 0 */
    const double *weights;      /* the samples' own; NULL: all 1 */
} Robustness;

/* The attack makes cross-entropy large, and anew the change of margins. Exit 2 where it cannot be had with these
   samples or this loss (attack_check). A tape must be in use; it is reset. A function of the seed and a sample's place.
   */
bool split_robustness(const Model *model, const Instance *loss, const Instance *attack, const DataSplit *split,
                      int64_t batch_size, uint64_t seed, Arena *arena, Robustness *robustness, Error *error);

#endif
