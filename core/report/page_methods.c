/* What calibrate, distill and quantize did to a run; each section is there only where its part is. */
#include <string.h>

#include "core/report/json_value.h"
#include "core/report/page.h"

enum { VALUE_SHOWN = 160 }; /* characters of a fitted array; calibration.json has all of it */

static const char *shortened(Arena *arena, const char *text)
{
    size_t length = strlen(text);
    return length <= VALUE_SHOWN ? text : arena_format(arena, "%.*s \xE2\x80\xA6", VALUE_SHOWN, text);
}

/* The members of an object, one a row. */
static void add_members(Markup *markup, Arena *arena, const cJSON *object)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object) page_row(markup, item->string, shortened(arena, page_json(arena, item)));
}

void page_calibration(Markup *markup, Arena *arena, const ReportData *data)
{
    if (!cJSON_IsObject(data->calibration))
        return;
    page_section(markup, "Fitted calibrator");
    page_table_begin(markup, "Fitted calibrator", NULL);
    markup_add(markup, "<tbody>\n");
    add_members(markup, arena, json_member(data->calibration, "calibrate"));
    add_members(markup, arena, json_member(data->calibration, "parameters"));
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}

void page_teacher(Markup *markup, Arena *arena, const ReportData *data)
{
    const cJSON *distill = json_member(data->config, "distill");
    if (!cJSON_IsObject(distill))
        return;
    page_section(markup, "Distillation");
    page_table_begin(markup, "Distillation", NULL);
    markup_add(markup, "<tbody>\n");
    add_members(markup, arena, distill);
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</section>\n");
}

static void add_weight_row(Markup *markup, Arena *arena, const cJSON *weight)
{
    static const char *const keys[] = {"name", "rows", "columns", "bits", "bytes_before", "bytes", "relative_error"};
    markup_add(markup, "<tr>");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const cJSON *value = json_member(weight, keys[i]);
        markup_add(markup, i ? "<td>" : "<th scope=\"row\">");
        markup_escape(markup, cJSON_IsString(value) ? value->valuestring : value ? page_json(arena, value) : "");
        markup_add(markup, i ? "</td>" : "</th>");
    }
    markup_add(markup, "</tr>\n");
}

void page_quantization(Markup *markup, Arena *arena, const ReportData *data)
{
    const cJSON *quantization = data->quantization, *weights = json_member(quantization, "weights"), *weight;
    const cJSON *before = json_member(quantization, "bytes_before"), *after = json_member(quantization, "bytes_after");
    if (!cJSON_IsObject(quantization))
        return;
    page_section(markup, "Quantization");
    if (cJSON_IsNumber(before) && cJSON_IsNumber(after) && before->valuedouble > 0)
        markup_format(markup, "<p>%.0f bytes of tensors became %.0f, %.1f%%.</p>\n", before->valuedouble,
                      after->valuedouble, 100 * after->valuedouble / before->valuedouble);
    page_table_begin(markup, "Quantized weights", "figures");
    markup_add(markup,
               "<thead><tr><th scope=\"col\">weight</th><th scope=\"col\">rows</th><th scope=\"col\">columns</th>"
               "<th scope=\"col\">bits</th><th scope=\"col\">bytes before</th><th scope=\"col\">bytes</th>"
               "<th scope=\"col\">relative error</th></tr></thead>\n<tbody>\n");
    cJSON_ArrayForEach(weight, weights) add_weight_row(markup, arena, weight);
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "<details><summary>How it was quantized</summary>\n");
    page_table_begin(markup, "How it was quantized", NULL);
    markup_add(markup, "<tbody>\n");
    add_members(markup, arena, json_member(quantization, "method"));
    markup_add(markup, "</tbody>\n");
    page_table_end(markup);
    markup_add(markup, "</details>\n</section>\n");
}
