/* Random changes of training samples. To add one: `const TransformDef transform_NAME` in a file of
   this folder. A transform sees normalised f32 images [channels, height, width]; what is defined on
   intensities 0..1 goes there and back with data/image.h. */
#ifndef XENT_DATA_TRANSFORM_H
#define XENT_DATA_TRANSFORM_H

#include "core/base/random.h"
#include "data/loader.h"

typedef struct TransformShape {
    int64_t channels, height, width;    /* of samples that are not images: 1, 1, elements */
    bool vector;                        /* not an image: mean and deviation are NULL, whatever was normalised */
    const float *mean, *deviation;      /* [channels] what the image was normalised with; NULL: nothing */
} TransformShape;

typedef struct TransformDef {
    Component component;
    /* One image, in place; `scratch` has room for two images. Every draw comes from `random`, which is
       a function of (seed, position in the list of transforms, epoch, position in the split). NULL for
       transforms of a whole batch. Runs on several threads at once, on the loader's own too: neither
       this nor `batch` may call parallel_for. */
    void (*image)(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch);
    /* A whole batch (MixUp, CutMix): features and the rows of batch->values, [count, classes], which hold
       the targets (classes one-hot). Draws as above with the batch's index for the position. `scratch`
       is reset before the next transform. NULL for the others. */
    void (*batch)(const void *values, const TransformShape *shape, Random *random, int64_t classes, Batch *batch,
                  Arena *scratch);
    bool vectors;                       /* takes samples that are not images, too */
    /* What else it needs of the shape (three channels, a size): a fail_usage error; NULL: nothing. */
    bool (*check)(const void *values, const TransformShape *shape, Error *error);
} TransformDef;

TransformShape transform_shape(const Dataset *dataset); /* borrows mean and deviation */

/* For a component's validate: `range` is two numbers, the lower first; fail_usage names `key`. */
bool transform_check_range(const char *key, FloatList range, Error *error);
/* Uniform between the two numbers of a checked range, or in [-limit, limit). */
double transform_draw(Random *random, FloatList range);
double transform_draw_around(Random *random, double limit);

#endif
