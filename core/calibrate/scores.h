/* What isotonic, histogram and the like share: they calibrate a score in [0, 1] against how often it is
   right, and differ in the scores they take from a row of probabilities. */
#ifndef XENT_CALIBRATE_SCORES_H
#define XENT_CALIBRATE_SCORES_H

#include "core/calibrate/calibrate.h"

typedef enum ScoreMode {
    SCORE_OVR,      /* a map for each class, of p_k against [y = k]; the results are divided by their sum */
    SCORE_TOP,      /* one map, of the largest probability against whether it is right; the others share the rest */
    SCORE_POOLED    /* one map for all classes, of every p_k against [y = k]; divided by their sum */
} ScoreMode;

extern const char *const score_mode_names[]; /* "ovr", "top", "pooled", NULL */

typedef struct Score {
    double score, target, weight;
} Score;

/* Maps that a mode has: classes or 1. */
int64_t score_map_count(ScoreMode mode, int64_t classes);

/* [count, classes], in the arena. */
const double *scores_log_probabilities(const CalibrationData *data, Arena *arena);

/* The scores that map `map` is fitted to, by ascending score, without those of weight 0; in the arena. */
Score *scores_sorted(const CalibrationData *data, const double *log_p, ScoreMode mode, int64_t map, Arena *arena,
                     int64_t *count);

typedef double (*ScoreMap)(const Calibration *calibration, int64_t map, double score);

/* One row: softmax, the maps, and back to logarithms. Of a row whose maps all give 0 nothing is known: it
   becomes uniform. */
void scores_apply(const Calibration *calibration, ScoreMode mode, ScoreMap map, const double *logits, double *out);

/* log q_k where the top class gets q and the others keep their proportions: times (1-q)/(1-c), and
   (1-q)/(C-1) each where c = 1. `q_log` and `rest_log` are log q and log(1-q). `log_p` may be `out`. */
void rescale_others(int64_t classes, const double *log_p, double q_log, double rest_log, double *out);

#endif
