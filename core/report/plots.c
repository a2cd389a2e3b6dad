#include "core/report/plots.h"

#include <math.h>

#include "core/base/threads.h"
#include "core/report/figures.h"

static const double pixels_a_unit = 2.4;

typedef struct Plot {
    const char *name;
    bool (*draw)(const ReportData *data, Arena *arena, PictureSurface *surface); /* false: the run has nothing for it */
    PlotFile file;
    Error error;
    bool failed;
} Plot;

static bool draw_lines(const LineChart *chart, PictureSurface *surface)
{
    picture_surface_begin(surface, LINE_CHART_WIDTH, line_chart_height(chart), pixels_a_unit);
    line_chart_draw(chart, &surface->surface);
    return true;
}

static bool draw_loss(const ReportData *data, Arena *arena, PictureSurface *surface)
{
    LineChart chart;
    return figure_chart(arena, &data, 1, "loss", NULL, &chart) && draw_lines(&chart, surface);
}

static bool draw_learning_rate(const ReportData *data, Arena *arena, PictureSurface *surface)
{
    LineChart chart;
    return figure_chart(arena, &data, 1, "lr", NULL, &chart) && draw_lines(&chart, surface);
}

static bool draw_metrics(const ReportData *data, Arena *arena, PictureSurface *surface)
{
    LineChart chart;
    return shares_chart(arena, data, &chart) && draw_lines(&chart, surface);
}

static bool draw_reliability(const ReportData *data, Arena *arena, PictureSurface *surface)
{
    const Evaluation *evaluation = data->evaluation;
    if (!evaluation || !evaluation->bin_count)
        return false;
    const FinalMetric *ece = report_metric(data, evaluation->split, "ece");
    picture_surface_begin(surface, RELIABILITY_WIDTH, RELIABILITY_HEIGHT, pixels_a_unit);
    reliability_draw(arena_format(arena, "Reliability, %s", evaluation->split), evaluation->bins, evaluation->bin_count,
                     ece ? ece->value : NAN, &surface->surface);
    return true;
}

static bool draw_confusion(const ReportData *data, Arena *arena, PictureSurface *surface)
{
    const Evaluation *evaluation = data->evaluation;
    if (!evaluation || !evaluation->confusion)
        return false;
    double width, height;
    confusion_size(evaluation->class_count, evaluation->classes, &width, &height);
    picture_surface_begin(surface, width, height, pixels_a_unit);
    confusion_draw(arena_format(arena, "Confusion, %s", evaluation->split), evaluation->confusion,
                   evaluation->class_count, evaluation->classes, &surface->surface);
    return true;
}

typedef struct Plotting {
    const ReportData *data;
    Plot plots[PLOTS_MAX];
} Plotting;

static void draw_plots(void *context, int64_t begin, int64_t end)
{
    Plotting *plotting = context;
    for (int64_t i = begin; i < end; i++) {
        Plot *plot = &plotting->plots[i];
        Arena *arena = arena_new();
        PictureSurface surface;
        if (plot->draw(plotting->data, arena, &surface)) {
            plot->failed = !picture_encode(surface.picture, &plot->file.data, &plot->file.size, &plot->error);
            picture_free(surface.picture);
        }
        arena_free(arena);
    }
}

int plots_draw(const ReportData *data, PlotFile files[PLOTS_MAX], Error *error)
{
    Plotting plotting = {data, {{.name = "reliability.png", .draw = draw_reliability},
                                {.name = "loss.png", .draw = draw_loss},
                                {.name = "learning_rate.png", .draw = draw_learning_rate},
                                {.name = "metrics.png", .draw = draw_metrics},
                                {.name = "confusion.png", .draw = draw_confusion}}};
    parallel_for(PLOTS_MAX, 1, draw_plots, &plotting);
    int count = 0;
    bool good = true;
    for (int i = 0; i < PLOTS_MAX; i++) {
        Plot *plot = &plotting.plots[i];
        if (plot->failed && good) {
            good = false;
            *error = plot->error;
        }
        if (plot->file.data)
            files[count++] = (PlotFile){plot->name, plot->file.data, plot->file.size};
    }
    for (int i = 0; !good && i < count; i++)
        memory_free(files[i].data);
    return good ? count : -1;
}
