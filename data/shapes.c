/* Images of one filled figure each. */
#include "data/raster.h"

enum { CORNERS_MAX = 12, RING_PIECES = 24 };

struct shapes {
    DatasetCommon common;
    SplitCounts counts;
    ImageKeys image;
    int64_t classes;
    double rotation;
    FloatList radius;
};

/* Corners in hundredths of the radius around the figure; those without corners are drawn by name. */
typedef enum Figure { CIRCLE, SQUARE, TRIANGLE, STAR, CROSS, RING, SEMICIRCLE, ARROW, FIGURES } Figure;

static const char *const names[FIGURES + 1] = {
    "circle", "square", "triangle", "star", "cross", "ring", "semicircle", "arrow", NULL,
};

static const struct { int count; int8_t corners[CORNERS_MAX][2]; } outlines[FIGURES] = {
    [SQUARE] = {4, {{-71, -71}, {71, -71}, {71, 71}, {-71, 71}}},
    [TRIANGLE] = {3, {{0, -100}, {87, 50}, {-87, 50}}},
    [STAR] = {10, {{0, -100}, {24, -32}, {95, -31}, {38, 12}, {59, 81},
                   {0, 40}, {-59, 81}, {-38, 12}, {-95, -31}, {-24, -32}}},
    [CROSS] = {12, {{-30, -95}, {30, -95}, {30, -30}, {95, -30}, {95, 30}, {30, 30},
                    {30, 95}, {-30, 95}, {-30, 30}, {-95, 30}, {-95, -30}, {-30, -30}}},
    [SEMICIRCLE] = {9, {{-92, 39}, {-85, 4}, {-65, -27}, {-35, -46}, {0, -53},
                        {35, -46}, {65, -27}, {85, 4}, {92, 39}}},
    [ARROW] = {7, {{0, -100}, {75, -10}, {28, -10}, {28, 96}, {-28, 96}, {-28, -10}, {-75, -10}}},
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct shapes, "samples", "10000", "1000", "2000"),
    IMAGE_ROWS(struct shapes, "32", "3", "2"),
    PARAM_INT(struct shapes, classes, 8, .min = 2, .max = FIGURES,
              .help = "the first so many of circle, square, triangle, star, cross, ring, semicircle, arrow"),
    PARAM_FLOAT(struct shapes, rotation, 180, .min = 0, .max = 180, .help = "largest rotation in degrees"),
    PARAM_FLOATS(struct shapes, radius, "[0.2, 0.4]", .min = 0.1, .max = 0.5, .min_count = 2,
                 .help = "smallest and largest radius of the circle around a figure, as a share of the image's size"),
    DATASET_COMMON_ROWS(struct shapes, "true"),
    PARAM_END,
};

static void draw_ring(Canvas *canvas, const float centre[2], float radius)
{
    float width = 0.16f * radius, from[3] = {centre[0] + radius - width, centre[1], width};
    for (int piece = 1; piece <= RING_PIECES; piece++) {
        float angle = 6.2831853f * (float)piece / RING_PIECES;
        float to[3] = {centre[0] + (radius - width) * cosf(angle), centre[1] + (radius - width) * sinf(angle), width};
        canvas_segment(canvas, from, to);
        from[0] = to[0];
        from[1] = to[1];
    }
}

/* Whole within the image: the centre stays a radius from the border. */
static void draw_figure(const struct shapes *self, Figure figure, Random *random, Canvas *canvas)
{
    float size = (float)self->image.size, centre[2];
    float radius = size * random_between(random, self->radius.items[0], self->radius.items[1]);
    float angle = random_between(random, -self->rotation, self->rotation) * 0.017453293f;
    for (int axis = 0; axis < 2; axis++)
        centre[axis] = random_between(random, radius - 0.5f, size - 0.5f - radius);
    if (figure == CIRCLE) {
        float disc[3] = {centre[0], centre[1], 0.9f * radius};
        canvas_segment(canvas, disc, disc);
    } else if (figure == RING) {
        draw_ring(canvas, centre, radius);
    } else {
        float corners[CORNERS_MAX][2], c = 0.01f * radius * cosf(angle), s = 0.01f * radius * sinf(angle);
        for (int i = 0; i < outlines[figure].count; i++) {
            float x = outlines[figure].corners[i][0], y = outlines[figure].corners[i][1];
            corners[i][0] = centre[0] + c * x - s * y;
            corners[i][1] = centre[1] + s * x + c * y;
        }
        canvas_polygon(canvas, (const float (*)[2])corners, outlines[figure].count);
    }
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const struct shapes *self = context;
    int32_t figure = balanced_label(slot, self->classes);
    Canvas canvas;
    canvas_clear(&canvas, self->image.size);
    draw_figure(self, (Figure)figure, &slot->random, &canvas);
    float coverage[CANVAS_SIZE_MAX * CANVAS_SIZE_MAX];
    canvas_coverage(&canvas, coverage);
    draw_clutter(&self->image, &slot->random, coverage);
    uint8_t *image = (uint8_t *)dataset->features + slot->index * dataset->sample_stride;
    paint_image(&self->image, &slot->random, coverage, image);
    dataset->labels[slot->index] = figure;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct shapes *self = values;
    Dataset *dataset = image_dataset_new(&self->image, self->classes, names, split_counts_total(&self->counts));
    generate_samples(splits, dataset, &self->counts, generator_seed(&self->common, seed), "shapes", fill, self);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct shapes *self = values;
    image_describe(&self->image, self->classes, names, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct shapes *self = values;
    if (self->radius.count != 2 || self->radius.items[0] > self->radius.items[1])
        return fail_usage(error, "radius: expected two numbers, the smaller first");
    return image_keys_check(&self->image, error);
}

const DatasetDef dataset_shapes = {
    .component = {
        .name = "shapes", .summary = "images of one figure each: circle, square, triangle, star, cross, ...",
        .params = params, .size = sizeof(struct shapes), .validate = validate,
        .notes = "Images [channels, size, size] of unsigned bytes; sample i of a split shows figure i mod classes, "
                 "of random place, size, rotation and colours before a shaded ground with distracting strokes. Each "
                 "image depends on the seed, its split and its place in it alone.",
    },
    .load = load, .describe = describe,
};
