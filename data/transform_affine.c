/* Rotation, and the affine change that contains it. */
#include <string.h>

#include "data/image.h"

static const double radians_per_degree = 3.14159265358979323846 / 180;

static void warp(const TransformShape *shape, Affine affine, float *image, float *scratch)
{
    ImageMap map = image_affine(shape, affine);
    memcpy(scratch, image, (size_t)image_size(shape) * sizeof *image);
    image_warp(shape, &map, scratch, image);
}

struct rotate { double degrees; };

static const Param rotate_params[] = {
    PARAM_FLOAT(struct rotate, degrees, 15, .min = 0, .max = 180,
                .help = "the angle is uniform in [-degrees, degrees)"),
    PARAM_END
};

static void apply_rotate(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    const struct rotate *rotate = values;
    Affine affine = {.radians = transform_draw_around(random, rotate->degrees) * radians_per_degree, .scale = 1};
    warp(shape, affine, image, scratch);
}

const TransformDef transform_rotate = {
    .component = {.name = "rotate", .summary = "rotate about the centre by a random angle", .params = rotate_params,
                  .size = sizeof(struct rotate),
                  .notes = "Bilinear; what comes from outside the image is black (intensity 0 before normalisation)."},
    .image = apply_rotate,
};

struct affine { double degrees, translate; FloatList scale; double shear; };

static const Param affine_params[] = {
    PARAM_FLOAT(struct affine, degrees, 10, .min = 0, .max = 180,
                .help = "the angle is uniform in [-degrees, degrees)"),
    PARAM_FLOAT(struct affine, translate, 0.1, .min = 0, .max = 1,
                .help = "largest move, as a share of width and of height"),
    PARAM_FLOATS(struct affine, scale, "[0.9, 1.1]", .min = 0.01, .max = 100, .min_count = 2,
                 .help = "factor of the size, lowest and highest"),
    PARAM_FLOAT(struct affine, shear, 0, .min = 0, .max = 80, .help = "largest angle of the horizontal shear, degrees"),
    PARAM_END
};

static bool validate_affine(const void *values, Error *error)
{
    return transform_check_range("scale", ((const struct affine *)values)->scale, error);
}

static void apply_affine(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    const struct affine *limits = values;
    Affine affine;
    affine.radians = transform_draw_around(random, limits->degrees) * radians_per_degree;
    affine.right = transform_draw_around(random, limits->translate) * (double)shape->width;
    affine.down = transform_draw_around(random, limits->translate) * (double)shape->height;
    affine.scale = transform_draw(random, limits->scale);
    affine.shear_x = tan(transform_draw_around(random, limits->shear) * radians_per_degree);
    affine.shear_y = 0;
    warp(shape, affine, image, scratch);
}

const TransformDef transform_affine = {
    .component = {.name = "affine", .summary = "rotate, move, scale and shear at random", .params = affine_params,
                  .size = sizeof(struct affine), .formula = "p -> c + t + s R(angle) S(shear) (p - c), c the centre",
                  .notes = "Every parameter is uniform in its range. Bilinear; what comes from outside the image is "
                           "black (intensity 0 before normalisation).",
                  .validate = validate_affine},
    .image = apply_affine,
};
