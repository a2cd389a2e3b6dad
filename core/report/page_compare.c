/* The page that compares runs. */
#include <math.h>
#include <string.h>

#include "core/report/json_value.h"
#include "core/report/page.h"

typedef struct Column { const char *split, *name; } Column;

enum { COLUMNS_MAX = 256 };

static int collect_columns(const ReportData *const *runs, int run_count, Column *columns)
{
    int count = 0;
    for (int r = 0; r < run_count; r++)
        for (int i = 0; i < runs[r]->metric_count; i++) {
            const FinalMetric *metric = &runs[r]->metrics[i];
            int at = 0;
            while (at < count &&
                   (strcmp(columns[at].name, metric->name) != 0 || strcmp(columns[at].split, metric->split) != 0))
                at++;
            if (at == count && count < COLUMNS_MAX)
                columns[count++] = (Column){metric->split, metric->name};
        }
    return count;
}

/* The best value of a metric over the runs; NAN where better has no meaning, or all are equal. */
static double best_value(const ReportData *const *runs, int run_count, const Column *column)
{
    double best = NAN, worst = NAN;
    MetricBetter better = figure_better(column->name);
    int direction = better == METRIC_HIGHER ? 1 : better == METRIC_LOWER ? -1 : 0;
    for (int r = 0; r < run_count && direction; r++) {
        const FinalMetric *metric = report_metric(runs[r], column->split, column->name);
        if (!metric || !isfinite(metric->value))
            continue;
        if (isnan(best) || metric->value * direction > best * direction)
            best = metric->value;
        if (isnan(worst) || metric->value * direction < worst * direction)
            worst = metric->value;
    }
    return best != worst ? best : NAN;
}

static void add_run_heads(Markup *markup, const char *corner, bool text, const ReportData *const *runs, int run_count)
{
    markup_format(markup, "<thead><tr><th scope=\"col\">%s</th>", corner);
    for (int r = 0; r < run_count; r++) {
        markup_add(markup, text ? "<th scope=\"col\" class=\"text\">" : "<th scope=\"col\">");
        markup_escape(markup, runs[r]->name);
        markup_add(markup, "</th>");
    }
    markup_add(markup, "</tr></thead>\n<tbody>\n");
}

