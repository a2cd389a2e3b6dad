#include "core/base/random_distributions.h"

#include <assert.h>
#include <math.h>

/* Marsaglia and Tsang 2000, "A simple method for generating gamma variables", for shape >= 1. */
static double gamma_from_one(Random *random, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = random_normal(random), v = 1 + c * x;
        double u = 1 - random_uniform(random); /* (0, 1] */
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(u) < 0.5 * x * x + d * (1 - v + log(v)))
            return d * v;
    }
}

/* Below 1, G(shape) = G(shape + 1) U^(1/shape) (section 6 there), which would underflow for small shapes. */
static double log_gamma_variate(Random *random, double shape)
{
    assert(shape > 0);
    if (shape >= 1)
        return log(gamma_from_one(random, shape));
    double larger = gamma_from_one(random, shape + 1);
    return log(larger) + log1p(-random_uniform(random)) / shape;
}

double random_gamma(Random *random, double shape)
{
    return exp(log_gamma_variate(random, shape));
}

double random_beta(Random *random, double a, double b)
{
    assert(a >= 1e-300 && b >= 1e-300); /* below, both logarithms can be infinite */
    double log_a = log_gamma_variate(random, a), log_b = log_gamma_variate(random, b);
    return 1 / (1 + exp(log_b - log_a));
}
