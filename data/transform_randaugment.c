#include <string.h>

#include "data/image.h"

struct randaugment { int64_t n; double magnitude; };

static const Param params[] = {
    PARAM_INT(struct randaugment, n, 2, .min = 0, .max = 16,
              .help = "operations applied to each image, one after the other"),
    PARAM_FLOAT(struct randaugment, magnitude, 9, .min = 0, .max = 30,
                .help = "strength of every operation, 30 is the strongest"),
    PARAM_END
};

/* The image in intensities, and room for a copy. Strengths are 0..1, or -1..1 where an operation is signed. */
typedef struct Step {
    const TransformShape *shape;
    float *image, *scratch;
} Step;

static void warp(Step step, Affine affine)
{
    ImageMap map = image_affine(step.shape, affine);
    memcpy(step.scratch, step.image, (size_t)image_size(step.shape) * sizeof(float));
    image_warp(step.shape, &map, step.scratch, step.image);
}

static void identity(Step step, double strength) { (void)step, (void)strength; }
static void autocontrast(Step step, double strength) { (void)strength, image_autocontrast(step.shape, step.image); }
static void equalize(Step step, double strength) { (void)strength, image_equalize(step.shape, step.image); }
static void solarize(Step step, double strength) { image_solarize(step.shape, (float)(1 - strength), step.image); }
static void posterize(Step step, double strength) { image_posterize(step.shape, 8 - (int)lround(4 * strength),
                      step.image); }
static void color(Step step, double strength) { image_saturation(step.shape, (float)(1 + 0.9 * strength), step.image); }
static void contrast(Step step, double strength) { image_contrast(step.shape, (float)(1 + 0.9 * strength),
                     step.image); }
static void brightness(Step step, double strength) { image_brightness(step.shape, (float)(1 + 0.9 * strength),
                       step.image); }

static void sharpness(Step step, double strength)
{
    image_sharpness(step.shape, (float)(1 + 0.9 * strength), step.image, step.scratch);
}

static void rotate(Step step, double strength)
{
    warp(step, (Affine){.radians = strength * 3.14159265358979323846 / 6, .scale = 1});
}

static void shear_x(Step step, double strength) { warp(step, (Affine){.scale = 1, .shear_x = 0.3 * strength}); }
static void shear_y(Step step, double strength) { warp(step, (Affine){.scale = 1, .shear_y = 0.3 * strength}); }

static void translate_x(Step step, double strength)
{
    warp(step, (Affine){.scale = 1, .right = 0.45 * strength * (double)step.shape->width});
}

static void translate_y(Step step, double strength)
{
    warp(step, (Affine){.scale = 1, .down = 0.45 * strength * (double)step.shape->height});
}

/* The 14 operations of the paper's section 3.2, with the ranges of AutoAugment's table 6 (arXiv:1805.09501);
   its moves of 150 pixels of ImageNet's 331 become the share 0.45 of the image. */
static const struct {
    void (*apply)(Step step, double strength);
    bool is_signed;
} operations[] = {
    {identity, false}, {autocontrast, false}, {equalize, false}, {rotate, true}, {solarize, false}, {color, true},
    {posterize, false}, {contrast, true}, {brightness, true}, {sharpness, true}, {shear_x, true}, {shear_y, true},
    {translate_x, true}, {translate_y, true},
};

static void apply(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    const struct randaugment *augment = values;
    TransformShape intensities = *shape;
    intensities.mean = intensities.deviation = NULL;
    Step step = {.shape = &intensities, .image = image, .scratch = scratch};
    image_to_intensities(shape, image);
    for (int64_t i = 0; i < augment->n; i++) {
        int64_t chosen = random_below(random, (int64_t)(sizeof operations / sizeof *operations));
        double strength = augment->magnitude / 30;
        if (operations[chosen].is_signed && random_below(random, 2))
            strength = -strength;
        operations[chosen].apply(step, strength);
    }
    image_from_intensities(shape, image);
}

const TransformDef transform_randaugment = {
    .component = {.name = "randaugment", .summary = "n operations drawn from fourteen, all of one magnitude",
                  .params = params, .size = sizeof(struct randaugment), .source = "arXiv:1909.13719",
                  .notes = "identity, autocontrast, equalize, rotate (to 30 degrees), solarize, color, posterize (to "
                           "4 bits), contrast, brightness, sharpness (factors 1 -+ 0.9), shear-x, shear-y (to 0.3), "
                           "translate-x, translate-y (to 0.45 of the side); signs are random. Works on intensities "
                           "0..1: the normalisation is undone before and done again after; what comes from outside "
                           "the image is black. On images of one channel, color changes nothing."},
    .image = apply,
};
