/* Handwritten-looking digits, drawn from strokes. */
#include <assert.h>
#include <string.h>

#include "data/raster.h"

enum { DIGITS = 10, POINTS_MAX = 12, STROKES_MAX = 3, SPAN_PIECES = 5 };

struct glyphs {
    DatasetCommon common;
    SplitCounts counts;
    ImageKeys image;
    double rotation, scale, shear, shift, deformation;
    FloatList width;
};

static const Param params[] = {
    SPLIT_COUNT_ROWS(struct glyphs, "samples", "10000", "1000", "2000"),
    IMAGE_ROWS(struct glyphs, "28", "1", "1"),
    PARAM_FLOAT(struct glyphs, rotation, 15, .min = 0, .max = 180,
                .help = "largest rotation in degrees; 6 and 9 look alike beyond 60"),
    PARAM_FLOAT(struct glyphs, scale, 0.2, .min = 0, .max = 0.5,
                .help = "largest change of height and of width, as a share"),
    PARAM_FLOAT(struct glyphs, shear, 0.3, .min = 0, .max = 1, .help = "largest slant, columns a row"),
    PARAM_FLOAT(struct glyphs, shift, 0.08, .min = 0, .max = 0.5,
                .help = "largest shift along each axis, as a share of the size"),
    PARAM_FLOAT(struct glyphs, deformation, 1, .min = 0, .max = 3,
                .help = "how far strokes bend and wander; 0: as in the template"),
    PARAM_FLOATS(struct glyphs, width, "[1.6, 4]", .min = 0.5, .max = 10, .min_count = 2,
                 .help = "thinnest and thickest stroke, in pixels of a 28-pixel image"),
    DATASET_COMMON_ROWS(struct glyphs, "true"),
    PARAM_END,
};

/* Points in hundredths of half a digit's height, x to the right and y down. A smooth stroke is a
   Catmull-Rom spline; one that ends where it began is closed. */
typedef struct Stroke {
    int count;
    bool smooth;
    int8_t points[POINTS_MAX][2];
} Stroke;

typedef struct Template {
    int strokes;
    Stroke stroke[STROKES_MAX];
} Template;

