#include "core/report/figures.h"

#include <math.h>
#include <string.h>

#include "core/report/json_value.h"

/* What training logs beside metrics. */
static const struct Figure { const char *name, *title; } figures[] = {
    {"loss", "Loss (nats)"}, {"grad_norm", "Gradient norm"}, {"lr", "Learning rate"}};
enum { FIGURE_COUNT = sizeof figures / sizeof *figures };

static const char *known_title(const char *figure)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (strcmp(figures[i].name, figure) == 0)
            return figures[i].title;
    const MetricDef *metric = (const MetricDef *)component_find("metric", figure);
    return metric ? metric->title : NULL;
}

const char *figure_title(Arena *arena, const char *figure)
{
    const char *known = known_title(figure);
    if (known)
        return known;
    char *title = arena_string(arena, figure);
    for (char *at = title; *at; at++)
        if (*at == '_')
            *at = ' ';
    if (title[0] >= 'a' && title[0] <= 'z')
        title[0] = (char)(title[0] - 'a' + 'A');
    return title;
}

MetricBetter figure_better(const char *figure)
{
    if (strcmp(figure, "loss") == 0)
        return METRIC_LOWER;
    const MetricDef *metric = (const MetricDef *)component_find("metric", figure);
    return metric ? metric->better : METRIC_NEITHER;
}

static bool contains(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A figure measured once is no curve; the tables have it. */
static bool is_drawn(const Curve *curve)
{
    return curve->count > 1;
}

static bool has_figure(const ReportData *const *runs, int run_count, const char *figure)
{
    for (int r = 0; r < run_count; r++)
        for (int i = 0; i < runs[r]->curve_count; i++)
            if (strcmp(runs[r]->curves[i].figure, figure) == 0 && is_drawn(&runs[r]->curves[i]))
                return true;
    return false;
}

static bool is_of_training(const char *figure)
{
    for (size_t i = 1; i < FIGURE_COUNT; i++)
        if (strcmp(figures[i].name, figure) == 0)
            return true;
    return false;
}

const char **figure_names(Arena *arena, const ReportData *const *runs, int run_count)
{
    const char **names = arena_zero(arena, FIGURES_MAX + 1, sizeof *names);
    int count = 0;
    if (has_figure(runs, run_count, figures[0].name))
        names[count++] = figures[0].name;
    for (int training = 0; training < 2; training++)
        for (int r = 0; r < run_count; r++)
            for (int i = 0; i < runs[r]->curve_count && count < FIGURES_MAX; i++) {
                const Curve *curve = &runs[r]->curves[i];
                if (is_drawn(curve) && is_of_training(curve->figure) == training &&
                    !contains(names, count, curve->figure))
                    names[count++] = curve->figure;
            }
    return names;
}

/* Where the best checkpoint was taken: the first point of its epoch. */
static double best_step(const ReportData *run)
{
    const cJSON *best = json_member(run->summary, "best_epoch");
    for (int i = 0; cJSON_IsNumber(best) && i < run->curve_count; i++) {
        const Curve *curve = &run->curves[i];
        for (int64_t p = 0; strcmp(curve->split, "val") == 0 && p < curve->count; p++)
            if (curve->epochs[p] == best->valuedouble)
                return curve->steps[p];
    }
    return NAN;
}

static bool is_lossy(const char *figure)
{
    return strcmp(figure, "loss") == 0 || strcmp(figure, "nll") == 0 || strcmp(figure, "perplexity") == 0;
}

/* A split has the same colour in every chart. */
static int split_color(const char *split)
{
    return strcmp(split, "train") == 0 ? 0 : strcmp(split, "val") == 0 ? 1 : 2;
}

bool figure_chart(Arena *arena, const ReportData *const *runs, int run_count, const char *figure, const char *split,
                  LineChart *chart)
{
    static const double loss_spread = 20, other_spread = 200;
    int room = 0, count = 0;
    for (int r = 0; r < run_count; r++)
        room += runs[r]->curve_count;
    Series *series = arena_zero(arena, (size_t)room, sizeof *series);
    for (int r = 0; r < run_count; r++)
        for (int i = 0; i < runs[r]->curve_count; i++) {
            const Curve *curve = &runs[r]->curves[i];
            if (strcmp(curve->figure, figure) == 0 && (!split || strcmp(curve->split, split) == 0))
                series[count++] =
                    (Series){run_count == 1 ? curve->split : runs[r]->name,
                             run_count == 1 ? split_color(curve->split) : r, curve->count, curve->steps, curve->values};
        }
    const char *title = figure_title(arena, figure);
    *chart = (LineChart){.title = split ? arena_format(arena, "%s, %s", title, split) : title,
                         .x_label = "step",
                         .series = series,
                         .series_count = count,
                         .mark = NAN,
                         .mark_name = "best"};
    bool rate = strcmp(figure, "lr") == 0; /* schedules are recognised by their shape on a linear scale */
    chart->log_y = !rate && series_want_log(series, count, is_lossy(figure) ? loss_spread : other_spread);
    if (run_count == 1 && !rate)
        chart->mark = best_step(runs[0]);
    return count > 0;
}

static bool is_share(const Curve *curve)
{
    for (int64_t i = 0; i < curve->count; i++)
        if (isfinite(curve->values[i]) && (curve->values[i] < 0 || curve->values[i] > 1))
            return false;
    return strcmp(curve->figure, "lr") != 0 && !is_lossy(curve->figure);
}

bool shares_chart(Arena *arena, const ReportData *run, LineChart *chart)
{
    const char **names = figure_names(arena, &run, 1);
    Series *series = arena_zero(arena, SERIES_COLORS, sizeof *series);
    int count = 0;
    for (; *names && count < SERIES_COLORS; names++) {
        const Curve *curve = report_curve(run, "val", *names);
        if (!curve || !is_share(curve))
            continue;
        series[count] = (Series){figure_title(arena, *names), count, curve->count, curve->steps, curve->values};
        count++;
    }
    *chart = (LineChart){.title = "Validation metrics",
                         .x_label = "step",
                         .series = series,
                         .series_count = count,
                         .mark = best_step(run),
                         .mark_name = "best"};
    return count > 0;
}
