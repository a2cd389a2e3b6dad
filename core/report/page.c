#include "core/report/page.h"

#include <math.h>
#include <string.h>

#include "core/report/json_value.h"
#include "core/report/page_style.h"

void page_begin(Markup *markup, const char *title)
{
    markup_add(markup, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    markup_escape(markup, title);
    markup_format(markup, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", page_style);
}

void page_end(Markup *markup)
{
    markup_add(markup, "</main>\n</body>\n</html>\n");
}

void page_section(Markup *markup, const char *title)
{
    markup_add(markup, "<section>\n<h2>");
    markup_escape(markup, title);
    markup_add(markup, "</h2>\n");
}

void page_table_begin(Markup *markup, const char *label, const char *class_name)
{
    markup_add(markup, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    markup_escape(markup, label);
    markup_format(markup, class_name ? "\"><table class=\"%s\">\n" : "\"><table>\n", class_name);
}

void page_table_end(Markup *markup)
{
    markup_add(markup, "</table></div>\n");
}

void page_row(Markup *markup, const char *name, const char *value)
{
    markup_add(markup, "<tr><th scope=\"row\">");
    markup_escape(markup, name);
    markup_add(markup, "</th><td class=\"text long\">");
    markup_escape(markup, value);
    markup_add(markup, "</td></tr>\n");
}

/* What the chart shows, for those who cannot see it: how each series begins and ends. */
static void describe(Markup *text, const LineChart *chart)
{
    char first[FIGURE_ROOM], last[FIGURE_ROOM];
    markup_format(text, "Line chart: %s.", chart->title);
    for (int i = 0; i < chart->series_count; i++) {
        const Series *series = &chart->series[i];
        markup_format(text, " %s: from %s to %s.", series->name, figure_text(first, series->y[0]),
                      figure_text(last, series->y[series->count - 1]));
    }
}

void page_line_chart(Markup *markup, LineChart *chart)
{
    SvgSurface surface;
    Markup label = {0};
    describe(&label, chart);
    markup_add(markup, "<figure><h3>");
    markup_escape(markup, chart->title);
    markup_add(markup, chart->log_y ? " <small>log scale</small></h3>\n" : "</h3>\n");
    chart->title = NULL;
    svg_surface_begin(&surface, markup, 0, LINE_CHART_WIDTH, line_chart_height(chart), label.text);
    line_chart_draw(chart, &surface.surface);
    svg_surface_end(&surface);
    markup_add(markup, "</figure>\n");
    markup_free(&label);
}

void page_interval(Markup *markup, const FinalMetric *metric)
{
    char value[FIGURE_ROOM], low[FIGURE_ROOM], high[FIGURE_ROOM];
    markup_add(markup, figure_text(value, metric->value));
    if (isfinite(metric->low) && isfinite(metric->high))
        markup_format(markup, "<small>%s to %s</small>", figure_text(low, metric->low),
                      figure_text(high, metric->high));
}

const char *page_json(Arena *arena, const cJSON *value)
{
    if (cJSON_IsString(value))
        return arena_string(arena, value->valuestring);
    char *text = cJSON_PrintUnformatted(value);
    const char *copy = arena_string(arena, text);
    cJSON_free(text);
    return copy;
}

static int count_leaves(const cJSON *value)
{
    const cJSON *child;
    int count = 0;
    if (!cJSON_IsObject(value) || !value->child)
        return 1;
    cJSON_ArrayForEach(child, value)
        count += count_leaves(child);
    return count;
}

static void add_leaves(Arena *arena, const char *path, const cJSON *value, ConfigLeaf *leaves, int *count)
{
    const cJSON *child;
    if (!cJSON_IsObject(value) || !value->child) {
        leaves[(*count)++] = (ConfigLeaf){path, page_json(arena, value)};
        return;
    }
    cJSON_ArrayForEach(child, value) add_leaves(
        arena, *path ? arena_format(arena, "%s.%s", path, child->string) : arena_string(arena, child->string), child,
        leaves, count);
}

int config_leaves(Arena *arena, const cJSON *config, ConfigLeaf **leaves)
{
    int count = 0;
    *leaves = arena_zero(arena, (size_t)count_leaves(config), sizeof **leaves);
    add_leaves(arena, "", config, *leaves, &count);
    return count;
}
