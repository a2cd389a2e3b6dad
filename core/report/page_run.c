/* The page of one run. */
#include <math.h>
#include <string.h>

#include "core/report/json_value.h"
#include "core/report/page.h"

enum { CARD_METRICS = 4 };

/* How a member of summary.json reads. */
typedef enum SummaryKind { KIND_COUNT, KIND_FIGURE, KIND_DURATION, KIND_BYTES, KIND_TEXT } SummaryKind;

static const struct SummaryRow { const char *key, *title; SummaryKind kind; } summary_rows[] = {
    {"parameters", "Parameters", KIND_COUNT},
    {"epochs", "Epochs", KIND_COUNT},
    {"steps", "Steps", KIND_COUNT},
    {"best_epoch", "Best epoch", KIND_COUNT},
    {"wall_seconds", "Wall time", KIND_DURATION},
    {"cpu_seconds", "CPU time", KIND_DURATION},
    {"samples_per_second", "Samples a second", KIND_FIGURE},
    {"peak_memory_bytes", "Peak memory", KIND_BYTES},
    {"version", "Version of xent", KIND_TEXT},
};
enum { SUMMARY_ROWS = sizeof summary_rows / sizeof *summary_rows };

static const char *summary_text(Arena *arena, const cJSON *value, SummaryKind kind)
{
    char *text = arena_alloc(arena, FIGURE_ROOM);
    if (!cJSON_IsNumber(value) || kind == KIND_TEXT)
        return page_json(arena, value);
    switch (kind) {
    case KIND_COUNT: return figure_count(text, value->valuedouble);
    case KIND_DURATION: return figure_duration(text, value->valuedouble);
    case KIND_BYTES: return figure_bytes(text, value->valuedouble);
    default: return figure_short(text, value->valuedouble);
    }
}

static void add_header(Markup *markup, const ReportData *data)
{
    static const char *const sections[] = {"data", "model", "loss", "optimizer", "schedule", "objective"};
    bool first = true;
    markup_add(markup, "<header>\n<h1>");
    markup_escape(markup, data->name);
    markup_add(markup, "</h1>\n<p>");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        const char *name = report_component(data, sections[i]);
        if (!name)
            continue;
        markup_format(markup, "%s%s ", first ? "" : " \xC2\xB7 ", sections[i]);
        markup_escape(markup, name);
        first = false;
    }
    markup_add(markup, "</p>\n</header>\n");
    if (!data->summary && !data->calibration)
        markup_add(markup, "<p class=\"notice\">This run has not ended, or was interrupted: there is no summary.json. "
                           "What stands here is what it has written so far.</p>\n");
    if (data->last_line_cut)
        markup_add(markup, "<p class=\"notice\">The last line of metrics.jsonl is incomplete and was left out.</p>\n");
}

static void add_card(Markup *markup, const char *title, const char *value, const char *range)
{
    markup_add(markup, "<li><span class=\"name\">");
    markup_escape(markup, title);
    markup_add(markup, "</span><span class=\"value\">");
    markup_escape(markup, value);
    markup_add(markup, "</span>");
    if (range) {
        markup_add(markup, "<span class=\"range\">");
        markup_escape(markup, range);
        markup_add(markup, "</span>");
    }
    markup_add(markup, "</li>\n");
}

static void add_metric_card(Markup *markup, Arena *arena, const FinalMetric *metric)
{
    char *value = arena_alloc(arena, FIGURE_ROOM), low[FIGURE_ROOM], high[FIGURE_ROOM];
    const char *range = NULL;
    if (isfinite(metric->low) && isfinite(metric->high))
        range = arena_format(arena, "95%% interval %s to %s", figure_text(low, metric->low),
                             figure_text(high, metric->high));
    add_card(markup, arena_format(arena, "%s, %s", figure_title(arena, metric->name), metric->split),
             figure_text(value, metric->value), range);
}

/* While there are no final figures, the last ones of the validation curves. */
static void add_latest_cards(Markup *markup, Arena *arena, const ReportData *data)
{
    int cards = 0;
    for (int i = 0; i < data->curve_count && cards < CARD_METRICS; i++) {
        const Curve *curve = &data->curves[i];
        char *value = arena_alloc(arena, FIGURE_ROOM), step[FIGURE_ROOM];
        if (strcmp(curve->split, "val") != 0)
            continue;
        add_card(markup, arena_format(arena, "%s, val", figure_title(arena, curve->figure)),
                 figure_text(value, curve->values[curve->count - 1]),
                 arena_format(arena, "at step %s", figure_count(step, curve->steps[curve->count - 1])));
        cards++;
    }
}

