#include "data/image.h"

struct blur { FloatList sigma; double probability; };

static const Param params[] = {
    PARAM_FLOATS(struct blur, sigma, "[0.1, 2]", .min = 0.01, .max = IMAGE_MAX_SIGMA, .min_count = 2,
                 .help = "the filter's deviation, lowest and highest, pixels"),
    PARAM_FLOAT(struct blur, probability, 0.5, .min = 0, .max = 1, .help = "of an image to be blurred"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    return transform_check_range("sigma", ((const struct blur *)values)->sigma, error);
}

static void apply(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    const struct blur *blur = values;
    if (random_uniform(random) < blur->probability)
        image_blur(shape, transform_draw(random, blur->sigma), image, scratch);
}

const TransformDef transform_blur = {
    .component = {.name = "blur", .summary = "Gaussian filter of random width", .params = params,
                  .size = sizeof(struct blur),
                  .source = "arXiv:2002.05709, appendix A",
                  .notes = "Cut at 3 sigma, mirrored at the border. A filter that sums to 1 gives the same on "
                           "normalised images as on intensities, so the normalisation stays as it is.",
                  .validate = validate},
    .image = apply,
};
