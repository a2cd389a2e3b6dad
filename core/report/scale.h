/* From values to places on an axis, and which points of a long curve are worth drawing. */
#ifndef XENT_REPORT_SCALE_H
#define XENT_REPORT_SCALE_H

#include <stdbool.h>
#include <stdint.h>

enum { TICKS_MAX = 16, TICK_ROOM = 24 };

typedef struct Scale {
    double low, high;           /* low < high */
    bool log;
    int tick_count;
    double ticks[TICKS_MAX];    /* ascending, within low..high */
    char labels[TICKS_MAX][TICK_ROOM];
} Scale;

/* Ticks at 1, 2 or 5 times a power of ten, about `about` (2 to 8) of them. low <= high, finite; an empty range is
   widened. `extend` moves the ends outwards to ticks. */
Scale scale_linear(double low, double high, int about, bool extend);
/* 0 < low <= high. Ticks at powers of ten, where the range holds few of those at 1, 2 and 5 times them. */
Scale scale_log(double low, double high);
/* 0 at low, 1 at high; not finite where the value is not, or is not positive on a log scale. */
double scale_position(const Scale *scale, double value);

/* Indices, ascending, of at most `most` (>= 4) of y[count]: the ends, and of each of equal pieces the smallest
   and the largest value, so that no spike is lost; a piece that holds a value that is not finite keeps it as
   one of its two. kept has room for `most`; returns how many. */
int64_t downsample(const double *y, int64_t count, int64_t most, int64_t *kept);

#endif
