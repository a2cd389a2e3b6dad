/* Progress on standard error: one redrawn line on a terminal, a plain line now and then otherwise. */
#ifndef XENT_CLI_PROGRESS_H
#define XENT_CLI_PROGRESS_H

#include "core/train/run.h"

typedef struct ProgressLine {
    bool quiet, terminal;
    double shown;               /* clock of the last line */
    double began;
    int64_t first_step;
} ProgressLine;

ProgressLine progress_start(bool quiet, int64_t first_step);
/* A TrainOptions.report; the context is the ProgressLine. */
void progress_report(void *context, const TrainReport *report);
void progress_end(ProgressLine *line);

#endif
