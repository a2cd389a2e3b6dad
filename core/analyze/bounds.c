/* H-consistency bounds of the comp-sum family (Mao, Mohri and Zhong 2023). For n classes and the excess b of the error
   rate, the excess of the surrogate risk is at least T(b), so that

       R01 - R01* + M01 <= Gamma(R - R* + M),    Gamma = T^-1,

   with minimizability gaps M. With A = (((1+b)^k + (1-b)^k) / 2)^(1/k), k = 1/(2-tau),

       T(b) = 2^(1-tau) (1 - A) / (1-tau)                          0 <= tau < 1
       T(b) = (1+b)/2 log(1+b) + (1-b)/2 log(1-b)                  tau = 1
       T(b) = (A - 1) / ((tau-1) n^(tau-1))                        1 < tau < 2
       T(b) = b / ((tau-1) n^(tau-1))                              2 <= tau

   The paper's closed forms lie above Gamma. */
#include <math.h>

#include "core/analyze/analysis.h"

struct bounds { double tau, gap; int64_t classes; };

static const Param params[] = {
    PARAM_FLOAT(struct bounds, tau, 1, .min = 0, .max = 1000, .help = "of the loss comp_sum"),
    PARAM_INT(struct bounds, classes, 10, .min = 2, .max = 1e9, .help = "number of classes"),
    PARAM_FLOAT(
        struct bounds, gap, 0.1, .min = 0, .max = 1,
        .help = "an excess: of the error rate for T, of the surrogate risk for the inverse and the closed form"),
    PARAM_END};

static double log_cosh(double x)
{
    x = fabs(x);
    return x > 1 ? x + log1p(exp(-2 * x)) - log(2) : log1p(2 * sinh(x / 2) * sinh(x / 2));
}

/* log A: (1+b)^k + (1-b)^k = 2 (1-b^2)^(k/2) cosh(k atanh b) loses nothing at small b. */
static double log_a(double b, double tau)
{
    double k = 1 / (2 - tau);
    if (b == 1)
        return (k - 1) / k * log(2);
    return log1p(-b * b) / 2 + log_cosh(k * atanh(b)) / k;
}

static double transform(const struct bounds *self, double b)
{
    double tau = self->tau;
    if (tau < 1)
        return -pow(2, 1 - tau) * expm1(log_a(b, tau)) / (1 - tau);
    if (tau == 1)
        return b == 1 ? log(2) : b * atanh(b) + log1p(-b * b) / 2;
    double price = (tau - 1) * pow((double)self->classes, tau - 1);
    return (tau < 2 ? expm1(log_a(b, tau)) : b) / price;
}

/* T rises on [0, 1]. Above T(1) every error rate is allowed: 1. */
static double inverse(const struct bounds *self, double excess)
{
    double low = 0, high = 1;
    if (excess >= transform(self, 1))
        return 1;
    for (int i = 0; i < 200 && low < high; i++) {
        double middle = low + (high - low) / 2;
        if (middle == low || middle == high)
            break;
        *(transform(self, middle) < excess ? &low : &high) = middle;
    }
    return excess == 0 ? 0 : high;
}

static double closed_form(const struct bounds *self, double excess)
{
    double tau = self->tau, price = pow((double)self->classes, tau - 1);
    if (tau < 1)
        return sqrt(pow(2, tau) * (2 - tau) * excess);
    return tau < 2 ? sqrt(2 * price * excess) : (tau - 1) * price * excess;
}

enum { GRID = 10 };

static bool run(const void *values, const AnalysisInput *input, AnalysisResult *result, Error *error)
{
    (void)input;
    (void)error;
    static const char *const columns[] = {"error_excess", "T", "closed_form"};
    const struct bounds *self = values;
    analysis_add_figure(result, "T", transform(self, self->gap));
    analysis_add_figure(result, "inverse", inverse(self, self->gap));
    analysis_add_figure(result, "closed_form", closed_form(self, self->gap));
    AnalysisTable *grid = analysis_add_table(result, "grid", 3, columns, GRID, NULL);
    for (int i = 0; i < GRID; i++) {
        double b = (double)(i + 1) / GRID, *row = grid->values + 3 * i;
        row[0] = b;
        row[1] = transform(self, b);
        row[2] = closed_form(self, row[1]);
    }
    return true;
}

const AnalysisDef analysis_bounds = {
    .component = {.name = "bounds",
                  .summary = "how far the error rate can be from its best, given the excess of a comp-sum risk",
                  .params = params,
                  .size = sizeof(struct bounds),
                  .source = "arXiv:2304.07288",
                  .formula = "R01 - R01* + M01 <= Gamma(R - R* + M), Gamma = T^-1",
                  .notes =
                      "T(gap) is the least excess of the risk of comp_sum at an excess error rate of gap; inverse is "
                      "Gamma(gap), the largest excess error rate at an excess risk of gap, 1 where gap is above T(1); "
                      "closed_form is the paper's upper bound of Gamma(gap), which may exceed 1: sqrt(2^tau (2-tau) "
                      "gap) below tau = 1, sqrt(2 n^(tau-1) gap) below 2, (tau-1) n^(tau-1) gap from 2. Above tau = "
                      "1 it grows with the number of classes n. The table has T at ten excess error rates, and the "
                      "closed form at that T, which is not below the rate."},
    .run = run,
};
