/* What charts are drawn on: a picture (PNG) or an inline SVG. One chart, two outputs. Units are those of the
   chart; inks are roles, which the picture fills with a light theme and the page with its CSS variables. */
#ifndef XENT_REPORT_SURFACE_H
#define XENT_REPORT_SURFACE_H

#include "core/report/markup.h"
#include "core/report/picture.h"

enum { SERIES_COLORS = 8 };

/* INK_SERIES + i % SERIES_COLORS is the ink of series i. */
typedef enum Ink { INK_TEXT, INK_MUTED, INK_GRID, INK_ERROR, INK_SERIES } Ink;

typedef enum Anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } Anchor;

typedef struct TextStyle {
    double size;
    Ink ink;
    Anchor anchor;
    bool bold, upright;         /* upright: read from below */
} TextStyle;

typedef struct Surface Surface;
struct Surface {
    double width, height;
    /* `tip` is what a page shows when the pointer rests on the shape; NULL: nothing. */
    void (*line)(Surface *surface, const Point *points, int count, double width, Ink ink, bool dashed);
    void (*rectangle)(Surface *surface, double x, double y, double width, double height, Ink ink, double opacity,
                      const char *tip);
    void (*disc)(Surface *surface, Point center, double radius, Ink ink, const char *tip);
    void (*text)(Surface *surface, Point baseline, const char *text, TextStyle style);
};

typedef struct PictureSurface {
    Surface surface;
    Picture *picture;           /* the caller's, freed with picture_free */
    double scale;               /* pixels a unit */
} PictureSurface;

typedef struct SvgSurface {
    Surface surface;
    Markup *markup;             /* the caller's */
} SvgSurface;

void picture_surface_begin(PictureSurface *surface, double width, double height, double scale);
/* Opens an <svg>; `label` is its description for those who cannot see it. What is above `top` is cut off (the room of
   a title that the page gives as a heading). svg_surface_end closes it. */
void svg_surface_begin(SvgSurface *surface, Markup *markup, double top, double width, double height, const char *label);
void svg_surface_end(SvgSurface *surface);

#endif
