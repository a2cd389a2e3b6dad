/* exp of every float, for every instruction set the machine has; some minutes. `make exhaustive`. Prints the largest
   error in units of the last place of the true value, and fails where it is above the bound. */
#include "core/kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 1 << 16, ISAS = 3 };
static const double bound = 1.02; /* 1.0103 found, for 2^32 floats */

/* In units of the last place; infinite where one is not a number or infinite and the other is not. */
static double error_of(float value, double truth)
{
    int exponent;
    if (isnan(truth) || fabs(truth) >= 0x1.ffffffp127)
        return isnan(truth) == isnan(value) && isinf(value) == !isnan(truth) ? 0 : INFINITY;
    frexp(truth, &exponent);
    return fabs((double)value - truth) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

int main(void)
{
    static const char *const isas[ISAS] = {"baseline", "avx2", "avx512"};
    static float x[BLOCK], y[BLOCK];
    static double truth[BLOCK];
    double worst[ISAS] = {0};
    float at[ISAS] = {0};
    bool here[ISAS];
    Error error;
    for (int k = 0; k < ISAS; k++)
        here[k] = kernels_select(isas[k], &error);
    for (uint64_t first = 0; first <= UINT32_MAX; first += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            const uint32_t bits = (uint32_t)first + i;
            memcpy(&x[i], &bits, sizeof bits);
            truth[i] = exp((double)x[i]);
        }
        for (int k = 0; k < ISAS; k++) {
            if (!here[k] || !kernels_select(isas[k], &error))
                continue;
            kernels()->exp(BLOCK, x, y);
            for (int i = 0; i < BLOCK; i++) {
                /* A unit is at least 2^-24 of the value: most are told apart without finding it. */
                if (fabs((double)y[i] - truth[i]) <= worst[k] * 0x1p-24 * truth[i])
                    continue;
                const double apart = error_of(y[i], truth[i]);
                if (apart > worst[k]) {
                    worst[k] = apart;
                    at[k] = x[i];
                }
            }
        }
    }
    int failures = 0;
    for (int k = 0; k < ISAS; k++) {
        if (here[k])
            printf("%s: %.4f units in the last place, at %.9g\n", isas[k], worst[k], (double)at[k]);
        failures += worst[k] > bound;
    }
    return failures != 0;
}
