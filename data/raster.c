#include "data/raster.h"

#include <string.h>

#define FAR 1e3f

void canvas_clear(Canvas *canvas, int64_t size)
{
    canvas->size = size;
    for (int64_t i = 0; i < size * size; i++)
        canvas->distance[i] = FAR;
}

/* Pixels of [low, high] that are on the canvas. */
static void clip_range(float low, float high, int64_t size, int64_t *begin, int64_t *end)
{
    *begin = low < 0 ? 0 : low > (float)size ? size : (int64_t)low;
    *end = high < 0 ? 0 : high + 1 > (float)size ? size : (int64_t)high + 1;
}

void canvas_segment(Canvas *canvas, const float from[3], const float to[3])
{
    float reach = fmaxf(from[2], to[2]) + 1;
    int64_t left, right, top, bottom;
    clip_range(fminf(from[0], to[0]) - reach, fmaxf(from[0], to[0]) + reach, canvas->size, &left, &right);
    clip_range(fminf(from[1], to[1]) - reach, fmaxf(from[1], to[1]) + reach, canvas->size, &top, &bottom);
    float dx = to[0] - from[0], dy = to[1] - from[1], square = dx * dx + dy * dy;
    float scale = square > 0 ? 1 / square : 0;
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++) {
            float px = (float)x - from[0], py = (float)y - from[1];
            float along = fminf(fmaxf((px * dx + py * dy) * scale, 0), 1);
            float ox = px - along * dx, oy = py - along * dy;
            float distance = sqrtf(ox * ox + oy * oy) - (from[2] + along * (to[2] - from[2]));
            float *nearest = &canvas->distance[y * canvas->size + x];
            *nearest = fminf(*nearest, distance);
        }
}

/* Distance to the nearest edge; inside where a ray to the right crosses an odd number of edges. */
static float polygon_distance(const float (*corners)[2], int count, float x, float y)
{
    float nearest = FAR * FAR;
    bool inside = false;
    for (int i = 0, before = count - 1; i < count; before = i++) {
        const float *a = corners[before], *b = corners[i];
        float dx = b[0] - a[0], dy = b[1] - a[1], px = x - a[0], py = y - a[1];
        float along = fminf(fmaxf((px * dx + py * dy) / (dx * dx + dy * dy), 0), 1);
        float ox = px - along * dx, oy = py - along * dy;
        nearest = fminf(nearest, ox * ox + oy * oy);
        if ((a[1] > y) != (b[1] > y) && px < dx * py / dy)
            inside = !inside;
    }
    return inside ? -sqrtf(nearest) : sqrtf(nearest);
}

void canvas_polygon(Canvas *canvas, const float (*corners)[2], int count)
{
    float low[2] = {FAR, FAR}, high[2] = {-FAR, -FAR};
    for (int i = 0; i < count; i++)
        for (int axis = 0; axis < 2; axis++) {
            low[axis] = fminf(low[axis], corners[i][axis]);
            high[axis] = fmaxf(high[axis], corners[i][axis]);
        }
    int64_t left, right, top, bottom;
    clip_range(low[0] - 1, high[0] + 1, canvas->size, &left, &right);
    clip_range(low[1] - 1, high[1] + 1, canvas->size, &top, &bottom);
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++) {
            float *nearest = &canvas->distance[y * canvas->size + x];
            *nearest = fminf(*nearest, polygon_distance(corners, count, (float)x, (float)y));
        }
}

static float pixel_coverage(float distance)
{
    return fminf(fmaxf(0.5f - distance, 0), 1);
}

void canvas_coverage(const Canvas *canvas, float *coverage)
{
    for (int64_t i = 0; i < canvas->size * canvas->size; i++)
        coverage[i] = pixel_coverage(canvas->distance[i]);
}

bool image_keys_check(const ImageKeys *keys, Error *error)
{
    if (keys->channels == 2)
        return fail_usage(error, "channels: expected 1 or 3, got 2");
    return true;
}

void image_describe(const ImageKeys *keys, int64_t classes, const char *const *names, Dataset *dataset)
{
    dataset->type = ARRAY_U8;
    dataset->rank = 3;
    dataset->shape[0] = keys->channels;
    dataset->shape[1] = dataset->shape[2] = keys->size;
    dataset->sample_stride = keys->channels * keys->size * keys->size;
    dataset->target_kind = TARGET_CLASS;
    dataset->entropy_rate = NAN;
    dataset->classes = classes;
    dataset->class_names = names;
}

Dataset *image_dataset_new(const ImageKeys *keys, int64_t classes, const char *const *names, int64_t count)
{
    Dataset *dataset = dataset_new();
    image_describe(keys, classes, names, dataset);
    dataset->count = count;
    dataset->features = arena_zero(dataset->arena, (size_t)count, (size_t)dataset->sample_stride);
    dataset->labels = arena_zero(dataset->arena, (size_t)count, sizeof *dataset->labels);
    return dataset;
}

