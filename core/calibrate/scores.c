#include "core/calibrate/scores.h"

#include <math.h>
#include <stdlib.h>

#include "core/metrics/predictions.h"

const char *const score_mode_names[] = {"ovr", "top", "pooled", NULL};

int64_t score_map_count(ScoreMode mode, int64_t classes)
{
    return mode == SCORE_OVR ? classes : 1;
}

static int64_t top_class(int64_t classes, const double *z)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        if (z[k] > z[best])
            best = k;
    return best;
}

static int compare_scores(const void *a, const void *b)
{
    double x = ((const Score *)a)->score, y = ((const Score *)b)->score;
    return (x > y) - (x < y);
}

const double *scores_log_probabilities(const CalibrationData *data, Arena *arena)
{
    double *log_p = arena_zero(arena, (size_t)(data->count * data->classes), sizeof *log_p);
    for (int64_t i = 0; i < data->count; i++)
        log_softmax_row(data->classes, data->logits + i * data->classes, log_p + i * data->classes);
    return log_p;
}

Score *scores_sorted(const CalibrationData *data, const double *log_p, ScoreMode mode, int64_t map, Arena *arena,
                     int64_t *count)
{
    int64_t classes = data->classes, each = mode == SCORE_POOLED ? classes : 1;
    Score *scores = arena_zero(arena, (size_t)(data->count * each), sizeof *scores);
    *count = 0;
    for (int64_t i = 0; i < data->count; i++) {
        double weight = calibration_weight(data, i);
        if (weight == 0)
            continue;
        const double *row = log_p + i * classes;
        int64_t first = mode == SCORE_OVR ? map : mode == SCORE_TOP ? top_class(classes, row) : 0;
        for (int64_t k = first; k < first + each; k++)
            scores[(*count)++] = (Score){exp(row[k]), calibration_target(data, i, k), weight};
    }
    qsort(scores, (size_t)*count, sizeof *scores, compare_scores);
    return scores;
}

void rescale_others(int64_t classes, const double *log_p, double q_log, double rest_log, double *out)
{
    int64_t top = top_class(classes, log_p);
    double largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < classes; k++)
        largest = k == top ? largest : fmax(largest, log_p[k]);
    for (int64_t k = 0; k < classes; k++)
        sum += k == top || isinf(largest) ? 0 : exp(log_p[k] - largest);
    double log_others = largest + log(sum); /* log(1 - c), without the rounding of c to 1 */
    for (int64_t k = 0; k < classes; k++) {
        if (k != top)
            out[k] = isinf(largest) ? rest_log - log((double)classes - 1) : log_p[k] - log_others + rest_log;
    }
    out[top] = q_log;
}

void scores_apply(const Calibration *calibration, ScoreMode mode, ScoreMap map, const double *logits, double *out)
{
    int64_t classes = calibration->classes;
    log_softmax_row(classes, logits, out);
    if (mode == SCORE_TOP) {
        double q = map(calibration, 0, exp(out[top_class(classes, out)]));
        rescale_others(classes, out, log(q), log1p(-q), out);
        return;
    }
    double sum = 0;
    for (int64_t k = 0; k < classes; k++) {
        out[k] = map(calibration, mode == SCORE_OVR ? k : 0, exp(out[k]));
        sum += out[k];
    }
    for (int64_t k = 0; k < classes; k++)
        out[k] = sum > 0 ? log(out[k] / sum) : -log((double)classes);
}
