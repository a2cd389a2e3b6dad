#include "core/report/plots.h"

#include <math.h>

#include "core/base/file.h"
#include "core/report/figures.h"
#include "data/png_image.h"

static const double pixels_a_unit = 2.4;

typedef struct Plot {
    const ReportData *data;
    Arena *arena;
    const char *folder;
    Error *error;
} Plot;

static bool save(const Plot *plot, const char *name, PictureSurface *surface)
{
    Picture *picture = surface->picture;
    uint8_t *png;
    size_t size;
    bool good = png_encode(picture->width, picture->height, 3, picture->pixels, &png, &size, plot->error) &&
                file_write(path_join(plot->arena, plot->folder, name), png, size, plot->error);
    memory_free(png);
    picture_free(picture);
    return good;
}

static bool save_lines(const Plot *plot, const char *name, const LineChart *chart)
{
    PictureSurface surface;
    picture_surface_begin(&surface, LINE_CHART_WIDTH, line_chart_height(chart), pixels_a_unit);
    line_chart_draw(chart, &surface.surface);
    return save(plot, name, &surface);
}

static bool save_figure(const Plot *plot, const char *name, const char *figure)
{
    LineChart chart;
    return !figure_chart(plot->arena, &plot->data, 1, figure, NULL, &chart) || save_lines(plot, name, &chart);
}

static bool save_shares(const Plot *plot, const char *name)
{
    LineChart chart;
    return !shares_chart(plot->arena, plot->data, &chart) || save_lines(plot, name, &chart);
}

static bool save_reliability(const Plot *plot, const char *name)
{
    const Evaluation *evaluation = plot->data->evaluation;
    if (!evaluation || !evaluation->bin_count)
        return true;
    const FinalMetric *ece = report_metric(plot->data, evaluation->split, "ece");
    PictureSurface surface;
    picture_surface_begin(&surface, RELIABILITY_WIDTH, RELIABILITY_HEIGHT, pixels_a_unit);
    reliability_draw(arena_format(plot->arena, "Reliability, %s", evaluation->split), evaluation->bins,
                     evaluation->bin_count, ece ? ece->value : NAN, &surface.surface);
    return save(plot, name, &surface);
}

static bool save_confusion(const Plot *plot, const char *name)
{
    const Evaluation *evaluation = plot->data->evaluation;
    if (!evaluation || !evaluation->confusion)
        return true;
    double width, height;
    PictureSurface surface;
    confusion_size(evaluation->class_count, evaluation->classes, &width, &height);
    picture_surface_begin(&surface, width, height, pixels_a_unit);
    confusion_draw(arena_format(plot->arena, "Confusion, %s", evaluation->split), evaluation->confusion,
                   evaluation->class_count, evaluation->classes, &surface.surface);
    return save(plot, name, &surface);
}

bool plots_write(const ReportData *data, Error *error)
{
    Arena *arena = arena_new();
    Plot plot = {data, arena, path_join(arena, data->folder, "plots"), error};
    bool good = folder_make(plot.folder, error) && save_figure(&plot, "loss.png", "loss") &&
                save_shares(&plot, "metrics.png") && save_figure(&plot, "learning_rate.png", "lr") &&
                save_reliability(&plot, "reliability.png") && save_confusion(&plot, "confusion.png");
    arena_free(arena);
    return good;
}
