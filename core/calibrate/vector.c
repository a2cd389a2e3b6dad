/* Vector scaling: softmax(w * z + b), entry by entry. Guo, Pleiss, Sun and Weinberger 2017. */
#include "core/calibrate/likelihood.h"

struct vector { double holdout; };

static const Param params[] = {CALIBRATOR_PARAMS(struct vector), PARAM_END};

/* x = (w, b) */
static int64_t parameter_count(int64_t classes)
{
    return 2 * classes;
}

static void identity(int64_t classes, double *x, int64_t *multiplied)
{
    for (int64_t k = 0; k < classes; k++) {
        x[k] = 1;
        multiplied[k] = k;
        multiplied[classes + k] = -1;
    }
}

static void forward(int64_t classes, const double *x, const double *z, double *u)
{
    for (int64_t k = 0; k < classes; k++)
        u[k] = x[k] * z[k] + x[classes + k];
}

static void backward(int64_t classes, const double *z, const double *residual, double *gradient)
{
    for (int64_t k = 0; k < classes; k++) {
        gradient[k] += residual[k] * z[k];
        gradient[classes + k] += residual[k];
    }
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    static const LogitMap map = {parameter_count, identity, forward, backward};
    double *x;
    if (!likelihood_fit(&map, data, 1e-4, arena, &x, error))
        return false;
    calibration->arrays[0] = calibration_array(arena, data->classes, x);
    calibration->arrays[1] = calibration_array(arena, data->classes, x + data->classes);
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    for (int a = 0; a < 2; a++)
        if (calibration->arrays[a].count != calibration->classes)
            return fail(error, "%s: expected %lld numbers, got %lld", calibration->method->arrays[a].name,
                        (long long)calibration->classes, (long long)calibration->arrays[a].count);
    return true;
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    const double *w = calibration->arrays[0].values, *b = calibration->arrays[1].values;
    for (int64_t k = 0; k < calibration->classes; k++)
        out[k] = w[k] * logits[k] + b[k];
}

const CalibratorDef calibrator_vector = {
    .component = {.name = "vector",
                  .summary = "a scale and an offset for the logit of each class",
                  .params = params,
                  .size = sizeof(struct vector),
                  .source = "arXiv:1706.04599",
                  .formula = "softmax(w * z + b); w, b minimise NLL + 1e-4 (|w - 1|^2 + |b|^2)",
                  .notes = "May change which class is largest."},
    .arrays = {{"w", 1}, {"b", 1}},
    .fit = fit,
    .check = check,
    .apply = apply,
};
