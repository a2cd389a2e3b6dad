/* Top-label calibration errors with 15 bins. */
#include <stdlib.h>

#include "core/metrics/metric.h"

enum { BINS = 15 };

typedef struct Bin {
    int64_t count;
    double confidence, correct; /* sums */
} Bin;

/* Bins (b/15, (b+1)/15]; a value within 1e-12 of an edge is on it and belongs to the lower bin. */
static void fill_equal_width(const Predictions *p, const int64_t *rows, int64_t n, Bin bins[BINS])
{
    for (int64_t i = 0; i < n; i++) {
        int b = (int)ceil((p->confidence[rows[i]] - 1e-12) * BINS) - 1;
        Bin *bin = &bins[b < 0 ? 0 : b >= BINS ? BINS - 1 : b];
        bin->count++;
        bin->confidence += p->confidence[rows[i]];
        bin->correct += p->predicted[rows[i]] == p->targets[rows[i]];
    }
}

static double mean_gap(const Bin bins[BINS], int64_t n)
{
    double sum = 0;
    for (int b = 0; b < BINS; b++)
        sum += fabs(bins[b].confidence - bins[b].correct);
    return n ? sum / (double)n : NAN;
}

static double ece(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    (void)scratch;
    Bin bins[BINS] = {0};
    fill_equal_width(p, rows, n, bins);
    return mean_gap(bins, n);
}

const MetricDef metric_ece = {
    .component = {.name = "ece", .summary = "expected calibration error of the top label, 15 bins of equal width on (0, 1], right-closed",
                  .source = "arXiv:1706.04599", .formula = "sum_b n_b/n |mean confidence_b - accuracy_b|"},
    .measure = ece,
};

static double mce(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    (void)scratch;
    Bin bins[BINS] = {0};
    fill_equal_width(p, rows, n, bins);
    double largest = n ? 0 : NAN;
    for (int b = 0; b < BINS; b++)
        if (bins[b].count)
            largest = fmax(largest, fabs(bins[b].confidence - bins[b].correct) / (double)bins[b].count);
    return largest;
}

const MetricDef metric_mce = {
    .component = {.name = "mce", .summary = "largest calibration gap of a non-empty bin of ece", .source = "arXiv:1706.04599"},
    .measure = mce,
};

typedef struct Ranked {
    double confidence;
    int64_t order;
    bool correct;
} Ranked;

/* By confidence, equal ones in the order of the input, as a stable sort. */
static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->confidence != y->confidence)
        return x->confidence > y->confidence ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static double ece_mass(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    Ranked *ranked = arena_zero(scratch, (size_t)n, sizeof *ranked);
    for (int64_t i = 0; i < n; i++)
        ranked[i] = (Ranked){p->confidence[rows[i]], i, p->predicted[rows[i]] == p->targets[rows[i]]};
    qsort(ranked, (size_t)n, sizeof *ranked, compare_ranked);
    Bin bins[BINS] = {0};
    for (int64_t b = 0, at = 0; b < BINS; b++)
        for (int64_t left = n / BINS + (b < n % BINS); left > 0; left--, at++) {
            bins[b].confidence += ranked[at].confidence;
            bins[b].correct += ranked[at].correct;
        }
    return mean_gap(bins, n);
}

const MetricDef metric_ece_mass = {
    .component = {.name = "ece_mass", .summary = "expected calibration error of the top label, 15 bins of equal count",
                  .formula = "sum_b n_b/n |mean confidence_b - accuracy_b|; the first n mod 15 bins hold one sample more"},
    .measure = ece_mass,
};