/* A digit's styles follow each other. */
static const struct { int digit; Template template; } styles[] = {
    /* oval, narrow, slashed, not quite closed */
    {0, {1, {{9, true, {{0, -100}, {-38, -75}, {-55, 0}, {-38, 75}, {0, 100}, {38, 75}, {55, 0}, {38, -75},
                        {0, -100}}}}}},
    {0, {1, {{9, true, {{6, -100}, {-22, -72}, {-36, 5}, {-24, 78}, {0, 100}, {26, 72}, {38, 0}, {28, -74},
                        {6, -100}}}}}},
    {0, {2, {{9, true, {{0, -95}, {-40, -70}, {-56, 0}, {-40, 70}, {0, 95}, {40, 70}, {56, 0}, {40, -70}, {0, -95}}},
             {2, false, {{-34, 58}, {34, -58}}}}}},
    {0, {1, {{10, true, {{18, -88}, {-20, -90}, {-52, -40}, {-54, 20}, {-30, 82}, {8, 96}, {44, 66}, {56, 0},
                         {44, -62}, {2, -98}}}}}},
    /* bar, flag, flag and foot */
    {1, {1, {{2, false, {{0, -100}, {0, 100}}}}}},
    {1, {1, {{3, false, {{-36, -58}, {6, -100}, {6, 100}}}}}},
    {1, {2, {{3, false, {{-34, -66}, {4, -100}, {4, 100}}}, {2, false, {{-36, 100}, {42, 100}}}}}},
    /* flat foot, looped foot, angular */
    {2, {2, {{7, true, {{-48, -58}, {-28, -92}, {12, -100}, {46, -74}, {44, -30}, {4, 28}, {-52, 98}}},
             {2, false, {{-52, 98}, {54, 98}}}}}},
    {2, {1, {{11, true, {{-46, -62}, {-22, -96}, {22, -98}, {46, -60}, {30, -8}, {-14, 54}, {-48, 92}, {-52, 66},
                         {-20, 66}, {20, 92}, {58, 84}}}}}},
    {2, {2, {{6, true, {{-50, -74}, {-12, -98}, {34, -92}, {50, -56}, {30, -10}, {-50, 96}}},
             {3, true, {{-50, 96}, {2, 90}, {56, 100}}}}}},
    /* two bowls, flat top, pointed waist with open ends */
    {3, {2, {{7, true, {{-46, -74}, {-14, -98}, {28, -92}, {46, -58}, {30, -20}, {2, -8}, {-14, -6}}},
             {7, true, {{-14, -6}, {20, -2}, {48, 28}, {44, 72}, {10, 98}, {-26, 94}, {-52, 66}}}}}},
    {3, {2, {{3, false, {{-48, -96}, {44, -96}, {-4, -18}}},
             {7, true, {{-4, -18}, {34, -6}, {54, 34}, {40, 78}, {4, 98}, {-30, 92}, {-52, 70}}}}}},
    {3, {2, {{6, true, {{-42, -84}, {4, -100}, {40, -80}, {40, -42}, {12, -14}, {-22, 0}}},
             {6, true, {{-22, 0}, {26, 6}, {50, 42}, {34, 84}, {-8, 100}, {-48, 84}}}}}},
    /* open, closed, open with a round elbow */
    {4, {2, {{3, false, {{-34, -96}, {-50, 18}, {56, 18}}}, {2, false, {{24, -54}, {22, 100}}}}}},
    {4, {1, {{4, false, {{24, 100}, {24, -98}, {-56, 36}, {58, 36}}}}}},
    {4, {2, {{5, true, {{-42, -94}, {-50, -30}, {-36, 8}, {0, 14}, {40, 2}}}, {2, false, {{40, -96}, {36, 100}}}}}},
    /* printed, one stroke, roof apart */
    {5, {2, {{3, false, {{48, -96}, {-36, -96}, {-42, -14}}},
             {7, true, {{-42, -14}, {-8, -28}, {32, -20}, {52, 22}, {40, 72}, {2, 98}, {-48, 82}}}}}},
    {5, {1, {{10, true, {{50, -92}, {2, -96}, {-34, -84}, {-40, -42}, {-18, -14}, {24, -6}, {48, 30}, {36, 78},
                         {-4, 98}, {-50, 84}}}}}},
    {5, {3, {{2, false, {{-34, -92}, {-40, -12}}},
             {6, true, {{-40, -12}, {6, -24}, {46, 4}, {50, 54}, {16, 96}, {-46, 90}}},
             {2, false, {{-34, -92}, {54, -98}}}}}},
    /* sweep into a loop, upright, curled top */
    {6, {1, {{11, true, {{30, -100}, {-14, -62}, {-46, 0}, {-48, 58}, {-18, 96}, {26, 92}, {50, 54}, {34, 14},
                         {-4, 6}, {-34, 24}, {-46, 56}}}}}},
    {6, {2, {{2, false, {{-34, -100}, {-46, 48}}},
             {7, true, {{-46, 48}, {-28, 8}, {14, 0}, {48, 34}, {38, 82}, {-4, 100}, {-46, 48}}}}}},
    {6, {1, {{12, true, {{42, -74}, {16, -98}, {-24, -84}, {-50, -30}, {-52, 36}, {-32, 86}, {6, 98}, {42, 76},
                         {46, 30}, {14, 0}, {-24, 10}, {-46, 44}}}}}},
    /* plain, barred, hooked */
    {7, {1, {{3, false, {{-52, -96}, {52, -96}, {-14, 100}}}}}},
    {7, {2, {{3, false, {{-50, -94}, {52, -94}, {-10, 100}}}, {2, false, {{-30, 4}, {46, -4}}}}}},
    {7, {2, {{3, false, {{-52, -66}, {-50, -94}, {52, -92}}}, {4, true, {{52, -92}, {20, -34}, {0, 24}, {-6, 100}}}}}},
    /* two ovals, one crossing stroke, small head */
    {8, {2, {{7, true, {{0, -98}, {-38, -78}, {-36, -26}, {0, -6}, {36, -26}, {38, -78}, {0, -98}}},
             {7, true, {{0, -6}, {-46, 20}, {-46, 76}, {0, 99}, {46, 76}, {46, 20}, {0, -6}}}}}},
    {8, {1, {{11, true, {{34, -84}, {-8, -100}, {-42, -66}, {-20, -20}, {28, 18}, {46, 62}, {2, 99}, {-44, 66},
                         {-26, 20}, {22, -24}, {34, -84}}}}}},
    {8, {2, {{7, true, {{4, -100}, {-26, -82}, {-26, -40}, {2, -22}, {30, -42}, {32, -80}, {4, -100}}},
             {7, true, {{2, -22}, {-48, 16}, {-50, 72}, {0, 98}, {50, 70}, {48, 14}, {2, -22}}}}}},
    /* straight tail, curved tail, one stroke */
    {9, {2, {{7, true, {{44, -54}, {24, -94}, {-18, -98}, {-48, -58}, {-32, -10}, {12, -6}, {44, -54}}},
             {2, false, {{44, -54}, {36, 100}}}}}},
    {9, {1, {{12, true, {{44, -62}, {14, -98}, {-30, -90}, {-50, -46}, {-26, -6}, {18, -12}, {44, -62}, {48, -6},
                         {40, 56}, {8, 94}, {-24, 92}, {-46, 66}}}}}},
    {9, {1, {{10, true, {{42, -80}, {0, -100}, {-42, -70}, {-40, -22}, {0, -4}, {34, -34}, {46, -82}, {40, -10},
                         {22, 48}, {-8, 100}}}}}},
};

