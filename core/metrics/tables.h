/* Tables for reports, of the sample weights, and for the metrics that are made from them. Counts are sums of weights.
   */
#ifndef XENT_METRICS_TABLES_H
#define XENT_METRICS_TABLES_H

#include "core/metrics/lanes.h"
#include "core/metrics/predictions.h"

/* matrix [classes, classes]: row the target, column the predicted class. Classification. */
void confusion_matrix(const Predictions *predictions, double *matrix);

/* The weights of rows of which the class is the target, is predicted, and both. */
typedef struct ClassCounts { Lanes targets, predicted, right; } ClassCounts;

typedef struct ClassFigures {
    double targets, predicted, right;
    double precision, recall, f1;       /* 0 where 0/0, as precision of a class that is never predicted */
} ClassFigures;

/* counts [classes]; classification and multi-label. */
void class_counts(const Predictions *predictions, const Lanes *row_weights, ClassCounts *counts);
ClassFigures class_figures_of(const ClassCounts *counts, int lane);
/* figures [classes], with the sample weights. */
void class_figures(const Predictions *predictions, ClassFigures *figures);

/* Sums over the rows of a bin of equal width: of weights, of weights times confidence, of weights of right rows.
   Classification and tokens. */
typedef struct BinSums { Lanes count, confidence, right; } BinSums;
void bin_sums(const Predictions *predictions, const Lanes *row_weights, BinSums bins[CALIBRATION_BINS]);

typedef struct ReliabilityBin {
    double low, high;                   /* (low, high], the first one [0, high] */
    double count, confidence, accuracy; /* the means are NAN in an empty bin */
} ReliabilityBin;

/* 15 bins of equal width of the top label's confidence, with the sample weights. Classification and tokens. */
void reliability_bins(const Predictions *predictions, ReliabilityBin bins[CALIBRATION_BINS]);

#endif
