#include "core/report/picture.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/memory.h"

enum { EDGE_LEVELS = 12 };

Picture *picture_new(int width, int height, Color paper)
{
    assert(width > 0 && height > 0);
    Picture *picture = memory_new(sizeof *picture);
    size_t count = (size_t)width * (size_t)height;
    *picture = (Picture){.width = width, .height = height, .left = width, .top = height};
    picture->pixels = memory_array(count, 3);
    picture->coverage = memory_new(count);
    if (paper.red == paper.green && paper.green == paper.blue) {
        memset(picture->pixels, paper.red, 3 * count);
        return picture;
    }
    for (size_t i = 0; i < count; i++) {
        picture->pixels[3 * i] = paper.red;
        picture->pixels[3 * i + 1] = paper.green;
        picture->pixels[3 * i + 2] = paper.blue;
    }
    return picture;
}

void picture_free(Picture *picture)
{
    if (!picture)
        return;
    memory_free(picture->pixels);
    memory_free(picture->coverage);
    memory_free(picture);
}

static int clamp_pixel(double value, int limit)
{
    return value <= 0 ? 0 : value >= limit ? limit : (int)value;
}

/* The pixels from..to of a span that an edge at `low` and `high` may touch; coordinates may be far outside. */
static void touch(Picture *picture, double left, double top, double right, double bottom, int box[4])
{
    box[0] = clamp_pixel(floor(left), picture->width);
    box[1] = clamp_pixel(floor(top), picture->height);
    box[2] = clamp_pixel(ceil(right), picture->width);
    box[3] = clamp_pixel(ceil(bottom), picture->height);
    if (box[0] >= box[2] || box[1] >= box[3])
        return;
    picture->left = box[0] < picture->left ? box[0] : picture->left;
    picture->top = box[1] < picture->top ? box[1] : picture->top;
    picture->right = box[2] > picture->right ? box[2] : picture->right;
    picture->bottom = box[3] > picture->bottom ? box[3] : picture->bottom;
}

static uint8_t mix(uint8_t under, uint8_t over, double share)
{
    return (uint8_t)(under + (over - under) * share + 0.5); /* never negative */
}

/* Lays the color over the covered pixels and clears the coverage for the next shape. Edges have EDGE_LEVELS shades, so
   that a picture of few inks has few enough colors for a palette. */
static void paint(Picture *picture, Color color, double opacity)
{
    int last_level = -1;
    Color under = {0}, result = {0}; /* of the pixel before; the next is mostly like it */
    for (int y = picture->top; y < picture->bottom; y++)
        for (int x = picture->left; x < picture->right; x++) {
            size_t at = (size_t)y * (size_t)picture->width + (size_t)x;
            int level = picture->coverage[at];
            if (level == 0)
                continue;
            Color *pixel = (Color *)picture->pixels + at;
            if (level != last_level || pixel->red != under.red || pixel->green != under.green
                || pixel->blue != under.blue) {
                double share = level * opacity / EDGE_LEVELS;
                last_level = level;
                under = *pixel;
                result = (Color){mix(under.red, color.red, share), mix(under.green, color.green, share),
                                 mix(under.blue, color.blue, share)};
            }
            *pixel = result;
            picture->coverage[at] = 0;
        }
    picture->left = picture->width;
    picture->top = picture->height;
    picture->right = picture->bottom = 0;
}

static uint8_t level_of(double share)
{
    return (uint8_t)(share * EDGE_LEVELS + 0.5);
}