static const char *const names[DIGITS + 1] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};

/* From a template's plane (half-heights) to pixels, with a smooth displacement: two sine waves, one an
   axis, across the other axis. */
typedef struct Pose {
    float matrix[2][2], shift[2];               /* pixels */
    float amplitude[2], frequency[2], phase[2]; /* of the waves */
    float jitter;                               /* of a template's points */
    float radius, pressure, pressure_phase;     /* half-width in pixels; it changes along a stroke */
} Pose;

static Pose random_pose(const struct glyphs *self, Random *random)
{
    float size = (float)self->image.size, bend = (float)self->deformation;
    float angle = random_between(random, -self->rotation, self->rotation) * 0.017453293f;
    float shear = random_between(random, -self->shear, self->shear);
    float height = 0.36f * size * (1 + random_between(random, -self->scale, self->scale));
    float width = height * (1 + random_between(random, -self->scale, self->scale));
    float c = cosf(angle), s = sinf(angle);
    Pose pose = {
        /* rotation x [width, -shear height; 0, height] */
        .matrix = {{c * width, -c * shear * height - s * height}, {s * width, -s * shear * height + c * height}},
        .jitter = 0.04f * bend,
        .radius = 0.5f * size / 28 * random_between(random, self->width.items[0], self->width.items[1]),
        .pressure = 0.2f * bend * random_between(random, 0, 1),
        .pressure_phase = random_between(random, 0, 6.2831853),
    };
    for (int axis = 0; axis < 2; axis++) {
        pose.shift[axis] = 0.5f * (size - 1) + size * random_between(random, -self->shift, self->shift);
        pose.amplitude[axis] = 0.1f * bend * random_between(random, -1, 1);
        pose.frequency[axis] = random_between(random, 1, 3);
        pose.phase[axis] = random_between(random, 0, 6.2831853);
    }
    return pose;
}

static void place_point(const Pose *pose, float x, float y, float out[2])
{
    float u = x + pose->amplitude[0] * sinf(pose->frequency[0] * y + pose->phase[0]);
    float v = y + pose->amplitude[1] * sinf(pose->frequency[1] * x + pose->phase[1]);
    for (int axis = 0; axis < 2; axis++)
        out[axis] = pose->matrix[axis][0] * u + pose->matrix[axis][1] * v + pose->shift[axis];
}

/* Catmull-Rom between p[1] and p[2]. */
static float spline(float p0, float p1, float p2, float p3, float t)
{
    return p1 + 0.5f * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)));
}

