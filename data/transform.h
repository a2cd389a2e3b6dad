/* Random changes of training samples. To add one: `const TransformDef transform_NAME` in a file of
   this folder. A transform sees normalised f32 images [channels, height, width]. */
#ifndef XENT_DATA_TRANSFORM_H
#define XENT_DATA_TRANSFORM_H

#include "core/base/random.h"
#include "data/loader.h"

typedef struct TransformShape {
    int64_t channels, height, width;    /* of vectors: 1, 1, length */
    const float *mean, *deviation;      /* [channels] what the image was normalised with; NULL: nothing */
} TransformShape;

typedef struct TransformDef {
    Component component;
    /* One image, in place; `scratch` has room for two images. Every draw comes from `random`, which is
       a function of (seed, epoch, id). NULL for transforms of a whole batch. */
    void (*image)(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch);
    /* A whole batch (MixUp, CutMix): features and targets; classes become soft values. NULL for the others. */
    void (*batch)(const void *values, const TransformShape *shape, Random *random, int64_t classes, Batch *batch, Arena *scratch);
} TransformDef;

#endif
