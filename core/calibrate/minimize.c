#include "core/calibrate/minimize.h"

#include <math.h>
#include <string.h>

#include "core/base/memory.h"

enum { PAIRS = 30, LINE_STEPS = 60 };

/* Sufficient decrease and curvature of the Wolfe conditions. */
static const double decrease = 1e-4, curvature = 0.9;

typedef struct Lbfgs {
    MinimizeFunction function;
    void *context;
    int64_t n;
    double *x, *gradient, *direction, *trial, *trial_gradient;
    double value;
    int stored, newest;
    double *steps[PAIRS], *changes[PAIRS], products[PAIRS]; /* s, y, s.y */
} Lbfgs;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double largest(int64_t n, const double *a)
{
    double value = 0;
    for (int64_t i = 0; i < n; i++)
        value = a[i] != a[i] ? INFINITY : fmax(value, fabs(a[i]));
    return value;
}

static void add_scaled(int64_t n, double factor, const double *a, double *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += factor * a[i];
}

/* The two-loop recursion: direction = -H gradient. */
static void set_direction(Lbfgs *s)
{
    double alpha[PAIRS];
    for (int64_t i = 0; i < s->n; i++)
        s->direction[i] = -s->gradient[i];
    if (s->stored == 0)
        return;
    for (int j = 0; j < s->stored; j++) {
        int p = (s->newest - j + PAIRS) % PAIRS;
        alpha[p] = dot(s->n, s->steps[p], s->direction) / s->products[p];
        add_scaled(s->n, -alpha[p], s->changes[p], s->direction);
    }
    double scale = s->products[s->newest] / dot(s->n, s->changes[s->newest], s->changes[s->newest]);
    for (int64_t i = 0; i < s->n; i++)
        s->direction[i] *= scale;
    for (int j = s->stored - 1; j >= 0; j--) {
        int p = (s->newest - j + PAIRS) % PAIRS;
        double beta = dot(s->n, s->changes[p], s->direction) / s->products[p];
        add_scaled(s->n, alpha[p] - beta, s->steps[p], s->direction);
    }
}

static double try_step(Lbfgs *s, double step, double *slope)
{
    for (int64_t i = 0; i < s->n; i++)
        s->trial[i] = s->x[i] + step * s->direction[i];
    double value = s->function(s->context, s->trial, s->trial_gradient);
    *slope = dot(s->n, s->trial_gradient, s->direction);
    return value;
}

/* Leaves the accepted point in trial and its value in *value. */
static bool search_line(Lbfgs *s, double step, double *value)
{
    double start = dot(s->n, s->gradient, s->direction), noise = 1e-10 * (1 + fabs(s->value));
    double low = 0, low_slope = start, high = INFINITY, high_slope = NAN;
    for (int i = 0; i < LINE_STEPS; i++) {
        double slope;
        *value = try_step(s, step, &slope);
        bool decreased = *value <= s->value + decrease * step * start;
        bool approximate = *value <= s->value + noise && slope <= (2 * decrease - 1) * start;
        bool finite = isfinite(*value) && isfinite(slope);
        if (finite && (decreased || approximate) && fabs(slope) <= -curvature * start)
            return true;
        if (!finite || !(decreased || approximate) || slope > 0) {
            high = step;
            high_slope = finite ? slope : NAN;
        } else {
            low = step;
            low_slope = slope;
        }
        if (isinf(high)) {
            step *= 2;
            continue;
        }
        double middle = (low + high) / 2, width = high - low;
        double secant = high_slope > 0 ? low - low_slope * width / (high_slope - low_slope) : middle;
        step = secant > low + 0.1 * width && secant < high - 0.1 * width ? secant : middle;
    }
    return false;
}

/* Takes the accepted point over and stores its pair. */
static void accept(Lbfgs *s, double value)
{
    int p = s->stored == 0 ? 0 : (s->newest + 1) % PAIRS;
    for (int64_t i = 0; i < s->n; i++) {
        s->steps[p][i] = s->trial[i] - s->x[i];
        s->changes[p][i] = s->trial_gradient[i] - s->gradient[i];
    }
    s->products[p] = dot(s->n, s->steps[p], s->changes[p]);
    if (s->products[p] > 0) { /* rounding may spoil what the curvature condition promises */
        s->newest = p;
        s->stored += s->stored < PAIRS;
    }
    memcpy(s->x, s->trial, (size_t)s->n * sizeof *s->x);
    memcpy(s->gradient, s->trial_gradient, (size_t)s->n * sizeof *s->x);
    s->value = value;
}

bool minimize_lbfgs(MinimizeFunction function, void *context, int64_t n, double *x, double tolerance,
                    int max_iterations, Minimum *minimum)
{
    Arena *arena = arena_new();
    size_t count = (size_t)n;
    Lbfgs s = {.function = function, .context = context, .n = n, .x = x};
    double **vectors[] = {&s.gradient, &s.direction, &s.trial, &s.trial_gradient};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = arena_zero(arena, count, sizeof(double));
    for (int p = 0; p < PAIRS; p++) {
        s.steps[p] = arena_zero(arena, count, sizeof(double));
        s.changes[p] = arena_zero(arena, count, sizeof(double));
    }
    s.value = function(context, x, s.gradient);
    int iteration = 0;
    bool searching = isfinite(s.value);
    while (searching && largest(n, s.gradient) > tolerance && iteration < max_iterations) {
        set_direction(&s);
        double value;
        searching = search_line(&s, s.stored ? 1 : 1 / fmax(1, largest(n, s.gradient)), &value);
        if (searching) {
            accept(&s, value);
            iteration++;
        } else if (s.stored > 0) {
            s.stored = 0; /* a spoilt model of the curvature: once more along the gradient */
            searching = true;
        }
    }
    *minimum = (Minimum){s.value, largest(n, s.gradient), iteration};
    arena_free(arena);
    return isfinite(minimum->value) && minimum->gradient <= tolerance;
}

bool minimize_newton(MinimizeDerivatives derivatives, void *context, double *x, double tolerance, int max_iterations,
                     Minimum *minimum)
{
    double low = 0, high = INFINITY;
    *minimum = (Minimum){NAN, INFINITY, 0};
    for (; minimum->iterations < max_iterations; minimum->iterations++) {
        double first, second;
        derivatives(context, *x, &first, &second);
        minimum->gradient = fabs(*x * first);
        if (minimum->gradient <= tolerance)
            return true;
        if (isnan(first))
            return false;
        *(first < 0 ? &low : &high) = *x;
        double next = *x - first / second, middle = isinf(high) ? low * 4 : (low + high) / 2;
        if (!(next > low && next < high && next < 16 * *x))
            next = middle;
        if (!isinf(high) && (next == low || next == high))
            return true;
        *x = next;
    }
    return false;
}
