#include "data/image.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { MAX_RADIUS = 3 * IMAGE_MAX_SIGMA };

int64_t image_size(const TransformShape *shape)
{
    return shape->channels * shape->height * shape->width;
}

void image_to_intensities(const TransformShape *shape, float *image)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t channel = 0; shape->mean && channel < shape->channels; channel++)
        for (int64_t i = channel * plane; i < (channel + 1) * plane; i++)
            image[i] = image[i] * shape->deviation[channel] + shape->mean[channel];
}

void image_from_intensities(const TransformShape *shape, float *image)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t channel = 0; shape->mean && channel < shape->channels; channel++)
        for (int64_t i = channel * plane; i < (channel + 1) * plane; i++)
            image[i] = (image[i] - shape->mean[channel]) / shape->deviation[channel];
}

float image_black(const TransformShape *shape, int64_t channel)
{
    return shape->mean ? -shape->mean[channel] / shape->deviation[channel] : 0;
}

int64_t image_mirror(int64_t i, int64_t n)
{
    if (n == 1)
        return 0;
    int64_t period = 2 * (n - 1);
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

/* Forward: p -> centre + move + scale R S (p - centre), with R = (cos sin; -sin cos), as y points down, and
   S = (1 shear_x; shear_y 1). Returned is the inverse. */
ImageMap image_affine(const TransformShape *shape, Affine affine)
{
    double c = cos(affine.radians) * affine.scale, s = sin(affine.radians) * affine.scale;
    double a00 = c + s * affine.shear_y, a01 = c * affine.shear_x + s;
    double a10 = -s + c * affine.shear_y, a11 = -s * affine.shear_x + c;
    double determinant = a00 * a11 - a01 * a10;
    double b00 = a11 / determinant, b01 = -a01 / determinant, b10 = -a10 / determinant, b11 = a00 / determinant;
    double x = (double)(shape->width - 1) / 2, y = (double)(shape->height - 1) / 2;
    double from_x = x + affine.right, from_y = y + affine.down;
    return (ImageMap){{b00, b01, x - (b00 * from_x + b01 * from_y), b10, b11, y - (b10 * from_x + b11 * from_y)}};
}

/* The four pixels around a point, as offsets in a plane (-1: outside of the image), and their shares. */
typedef struct Taps {
    int64_t offset[4];
    float share[4];
} Taps;

static Taps taps_at(const TransformShape *shape, double column, double row)
{
    double left = floor(column), top = floor(row);
    float right_share = (float)(column - left), lower_share = (float)(row - top);
    Taps taps = {.share = {(1 - lower_share) * (1 - right_share), (1 - lower_share) * right_share,
                           lower_share * (1 - right_share), lower_share * right_share}};
    for (int k = 0; k < 4; k++) {
        int64_t y = (int64_t)top + k / 2, x = (int64_t)left + k % 2;
        bool inside = y >= 0 && y < shape->height && x >= 0 && x < shape->width;
        taps.offset[k] = inside ? y * shape->width + x : -1;
    }
    return taps;
}

static float blend_taps(const Taps *taps, const float *plane, float outside)
{
    float sum = 0;
    for (int k = 0; k < 4; k++)
        sum += taps->share[k] * (taps->offset[k] < 0 ? outside : plane[taps->offset[k]]);
    return sum;
}

void image_warp(const TransformShape *shape, const ImageMap *map, const float *source, float *target)
{
    const double *m = map->map;
    int64_t plane = shape->height * shape->width;
    for (int64_t y = 0; y < shape->height; y++)
        for (int64_t x = 0; x < shape->width; x++) {
            double column = m[0] * (double)x + m[1] * (double)y + m[2];
            Taps taps = taps_at(shape, column, m[3] * (double)x + m[4] * (double)y + m[5]);
            for (int64_t channel = 0; channel < shape->channels; channel++)
                target[channel * plane + y * shape->width + x] =
                    blend_taps(&taps, source + channel * plane, image_black(shape, channel));
        }
}

/* The centre of target pixel i of n in a stretch of `length` pixels from `start`, kept on its pixel centres. */
static double box_coordinate(int64_t i, int64_t n, int64_t start, int64_t length)
{
    double place = ((double)i + 0.5) * (double)length / (double)n - 0.5;
    return (double)start + fmin(fmax(place, 0), (double)(length - 1));
}

void image_resize_box(const TransformShape *shape, int64_t top, int64_t left, int64_t height, int64_t width,
                      const float *source, float *target)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t y = 0; y < shape->height; y++)
        for (int64_t x = 0; x < shape->width; x++) {
            Taps taps = taps_at(shape, box_coordinate(x, shape->width, left, width),
                                box_coordinate(y, shape->height, top, height));
            for (int64_t channel = 0; channel < shape->channels; channel++) /* a tap outside has the share 0 */
                target[channel * plane + y * shape->width + x] = blend_taps(&taps, source + channel * plane, 0);
        }
}

static int gaussian(double sigma, float kernel[2 * MAX_RADIUS + 1])
{
    assert(sigma > 0 && sigma <= IMAGE_MAX_SIGMA);
    int radius = (int)ceil(3 * sigma);
    double sum = 0;
    for (int i = -radius; i <= radius; i++)
        sum += exp(-0.5 * i * i / (sigma * sigma));
    for (int i = -radius; i <= radius; i++)
        kernel[i + radius] = (float)(exp(-0.5 * i * i / (sigma * sigma)) / sum);
    return radius;
}

static void blur_row(const float *kernel, int radius, int64_t width, const float *row, float *out)
{
    for (int64_t x = 0; x < width; x++) {
        bool inside = x >= radius && x + radius < width;
        float sum = 0;
        for (int i = -radius; i <= radius; i++)
            sum += kernel[i + radius] * row[inside ? x + i : image_mirror(x + i, width)];
        out[x] = sum;
    }
}

void image_blur(const TransformShape *shape, double sigma, float *image, float *scratch)
{
    float kernel[2 * MAX_RADIUS + 1];
    int radius = gaussian(sigma, kernel);
    int64_t width = shape->width, height = shape->height, rows = shape->channels * height;
    for (int64_t row = 0; row < rows; row++)
        blur_row(kernel, radius, width, image + row * width, scratch + row * width);
    memset(image, 0, (size_t)image_size(shape) * sizeof *image);
    for (int64_t row = 0; row < rows; row++)
        for (int i = -radius; i <= radius; i++) {
            const float *from = scratch + (row / height * height + image_mirror(row % height + i, height)) * width;
            for (int64_t x = 0; x < width; x++)
                image[row * width + x] += kernel[i + radius] * from[x];
        }
}
