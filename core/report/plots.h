/* The pictures of a run, in DIR/plots: loss, metrics, learning_rate, reliability and confusion, each where the
   run has what it shows. */
#ifndef XENT_REPORT_PLOTS_H
#define XENT_REPORT_PLOTS_H

#include "core/report/run_read.h"

/* Each file is written atomically. */
bool plots_write(const ReportData *data, Error *error);

#endif
