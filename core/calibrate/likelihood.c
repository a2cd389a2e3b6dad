#include "core/calibrate/likelihood.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/calibrate/minimize.h"

enum { MAX_CHUNKS = 16, LEAST_CHUNK = 256, MAX_ITERATIONS = 5000 };

typedef struct Likelihood {
    const LogitMap *map;
    const CalibrationData *data;
    int64_t parameters, chunk;
    double penalty, total_weight;
    const double *identity, *scale; /* x = identity + scale * y: y is what L-BFGS sees */
    double *x, *partial;            /* partial [chunks, 1 + parameters] */
} Likelihood;

static double add_row(const Likelihood *l, int64_t i, double *u, double *gradient)
{
    const CalibrationData *data = l->data;
    const double *z = data->logits + i * data->classes;
    double weight = calibration_weight(data, i), largest = -INFINITY, sum = 0, value = 0, target = 0;
    l->map->forward(data->classes, l->x, z, u);
    for (int64_t k = 0; k < data->classes; k++)
        largest = fmax(largest, u[k]);
    for (int64_t k = 0; k < data->classes; k++) {
        double t = calibration_target(data, i, k);
        value += t == 0 ? 0 : t * (largest - u[k]); /* the log of the sum below, times sum_k t_k, is still missing */
        target += t;
        u[k] = exp(u[k] - largest);
        sum += u[k];
    }
    value += target * log(sum);
    for (int64_t k = 0; k < data->classes; k++)
        u[k] = weight * (target * u[k] / sum - calibration_target(data, i, k));
    l->map->backward(data->classes, z, u, gradient);
    return weight * value;
}

static void add_rows(void *context, int64_t begin, int64_t end)
{
    const Likelihood *l = context;
    double *partial = l->partial + begin / l->chunk * (1 + l->parameters);
    double *u = memory_array((size_t)l->data->classes, sizeof *u);
    memset(partial, 0, (size_t)(1 + l->parameters) * sizeof *partial);
    for (int64_t i = begin; i < end; i++)
        if (calibration_weight(l->data, i) > 0)
            partial[0] += add_row(l, i, u, partial + 1);
    memory_free(u);
}

static double objective(void *context, const double *y, double *gradient)
{
    Likelihood *l = context;
    double value = 0, squares = 0;
    for (int64_t j = 0; j < l->parameters; j++)
        l->x[j] = l->identity[j] + l->scale[j] * y[j];
    parallel_for(l->data->count, l->chunk, add_rows, l);
    memset(gradient, 0, (size_t)l->parameters * sizeof *gradient);
    for (int64_t c = 0; c * l->chunk < l->data->count; c++) {
        const double *partial = l->partial + c * (1 + l->parameters);
        value += partial[0];
        for (int64_t j = 0; j < l->parameters; j++)
            gradient[j] += partial[1 + j];
    }
    for (int64_t j = 0; j < l->parameters; j++) {
        double apart = l->scale[j] * y[j];
        squares += apart * apart;
        gradient[j] = l->scale[j] * (gradient[j] / l->total_weight + 2 * l->penalty * apart);
    }
    return value / l->total_weight + l->penalty * squares;
}

/* Units in which every parameter bends the function alike: its second derivative is about the mean square
   of what it multiplies, times a p (1 - p), here 0.1, plus that of the penalty. */
static void set_scale(const CalibrationData *data, const int64_t *multiplied, double penalty, int64_t parameters,
                      double *scale)
{
    double *squares = memory_array((size_t)data->classes, sizeof *squares);
    for (int64_t i = 0; i < data->count; i++)
        for (int64_t k = 0; k < data->classes; k++) {
            double z = data->logits[i * data->classes + k];
            squares[k] += z * z / (double)data->count;
        }
    for (int64_t j = 0; j < parameters; j++) {
        double bend = 0.1 * (multiplied[j] < 0 ? 1 : squares[multiplied[j]]) + 2 * penalty;
        scale[j] = bend > 0 && isfinite(bend) ? 1 / sqrt(bend) : 1;
    }
    memory_free(squares);
}

bool likelihood_fit(const LogitMap *map, const CalibrationData *data, double penalty, Arena *arena, double **x,
                    Error *error)
{
    int64_t parameters = map->parameter_count(data->classes), chunk = (data->count + MAX_CHUNKS - 1) / MAX_CHUNKS;
    Likelihood l = {.map = map, .data = data, .parameters = parameters, .penalty = penalty};
    l.chunk = chunk < LEAST_CHUNK ? LEAST_CHUNK : chunk;
    for (int64_t i = 0; i < data->count; i++)
        l.total_weight += calibration_weight(data, i);
    size_t count = (size_t)parameters;
    double *identity = arena_zero(arena, count, sizeof *identity), *scale = arena_zero(arena, count, sizeof *scale);
    double *y = arena_zero(arena, count, sizeof *y);
    int64_t *multiplied = arena_zero(arena, count, sizeof *multiplied);
    map->identity(data->classes, identity, multiplied);
    set_scale(data, multiplied, penalty, parameters, scale);
    l.identity = identity;
    l.scale = scale;
    *x = l.x = arena_zero(arena, count, sizeof *l.x);
    l.partial = memory_array(MAX_CHUNKS * (1 + count), sizeof *l.partial);
    Minimum minimum;
    bool good = minimize_lbfgs(objective, &l, parameters, y, 1e-9, MAX_ITERATIONS, &minimum);
    memory_free(l.partial);
    for (int64_t j = 0; j < parameters; j++)
        l.x[j] = identity[j] + scale[j] * y[j];
    if (!good)
        return fail(error, "the fit did not converge: gradient %.3g after %d iterations%s", minimum.gradient,
                    minimum.iterations, penalty > 0 ? "" : "; the classes may be separable");
    return true;
}
