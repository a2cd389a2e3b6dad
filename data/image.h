/* Arithmetic on f32 images [channels, height, width]. Geometry and filters work on normalised images and
   on intensities alike; what image_color.c holds works on intensities 0..1, where
       image_to_intensities(shape, image); ...; image_from_intensities(shape, image);
   go there and back. An image that was not normalised is taken to hold intensities. */
#ifndef XENT_DATA_IMAGE_H
#define XENT_DATA_IMAGE_H

#include "data/transform.h"

int64_t image_size(const TransformShape *shape); /* elements */
void image_to_intensities(const TransformShape *shape, float *image);      /* x deviation + mean */
void image_from_intensities(const TransformShape *shape, float *image);    /* (x - mean) / deviation */
float image_black(const TransformShape *shape, int64_t channel); /* what intensity 0 is after normalisation */

/* Index i, also outside 0..n-1, reflected at the first and the last element without repeating them. */
int64_t image_mirror(int64_t i, int64_t n);

/* column = map[0] x + map[1] y + map[2], row = map[3] x + map[4] y + map[5]; pixel centres are integers. */
typedef struct ImageMap { double map[6]; } ImageMap;

typedef struct Affine {
    double radians;             /* counterclockwise as seen */
    double scale;               /* > 0 */
    double shear_x, shear_y;    /* tangents: x += shear_x y, y += shear_y x; their product is not 1 */
    double right, down;         /* pixels */
} Affine;

/* The map from a pixel of the changed image to the original for: shear, scale, rotate about the image's
   centre, then move. */
ImageMap image_affine(const TransformShape *shape, Affine affine);
/* target(x, y) = source(map(x, y)), bilinear; outside of the source is black. `target` is not `source`. */
void image_warp(const TransformShape *shape, const ImageMap *map, const float *source, float *target);
/* The box of source scaled to the whole of target, bilinear; never reads outside the box, which is inside the image. */
void image_resize_box(const TransformShape *shape, int64_t top, int64_t left, int64_t height, int64_t width,
                      const float *source, float *target);

enum { IMAGE_MAX_SIGMA = 16 };
/* Gaussian filter, 0 < sigma <= IMAGE_MAX_SIGMA pixels, cut at 3 sigma and made to sum to 1, mirrored at the
   border; scratch: one image. */
void image_blur(const TransformShape *shape, double sigma, float *image, float *scratch);

/* On intensities, which stay in 0..1: results are cut there. "grey" is 0.299 R + 0.587 G + 0.114 B (ITU-R
   BT.601) of three channels and the mean of any other number; a factor of 1 changes nothing. */
void image_brightness(const TransformShape *shape, float factor, float *image);     /* factor x */
/* From the mean grey m and from each pixel's grey: m + factor (x - m). */
void image_contrast(const TransformShape *shape, float factor, float *image);
void image_saturation(const TransformShape *shape, float factor, float *image);
/* From the image smoothed by (1 1 1; 1 5 1; 1 1 1) / 13; border pixels stay; scratch: one image. */
void image_sharpness(const TransformShape *shape, float factor, float *image, float *scratch);
void image_hue(const TransformShape *shape, double turns, float *image);            /* three channels; 1: around */
void image_grey(const TransformShape *shape, float *image);                         /* every channel becomes grey */
void image_solarize(const TransformShape *shape, float threshold, float *image);    /* x >= threshold -> 1 - x */
void image_posterize(const TransformShape *shape, int bits, float *image);          /* a byte's upper 1..8 bits */
/* Each channel stretched to 0..1; its histogram of 256 levels flattened. A constant channel stays. */
void image_autocontrast(const TransformShape *shape, float *image);
void image_equalize(const TransformShape *shape, float *image);

/* Intensities to hue in turns [0, 1), saturation and value 0..1 (Smith 1978), and back. */
void image_rgb_to_hsv(const float rgb[3], float hsv[3]);
void image_hsv_to_rgb(const float hsv[3], float rgb[3]);

#endif