/* Two-piece strokes of a quarter to a half of the image. */
static void draw_distractor(Canvas *canvas, Random *random)
{
    float size = (float)canvas->size, width = size / 28 * random_between(random, 0.5, 1.2);
    float point[3] = {random_between(random, 0, size - 1), random_between(random, 0, size - 1), width};
    float angle = random_between(random, 0, 6.2831853);
    for (int piece = 0; piece < 2; piece++) {
        float length = size * random_between(random, 0.12, 0.25);
        float next[3] = {point[0] + length * cosf(angle), point[1] + length * sinf(angle), width};
        canvas_segment(canvas, point, next);
        memcpy(point, next, sizeof point);
        angle += random_between(random, -1, 1);
    }
}

void draw_clutter(const ImageKeys *keys, Random *random, float *coverage)
{
    int64_t strokes = (int64_t)floor(keys->clutter + random_uniform(random)); /* the mean is `clutter` */
    if (strokes == 0)
        return;
    Canvas canvas;
    canvas_clear(&canvas, keys->size);
    for (int64_t i = 0; i < strokes; i++)
        draw_distractor(&canvas, random);
    float strength = random_between(random, 0.2, 0.5);
    for (int64_t i = 0; i < keys->size * keys->size; i++)
        coverage[i] = fmaxf(coverage[i], strength * pixel_coverage(canvas.distance[i]));
}

/* (share, 1 - 2 share, share) along rows and columns; the edge repeats. */
static void blur_lines(float *image, int64_t size, int64_t step, int64_t line_step, float share)
{
    for (int64_t line = 0; line < size; line++) {
        float *at = image + line * line_step, before = at[0];
        for (int64_t i = 0; i < size; i++) {
            float here = at[i * step], after = i + 1 < size ? at[(i + 1) * step] : here;
            at[i * step] = here + share * (before + after - 2 * here);
            before = here;
        }
    }
}

/* Rec. 601 luma. */
static const float luminance_weights[3] = {0.299f, 0.587f, 0.114f};

/* A random colour of exactly this luminance: grey plus a direction without luminance, as far as the
   colour cube allows. */
static void random_colour(Random *random, float luminance, float colour[3])
{
    float direction[3], mean = 0, reach = 1;
    for (int c = 0; c < 3; c++) {
        direction[c] = random_between(random, -1, 1);
        mean += luminance_weights[c] * direction[c];
    }
    for (int c = 0; c < 3; c++) {
        direction[c] -= mean;
        float room = direction[c] > 0 ? 1 - luminance : luminance;
        if (fabsf(direction[c]) * reach > room)
            reach = room / fabsf(direction[c]);
    }
    reach *= random_between(random, 0, 1);
    for (int c = 0; c < 3; c++)
        colour[c] = luminance + reach * direction[c];
}

/* Ink and paper, their luminance apart by `contrast` at least. */
static void random_colours(const ImageKeys *keys, Random *random, float ink[3], float paper[3])
{
    float dark = random_between(random, 0, 1 - keys->contrast);
    float light = random_between(random, dark + keys->contrast, 1);
    if (keys->channels == 1) {
        ink[0] = light;
        paper[0] = dark;
        return;
    }
    bool dark_ink = random_uniform(random) < 0.5;
    random_colour(random, dark_ink ? dark : light, ink);
    random_colour(random, dark_ink ? light : dark, paper);
}

/* Mean 0, variance 1: the sum of four bytes, near enough to normal for a pixel and one word long. */
static float pixel_noise(uint32_t word)
{
    uint32_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
    return ((float)sum - 510) * (1 / 147.80054f); /* variance 4 (256^2 - 1) / 12 */
}

void paint_image(const ImageKeys *keys, Random *random, float *coverage, uint8_t *out)
{
    int64_t size = keys->size;
    float ink[3], paper[3], share = 0.25f * random_between(random, 0, keys->blur);
    blur_lines(coverage, size, 1, size, share);
    blur_lines(coverage, size, size, 1, share);
    random_colours(keys, random, ink, paper);
    float angle = random_between(random, 0, 6.2831853), slope = random_between(random, 0, keys->gradient);
    float slope_x = slope * cosf(angle) / (float)size, slope_y = slope * sinf(angle) / (float)size;
    float centre = 0.5f * (float)(size - 1), noise = (float)keys->noise;
    for (int64_t c = 0; c < keys->channels; c++)
        for (int64_t y = 0; y < size; y++)
            for (int64_t x = 0; x < size; x++) {
                float ground = paper[c] + slope_x * ((float)x - centre) + slope_y * ((float)y - centre);
                float value = ground + coverage[y * size + x] * (ink[c] - ground);
                value += noise * pixel_noise(random_word(random));
                *out++ = (uint8_t)(255 * fminf(fmaxf(value, 0), 1) + 0.5f); /* a sensor saturates */
            }
}
