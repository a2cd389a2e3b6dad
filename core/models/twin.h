/* Two networks in one model, for objectives in which they teach each other. */
#ifndef XENT_MODELS_TWIN_H
#define XENT_MODELS_TWIN_H

#include "core/models/model.h"

enum { TWINS = 2 };

/* The two networks, which belong to the model; NULL where it is no twin. */
const Model *twin_networks(const Model *model);

#endif