static void add_cards(Markup *markup, Arena *arena, const ReportData *data)
{
    static const char *const preferred[] = {"accuracy", "nll",  "loss", "ece",   "perplexity", "bits_per_byte",
                                            "f1_macro", "rmse", "r2",   "auroc", "brier"};
    const char *split = report_split(data);
    int cards = 0;
    markup_add(markup, "<ul class=\"cards\" aria-label=\"Summary\">\n");
    for (size_t i = 0; split && i < sizeof preferred / sizeof *preferred && cards < CARD_METRICS; i++) {
        const FinalMetric *metric = report_metric(data, split, preferred[i]);
        if (metric)
            add_metric_card(markup, arena, metric), cards++;
    }
    if (!split)
        add_latest_cards(markup, arena, data);
    if (data->evaluation) {
        char *count = arena_alloc(arena, FIGURE_ROOM);
        add_card(markup, arena_format(arena, "Samples, %s", data->evaluation->split),
                 figure_count(count, (double)data->evaluation->n), NULL);
    }
    for (int i = 0; i < SUMMARY_ROWS; i++) {
        const struct SummaryRow *row = &summary_rows[i];
        const cJSON *value = json_member(data->summary, row->key);
        if (value && (strcmp(row->key, "parameters") == 0 || strcmp(row->key, "wall_seconds") == 0))
            add_card(markup, row->title, summary_text(arena, value, row->kind), NULL);
    }
    markup_add(markup, "</ul>\n");
}

static void add_training(Markup *markup, Arena *arena, const ReportData *data)
{
    if (!data->curve_count)
        return;
    page_section(markup, "Training");
    markup_add(markup, "<div class=\"charts\">\n");
    for (const char **figure = figure_names(arena, &data, 1); *figure; figure++) {
        LineChart chart;
        if (figure_chart(arena, &data, 1, *figure, NULL, &chart))
            page_line_chart(markup, &chart);
    }
    markup_add(markup, "</div>\n</section>\n");
}

static int collect(const char **names, int count, int room, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return count;
    if (count < room)
        names[count++] = name;
    return count;
}

static void add_metrics_table(Markup *markup, Arena *arena, const ReportData *data)
{
    const char *splits[8], **names = arena_zero(arena, (size_t)data->metric_count + 1, sizeof *names);
    int split_count = 0, name_count = 0;
    for (int i = 0; i < data->metric_count; i++) {
        split_count = collect(splits, split_count, 8, data->metrics[i].split);
        name_count = collect(names, name_count, data->metric_count, data->metrics[i].name);
    }
    if (!name_count)
        return;
    page_section(markup, "Final metrics");
    markup_add(markup, "<p>With 95% intervals where there are any. Losses in nats, shares from 0 to 1.</p>\n");
    page_table_begin(markup, "Final metrics", NULL);
    markup_add(markup, "<thead><tr><th scope=\"col\">metric</th>");
    for (int i = 0; i < split_count; i++) {
        markup_add(markup, "<th scope=\"col\">");
        markup_escape(markup, splits[i]);
        markup_add(markup, "</th>");
    }
    markup_add(markup, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < name_count; i++) {
        markup_add(markup, "<tr><th scope=\"row\">");
        markup_escape(markup, figure_title(arena, names[i]));
        markup_add(markup, "</th>");
        for (int s = 0; s < split_count; s++) {
            const FinalMetric *metric = report_metric(data, splits[s], names[i]);
            markup_add(markup, "<td>");
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

static bool is_known_summary(const char *key)
{
    for (int i = 0; i < SUMMARY_ROWS; i++)
        if (strcmp(summary_rows[i].key, key) == 0)
            return true;
    return strcmp(key, "metrics") == 0 || strcmp(key, "ci") == 0;
}

/* The known rows in their order, then what else the summary says. */
static void add_environment(Markup *markup, Arena *arena, const ReportData *data)
{
    if (!data->summary)
        return;
    page_section(markup, "Run");
    page_table_begin(markup, "Time, machine and version of the run", NULL);
    markup_add(markup, "<tbody>\n");
    for (int i = 0; i < SUMMARY_ROWS; i++) {
        const cJSON *value = json_member(data->summary, summary_rows[i].key);
        if (value)
            page_row(markup, summary_rows[i].title, summary_text(arena, value, summary_rows[i].kind));
    }
    const cJSON *entry;
    cJSON_ArrayForEach(entry, data->summary) {
        if (is_known_summary(entry->string))
            continue;
        ConfigLeaf *leaves;
        int count = config_leaves(arena, entry, &leaves);
        for (int i = 0; i < count; i++)
            page_row(markup,
                     figure_title(arena, *leaves[i].path ? arena_format(arena, "%s %s", entry->string, leaves[i].path)
                                                         : entry->string),
                     leaves[i].value);
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}

static void add_config(Markup *markup, const ReportData *data)
{
    char *text = cJSON_Print(data->config);
    page_section(markup, "Config");
    markup_add(markup, "<details><summary>config.json, resolved</summary>\n<pre tabindex=\"0\">");
    markup_escape(markup, text);
    markup_add(markup, "</pre></details>\n</section>\n");
    cJSON_free(text);
}

void page_run(Markup *markup, Arena *arena, const ReportData *data)
{
    page_begin(markup, arena_format(arena, "%s \xC2\xB7 xent", data->name));
    add_header(markup, data);
    add_cards(markup, arena, data);
    add_training(markup, arena, data);
    add_metrics_table(markup, arena, data);
    page_reliability(markup, data);
    page_confusion(markup, arena, data->evaluation);
    page_per_class(markup, data->evaluation);
    page_hardest(markup, data->evaluation);
    page_layers(markup, arena, data->evaluation);
    page_calibration(markup, arena, data);
    page_teacher(markup, arena, data);
    page_quantization(markup, arena, data);
    add_config(markup, data);
    add_environment(markup, arena, data);
    page_end(markup);
}
