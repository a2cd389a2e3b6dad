/* Crops: a moved window of the padded image, and a random box scaled to the whole image. */
#include <math.h>
#include <string.h>

#include "data/image.h"

struct crop { int64_t padding; bool reflect; };

static const Param crop_params[] = {
    PARAM_INT(struct crop, padding, 4, .min = 0, .max = 1024,
              .help = "pixels added on every side before an image-sized window is cut out"),
    PARAM_BOOL(struct crop, reflect, false, .help = "pad with the mirrored image, not with black"),
    PARAM_END
};

static bool check_crop(const void *values, const TransformShape *shape, Error *error)
{
    const struct crop *crop = values;
    if (crop->reflect && (crop->padding >= shape->height || crop->padding >= shape->width))
        return fail_usage(error, "padding: with reflect, expected less than height and width (%lld x %lld), got %lld",
                          (long long)shape->height, (long long)shape->width, (long long)crop->padding);
    return true;
}

static void apply_crop(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    const struct crop *crop = values;
    int64_t height = shape->height, width = shape->width;
    int64_t down = random_below(random, 2 * crop->padding + 1) - crop->padding;
    int64_t right = random_below(random, 2 * crop->padding + 1) - crop->padding;
    memcpy(scratch, image, (size_t)image_size(shape) * sizeof *image);
    for (int64_t channel = 0; channel < shape->channels; channel++) {
        const float *plane = scratch + channel * height * width;
        float black = image_black(shape, channel);
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int64_t row = y + down, column = x + right;
                bool inside = row >= 0 && row < height && column >= 0 && column < width;
                if (crop->reflect)
                    *image++ = plane[image_mirror(row, height) * width + image_mirror(column, width)];
                else
                    *image++ = inside ? plane[row * width + column] : black;
            }
    }
}

const TransformDef transform_crop = {
    .component = {.name = "crop", .summary = "pad on every side, cut a window of the image's size at a random place",
                  .params = crop_params, .size = sizeof(struct crop), .source = "arXiv:1512.03385, section 4.2",
                  .notes = "The padding is black (intensity 0 before normalisation). Every offset is equally likely."},
    .image = apply_crop, .check = check_crop,
};

struct resized { FloatList scale, ratio; };

static const Param resized_params[] = {
    PARAM_FLOATS(struct resized, scale, "[0.08, 1]", .min = 1e-4, .max = 1, .min_count = 2,
                 .help = "the box's share of the area, lowest and highest"),
    PARAM_FLOATS(struct resized, ratio, "[0.75, 1.3333333333333333]", .min = 0.01, .max = 100, .min_count = 2,
                 .help = "the box's width over its height, lowest and highest"),
    PARAM_END
};

static bool validate_resized(const void *values, Error *error)
{
    const struct resized *resized = values;
    return transform_check_range("scale", resized->scale, error)
        && transform_check_range("ratio", resized->ratio, error);
}

/* The largest box at the centre whose ratio is in the range; for when no random one fits. */
static void central_box(const TransformShape *shape, FloatList ratio, int64_t *height, int64_t *width)
{
    double own = (double)shape->width / (double)shape->height;
    *height = own < ratio.items[0] ? (int64_t)fmax(1, round((double)shape->width / ratio.items[0])) : shape->height;
    *width = own > ratio.items[1] ? (int64_t)fmax(1, round((double)shape->height * ratio.items[1])) : shape->width;
}

static void apply_resized(const void *values, const TransformShape *shape, Random *random, float *image, float *scratch)
{
    enum { ATTEMPTS = 10 };
    const struct resized *resized = values;
    double low = log(resized->ratio.items[0]), high = log(resized->ratio.items[1]);
    int64_t height, width, top, left;
    int attempt = 0;
    for (; attempt < ATTEMPTS; attempt++) {
        double area = transform_draw(random, resized->scale) * (double)(shape->height * shape->width);
        double ratio = exp(low + (high - low) * random_uniform(random));
        width = (int64_t)round(sqrt(area * ratio));
        height = (int64_t)round(sqrt(area / ratio));
        if (width >= 1 && width <= shape->width && height >= 1 && height <= shape->height)
            break;
    }
    if (attempt < ATTEMPTS) {
        top = random_below(random, shape->height - height + 1);
        left = random_below(random, shape->width - width + 1);
    } else {
        central_box(shape, resized->ratio, &height, &width);
        top = (shape->height - height) / 2;
        left = (shape->width - width) / 2;
    }
    memcpy(scratch, image, (size_t)image_size(shape) * sizeof *image);
    image_resize_box(shape, top, left, height, width, scratch, image);
}

const TransformDef transform_random_resized_crop = {
    .component = {.name = "random-resized-crop",
                  .summary = "a box of random area, shape and place, scaled to the whole image",
                  .params = resized_params, .size = sizeof(struct resized), .source = "arXiv:1409.4842, section 6",
                  .notes = "Area uniform, ratio uniform in its logarithm, bilinear. A box that does not fit is drawn "
                           "again, ten times at most; then it is the largest one at the centre whose ratio is "
                           "allowed.",
                  .validate = validate_resized},
    .image = apply_resized,
};
