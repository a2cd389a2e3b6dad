/* Matrix scaling: softmax(W z + b). Guo, Pleiss, Sun and Weinberger 2017. */
#include "core/calibrate/likelihood.h"

struct matrix { double holdout; };

static const Param params[] = {CALIBRATOR_PARAMS(struct matrix), PARAM_END};

/* x = (W [classes, classes], b) */
static int64_t parameter_count(int64_t classes)
{
    return classes * classes + classes;
}

static void identity(int64_t classes, double *x, int64_t *multiplied)
{
    for (int64_t k = 0; k < classes; k++) {
        x[k * classes + k] = 1;
        multiplied[classes * classes + k] = -1;
        for (int64_t j = 0; j < classes; j++)
            multiplied[k * classes + j] = j;
    }
}

static void forward(int64_t classes, const double *x, const double *z, double *u)
{
    for (int64_t k = 0; k < classes; k++) {
        u[k] = x[classes * classes + k];
        for (int64_t j = 0; j < classes; j++)
            u[k] += x[k * classes + j] * z[j];
    }
}

static void backward(int64_t classes, const double *z, const double *residual, double *gradient)
{
    for (int64_t k = 0; k < classes; k++) {
        for (int64_t j = 0; j < classes; j++)
            gradient[k * classes + j] += residual[k] * z[j];
        gradient[classes * classes + k] += residual[k];
    }
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    static const LogitMap map = {parameter_count, identity, forward, backward};
    int64_t classes = data->classes;
    double *x;
    if (!likelihood_fit(&map, data, 1e-4, arena, &x, error))
        return false;
    calibration->arrays[0] = calibration_array(arena, classes * classes, x);
    calibration->arrays[0].rows = classes;
    int64_t *starts = arena_zero(arena, (size_t)classes + 1, sizeof *starts);
    for (int64_t k = 0; k <= classes; k++)
        starts[k] = k * classes;
    calibration->arrays[0].starts = starts;
    calibration->arrays[1] = calibration_array(arena, classes, x + classes * classes);
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    int64_t classes = calibration->classes;
    bool good = calibration->arrays[0].rows == classes && calibration->arrays[1].count == classes;
    for (int64_t k = 0; good && k < classes; k++)
        good = calibration_row_length(&calibration->arrays[0], k) == classes;
    return good || fail(error, "W, b: expected %lld rows of %lld numbers and %lld numbers", (long long)classes,
                        (long long)classes, (long long)classes);
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    const double *W = calibration->arrays[0].values, *b = calibration->arrays[1].values;
    for (int64_t k = 0; k < calibration->classes; k++) {
        out[k] = b[k];
        for (int64_t j = 0; j < calibration->classes; j++)
            out[k] += W[k * calibration->classes + j] * logits[j];
    }
}

const CalibratorDef calibrator_matrix = {
    .component = {.name = "matrix",
                  .summary = "a linear map of the logits",
                  .params = params,
                  .size = sizeof(struct matrix),
                  .source = "arXiv:1706.04599",
                  .formula = "softmax(W z + b); W, b minimise NLL + 1e-4 (|W - I|^2 + |b|^2)",
                  .notes = "May change which class is largest."},
    .arrays = {{"W", 2}, {"b", 1}},
    .fit = fit,
    .check = check,
    .apply = apply,
};
