/* What a run folder holds, for its report: config.json, metrics.jsonl, summary.json, evaluation.json. */
#ifndef XENT_REPORT_RUN_READ_H
#define XENT_REPORT_RUN_READ_H

#include "core/base/json.h"
#include "core/report/evaluation.h"

enum { CURVES_MAX = 512, METRICS_MAX_BYTES = 1 << 30, SUMMARY_METRICS_MAX = 256 };

/* One figure of one split over the run, in the file's order. */
typedef struct Curve {
    const char *split, *figure;
    int64_t count, room;
    double *steps, *epochs, *values;    /* NAN: no epoch was given; a value that was null */
} Curve;

/* A final figure: from summary.json, else from evaluation.json. Low and high are NAN without an interval (95%). */
typedef struct FinalMetric {
    const char *split, *name;
    double value, low, high;
} FinalMetric;

/* All of it belongs to the ReportData. */
typedef struct ReportData {
    Arena *arena;
    JsonSource *source;
    const char *name, *folder;      /* name: the folder's own */
    const cJSON *config;
    const cJSON *summary;           /* NULL: the run did not end */
    const cJSON *calibration, *quantization; /* what xent calibrate and quantize wrote; NULL: nothing */
    Curve *curves;
    int curve_count;
    bool last_line_cut;             /* metrics.jsonl ends within a line that is not JSON: it was left out */
    FinalMetric *metrics;
    int metric_count;
    const Evaluation *evaluation;   /* NULL: there is none */
} ReportData;

/* NULL after an error: exit 2 where `folder` is no run folder, 1 for a file that is malformed, which the message
   names with its line. All files but config.json may be absent. A metrics.jsonl line is an
   object with step (ascending within its split), split, and figures that are numbers or null; epoch may be absent. */
ReportData *report_data_read(const char *folder, Error *error);
void report_data_free(ReportData *data);        /* NULL allowed */

/* NULL when there is none. */
const Curve *report_curve(const ReportData *data, const char *split, const char *figure);
const FinalMetric *report_metric(const ReportData *data, const char *split, const char *name);
/* The split that the page speaks of: that of the evaluation, else test, val or train, whichever has final figures
   first; NULL when none has. */
const char *report_split(const ReportData *data);
/* The "type" of a component of the config ("model", "loss", ...), a bare name included; NULL when not given. */
const char *report_component(const ReportData *data, const char *section);

#endif
