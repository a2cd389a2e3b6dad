#include "data/image.h"

struct flip { double horizontal, vertical; };

static const Param params[] = {
    PARAM_FLOAT(struct flip, horizontal, 0.5, .min = 0, .max = 1,
                .help = "probability that left and right change places"),
    PARAM_FLOAT(struct flip, vertical, 0, .min = 0, .max = 1, .help = "probability that top and bottom change places"),
    PARAM_END
};

static void swap(float *a, float *b)
{
    float kept = *a;
    *a = *b;
    *b = kept;
}

static void apply(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)scratch;
    const struct flip *flip = values;
    int64_t height = shape->height, width = shape->width;
    bool horizontal = random_uniform(random) < flip->horizontal, vertical = random_uniform(random) < flip->vertical;
    for (int64_t row = 0; horizontal && row < shape->channels * height; row++)
        for (int64_t x = 0; x < width / 2; x++)
            swap(image + row * width + x, image + row * width + width - 1 - x);
    for (int64_t channel = 0; vertical && channel < shape->channels; channel++)
        for (int64_t y = 0; y < height / 2; y++) {
            float *upper = image + (channel * height + y) * width, *lower = upper + (height - 1 - 2 * y) * width;
            for (int64_t x = 0; x < width; x++)
                swap(upper + x, lower + x);
        }
}

const TransformDef transform_flip = {
    .component = {.name = "flip", .summary = "mirror the image at random", .params = params,
                  .size = sizeof(struct flip)},
    .image = apply,
};
