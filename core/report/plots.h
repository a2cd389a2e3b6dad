/* The pictures of a run, in DIR/plots: loss, metrics, learning_rate, reliability and confusion, each where the
   run has what it shows. */
#ifndef XENT_REPORT_PLOTS_H
#define XENT_REPORT_PLOTS_H

#include "core/report/run_read.h"

enum { PLOTS_MAX = 5 };

/* A PNG file in memory; data is the caller's, freed with memory_free. */
typedef struct PlotFile {
    const char *name;
    uint8_t *data;
    size_t size;
} PlotFile;

/* Draws the plots that the run has something for and returns how many; -1 after an error, with nothing to free. */
int plots_draw(const ReportData *data, PlotFile files[PLOTS_MAX], Error *error);

#endif