static void draw_stroke(Canvas *canvas, const Pose *pose, const Stroke *stroke, Random *random)
{
    assert(stroke->count >= 2 && stroke->count <= POINTS_MAX);
    int last = stroke->count - 1, pieces = stroke->smooth ? SPAN_PIECES : 1;
    bool closed = memcmp(stroke->points[0], stroke->points[last], sizeof stroke->points[0]) == 0;
    float points[POINTS_MAX][2], from[3] = {0}, to[3];
    for (int i = 0; i <= last; i++)
        for (int axis = 0; axis < 2; axis++)
            points[i][axis] = 0.01f * (float)stroke->points[i][axis] + pose->jitter * random_between(random, -1, 1);
    if (closed)
        memcpy(points[last], points[0], sizeof points[0]);
    for (int piece = 0; piece <= last * pieces; piece++) {
        int i = piece < last * pieces ? piece / pieces : last - 1;
        int before = i > 0 ? i - 1 : closed ? last - 1 : 0, after = i + 2 <= last ? i + 2 : closed ? 1 : last;
        float t = (float)(piece - i * pieces) / (float)pieces, at[2];
        for (int axis = 0; axis < 2; axis++)
            at[axis] = spline(points[before][axis], points[i][axis], points[i + 1][axis], points[after][axis], t);
        place_point(pose, at[0], at[1], to);
        to[2] = pose->radius * (1 + pose->pressure * sinf(2 * (at[0] + at[1]) + pose->pressure_phase));
        if (piece > 0)
            canvas_segment(canvas, from, to);
        memcpy(from, to, sizeof from);
    }
}

/* One of the digit's styles, each as often as every other. */
static const Template *random_style(int32_t digit, Random *random)
{
    int first = 0, count = 0;
    while (styles[first].digit != digit)
        first++;
    while (first + count < (int)(sizeof styles / sizeof *styles) && styles[first + count].digit == digit)
        count++;
    return &styles[first + random_below(random, count)].template;
}

static void fill(const void *context, Dataset *dataset, SampleSlot *slot)
{
    const struct glyphs *self = context;
    Random *random = &slot->random;
    int32_t digit = balanced_label(slot, DIGITS);
    const Template *template = random_style(digit, random);
    Pose pose = random_pose(self, random);
    Canvas canvas;
    canvas_clear(&canvas, self->image.size);
    for (int i = 0; i < template->strokes; i++)
        draw_stroke(&canvas, &pose, &template->stroke[i], random);
    float coverage[CANVAS_SIZE_MAX * CANVAS_SIZE_MAX];
    canvas_coverage(&canvas, coverage);
    draw_clutter(&self->image, random, coverage);
    uint8_t *image = (uint8_t *)dataset->features + slot->index * dataset->sample_stride;
    paint_image(&self->image, random, coverage, image);
    dataset->labels[slot->index] = digit;
}

static bool load(const void *values, uint64_t seed, DataSplits *splits, Error *error)
{
    (void)error;
    const struct glyphs *self = values;
    int64_t count = split_counts_total(&self->counts);
    Dataset *dataset = image_dataset_new(&self->image, DIGITS, names, count);
    generate_samples(splits, dataset, &self->counts, generator_seed(&self->common, seed), "glyphs", fill, self);
    return true;
}

static bool describe(const void *values, Dataset *shape)
{
    const struct glyphs *self = values;
    image_describe(&self->image, DIGITS, names, shape);
    shape->count = split_counts_total(&self->counts);
    return true;
}

static bool validate(const void *values, Error *error)
{
    const struct glyphs *self = values;
    if (self->width.count != 2 || self->width.items[0] > self->width.items[1])
        return fail_usage(error, "width: expected two numbers, the smaller first");
    return image_keys_check(&self->image, error);
}

const DatasetDef dataset_glyphs = {
    .component = {
        .name = "glyphs",
        .summary = "drawn digits 0 to 9 in several handwriting styles, with random pose, stroke and noise",
        .params = params, .size = sizeof(struct glyphs), .validate = validate,
        .notes = "Images [channels, size, size] of unsigned bytes and 10 classes; sample i of a split is of digit i "
                 "mod 10. Each image depends on the seed, its split and its place in it alone.",
    },
    .load = load, .describe = describe,
};
