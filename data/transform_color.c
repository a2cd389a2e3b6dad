/* Changes of colour, on intensities 0..1. */
#include "data/image.h"

struct jitter { double brightness, contrast, saturation, hue; };

static const Param jitter_params[] = {
    PARAM_FLOAT(struct jitter, brightness, 0.4, .min = 0, .max = 1,
                .help = "factor uniform in [1 - brightness, 1 + brightness)"),
    PARAM_FLOAT(struct jitter, contrast, 0.4, .min = 0, .max = 1,
                .help = "factor uniform in [1 - contrast, 1 + contrast)"),
    PARAM_FLOAT(struct jitter, saturation, 0.4, .min = 0, .max = 1,
                .help = "factor uniform in [1 - saturation, 1 + saturation)"),
    PARAM_FLOAT(struct jitter, hue, 0.1, .min = 0, .max = 0.5, .help = "largest turn of the hue, 1 is all around"),
    PARAM_END
};

static bool check_jitter(const void *values, const TransformShape *shape, Error *error)
{
    const struct jitter *jitter = values;
    if (shape->channels != 3 && (jitter->saturation > 0 || jitter->hue > 0))
        return fail_usage(error, "saturation and hue need three channels, the images have %lld; set both to 0",
                          (long long)shape->channels);
    return true;
}

static void apply_jitter(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)scratch;
    const struct jitter *jitter = values;
    int64_t order[4];
    random_permutation(random, 4, order);
    float brightness = (float)(1 + transform_draw_around(random, jitter->brightness));
    float contrast = (float)(1 + transform_draw_around(random, jitter->contrast));
    float saturation = (float)(1 + transform_draw_around(random, jitter->saturation));
    double turns = transform_draw_around(random, jitter->hue);
    image_to_intensities(shape, image);
    for (int i = 0; i < 4; i++) {
        if (order[i] == 0)
            image_brightness(shape, brightness, image);
        else if (order[i] == 1)
            image_contrast(shape, contrast, image);
        else if (order[i] == 2 && jitter->saturation > 0)
            image_saturation(shape, saturation, image);
        else if (order[i] == 3 && jitter->hue > 0)
            image_hue(shape, turns, image);
    }
    image_from_intensities(shape, image);
}

const TransformDef transform_color_jitter = {
    .component = {.name = "color-jitter", .summary = "change brightness, contrast, saturation and hue, in random order",
                  .params = jitter_params, .size = sizeof(struct jitter), .source = "arXiv:2002.05709, appendix A",
                  .notes = "Works on intensities: the normalisation is undone before and done again after, and each "
                           "step cuts at 0 and 1. Contrast is the distance from the image's mean grey, saturation "
                           "from each pixel's."},
    .image = apply_jitter, .check = check_jitter,
};

struct grey { double probability; };

static const Param grey_params[] = {
    PARAM_FLOAT(struct grey, probability, 0.2, .min = 0, .max = 1, .help = "of an image to lose its colour"),
    PARAM_END
};

static bool check_grey(const void *values, const TransformShape *shape, Error *error)
{
    (void)values;
    if (shape->channels != 3)
        return fail_usage(error, "needs three channels, the images have %lld; leave it out",
                          (long long)shape->channels);
    return true;
}

static void apply_grey(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)scratch;
    if (random_uniform(random) >= ((const struct grey *)values)->probability)
        return;
    image_to_intensities(shape, image);
    image_grey(shape, image);
    image_from_intensities(shape, image);
}

const TransformDef transform_grey = {
    .component = {.name = "grey", .summary = "take the colour away at random", .params = grey_params,
                  .size = sizeof(struct grey),
                  .source = "ITU-R BT.601", .formula = "Y = 0.299 R + 0.587 G + 0.114 B",
                  .notes = "On intensities: the normalisation is undone before and done again after."},
    .image = apply_grey, .check = check_grey,
};
