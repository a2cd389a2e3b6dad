#include <math.h>

#include "core/base/memory.h"
#include "core/report/surface.h"

/* The light theme of page_style.h. */
static const Color paper = {255, 255, 255};
static const Color inks[] = {
    [INK_TEXT] = {28, 32, 40},
    [INK_MUTED] = {95, 103, 115},
    [INK_GRID] = {226, 229, 234},
    [INK_ERROR] = {200, 62, 36},
    [INK_SERIES] = {37, 99, 200},
    {208, 80, 8},
    {12, 130, 90},
    {140, 60, 200},
    {190, 30, 100},
    {10, 118, 145},
    {130, 92, 10},
    {80, 88, 100},
};

static Picture *picture_of(Surface *surface, double *scale)
{
    const PictureSurface *self = (const PictureSurface *)surface;
    *scale = self->scale;
    return self->picture;
}

/* Dashes of 5 units and gaps of 4, along the whole polyline. */
static void draw_dashes(Picture *picture, const Point *points, int count, double width, double scale, Ink ink)
{
    const double dash = 5 * scale, period = 9 * scale;
    double walked = 0;
    for (int i = 0; i + 1 < count; i++) {
        Point a = points[i], b = points[i + 1];
        double length = hypot(b.x - a.x, b.y - a.y), at = 0;
        while (at < length) {
            double phase = fmod(walked + at, period), left = (phase < dash ? dash : period) - phase;
            double end = fmin(at + fmax(left, 1e-6 * period), length);
            if (phase < dash) {
                Point piece[2] = {{a.x + (b.x - a.x) * at / length, a.y + (b.y - a.y) * at / length},
                                  {a.x + (b.x - a.x) * end / length, a.y + (b.y - a.y) * end / length}};
                picture_stroke(picture, piece, 2, width, inks[ink], 1);
            }
            at = end;
        }
        walked += length;
    }
}

static void draw_line(Surface *surface, const Point *points, int count, double width, Ink ink, bool dashed)
{
    double scale;
    Picture *picture = picture_of(surface, &scale);
    Point *scaled = memory_array((size_t)count, sizeof *scaled);
    for (int i = 0; i < count; i++)
        scaled[i] = (Point){points[i].x * scale, points[i].y * scale};
    if (dashed)
        draw_dashes(picture, scaled, count, width * scale, scale, ink);
    else
        picture_stroke(picture, scaled, count, width * scale, inks[ink], 1);
    memory_free(scaled);
}

static void draw_rectangle(Surface *surface, double x, double y, double width, double height, Ink ink, double opacity,
                           const char *tip)
{
    (void)tip;
    double scale;
    Picture *picture = picture_of(surface, &scale);
    double begin = round(x * scale), top = round(y * scale); /* whole pixels: edges are sharp, and add no shades */
    picture_rectangle(picture, begin, top, round((x + width) * scale) - begin, round((y + height) * scale) - top,
                      inks[ink], opacity);
}

static void draw_disc(Surface *surface, Point center, double radius, Ink ink, const char *tip)
{
    (void)tip;
    double scale;
    Picture *picture = picture_of(surface, &scale);
    Point point = {center.x * scale, center.y * scale};
    picture_stroke(picture, &point, 1, 2 * radius * scale, inks[ink], 1);
}

static void draw_text(Surface *surface, Point baseline, const char *text, TextStyle style)
{
    double scale;
    Picture *picture = picture_of(surface, &scale);
    double shift =
        style.anchor == ANCHOR_START ? 0 : font_width(text, style.size) * (style.anchor == ANCHOR_END ? 1 : 0.5);
    Point origin = {(baseline.x - (style.upright ? 0 : shift)) * scale,
                    (baseline.y + (style.upright ? shift : 0)) * scale};
    picture_text(picture, origin, text, style.size * scale, style.upright ? 90 : 0, style.bold ? 0.115 : 0.08,
                 inks[style.ink]);
}

void picture_surface_begin(PictureSurface *surface, double width, double height, double scale)
{
    surface->surface = (Surface){width, height, draw_line, draw_rectangle, draw_disc, draw_text};
    surface->picture = picture_new((int)ceil(width * scale), (int)ceil(height * scale), paper);
    surface->scale = scale;
}
