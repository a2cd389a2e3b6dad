#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/report/chart.h"
#include "core/report/scale.h"

enum {
    WIDTH = LINE_CHART_WIDTH,
    PLOT_HEIGHT = 180,
    TITLE_HEIGHT = 28,
    LEGEND_ROW = 19,
    FOOT = 42,
    NAME_ROOM = 64,
    MARKERS_MAX = 40
};

static const double label_size = 12, legend_size = 13, title_size = 15, margin = 12, swatch = 18, name_width = 190;

typedef struct Frame {
    Scale x, y;
    double left, right, top, bottom;
} Frame;

static Ink ink_of(const Series *series)
{
    return (Ink)(INK_SERIES + series->color % SERIES_COLORS);
}

/* Places the legend's entries from left to right, row by row; draws when there is a surface. Returns the rows. */
static int legend(const LineChart *chart, double top, Surface *surface)
{
    double x = margin;
    int row = 0;
    for (int i = 0; i < chart->series_count; i++) {
        char name[NAME_ROOM];
        font_fit(name, sizeof name, chart->series[i].name, legend_size, name_width);
        double wide = swatch + 6 + font_width(name, legend_size);
        if (x > margin && x + wide > WIDTH - margin) {
            x = margin;
            row++;
        }
        double y = top + row * LEGEND_ROW + 13;
        Point line[2] = {{x, y - 4.5}, {x + swatch, y - 4.5}};
        if (surface) {
            surface->line(surface, line, 2, 2.5, ink_of(&chart->series[i]), chart->series[i].color >= SERIES_COLORS);
            surface->text(surface, (Point){x + swatch + 6, y}, name, (TextStyle){.size = legend_size, .ink = INK_TEXT});
        }
        x += wide + 16;
    }
    return chart->series_count ? row + 1 : 0;
}

static double plot_top(const LineChart *chart)
{
    double top = chart->title ? TITLE_HEIGHT : 2;
    return top + legend(chart, top, NULL) * LEGEND_ROW + 18;
}

double line_chart_height(const LineChart *chart)
{
    return plot_top(chart) + PLOT_HEIGHT + FOOT;
}

bool series_want_log(const Series *series, int series_count, double spread)
{
    double low = INFINITY, high = 0;
    for (int s = 0; s < series_count; s++)
        for (int64_t i = 0; i < series[s].count; i++) {
            double y = series[s].y[i];
            if (!isfinite(y))
                continue;
            if (y <= 0)
                return false;
            low = fmin(low, y);
            high = fmax(high, y);
        }
    return high > low * spread;
}

/* Of the values that can be drawn; {0, 1} when there are none. */
static void find_range(const LineChart *chart, bool of_y, double range[2])
{
    range[0] = INFINITY;
    range[1] = -INFINITY;
    for (int s = 0; s < chart->series_count; s++)
        for (int64_t i = 0; i < chart->series[s].count; i++) {
            double y = chart->series[s].y[i], value = of_y ? y : chart->series[s].x[i];
            if (!isfinite(y) || (chart->log_y && y <= 0))
                continue;
            range[0] = fmin(range[0], value);
            range[1] = fmax(range[1], value);
        }
    if (range[0] > range[1]) {
        range[0] = chart->log_y ? 0.1 : 0;
        range[1] = 1;
    }
}

static Frame make_frame(const LineChart *chart)
{
    double x[2], y[2], widest = 0;
    find_range(chart, false, x);
    find_range(chart, true, y);
    Frame frame = {.x = scale_linear(x[0], x[1], 5, false),
                   .y = chart->log_y ? scale_log(y[0], y[1]) : scale_linear(y[0], y[1], 5, true)};
    for (int i = 0; i < frame.y.tick_count; i++)
        widest = fmax(widest, font_width(frame.y.labels[i], label_size));
    frame.left = margin + widest + 8;
    frame.right = WIDTH - margin - 4;
    frame.top = plot_top(chart);
    frame.bottom = frame.top + PLOT_HEIGHT;
    return frame;
}

static Point place(const Frame *frame, double x, double y)
{
    return (Point){frame->left + scale_position(&frame->x, x) * (frame->right - frame->left),
                   frame->bottom - scale_position(&frame->y, y) * (frame->bottom - frame->top)};
}

