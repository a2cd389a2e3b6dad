/* Minimisation of smooth functions in double. */
#ifndef XENT_CALIBRATE_MINIMIZE_H
#define XENT_CALIBRATE_MINIMIZE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Minimum {
    double value, gradient;     /* gradient: largest absolute entry */
    int iterations;
} Minimum;

/* Returns f(x) and fills gradient [n]. */
typedef double (*MinimizeFunction)(void *context, const double *x, double *gradient);

/* L-BFGS (Nocedal 1980), thirty pairs, with a line search for the strong Wolfe conditions; near the minimum,
   where differences of f are rounding, for the approximate ones of Hager and Zhang (2005). x [n] is the start
   and becomes the minimum. True when every entry of the gradient is at most `tolerance`. */
bool minimize_lbfgs(MinimizeFunction function, void *context, int64_t n, double *x, double tolerance,
                    int max_iterations, Minimum *minimum);

/* First and second derivative at x of a convex function. */
typedef void (*MinimizeDerivatives)(void *context, double x, double *first, double *second);

/* Newton's method on (0, infinity), kept inside the bracket that the signs of the derivative give; the
   derivative must be negative near 0 and positive somewhere. *x is the start. True when |x f'(x)| is at
   most `tolerance` or the bracket is one rounding wide. */
bool minimize_newton(MinimizeDerivatives derivatives, void *context, double *x, double tolerance, int max_iterations,
                     Minimum *minimum);

#endif
