#include "data/image.h"

struct cutout { int64_t size, count; };

static const Param params[] = {
    PARAM_INT(struct cutout, size, 8, .min = 0, .max = 4096, .help = "the square's side, pixels; 0: none"),
    PARAM_INT(struct cutout, count, 1, .min = 1, .max = 1000, .help = "squares in an image; they may overlap"),
    PARAM_END
};

static int64_t limited(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i > n ? n : i;
}

static void apply(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    (void)scratch;
    const struct cutout *cutout = values;
    int64_t height = shape->height, width = shape->width;
    for (int64_t square = 0; square < cutout->count; square++) {
        int64_t top = random_below(random, height) - cutout->size / 2;
        int64_t left = random_below(random, width) - cutout->size / 2;
        int64_t bottom = limited(top + cutout->size, height), right = limited(left + cutout->size, width);
        for (int64_t channel = 0; channel < shape->channels; channel++)
            for (int64_t y = limited(top, height); y < bottom; y++)
                for (int64_t x = limited(left, width); x < right; x++)
                    image[(channel * height + y) * width + x] = 0;
    }
}

const TransformDef transform_cutout = {
    .component = {.name = "cutout", .summary = "blank out squares at random places", .params = params,
                  .size = sizeof(struct cutout),
                  .source = "arXiv:1708.04552",
                  .notes = "The centre is uniform over the image, so that a square may reach beyond the border. As "
                           "in the paper the square becomes 0 after normalisation, which is the mean colour (black "
                           "without normalisation)."},
    .image = apply,
};
