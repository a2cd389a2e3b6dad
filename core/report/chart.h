/* Charts, drawn on any surface. Arrays and strings are the caller's and are read only while drawing. */
#ifndef XENT_REPORT_CHART_H
#define XENT_REPORT_CHART_H

#include "core/metrics/tables.h"
#include "core/report/surface.h"

/* x ascending; a y that is not finite (or not positive on a log axis) breaks the line. Colours repeat after
   SERIES_COLORS, dashed. */
typedef struct Series {
    const char *name;
    int color;
    int64_t count;
    const double *x, *y;
} Series;

typedef struct LineChart {
    const char *title, *x_label;    /* NULL: none */
    const Series *series;
    int series_count;
    bool log_y;
    double mark;                    /* a dashed upright line at this x; NAN: none */
    const char *mark_name;
} LineChart;

enum { CHART_POINTS_MAX = 500 };    /* of a series; more are downsampled */

enum { LINE_CHART_WIDTH = 400 };     /* labels stay readable when a phone shrinks the chart to its width */
/* Taller when the legend needs several rows. */
double line_chart_height(const LineChart *chart);
void line_chart_draw(const LineChart *chart, Surface *surface);
/* Positive throughout, and spread over more than a factor of `spread`: a log axis tells more. */
bool series_want_log(const Series *series, int series_count, double spread);

/* Bins of equal width on (0, 1]; confidence and accuracy are means over the samples of a bin. */
enum { RELIABILITY_WIDTH = 400, RELIABILITY_HEIGHT = 440, RELIABILITY_TITLE = 30 /* height of the title's room */ };
/* ece NAN: not written. */
void reliability_draw(const char *title, const ReliabilityBin *bins, int count, double ece, Surface *surface);

/* counts [classes, classes], rows are the true classes. Numbers and names up to this many classes. */
enum { CONFUSION_NAMED_MAX = 30 };
void confusion_size(int classes, const char *const *names, double *width, double *height);
void confusion_draw(const char *title, const double *counts, int classes, const char *const *names, Surface *surface);

#endif
