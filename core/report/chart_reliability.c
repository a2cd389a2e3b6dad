#include <math.h>
#include <stdio.h>

#include "core/report/chart.h"

static const double left = 48, right = 388, top = 62, bottom = 322, count_top = 340, count_bottom = 396,
                    label_size = 12;

static double place_x(double share)
{
    return left + share * (right - left);
}

static double place_y(double share)
{
    return bottom - share * (bottom - top);
}

static void draw_frame(Surface *surface)
{
    TextStyle label = {.size = label_size, .ink = INK_MUTED};
    for (int i = 0; i <= 5; i++) {
        char text[FIGURE_ROOM];
        snprintf(text, sizeof text, "%.1f", i / 5.0);
        double x = place_x(i / 5.0), y = place_y(i / 5.0);
        surface->line(surface, (Point[2]){{left, y}, {right, y}}, 2, 1, INK_GRID, false);
        label.anchor = ANCHOR_END;
        surface->text(surface, (Point){left - 8, y + 4}, text, label);
        label.anchor = i == 5 ? ANCHOR_END : ANCHOR_MIDDLE;
        surface->text(surface, (Point){i == 5 ? x + 6 : x, count_bottom + 17}, text, label);
    }
    surface->line(surface, (Point[2]){{left, bottom}, {right, bottom}}, 2, 1, INK_MUTED, false);
    surface->line(surface, (Point[2]){{left, count_bottom}, {right, count_bottom}}, 2, 1, INK_MUTED, false);
    label.anchor = ANCHOR_MIDDLE;
    surface->text(surface, (Point){(left + right) / 2, count_bottom + 34}, "confidence", label);
    label.anchor = ANCHOR_START;
    surface->text(surface, (Point){left + 4, count_top + 8}, "samples", label);
    label.upright = true;
    label.anchor = ANCHOR_MIDDLE;
    surface->text(surface, (Point){14, (top + bottom) / 2}, "accuracy", label);
}

/* Colour and name of the two kinds of bars, and the expected calibration error. */
static void draw_legend(double ece, Surface *surface)
{
    TextStyle label = {.size = 13, .ink = INK_TEXT};
    surface->rectangle(surface, left, 38, 12, 12, INK_SERIES, 0.85, NULL);
    surface->text(surface, (Point){left + 18, 48}, "accuracy", label);
    surface->rectangle(surface, left + 92, 38, 12, 12, INK_ERROR, 0.4, NULL);
    surface->text(surface, (Point){left + 110, 48}, "gap to confidence", label);
    if (isfinite(ece)) {
        char text[FIGURE_ROOM + 8];
        snprintf(text, sizeof text, "ECE %.4f", ece);
        label.anchor = ANCHOR_END;
        label.bold = true;
        surface->text(surface, (Point){right, 48}, text, label);
    }
}

static void draw_bin(const ReliabilityBin *bin, int index, int count, double most, Surface *surface)
{
    char tip[200], number[FIGURE_ROOM], accuracy[FIGURE_ROOM], confidence[FIGURE_ROOM];
    double low = (double)index / count, high = (double)(index + 1) / count;
    double x = place_x(low) + 1, width = place_x(high) - place_x(low) - 2;
    snprintf(tip, sizeof tip, "confidence %.3g to %.3g: %s samples, accuracy %s, mean confidence %s", low, high,
             figure_count(number, bin->count), figure_text(accuracy, bin->accuracy),
             figure_text(confidence, bin->confidence));
    double bar = place_y(bin->accuracy), mean = place_y(bin->confidence);
    surface->rectangle(surface, x, bar, width, bottom - bar, INK_SERIES, 0.85, tip);
    surface->rectangle(surface, x, fmin(bar, mean), width, fabs(bar - mean), INK_ERROR, 0.4, tip);
    surface->line(surface, (Point[2]){{x, mean}, {x + width, mean}}, 2, 1.5, INK_ERROR, false);
    double tall = fmax(bin->count / most * (count_bottom - count_top), 1);
    surface->rectangle(surface, x, count_bottom - tall, width, tall, INK_MUTED, 0.6, tip);
    if (bin->count == most) {
        bool beyond = high > 0.8;
        surface->text(surface, (Point){beyond ? x - 4 : x + width + 4, count_top + 8}, figure_short(number, bin->count),
                      (TextStyle){.size = label_size, .ink = INK_MUTED, .anchor = beyond ? ANCHOR_END : ANCHOR_START});
    }
}

void reliability_draw(const char *title, const ReliabilityBin *bins, int count, double ece, Surface *surface)
{
    if (title)
        surface->text(surface, (Point){12, 20}, title, (TextStyle){.size = 15, .ink = INK_TEXT, .bold = true});
    draw_legend(ece, surface);
    draw_frame(surface);
    double most = 0;
    for (int i = 0; i < count; i++)
        most = fmax(most, bins[i].count);
    for (int i = 0; i < count; i++)
        if (bins[i].count > 0)
            draw_bin(&bins[i], i, count, most, surface);
    surface->line(surface, (Point[2]){{place_x(0), place_y(0)}, {place_x(1), place_y(1)}}, 2, 1.5, INK_MUTED, true);
}
