/* A font of strokes for the pictures: printable ASCII, proportional, any size. What it lacks is drawn
   as a box, one for each character. */
#ifndef XENT_REPORT_FONT_H
#define XENT_REPORT_FONT_H

#include <stddef.h>

typedef struct Point { double x, y; } Point;

enum { FONT_POINTS_MAX = 96 };      /* of one stroke */

typedef void FontStroke(void *context, const Point *points, int count);

/* Advance of a text in the unit of `size` (the em). Also what charts assume of a browser's font. */
double font_width(const char *text, double size);
/* Calls `stroke` for every stroke of the text, its origin at (0, 0) on the baseline, y downwards. */
void font_strokes(const char *text, double size, FontStroke *stroke, void *context);
/* Copies as much of `text` as is at most `width` wide, with "..." where it was cut; room >= 4. */
void font_fit(char *out, size_t room, const char *text, double size, double width);

#endif
