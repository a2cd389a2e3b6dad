/* Platt scaling, 1999: a logistic regression on one score. Of two classes the score is the margin z_1 - z_0
   and the event class 1; of more it is logit(c) of the largest probability c, and the event that it is right. */
#include <math.h>

#include "core/calibrate/calibrate.h"
#include "core/calibrate/minimize.h"
#include "core/calibrate/scores.h"
#include "core/metrics/predictions.h"

struct platt { double holdout; };

static const Param params[] = {CALIBRATOR_PARAMS(struct platt), PARAM_END};

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* log(c / (1 - c)) from the logits: the largest less the log-sum-exp of the others. */
static double top_margin(int64_t classes, const double *z, int64_t *top)
{
    *top = 0;
    for (int64_t k = 1; k < classes; k++)
        if (z[k] > z[*top])
            *top = k;
    double second = -INFINITY, sum = 0;
    for (int64_t k = 0; k < classes; k++)
        second = k == *top ? second : fmax(second, z[k]);
    for (int64_t k = 0; k < classes; k++)
        sum += k == *top ? 0 : exp(z[k] - second);
    return z[*top] - second - log(sum);
}

typedef struct Logistic {
    int64_t count;
    const double *score, *event, *weight;
    double unit, total, positive, negative; /* positive, negative: Platt's targets, short of 1 and 0 */
} Logistic;

/* Mean cross-entropy of sigmoid(x_0 score / unit + x_1). */
static double objective(void *context, const double *x, double *gradient)
{
    const Logistic *l = context;
    double value = 0;
    gradient[0] = gradient[1] = 0;
    for (int64_t i = 0; i < l->count; i++) {
        double s = l->score[i] / l->unit, u = x[0] * s + x[1];
        double t = l->negative + l->event[i] * (l->positive - l->negative);
        double residual = 1 / (1 + exp(-u)) - t, share = l->weight[i] / l->total;
        value += share * (t * softplus(-u) + (1 - t) * softplus(u));
        gradient[0] += share * residual * s;
        gradient[1] += share * residual;
    }
    return value;
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    size_t n = (size_t)data->count;
    double *score = arena_zero(arena, n, sizeof *score), *event = arena_zero(arena, n, sizeof *event);
    double *weight = arena_zero(arena, n, sizeof *weight);
    double events = 0, squares = 0;
    Logistic l = {.count = data->count, .score = score, .event = event, .weight = weight};
    for (int64_t i = 0; i < data->count; i++) {
        const double *z = data->logits + i * data->classes;
        int64_t top = 1;
        score[i] = data->classes == 2 ? z[1] - z[0] : top_margin(data->classes, z, &top);
        event[i] = calibration_target(data, i, top);
        weight[i] = calibration_weight(data, i);
        events += weight[i] * event[i];
        squares += weight[i] * score[i] * score[i];
        l.total += weight[i];
    }
    l.positive = (events + 1) / (events + 2);
    l.negative = 1 / (l.total - events + 2);
    l.unit = squares > 0 && isfinite(squares) ? sqrt(squares / l.total) : 1;
    double x[2] = {l.unit, 0};
    Minimum minimum;
    if (!minimize_lbfgs(objective, &l, 2, x, 1e-10, 1000, &minimum))
        return fail(error, "the fit did not converge: gradient %.3g after %d iterations", minimum.gradient,
                    minimum.iterations);
    double A = x[0] / l.unit;
    calibration->arrays[0] = calibration_array(arena, 1, &A);
    calibration->arrays[1] = calibration_array(arena, 1, &x[1]);
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    (void)calibration;
    (void)error;
    return true; /* any two finite numbers */
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    double A = calibration->arrays[0].values[0], B = calibration->arrays[1].values[0];
    if (calibration->classes == 2) {
        out[1] = A * (logits[1] - logits[0]) + B;
        out[0] = 0;
        return;
    }
    int64_t top;
    double u = A * top_margin(calibration->classes, logits, &top) + B;
    log_softmax_row(calibration->classes, logits, out);
    rescale_others(calibration->classes, out, -softplus(-u), -softplus(u), out);
}

const CalibratorDef calibrator_platt = {
    .component = {.name = "platt",
                  .summary = "logistic regression on the margin, or on the logit of the top label's confidence",
                  .params = params,
                  .size = sizeof(struct platt),
                  .source = "Platt 1999",
                  .formula = "q = 1 / (1 + exp(-(A s + B)))",
                  .notes = "Two classes: s = z_1 - z_0 and q = p_1. More: s = log(c / (1 - c)), q takes the place of c "
                           "and the other classes are multiplied by (1 - q) / (1 - c). Fitted to Platt's targets (n_1 "
                           "+ 1) / (n_1 + 2) and 1 / (n_0 + 2). May change which class is largest."},
    .arrays = {{"A", 0}, {"B", 0}},
    .fit = fit,
    .check = check,
    .apply = apply,
};
