#include <math.h>
#include <stdio.h>

#include "core/report/chart.h"

static const double label_size = 12, number_size = 11, top = 34, widest_name = 100;

static double cell_size(int classes)
{
    return classes <= 12 ? 40 : classes <= CONFUSION_NAMED_MAX ? 32 : fmax(480.0 / classes, 0.5);
}

/* Of the names, along the side and below: none where they are not written. */
static double names_room(int classes, const char *const *names)
{
    double widest = 0;
    for (int i = 0; i < classes && classes <= CONFUSION_NAMED_MAX; i++)
        widest = fmax(widest, font_width(names[i], label_size));
    return fmin(widest, widest_name) + 10;
}

void confusion_size(int classes, const char *const *names, double *width, double *height)
{
    double side = cell_size(classes) * classes + names_room(classes, names);
    *width = fmax(34 + side + 16, 240);
    *height = top + side + 32;
}

static double row_sum(const double *counts, int classes, int row)
{
    double sum = 0;
    for (int i = 0; i < classes; i++)
        sum += counts[row * classes + i];
    return sum;
}

static void draw_names(int classes, const char *const *names, double left, Surface *surface)
{
    double cell = cell_size(classes), bottom = top + cell * classes;
    for (int i = 0; i < classes; i++) {
        char name[64];
        font_fit(name, sizeof name, names[i], label_size, widest_name);
        double middle = cell * (i + 0.5) + 4;
        surface->text(surface, (Point){left - 7, top + middle}, name,
                      (TextStyle){.size = label_size, .ink = INK_TEXT, .anchor = ANCHOR_END});
        surface->text(surface, (Point){left + middle, bottom + 7}, name,
                      (TextStyle){.size = label_size, .ink = INK_TEXT, .anchor = ANCHOR_END, .upright = true});
    }
}

/* Shade is the share of the row; errors in their own colour, and with a root, so that few of them show. */
static void draw_row(const double *counts, int classes, int row, double left, Surface *surface)
{
    double cell = cell_size(classes), sum = row_sum(counts, classes, row), gap = cell > 8 ? 1 : 0;
    for (int column = 0; column < classes; column++) {
        double count = counts[row * classes + column], share = sum > 0 ? count / sum : 0;
        double x = left + column * cell, y = top + row * cell;
        if (gap > 0)
            surface->rectangle(surface, x, y, cell - gap, cell - gap, INK_GRID, 0.35, NULL);
        if (count > 0)
            surface->rectangle(surface, x, y, cell - gap, cell - gap, row == column ? INK_SERIES : INK_ERROR,
                               row == column ? 0.1 + 0.5 * share : 0.08 + 0.62 * sqrt(share), NULL);
        if (classes <= CONFUSION_NAMED_MAX && count > 0) {
            char number[FIGURE_ROOM];
            if (count < 1000)
                snprintf(number, sizeof number, "%g", count);
            else
                figure_short(number, count);
            double size = fmin(number_size, number_size * (cell - 4) / font_width(number, number_size));
            surface->text(surface, (Point){x + (cell - gap) / 2, y + cell / 2 + 0.36 * size}, number,
                          (TextStyle){.size = size, .ink = INK_TEXT, .anchor = ANCHOR_MIDDLE});
        }
    }
}

void confusion_draw(const char *title, const double *counts, int classes, const char *const *names, Surface *surface)
{
    double left = 34 + names_room(classes, names), side = cell_size(classes) * classes;
    surface->text(surface, (Point){12, 20}, title, (TextStyle){.size = 15, .ink = INK_TEXT, .bold = true});
    TextStyle axis = {.size = label_size, .ink = INK_MUTED, .anchor = ANCHOR_MIDDLE, .upright = true};
    surface->text(surface, (Point){20, top + side / 2}, "true class", axis);
    axis.upright = false;
    surface->text(surface, (Point){left + side / 2, top + side + names_room(classes, names) + 22}, "predicted class",
                  axis);
    if (classes <= CONFUSION_NAMED_MAX)
        draw_names(classes, names, left, surface);
    else
        surface->rectangle(surface, left, top, side, side, INK_GRID, 0.35, NULL);
    for (int row = 0; row < classes; row++)
        draw_row(counts, classes, row, left, surface);
}
