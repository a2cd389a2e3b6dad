/* Pictures: anti-aliased strokes and rectangles, written as PNG. Coordinates are pixels, y downwards,
   (0, 0) the outer corner of the first pixel. */
#ifndef XENT_REPORT_PICTURE_H
#define XENT_REPORT_PICTURE_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/report/font.h"

typedef struct Color { uint8_t red, green, blue; } Color;

typedef struct Palette Palette;
typedef struct Segment Segment;

/* Most pictures have so few colors that a pixel is a place in a palette: a third of the memory to go through. One that
   gets more goes on with colors. */
typedef struct Picture {
    int width, height;
    Palette *palette;
    uint8_t *places;            /* [height, width], in the palette; NULL: there are too many colors */
    Color *pixels;              /* [height, width], sRGB; NULL: there are places */
    uint8_t *levels;            /* [width], coverage of the row being painted, 0 to 12; zero between rows */
    Segment *segments;          /* of the shape being drawn; none between shapes */
    int segment_count, segment_room;
} Picture;

Picture *picture_new(int width, int height, Color paper);
void picture_free(Picture *picture);            /* NULL allowed */

Color picture_color(const Picture *picture, int x, int y);
/* A PNG file; *data is the caller's, freed with memory_free, NULL after an error. */
bool picture_encode(const Picture *picture, uint8_t **data, size_t *size, Error *error);

/* A polyline with round ends and joints; a single point, or two that are equal, is a disc. */
void picture_stroke(Picture *picture, const Point *points, int count, double width, Color color, double opacity);
void picture_rectangle(Picture *picture, double x, double y, double width, double height, Color color, double opacity);
/* Baseline at `origin`; `angle` in degrees, counterclockwise; `weight` is the width of a stroke in ems. */
void picture_text(Picture *picture, Point origin, const char *text, double size, double angle, double weight,
                  Color color);

/* Base64 of RFC 4648 with padding; the caller frees it with memory_free. */
char *base64_encode(const uint8_t *data, size_t size);

#endif
