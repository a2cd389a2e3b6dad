/* A temperature for each class: softmax(z_k / T_k). */
#include "core/calibrate/likelihood.h"

struct class_temperature { double holdout; };

static const Param params[] = {CALIBRATOR_PARAMS(struct class_temperature), PARAM_END};

/* x = 1 / T, in which the NLL is convex */
static int64_t parameter_count(int64_t classes)
{
    return classes;
}

static void identity(int64_t classes, double *x, int64_t *multiplied)
{
    for (int64_t k = 0; k < classes; k++) {
        x[k] = 1;
        multiplied[k] = k;
    }
}

static void forward(int64_t classes, const double *x, const double *z, double *u)
{
    for (int64_t k = 0; k < classes; k++)
        u[k] = x[k] * z[k];
}

static void backward(int64_t classes, const double *z, const double *residual, double *gradient)
{
    for (int64_t k = 0; k < classes; k++)
        gradient[k] += residual[k] * z[k];
}

static bool fit(const CalibrationData *data, Arena *arena, Calibration *calibration, Error *error)
{
    static const LogitMap map = {parameter_count, identity, forward, backward};
    double *x;
    if (!likelihood_fit(&map, data, 0, arena, &x, error))
        return false;
    for (int64_t k = 0; k < data->classes; k++) {
        if (!(x[k] > 0))
            return fail(error,
                        "the likelihood wants 1/T = %.3g for class %lld: its logit does not grow with its probability; "
                        "try \"vector\"",
                        x[k], (long long)k);
        x[k] = 1 / x[k];
    }
    calibration->arrays[0] = calibration_array(arena, data->classes, x);
    return true;
}

static bool check(const Calibration *calibration, Error *error)
{
    const CalibrationArray *T = &calibration->arrays[0];
    if (T->count != calibration->classes)
        return fail(error, "T: expected %lld numbers, got %lld", (long long)calibration->classes, (long long)T->count);
    for (int64_t k = 0; k < T->count; k++)
        if (!(T->values[k] > 0))
            return fail(error, "T[%lld]: expected a number above 0, got %g", (long long)k, T->values[k]);
    return true;
}

static void apply(const Calibration *calibration, const double *logits, double *out)
{
    for (int64_t k = 0; k < calibration->classes; k++)
        out[k] = logits[k] / calibration->arrays[0].values[k];
}

const CalibratorDef calibrator_class_temperature = {
    .component = {.name = "class_temperature", .summary = "a temperature for the logit of each class", .params = params,
                  .size = sizeof(struct class_temperature), .formula = "softmax(z_k / T_k), T minimises the NLL",
                  .notes = "May change which class is largest, and depends on what is added to all logits of a row."},
    .arrays = {{"T", 1}},
    .fit = fit, .check = check, .apply = apply,
};
