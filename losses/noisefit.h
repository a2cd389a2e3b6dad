/* The parameters of the loss noisefit, for the objective that reports its parts. */
#ifndef XENT_LOSSES_NOISEFIT_H
#define XENT_LOSSES_NOISEFIT_H

#include "losses/loss.h"

enum {
    NOISEFIT_FULL, NOISEFIT_CE_NOISY, NOISEFIT_CE_KL, NOISEFIT_KL_ONLY, NOISEFIT_CONSISTENCY_ONLY, NOISEFIT_BASEFIT,
    NOISEFIT_RDROP
};

struct noisefit { double alpha, temperature; Weight lambda; int mode; bool detach_teacher; };

extern const LossDef loss_noisefit;

#endif
