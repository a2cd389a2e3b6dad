/* The page: one self-contained HTML document, without scripts and without anything from a network. Text that
   comes from files is escaped. The same run gives the same bytes. */
#ifndef XENT_REPORT_PAGE_H
#define XENT_REPORT_PAGE_H

#include "core/report/figures.h"

/* All add to `markup`, which is the caller's; `arena` holds what is made on the way. */
void page_run(Markup *markup, Arena *arena, const ReportData *data);
void page_compare(Markup *markup, Arena *arena, const ReportData *const *runs, int run_count);

/* Parts of pages. */
void page_begin(Markup *markup, const char *title);     /* up to the open <main> */
void page_end(Markup *markup);
void page_section(Markup *markup, const char *title);   /* opens; closed by "</section>\n" */
void page_table_begin(Markup *markup, const char *label, const char *class_name); /* scrolls sideways on its own */
void page_table_end(Markup *markup);
void page_row(Markup *markup, const char *name, const char *value);     /* a row header and one cell */
void page_line_chart(Markup *markup, LineChart *chart); /* a figure with its title as heading */
/* A value with its interval: "0.9123" and, small, "0.9043 to 0.9160". */
void page_interval(Markup *markup, const FinalMetric *metric);
/* Value of a JSON scalar or tree as one line. */
const char *page_json(Arena *arena, const cJSON *value);

/* Sections that show an evaluation; each adds nothing where its part is absent. */
void page_reliability(Markup *markup, const ReportData *data);
void page_confusion(Markup *markup, Arena *arena, const Evaluation *evaluation);
void page_per_class(Markup *markup, const Evaluation *evaluation);
void page_hardest(Markup *markup, const Evaluation *evaluation);
void page_layers(Markup *markup, Arena *arena, const Evaluation *evaluation);

/* What calibrate, distill and quantize did; each adds nothing where its part is absent. */
void page_calibration(Markup *markup, Arena *arena, const ReportData *data);
void page_teacher(Markup *markup, Arena *arena, const ReportData *data);
void page_quantization(Markup *markup, Arena *arena, const ReportData *data);

/* "path.to.key" and value of every leaf of a config, in the order of the tree. */
typedef struct ConfigLeaf { const char *path, *value; } ConfigLeaf;
int config_leaves(Arena *arena, const cJSON *config, ConfigLeaf **leaves);

#endif
