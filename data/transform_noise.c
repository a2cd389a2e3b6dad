#include "data/image.h"

struct noise { double deviation; };

static const Param params[] = {
    PARAM_FLOAT(struct noise, deviation, 0.05, .min = 0, .max = 100,
                .help = "of the noise; images: in intensities 0..1; vectors: in the units the model sees"),
    PARAM_END
};

static void apply(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)scratch;
    double deviation = ((const struct noise *)values)->deviation;
    int64_t plane = shape->height * shape->width;
    for (int64_t channel = 0; channel < shape->channels; channel++) {
        double scale = shape->deviation ? deviation / shape->deviation[channel] : deviation;
        for (int64_t i = channel * plane; i < (channel + 1) * plane; i++)
            image[i] += (float)(scale * random_normal(random));
    }
}

const TransformDef transform_noise = {
    .component = {.name = "noise", .summary = "add Gaussian noise to every element", .params = params,
                  .size = sizeof(struct noise),
                  .formula = "x + deviation e, e ~ N(0, 1)",
                  .notes = "Intensities are not cut at 0 and 1. Takes vectors, too: there, after normalisation."},
    .image = apply, .vectors = true,
};
