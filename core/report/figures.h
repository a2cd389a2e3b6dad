/* Names of figures for people, and the line charts of runs. */
#ifndef XENT_REPORT_FIGURES_H
#define XENT_REPORT_FIGURES_H

#include "core/metrics/metric.h"
#include "core/report/run_read.h"

enum { RUNS_MAX = 64, FIGURES_MAX = 64 };

/* "Accuracy" of accuracy; of an unknown figure its name with spaces for underscores. */
const char *figure_title(Arena *arena, const char *figure);
MetricBetter figure_better(const char *figure);

/* The names of all figures of which a run has a curve of two points or more, each once, NULL-terminated: the loss,
   metrics as they come, and what only training logs; at most FIGURES_MAX. */
const char **figure_names(Arena *arena, const ReportData *const *runs, int run_count);
/* All curves of a figure, named by split for one run and by run otherwise; `split` NULL: any split. False: there
   are none. The chart borrows from runs and arena. */
bool figure_chart(Arena *arena, const ReportData *const *runs, int run_count, const char *figure, const char *split,
                  LineChart *chart);
/* Validation figures that are shares (0 to 1) throughout, in one chart of at most SERIES_COLORS series. */
bool shares_chart(Arena *arena, const ReportData *run, LineChart *chart);

#endif
