/* The sections of an evaluation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/report/page.h"

enum { PAIRS_MAX = 20, SMALL_IMAGE = 128 };

static void add_class(Markup *markup, const Evaluation *evaluation, int64_t class)
{
    if (class < evaluation->class_count)
        markup_escape(markup, evaluation->classes[class]);
    else
        markup_format(markup, "%lld", (long long)class);
}

void page_reliability(Markup *markup, const ReportData *data)
{
    const Evaluation *evaluation = data->evaluation;
    if (!evaluation || !evaluation->bin_count)
        return;
    const FinalMetric *ece = report_metric(data, evaluation->split, "ece");
    char number[FIGURE_ROOM], accuracy[FIGURE_ROOM], confidence[FIGURE_ROOM];
    page_section(markup, "Calibration");
    markup_add(markup, "<div class=\"beside\"><figure class=\"square\">\n");
    SvgSurface surface;
    svg_surface_begin(
        &surface, markup, RELIABILITY_TITLE, RELIABILITY_WIDTH, RELIABILITY_HEIGHT,
        "Reliability diagram: accuracy and mean confidence by bins of confidence; the table has the figures");
    reliability_draw(NULL, evaluation->bins, evaluation->bin_count, ece ? ece->value : NAN, &surface.surface);
    svg_surface_end(&surface);
    markup_add(markup, "</figure>\n<div>");
    page_table_begin(markup, "Bins of the reliability diagram", NULL);
    markup_add(markup, "<thead><tr><th scope=\"col\">confidence</th><th scope=\"col\">samples</th><th "
                       "scope=\"col\">mean confidence</th>"
                       "<th scope=\"col\">accuracy</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < evaluation->bin_count; i++) {
        const ReliabilityBin *bin = &evaluation->bins[i];
        if (!(bin->count > 0))
            continue;
        markup_format(markup, "<tr><th scope=\"row\">%.3f to %.3f</th><td>%s</td><td>%s</td><td>%s</td></tr>\n",
                      (double)i / evaluation->bin_count, (double)(i + 1) / evaluation->bin_count,
                      figure_count(number, bin->count), figure_text(confidence, bin->confidence),
                      figure_text(accuracy, bin->accuracy));
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</div></div>\n</section>\n");
}

static void add_confusion_row(Markup *markup, const Evaluation *evaluation, int row)
{
    int classes = evaluation->class_count;
    const double *counts = evaluation->confusion + (size_t)row * (size_t)classes;
    double sum = 0;
    for (int i = 0; i < classes; i++)
        sum += counts[i];
    markup_add(markup, "<tr><th scope=\"row\">");
    add_class(markup, evaluation, row);
    markup_add(markup, "</th>");
    for (int i = 0; i < classes; i++) {
        double share = sum > 0 ? counts[i] / sum : 0;
        if (counts[i] > 0)
            markup_format(markup, "<td%s style=\"--shade:%.3f\">%.9g</td>", i == row ? " class=\"right\"" : "",
                          i == row ? 0.1 + 0.5 * share : 0.08 + 0.52 * sqrt(share), counts[i]);
        else
            markup_add(markup, "<td class=\"none\">0</td>");
    }
    markup_add(markup, "</tr>\n");
}

static void add_matrix(Markup *markup, const Evaluation *evaluation)
{
    markup_add(markup, "<p>Rows are the true classes, columns the predicted ones; shades are shares of a row.</p>\n");
    page_table_begin(markup, "Confusion matrix", "confusion");
    markup_add(markup, "<thead><tr><td class=\"none\"></td>");
    for (int i = 0; i < evaluation->class_count; i++) {
        markup_add(markup, "<th scope=\"col\">");
        add_class(markup, evaluation, i);
        markup_add(markup, "</th>");
    }
    markup_add(markup, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < evaluation->class_count; i++)
        add_confusion_row(markup, evaluation, i);
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
}

typedef struct Pair { int label, predicted; double count, share; } Pair;

/* Most confused first; then in the order of the classes, so that the page is always the same. */
static int compare_pairs(const void *a, const void *b)
{
    const Pair *first = a, *second = b;
    if (first->count != second->count)
        return first->count < second->count ? 1 : -1;
    if (first->label != second->label)
        return first->label < second->label ? -1 : 1;
    return first->predicted < second->predicted ? -1 : first->predicted > second->predicted;
}

