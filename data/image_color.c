#include <assert.h>
#include <math.h>
#include <string.h>

#include "data/image.h"

enum { LEVELS = 256 };

static float cut(float intensity)
{
    return intensity < 0 ? 0 : intensity > 1 ? 1 : intensity; /* NaN stays */
}

/* What x lies at from `origin` when its distance is multiplied. Exactly x for 1. */
static float blend(float origin, float x, float factor)
{
    return cut(factor * x + (1 - factor) * origin);
}

static float grey_at(const TransformShape *shape, const float *image, int64_t pixel)
{
    int64_t plane = shape->height * shape->width;
    if (shape->channels == 3)
        return 0.299f * image[pixel] + 0.587f * image[plane + pixel] + 0.114f * image[2 * plane + pixel];
    float sum = 0;
    for (int64_t channel = 0; channel < shape->channels; channel++)
        sum += image[channel * plane + pixel];
    return sum / (float)shape->channels;
}

void image_brightness(const TransformShape *shape, float factor, float *image)
{
    for (int64_t i = 0; i < image_size(shape); i++)
        image[i] = blend(0, image[i], factor);
}

void image_contrast(const TransformShape *shape, float factor, float *image)
{
    int64_t plane = shape->height * shape->width;
    double sum = 0;
    for (int64_t pixel = 0; pixel < plane; pixel++)
        sum += grey_at(shape, image, pixel);
    float mean = (float)(sum / (double)plane);
    for (int64_t i = 0; i < image_size(shape); i++)
        image[i] = blend(mean, image[i], factor);
}

void image_saturation(const TransformShape *shape, float factor, float *image)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t pixel = 0; pixel < plane; pixel++) {
        float grey = grey_at(shape, image, pixel);
        for (int64_t i = pixel; i < image_size(shape); i += plane)
            image[i] = blend(grey, image[i], factor);
    }
}

void image_grey(const TransformShape *shape, float *image)
{
    image_saturation(shape, 0, image);
}

void image_sharpness(const TransformShape *shape, float factor, float *image, float *scratch)
{
    int64_t width = shape->width, height = shape->height;
    memcpy(scratch, image, (size_t)image_size(shape) * sizeof *image);
    for (int64_t channel = 0; channel < shape->channels; channel++)
        for (int64_t y = 1; y + 1 < height; y++)
            for (int64_t x = 1; x + 1 < width; x++) {
                int64_t at = (channel * height + y) * width + x;
                const float *above = scratch + at - width, *here = scratch + at, *below = scratch + at + width;
                float sum = 5 * here[0] + here[-1] + here[1] + above[-1] + above[0] + above[1] + below[-1] + below[0] +
                            below[1];
                image[at] = blend(sum / 13, here[0], factor);
            }
}

void image_rgb_to_hsv(const float rgb[3], float hsv[3])
{
    float most = fmaxf(rgb[0], fmaxf(rgb[1], rgb[2])), least = fminf(rgb[0], fminf(rgb[1], rgb[2]));
    float range = most - least, hue = 0;
    if (range > 0) {
        if (most == rgb[0])
            hue = (rgb[1] - rgb[2]) / range;
        else if (most == rgb[1])
            hue = 2 + (rgb[2] - rgb[0]) / range;
        else
            hue = 4 + (rgb[0] - rgb[1]) / range;
    }
    hsv[0] = hue / 6 - floorf(hue / 6);
    hsv[1] = most > 0 ? range / most : 0;
    hsv[2] = most;
}

/* f(n) = v - v s max(0, min(k, 4 - k, 1)) with k = (n + 6 h) mod 6, for n = 5, 3, 1. */
void image_hsv_to_rgb(const float hsv[3], float rgb[3])
{
    for (int channel = 0; channel < 3; channel++) {
        float k = fmodf((float)(5 - 2 * channel) + 6 * hsv[0], 6);
        rgb[channel] = hsv[2] - hsv[2] * hsv[1] * fmaxf(0, fminf(fminf(k, 4 - k), 1));
    }
}

void image_hue(const TransformShape *shape, double turns, float *image)
{
    assert(shape->channels == 3);
    int64_t plane = shape->height * shape->width;
    for (float *pixel = image; pixel < image + plane; pixel++) {
        float rgb[3] = {pixel[0], pixel[plane], pixel[2 * plane]}, hsv[3];
        image_rgb_to_hsv(rgb, hsv);
        double hue = hsv[0] + turns;
        hsv[0] = (float)(hue - floor(hue));
        image_hsv_to_rgb(hsv, rgb);
        for (int channel = 0; channel < 3; channel++)
            pixel[channel * plane] = cut(rgb[channel]);
    }
}

void image_solarize(const TransformShape *shape, float threshold, float *image)
{
    for (int64_t i = 0; i < image_size(shape); i++)
        if (image[i] >= threshold)
            image[i] = cut(1 - image[i]);
}

/* The byte that an intensity is in a file. */
static int level(float intensity)
{
    return (int)lrintf(cut(intensity) * (LEVELS - 1));
}

void image_posterize(const TransformShape *shape, int bits, float *image)
{
    assert(bits >= 1 && bits <= 8);
    int mask = 0xFF << (8 - bits);
    for (int64_t i = 0; i < image_size(shape); i++)
        image[i] = (float)(level(image[i]) & mask) / (LEVELS - 1);
}

void image_autocontrast(const TransformShape *shape, float *image)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t channel = 0; channel < shape->channels; channel++) {
        float *values = image + channel * plane, least = values[0], most = values[0];
        for (int64_t i = 1; i < plane; i++) {
            least = fminf(least, values[i]);
            most = fmaxf(most, values[i]);
        }
        for (int64_t i = 0; most > least && i < plane; i++)
            values[i] = (values[i] - least) / (most - least);
    }
}

/* A level becomes the share of pixels below it among those below the highest level that occurs: the lowest
   becomes 0, the highest 1. A constant channel stays. */
static void equalize_channel(int64_t plane, float *values)
{
    int64_t histogram[LEVELS] = {0}, below = 0;
    int highest = 0;
    for (int64_t i = 0; i < plane; i++) {
        int k = level(values[i]);
        histogram[k]++;
        highest = k > highest ? k : highest;
    }
    int64_t rest = plane - histogram[highest];
    if (rest == 0)
        return;
    float becomes[LEVELS];
    for (int k = 0; k <= highest; k++) {
        becomes[k] = (float)below / (float)rest;
        below += histogram[k];
    }
    for (int64_t i = 0; i < plane; i++)
        values[i] = becomes[level(values[i])];
}

void image_equalize(const TransformShape *shape, float *image)
{
    int64_t plane = shape->height * shape->width;
    for (int64_t channel = 0; channel < shape->channels; channel++)
        equalize_channel(plane, image + channel * plane);
}