static void add_metrics(Markup *markup, Arena *arena, const ReportData *const *runs, int run_count)
{
    Column columns[COLUMNS_MAX];
    int count = collect_columns(runs, run_count, columns);
    if (!count)
        return;
    page_section(markup, "Final metrics");
    markup_add(markup, "<p>With 95% intervals where there are any; the best value of a row is bold. Runs whose "
                       "intervals overlap may not differ.</p>\n");
    page_table_begin(markup, "Final metrics of the runs", NULL);
    add_run_heads(markup, "metric", false, runs, run_count);
    for (int i = 0; i < count; i++) {
        double best = best_value(runs, run_count, &columns[i]);
        markup_add(markup, "<tr><th scope=\"row\">");
        markup_escape(markup, arena_format(arena, "%s, %s", figure_title(arena, columns[i].name), columns[i].split));
        markup_add(markup, "</th>");
        for (int r = 0; r < run_count; r++) {
            const FinalMetric *metric = report_metric(runs[r], columns[i].split, columns[i].name);
            markup_add(markup, metric && metric->value == best ? "<td class=\"best\">" : "<td>");
            if (metric)
                page_interval(markup, metric);
            markup_add(markup, "</td>");
        }
        markup_add(markup, "</tr>\n");
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}

static void add_costs(Markup *markup, const ReportData *const *runs, int run_count)
{
    static const char *const keys[] = {"parameters", "epochs", "wall_seconds", "samples_per_second",
                                       "peak_memory_bytes"};
    static const char *const titles[] = {"Parameters", "Epochs", "Wall time", "Samples a second", "Peak memory"};
    page_section(markup, "Size and cost");
    page_table_begin(markup, "Size and cost of the runs", NULL);
    add_run_heads(markup, "figure", false, runs, run_count);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        markup_format(markup, "<tr><th scope=\"row\">%s</th>", titles[i]);
        for (int r = 0; r < run_count; r++) {
            char text[FIGURE_ROOM] = "";
            const cJSON *value = json_member(runs[r]->summary, keys[i]);
            if (cJSON_IsNumber(value))
                (i == 2   ? figure_duration
                 : i == 3 ? figure_short
                 : i == 4 ? figure_bytes
                          : figure_count)(text, value->valuedouble);
            markup_format(markup, "<td>%s</td>", text);
        }
        markup_add(markup, "</tr>\n");
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}

static void add_curves(Markup *markup, Arena *arena, const ReportData *const *runs, int run_count)
{
    static const char *const splits[] = {"train", "val", "test"};
    const char **figure = figure_names(arena, runs, run_count);
    if (!*figure)
        return;
    page_section(markup, "Training");
    markup_add(markup, "<div class=\"charts\">\n");
    for (; *figure; figure++)
        for (int i = 0; i < 3; i++) {
            LineChart chart;
            if (figure_chart(arena, runs, run_count, *figure, splits[i], &chart))
                page_line_chart(markup, &chart);
        }
    markup_add(markup, "</div>\n</section>\n");
}

typedef struct Leaves { ConfigLeaf *items; int count; } Leaves;

static const char *leaf_value(const Leaves *leaves, const char *path)
{
    for (int i = 0; i < leaves->count; i++)
        if (strcmp(leaves->items[i].path, path) == 0)
            return leaves->items[i].value;
    return NULL;
}

static bool differs(const Leaves *all, int run_count, const char *path)
{
    const char *first = leaf_value(&all[0], path);
    for (int r = 1; r < run_count; r++) {
        const char *value = leaf_value(&all[r], path);
        if (!first != !value || (first && strcmp(first, value) != 0))
            return true;
    }
    return false;
}

static bool seen_before(const Leaves *all, int run, const char *path)
{
    for (int r = 0; r < run; r++)
        if (leaf_value(&all[r], path))
            return true;
    return false;
}

static int add_differences(Markup *markup, const Leaves *all, int run_count)
{
    int rows = 0;
    for (int run = 0; run < run_count; run++)
        for (int i = 0; i < all[run].count; i++) {
            const char *path = all[run].items[i].path;
            if (seen_before(all, run, path) || !differs(all, run_count, path))
                continue;
            markup_add(markup, "<tr><th scope=\"row\">");
            markup_escape(markup, path);
            markup_add(markup, "</th>");
            for (int r = 0; r < run_count; r++) {
                const char *value = leaf_value(&all[r], path);
                markup_add(markup, "<td class=\"text long\">");
                markup_escape(markup, value ? value : "");
                markup_add(markup, "</td>");
            }
            markup_add(markup, "</tr>\n");
            rows++;
        }
    return rows;
}

static void add_configs(Markup *markup, Arena *arena, const ReportData *const *runs, int run_count)
{
    Leaves *all = arena_zero(arena, (size_t)run_count, sizeof *all);
    Markup rows = {0};
    for (int r = 0; r < run_count; r++)
        all[r].count = config_leaves(arena, runs[r]->config, &all[r].items);
    page_section(markup, "Config");
    if (add_differences(&rows, all, run_count)) {
        markup_add(markup, "<p>Only what differs.</p>\n");
        page_table_begin(markup, "Differences of the configs", NULL);
        add_run_heads(markup, "key", true, runs, run_count);
        markup_add(markup, rows.text);
        markup_add(markup, "</tbody>\n");
        page_table_end(markup);
    } else {
        markup_add(markup, "<p>The configs are the same.</p>\n");
    }
    markup_add(markup, "</section>\n");
    markup_free(&rows);
}

void page_compare(Markup *markup, Arena *arena, const ReportData *const *runs, int run_count)
{
    page_begin(markup, arena_format(arena, "%d runs \xC2\xB7 xent", run_count));
    markup_format(markup, "<header>\n<h1>Comparison of %d runs</h1>\n<p>", run_count);
    for (int r = 0; r < run_count; r++) {
        markup_add(markup, r ? " \xC2\xB7 " : "");
        markup_escape(markup, runs[r]->name);
        markup_add(markup, runs[r]->summary ? "" : " (has not ended)");
    }
    markup_add(markup, "</p>\n</header>\n");
    add_metrics(markup, arena, runs, run_count);
    add_curves(markup, arena, runs, run_count);
    add_configs(markup, arena, runs, run_count);
    add_costs(markup, runs, run_count);
    page_end(markup);
}
