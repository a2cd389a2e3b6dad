/* Small square images drawn by the generators: anti-aliased ink from signed distances, then colours,
   blur and noise. Coordinates are pixels; the centre of pixel (column, row) is (column, row). */
#ifndef XENT_DATA_RASTER_H
#define XENT_DATA_RASTER_H

#include "data/generator.h"

enum { CANVAS_SIZE_MIN = 16, CANVAS_SIZE_MAX = 64 };

/* Signed distance to the nearest ink, negative inside; only right within a pixel of the ink's edge. */
typedef struct Canvas {
    int64_t size;
    float distance[CANVAS_SIZE_MAX * CANVAS_SIZE_MAX];
} Canvas;

void canvas_clear(Canvas *canvas, int64_t size);
/* A piece of a stroke between `from` and `to`, (x, y, half of the width at that end). */
void canvas_segment(Canvas *canvas, const float from[3], const float to[3]);
/* A filled polygon of `count` corners (x, y), convex or not. */
void canvas_polygon(Canvas *canvas, const float (*corners)[2], int count);
/* Share of every pixel that ink covers, for an edge that is straight within a pixel: 1/2 - distance. */
void canvas_coverage(const Canvas *canvas, float *coverage);

/* What an image's table has in common. */
typedef struct ImageKeys {
    int64_t size, channels;
    double noise, blur, contrast, gradient, clutter;
} ImageKeys;

#define IMAGE_ROWS(structure, size_, channels_, clutter_)                                                         \
    {"size", PARAM_TYPE_INT, offsetof(structure, image.size), size_, CANVAS_SIZE_MIN, CANVAS_SIZE_MAX, 0, NULL,   \
     NULL, "height and width in pixels", false},                                                                  \
    {"channels", PARAM_TYPE_INT, offsetof(structure, image.channels), channels_, 1, 3, 0, NULL, NULL,             \
     "1: light ink on dark paper; 3: any two colours", false},                                                    \
    {"noise", PARAM_TYPE_FLOAT, offsetof(structure, image.noise), "0.05", 0, 1, 0, NULL, NULL,                    \
     "standard deviation of the noise of a pixel, whose range is 0 to 1", false},                                 \
    {"blur", PARAM_TYPE_FLOAT, offsetof(structure, image.blur), "0.5", 0, 1, 0, NULL, NULL,                       \
     "strongest blur, between none and the binomial 3 x 3 kernel", false},                                        \
    {"contrast", PARAM_TYPE_FLOAT, offsetof(structure, image.contrast), "0.4", 0.02, 1, 0, NULL, NULL,            \
     "least difference in luminance between ink and paper", false},                                               \
    {"gradient", PARAM_TYPE_FLOAT, offsetof(structure, image.gradient), "0.15", 0, 1, 0, NULL, NULL,              \
     "largest change of luminance across the paper", false},                                                      \
    {"clutter", PARAM_TYPE_FLOAT, offsetof(structure, image.clutter), clutter_, 0, 20, 0, NULL, NULL,             \
     "mean number of distracting strokes", false}

/* Checks what the ranges cannot: 1 or 3 channels. */
bool image_keys_check(const ImageKeys *keys, Error *error);
/* Type and shape, and the classes: one label an image. */
void image_describe(const ImageKeys *keys, int64_t classes, const char *const *names, Dataset *dataset);
/* The same with arrays for `count` images. */
Dataset *image_dataset_new(const ImageKeys *keys, int64_t classes, const char *const *names, int64_t count);

/* Short faint strokes anywhere, at most half as strong as the ink of `coverage` [size, size];
   their number is `clutter` on average. */
void draw_clutter(const ImageKeys *keys, Random *random, float *coverage);
/* Blurs `coverage` [size, size], in place, and paints it in random colours into `out` [channels, size, size]. */
void paint_image(const ImageKeys *keys, Random *random, float *coverage, uint8_t *out);

static inline float random_between(Random *random, double low, double high)
{
    return (float)(low + (high - low) * random_uniform(random));
}

#endif
