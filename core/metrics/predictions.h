/* What metrics measure: a model's outputs beside their targets, in double, with everything computed once
   that several metrics or the resamples of a bootstrap share. */
#ifndef XENT_METRICS_PREDICTIONS_H
#define XENT_METRICS_PREDICTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/memory.h"

/* Bits, so that a metric can say which kinds it applies to. */
typedef enum PredictionKind {
    PREDICTION_CLASSIFICATION = 1, /* one class a row; softmax */
    PREDICTION_MULTI_LABEL = 2,    /* any number of labels a row; a sigmoid each */
    PREDICTION_REGRESSION = 4,
    PREDICTION_TOKENS = 8,         /* classification of a large vocabulary: only figures of rows are kept */
    PREDICTION_RANKING = 16,       /* a score a row, of which only the order inside groups has a meaning */
} PredictionKind;

enum { CALIBRATION_BINS = 15 };

/* All arrays are borrowed. `classes` is the number of classes, labels, outputs, or of the vocabulary. */
typedef struct PredictionInput {
    PredictionKind kind;
    int64_t count, classes;         /* count < 2^31 */
    const double *logits;           /* [count, classes]; of regression the predicted values, of ranking the scores */
    const int64_t *targets;         /* [count], 0..classes-1, or NULL: then soft_targets */
    const double *soft_targets;     /* [count, classes] probabilities; multi-label 0 or 1; of regression and ranking
                                       the values */
    const double *weights;          /* [count], >= 0, or NULL: all 1 */
    bool probabilities_only;        /* logits are logarithms of probabilities: nll is clipped at -log 1e-12 */
    bool classes_are_items;         /* of classification: to be found among many by score, as documents are */
    bool outputs_are_actions;       /* of regression: values of what one chooses among */
    double bytes_per_token;         /* mean, 0: unknown */
    const unsigned char *sets;      /* [count, classes], 1: the class is in the row's conformal set; or NULL */
    const int32_t *groups;          /* [count]: rows of a group stand side by side and share a number; of tokens a
                                       group is a sequence; or NULL */
    const double *profits;          /* [count], what ranking well is worth; NULL: the targets of ranking */
    const double *propensities;     /* [classes] of multi-label: chance that a true label was noted; or NULL */
    const double *head_nll;         /* [heads, count], nats, of models of several networks each one's own; or NULL */
    int64_t heads;
    const double *lower, *upper;    /* [count], predicted intervals of regression with one output; or NULL */
} PredictionInput;

/* Rows by confidence, ascending, equal ones in the order of the input. */
typedef struct ConfidenceOrder {
    const int32_t *rows;            /* [count] */
    const double *gap;              /* [count], confidence - correct, in this order */
    const unsigned char *wrong;     /* [count], in this order */
    const unsigned char *last;      /* [count], 1: the next row has another confidence */
} ConfidenceOrder;

/* Rows by the probability of one class, ascending, cut into groups: those of equal probability where one
   of them is positive, and between them the negatives together. In a group the negatives come first. */
typedef struct ClassGroup { int32_t negatives, positives; } ClassGroup;
typedef struct ClassOrder {
    const int32_t *rows;            /* [count] */
    const ClassGroup *groups;
    int64_t group_count;
} ClassOrder;

typedef struct Predictions {
    PredictionInput input;
    const double *weights;          /* [count], never NULL */
    bool weights_are_counts;        /* all whole numbers: a weight of m is m copies of the row */

    const double *log_probabilities; /* [count, classes]; classification */
    const double *probabilities;     /* [count, classes]; classification and multi-label */
    const double *confidence;        /* [count], largest probability; classification and tokens */
    const int64_t *predicted;        /* [count], first class of the largest logit; classification and tokens */
    const int64_t *targets;          /* [count], of soft targets the first of the largest; classification and tokens */

    /* Figures of rows, [count]; NULL where the kind has none. Multi-label and regression: means over outputs. */
    const double *nll;               /* nats; of soft targets the expectation -sum_k t_k log p_k */
    const double *correct;           /* 0 or 1; multi-label: the share of right labels */
    const double *in_top5;           /* 0 or 1 */
    const double *brier;             /* sum_k (p_k - t_k)^2; multi-label: mean over labels */
    const double *squared_error, *absolute_error;
    const double *covered;           /* 0 or 1: the target lies in the row's set or interval */
    const unsigned char *bin;        /* of 15 bins of equal width, the confidence's */

    /* Filled on demand by the functions below. */
    Arena *arena;
    ConfidenceOrder by_confidence;
    const ClassOrder *by_class;      /* [classes] */
    const unsigned char *class_bins; /* [count, classes], the bin of each probability */
    const struct LabelFigures *label_figures;   /* label_ranking.c's */
    const struct PooledScores *pooled[2];       /* pooled_auc.c's */
    const struct GroupFigures *group_figures;   /* group_ranking.c's */
    const struct SequenceFigures *sequence_figures; /* sequence.c's */
} Predictions;

/* The first row that is not allowed, -1 when there is none. A row is allowed when all of it is finite, or
   when the rest is -infinity (impossible classes, probability 0) and `allow_impossible`. */
int64_t logits_first_bad_row(int64_t count, int64_t classes, const double *logits, bool allow_impossible);

/* Lives in the arena; count >= 0, rows allowed in the sense above. */
Predictions *predictions_new(Arena *arena, const PredictionInput *input);

void predictions_sort_by_confidence(Predictions *predictions);  /* classification and tokens */
void predictions_sort_by_class(Predictions *predictions);       /* classification and multi-label */
void predictions_bin_classes(Predictions *predictions);         /* classification and multi-label */

/* Log-softmax of one row, [classes], with a finite maximum; `out` may be `logits`. */
void log_softmax_row(int64_t classes, const double *logits, double *out);

/* The bin b of (b/15, (b+1)/15] that a probability is in; within 1e-12 of an edge it counts as on it and
   belongs to the lower bin, 0 to the first. */
int calibration_bin(double probability);

/* Of classification and multi-label: whether class k is a target of row i, and whether it is predicted. */
static inline bool prediction_is_target(const Predictions *p, int64_t i, int64_t k)
{
    return p->targets ? p->targets[i] == k : p->input.soft_targets[i * p->input.classes + k] > 0.5;
}

static inline bool prediction_is_predicted(const Predictions *p, int64_t i, int64_t k)
{
    return p->predicted ? p->predicted[i] == k : p->input.logits[i * p->input.classes + k] > 0;
}

#endif
