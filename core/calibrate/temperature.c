/* Temperature scaling: softmax(z / T). Guo, Pleiss, Sun and Weinberger 2017. */
#include <math.h>

#include "core/base/threads.h"
#include "core/calibrate/calibrate.h"
#include "core/calibrate/minimize.h"

struct temperature { double holdout; };

static const Param params[] = {CALIBRATOR_PARAMS(struct temperature), PARAM_END};

/* T where the likelihood has no maximum because it rises for ever as T falls to 0. */
static const double bound = 1e-4;

enum { MAX_CHUNKS = 16, LEAST_CHUNK = 256, MAX_ITERATIONS = 500 };

typedef struct Sums {
    const CalibrationData *data;
    int64_t chunk;
    double beta;                            /* 1 / T */
    double partial[MAX_CHUNKS][2];
} Sums;

/* NLL(beta) is convex; its derivatives are the means of E_p[z] - z_y and of Var_p[z], p = softmax(beta z). */
static void add_rows(void *context, int64_t begin, int64_t end)
{
    Sums *s = context;
    const CalibrationData *data = s->data;
    double first = 0, second = 0;
    for (int64_t i = begin; i < end; i++) {
        const double *z = data->logits + i * data->classes;
        double largest = -INFINITY, sum = 0, mean = 0, square = 0, target = 0;
        for (int64_t k = 0; k < data->classes; k++)
            largest = fmax(largest, z[k]);
        for (int64_t k = 0; k < data->classes; k++) {
            double below = z[k] - largest, p = exp(s->beta * below);
            sum += p;
            mean += p * below;
            square += p * below * below;
            target += calibration_target(data, i, k) * below;
        }
        mean /= sum;
        first += calibration_weight(data, i) * (mean - target);
        second += calibration_weight(data, i) * (square / sum - mean * mean);
    }
    s->partial[begin / s->chunk][0] = first;
    s->partial[begin / s->chunk][1] = second;
}

static void derivatives(void *context, double beta, double *first, double *second)
{
    Sums *s = context;
    s->beta = beta;
    parallel_for(s->data->count, s->chunk, add_rows, s);
    *first = *second = 0;
    for (int64_t c = 0; c * s->chunk < s->data->count; c++) {
        *first += s->partial[c][0];
        *second += s->partial[c][1];
    }
}

/* The derivative at beta = infinity, mean of max z - z_y: 0 when every target has a largest logit. */
static bool is_separable(const CalibrationData *data)
{
    for (int64_t i = 0; i < data->count; i++) {
        const double *z = data->logits + i * data->classes;
        double largest = z[0];
        for (int64_t k = 1; k < data->classes; k++)
            largest = fmax(largest, z[k]);
        for (int64_t k = 0; k < data->classes; k++)
            if (calibration_weight(data, i) > 0 && calibration_target(data, i, k) > 0 && z[k] < largest)
                return false;
    }
    return true;
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    int64_t chunk = (data->count + MAX_CHUNKS - 1) / MAX_CHUNKS;
    Sums sums = {.data = data, .chunk = chunk < LEAST_CHUNK ? LEAST_CHUNK : chunk};
    double first, second, beta = 1, T = bound;
    derivatives(&sums, 0, &first, &second);
    if (second == 0)
        return fail(error, "the logits of every sample are equal: no T changes the likelihood");
    if (!(first < 0))
        return fail(error,
                    "the logits favour other classes than the targets: the likelihood rises for ever as T grows");
    if (is_separable(data))
        calibration->note =
            "every target has the largest logit: the likelihood rises for ever as T falls; T is at its bound, 0.0001";
    else {
        Minimum minimum;
        double scale = 0;
        for (int64_t i = 0; i < data->count; i++)
            scale += calibration_weight(data, i);
        if (!minimize_newton(derivatives, &sums, &beta, 1e-13 * scale, MAX_ITERATIONS, &minimum))
            return fail(error, "the fit did not converge: gradient %.3g after %d iterations", minimum.gradient,
                        minimum.iterations);
        T = 1 / beta;
    }
    calibration->arrays[0] = calibration_array(arena, 1, &T);
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    double T = calibration->arrays[0].values[0];
    return T > 0 || fail(error, "T: expected a number above 0, got %g", T);
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    for (int64_t k = 0; k < calibration->classes; k++)
        out[k] = logits[k] / calibration->arrays[0].values[0];
}

const CalibratorDef calibrator_temperature = {
    .component = {.name = "temperature",
                  .summary = "one temperature that divides all logits",
                  .params = params,
                  .size = sizeof(struct temperature),
                  .source = "arXiv:1706.04599",
                  .formula = "softmax(z / T), T minimises the NLL",
                  .notes = "Convex in 1/T: safeguarded Newton. Where every target has the largest logit the likelihood "
                           "has no maximum and T is set to 0.0001, with a note; where the logits favour other classes "
                           "than the targets, T would be infinite and the fit fails."},
    .arrays = {{"T", 0}},
    .fit = fit,
    .check = check,
    .apply = apply,
};