static double clamp_share(double t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

/* The square of the distance. */
static double square_to_segment(Point p, Point a, Point b, double over_square)
{
    double dx = b.x - a.x, dy = b.y - a.y;
    double t = clamp_share(((p.x - a.x) * dx + (p.y - a.y) * dy) * over_square);
    double x = p.x - a.x - t * dx, y = p.y - a.y - t * dy;
    return x * x + y * y;
}

/* The columns in which a row of pixels can be within `reach` of the segment a..b: where the piece of it passes that is
   within reach of the row, and as far to both sides. */
static void row_columns(const Picture *picture, Point a, Point b, int row, double reach, int columns[2])
{
    double first = a.x, last = b.x;
    if (a.y != b.y) {
        first = a.x + clamp_share((row - reach - a.y) / (b.y - a.y)) * (b.x - a.x);
        last = a.x + clamp_share((row + 1 + reach - a.y) / (b.y - a.y)) * (b.x - a.x);
    }
    columns[0] = clamp_pixel((first < last ? first : last) - reach, picture->width);
    columns[1] = clamp_pixel(ceil((first < last ? last : first) + reach), picture->width);
}

/* Coverage of an edge that is straight within a pixel: 1/2 - signed distance. The largest counts, so that
   joints are not painted twice. */
static void cover_segment(Picture *picture, Point a, Point b, double width)
{
    double reach = width / 2 + 1, half = width / 2 + 0.5,
           square = (b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y);
    double over_square = square > 0 ? 1 / square : 0;
    int box[4];
    touch(picture, fmin(a.x, b.x) - reach, fmin(a.y, b.y) - reach, fmax(a.x, b.x) + reach, fmax(a.y, b.y) + reach, box);
    for (int y = box[1]; y < box[3]; y++) {
        int columns[2];
        row_columns(picture, a, b, y, reach, columns);
        for (int x = columns[0]; x < columns[1]; x++) {
            double distance = square_to_segment((Point){x + 0.5, y + 0.5}, a, b, over_square);
            if (distance >= half * half)
                continue;
            uint8_t level = level_of(clamp_share(half - sqrt(distance)));
            uint8_t *covered = &picture->coverage[(size_t)y * (size_t)picture->width + (size_t)x];
            *covered = level > *covered ? level : *covered;
        }
    }
}

static void cover_stroke(Picture *picture, const Point *points, int count, double width)
{
    for (int i = 0; i < count; i++)
        if (i + 1 < count || count == 1)
            cover_segment(picture, points[i], points[count == 1 ? i : i + 1], width);
}

void picture_stroke(Picture *picture, const Point *points, int count, double width, Color color, double opacity)
{
    cover_stroke(picture, points, count, width);
    paint(picture, color, opacity);
}

static double overlap(double low, double high, int pixel)
{
    double share = (high < pixel + 1 ? high : pixel + 1) - (low > pixel ? low : pixel);
    return share < 0 ? 0 : share;
}

void picture_rectangle(Picture *picture, double x, double y, double width, double height, Color color, double opacity)
{
    int box[4];
    touch(picture, x, y, x + width, y + height, box);
    for (int row = box[1]; row < box[3]; row++)
        for (int column = box[0]; column < box[2]; column++)
            picture->coverage[(size_t)row * (size_t)picture->width + (size_t)column] =
                level_of(overlap(x, x + width, column) * overlap(y, y + height, row));
    paint(picture, color, opacity);
}

typedef struct TextPlace {
    Picture *picture;
    Point origin;
    double cosine, sine, width;
} TextPlace;

static void cover_text_stroke(void *context, const Point *points, int count)
{
    const TextPlace *place = context;
    Point turned[FONT_POINTS_MAX];
    for (int i = 0; i < count; i++)
        turned[i] = (Point){place->origin.x + points[i].x * place->cosine + points[i].y * place->sine,
                            place->origin.y - points[i].x * place->sine + points[i].y * place->cosine};
    cover_stroke(place->picture, turned, count, place->width);
}

void picture_text(Picture *picture, Point origin, const char *text, double size, double angle, double weight,
                  Color color)
{
    double radians = angle * (3.14159265358979323846 / 180);
    TextPlace place = {picture, origin, cos(radians), sin(radians), weight * size};
    font_strokes(text, size, cover_text_stroke, &place);
    paint(picture, color, 1);
}