static void add_pairs(Markup *markup, Arena *arena, const Evaluation *evaluation)
{
    int classes = evaluation->class_count, count = 0;
    Pair *pairs = arena_alloc(arena, (size_t)classes * (size_t)classes * sizeof *pairs);
    for (int i = 0; i < classes; i++) {
        const double *counts = evaluation->confusion + (size_t)i * (size_t)classes;
        double sum = 0;
        for (int j = 0; j < classes; j++)
            sum += counts[j];
        for (int j = 0; j < classes; j++)
            if (i != j && counts[j] > 0)
                pairs[count++] = (Pair){i, j, counts[j], counts[j] / sum};
    }
    qsort(pairs, (size_t)count, sizeof *pairs, compare_pairs);
    markup_format(markup, "<p>%d classes: the pairs that are confused most often.</p>\n", classes);
    page_table_begin(markup, "Most confused pairs of classes", NULL);
    markup_add(markup, "<thead><tr><th scope=\"col\">true class</th><th scope=\"col\" class=\"text\">predicted</th><th "
                       "scope=\"col\">samples</th>"
                       "<th scope=\"col\">share of the class</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < count && i < PAIRS_MAX; i++) {
        markup_add(markup, "<tr><th scope=\"row\">");
        add_class(markup, evaluation, pairs[i].label);
        markup_add(markup, "</th><td class=\"text\">");
        add_class(markup, evaluation, pairs[i].predicted);
        markup_format(markup, "</td><td>%.9g</td><td>%.4f</td></tr>\n", pairs[i].count, pairs[i].share);
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
}

void page_confusion(Markup *markup, Arena *arena, const Evaluation *evaluation)
{
    if (!evaluation || !evaluation->confusion)
        return;
    page_section(markup, "Confusion matrix");
    if (evaluation->class_count <= CONFUSION_NAMED_MAX)
        add_matrix(markup, evaluation);
    else
        add_pairs(markup, arena, evaluation);
    markup_add(markup, "</section>\n");
}

static void add_share(Markup *markup, double share)
{
    if (isfinite(share))
        markup_format(markup, "<td class=\"bar\" style=\"--share:%.4f\">%.4f</td>", share, share);
    else
        markup_add(markup, "<td>undefined</td>");
}

void page_per_class(Markup *markup, const Evaluation *evaluation)
{
    if (!evaluation || !evaluation->per_class)
        return;
    bool many = evaluation->class_count > CONFUSION_NAMED_MAX;
    page_section(markup, "Classes");
    if (many)
        markup_format(markup, "<details><summary>Figures of %d classes</summary>\n", evaluation->class_count);
    page_table_begin(markup, "Precision, recall and F1 of every class", NULL);
    markup_add(markup,
               "<thead><tr><th scope=\"col\">class</th><th scope=\"col\">precision</th><th scope=\"col\">recall</th>"
               "<th scope=\"col\">F1</th><th scope=\"col\">samples</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < evaluation->class_count; i++) {
        const ClassFigures *figures = &evaluation->per_class[i];
        char support[FIGURE_ROOM];
        markup_add(markup, "<tr><th scope=\"row\">");
        add_class(markup, evaluation, i);
        markup_add(markup, "</th>");
        add_share(markup, figures->precision);
        add_share(markup, figures->recall);
        add_share(markup, figures->f1);
        markup_format(markup, "<td>%s</td></tr>\n", figure_count(support, figures->targets));
    }
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, many ? "</details>\n</section>\n" : "</section>\n");
}

static void add_example(Markup *markup, const Evaluation *evaluation, const HardExample *example)
{
    const ExampleImage *image = &example->image;
    char loss[FIGURE_ROOM], confidence[FIGURE_ROOM];
    markup_add(markup, "<figure>");
    if (image->width) {
        bool small = image->width < SMALL_IMAGE && image->height < SMALL_IMAGE;
        markup_format(markup, "<img%s width=\"%d\" height=\"%d\" alt=\"Sample %lld, a ",
                      small ? " class=\"pixels\"" : "", image->width, image->height, (long long)example->index);
        add_class(markup, evaluation, example->label);
        markup_add(markup, "\" src=\"data:image/png;base64,");
        markup_add(markup, image->png_base64);
        markup_add(markup, "\">");
    }
    markup_add(markup, "<figcaption><strong>");
    add_class(markup, evaluation, example->label);
    markup_add(markup,
               example->predicted == example->label ? "</strong>, predicted so" : "</strong>, predicted <strong>");
    if (example->predicted != example->label) {
        add_class(markup, evaluation, example->predicted);
        markup_add(markup, "</strong>");
    }
    markup_format(markup, "<br><small>loss %s, confidence %s, sample %lld</small></figcaption></figure>\n",
                  figure_text(loss, example->loss), figure_text(confidence, example->confidence),
                  (long long)example->index);
}

void page_hardest(Markup *markup, const Evaluation *evaluation)
{
    if (!evaluation || !evaluation->hardest_count)
        return;
    page_section(markup, "Hardest examples");
    markup_add(markup, "<p>The samples with the largest losses: true class, prediction, loss in nats and confidence of "
                       "the prediction.</p>\n"
                       "<div class=\"hardest\">\n");
    for (int i = 0; i < evaluation->hardest_count; i++)
        add_example(markup, evaluation, &evaluation->hardest[i]);
    markup_add(markup, "</div>\n</section>\n");
}

static const char *shape_of_layer(Arena *arena, const LayerRow *layer)
{
    const char *text = "";
    for (int i = 0; i < layer->rank; i++)
        text = arena_format(arena, "%s%s%lld", text, i ? " \xC3\x97 " : "", (long long)layer->output[i]);
    return text;
}

void page_layers(Markup *markup, Arena *arena, const Evaluation *evaluation)
{
    if (!evaluation || !evaluation->layer_count)
        return;
    double parameters = 0, flops = 0;
    char number[FIGURE_ROOM], operations[FIGURE_ROOM];
    page_section(markup, "Layers");
    page_table_begin(markup, "Layers of the model", NULL);
    markup_add(
        markup,
        "<thead><tr><th scope=\"col\">layer</th><th scope=\"col\" class=\"text\">type</th><th scope=\"col\">output</th>"
        "<th scope=\"col\">parameters</th><th scope=\"col\">operations a sample</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < evaluation->layer_count; i++) {
        const LayerRow *layer = &evaluation->layers[i];
        parameters += (double)layer->parameters;
        flops += layer->flops;
        markup_add(markup, "<tr><th scope=\"row\">");
        markup_escape(markup, layer->name);
        markup_add(markup, "</th><td class=\"text\">");
        markup_escape(markup, layer->type);
        markup_format(markup, "</td><td>%s</td><td>%s</td><td>%s</td></tr>\n", shape_of_layer(arena, layer),
                      figure_count(number, (double)layer->parameters), figure_short(operations, layer->flops));
    }
    markup_format(
        markup,
        "</tbody>\n<tfoot><tr><th scope=\"row\">sum</th><td></td><td></td><td>%s</td><td>%s</td></tr></tfoot>\n",
        figure_count(number, parameters), figure_short(operations, flops));
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}