static void draw_axes(const LineChart *chart, const Frame *frame, Surface *surface)
{
    TextStyle label = {.size = label_size, .ink = INK_MUTED};
    for (int i = 0; i < frame->y.tick_count; i++) {
        double y = place(frame, frame->x.low, frame->y.ticks[i]).y;
        surface->line(surface, (Point[2]){{frame->left, y}, {frame->right, y}}, 2, 1, INK_GRID, false);
        label.anchor = ANCHOR_END;
        surface->text(surface, (Point){frame->left - 8, y + 4}, frame->y.labels[i], label);
    }
    surface->line(surface, (Point[2]){{frame->left, frame->bottom}, {frame->right, frame->bottom}}, 2, 1, INK_MUTED,
                  false);
    for (int i = 0; i < frame->x.tick_count; i++) {
        double x = place(frame, frame->x.ticks[i], frame->y.low).x,
               half = font_width(frame->x.labels[i], label_size) / 2;
        surface->line(surface, (Point[2]){{x, frame->bottom}, {x, frame->bottom + 4}}, 2, 1, INK_MUTED, false);
        label.anchor = x + half > WIDTH - 2 ? ANCHOR_END : ANCHOR_MIDDLE;
        surface->text(surface, (Point){x, frame->bottom + 17}, frame->x.labels[i], label);
    }
    label.anchor = ANCHOR_MIDDLE;
    if (chart->x_label)
        surface->text(surface, (Point){(frame->left + frame->right) / 2, frame->bottom + 34}, chart->x_label, label);
}

static void draw_mark(const LineChart *chart, const Frame *frame, Surface *surface)
{
    if (!(chart->mark >= frame->x.low && chart->mark <= frame->x.high))
        return;
    double x = place(frame, chart->mark, frame->y.low).x;
    bool right = x + font_width(chart->mark_name, label_size) / 2 > frame->right;
    surface->line(surface, (Point[2]){{x, frame->top}, {x, frame->bottom}}, 2, 1, INK_MUTED, true);
    surface->text(surface, (Point){right ? frame->right : x, frame->top - 5}, chart->mark_name,
                  (TextStyle){.size = label_size, .ink = INK_MUTED, .anchor = right ? ANCHOR_END : ANCHOR_MIDDLE});
}

static void draw_markers(const LineChart *chart, const Series *series, const Frame *frame, Ink ink, Surface *surface)
{
    for (int64_t i = 0; i < series->count; i++) {
        Point point = place(frame, series->x[i], series->y[i]);
        if (!isfinite(point.y))
            continue;
        char tip[160], value[FIGURE_ROOM], x[FIGURE_ROOM];
        snprintf(tip, sizeof tip, "%.80s: %s at %s %s", series->name, figure_text(value, series->y[i]),
                 chart->x_label ? chart->x_label : "x", figure_count(x, series->x[i]));
        surface->disc(surface, point, series->count == 1 ? 4 : 3, ink, tip);
    }
}

static void draw_series(const LineChart *chart, int index, const Frame *frame, Surface *surface)
{
    const Series *series = &chart->series[index];
    Ink ink = ink_of(series);
    int64_t kept[CHART_POINTS_MAX];
    int64_t count = downsample(series->y, series->count, CHART_POINTS_MAX, kept);
    Point points[CHART_POINTS_MAX];
    int used = 0;
    for (int64_t i = 0; i <= count; i++) {
        Point point = {NAN, NAN};
        if (i < count)
            point = place(frame, series->x[kept[i]], series->y[kept[i]]);
        if (isfinite(point.y)) {
            points[used++] = point;
            continue;
        }
        if (used > 0)
            surface->line(surface, points, used, count > 200 ? 1.4 : 2, ink, series->color >= SERIES_COLORS);
        used = 0;
    }
    if (series->count <= MARKERS_MAX)
        draw_markers(chart, series, frame, ink, surface);
}

void line_chart_draw(const LineChart *chart, Surface *surface)
{
    Frame frame = make_frame(chart);
    if (chart->title)
        surface->text(surface, (Point){margin, 20}, chart->title,
                      (TextStyle){.size = title_size, .ink = INK_TEXT, .bold = true});
    legend(chart, chart->title ? TITLE_HEIGHT : 2, surface);
    draw_axes(chart, &frame, surface);
    draw_mark(chart, &frame, surface);
    for (int i = 0; i < chart->series_count; i++)
        draw_series(chart, i, &frame, surface);
}
