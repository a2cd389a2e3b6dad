/* Tables for reports and for the metrics that are made from them. `row_weights` as in metric.h; NULL: the
   sample weights. Counts are sums of weights. */
#ifndef XENT_METRICS_TABLES_H
#define XENT_METRICS_TABLES_H

#include "core/metrics/predictions.h"

/* matrix [classes, classes]: row the target, column the predicted class. Classification. */
void confusion_matrix(const Predictions *predictions, const double *row_weights, double *matrix);

typedef struct ClassFigures {
    double targets, predicted, right;   /* counts: the class is the target, is predicted, both */
    double precision, recall, f1;       /* 0 where 0/0, as precision of a class that is never predicted */
} ClassFigures;

/* figures [classes]; classification and multi-label. */
void class_figures(const Predictions *predictions, const double *row_weights, ClassFigures *figures);

typedef struct ReliabilityBin {
    double low, high;                   /* (low, high], the first one [0, high] */
    double count, confidence, accuracy; /* the means are NAN in an empty bin */
} ReliabilityBin;

/* 15 bins of equal width of the top label's confidence. Classification and tokens. */
void reliability_bins(const Predictions *predictions, const double *row_weights, ReliabilityBin bins[CALIBRATION_BINS]);

#endif
