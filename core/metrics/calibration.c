/* Calibration errors: how far confidence is from accuracy. A bin's part of an error is |sum w (c - a)|,
   which is its weight times |mean confidence - accuracy|. */
#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

enum { BINS = CALIBRATION_BINS };

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

static double mean_gap(const double gaps[BINS], double weight)
{
    double sum = 0;
    for (int b = 0; b < BINS; b++)
        sum += fabs(gaps[b]);
    return weight > 0 ? sum / weight : NAN;
}

static double ece(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    double gaps[BINS] = {0};
    for (int64_t i = 0; i < p->input.count; i++)
        gaps[p->bin[i]] += row_weights[i] * (p->confidence[i] - p->correct[i]);
    return mean_gap(gaps, sum_of(row_weights, p->input.count));
}

const MetricDef metric_ece = {
    .component = {.name = "ece",
                  .summary = "expected calibration error of the top label, 15 bins of equal width on (0, 1], "
                             "right-closed",
                  .source = "arXiv:1706.04599",
                  .formula = "sum_b n_b/n |mean confidence_b - accuracy_b|"},
    .title = "Expected calibration error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_TOKENS,
    .measure = ece,
};

static double mce(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    ReliabilityBin bins[BINS];
    reliability_bins(p, row_weights, bins);
    double largest = NAN;
    for (int b = 0; b < BINS; b++)
        if (bins[b].count > 0)
            largest = fmax(largest, fabs(bins[b].confidence - bins[b].accuracy)); /* fmax passes over a NAN */
    return largest;
}

const MetricDef metric_mce = {
    .component = {.name = "mce",
                  .summary = "largest calibration gap of a non-empty bin of ece",
                  .source = "arXiv:1706.04599"},
    .title = "Maximum calibration error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .measure = mce,
};

/* What bin b holds of a weight of `total`. */
static double bin_share(const Predictions *p, double total, int b)
{
    if (!p->weights_are_counts)
        return total / BINS;
    double whole = floor(total / BINS);
    return whole + (b < total - whole * BINS);
}

static double ece_mass(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    double gaps[BINS] = {0}, total = sum_of(row_weights, p->input.count), room = bin_share(p, total, 0);
    int b = 0;
    for (int64_t j = 0; j < p->input.count; j++)
        for (double left = row_weights[p->by_confidence.rows[j]]; left > 0;) {
            while (room <= 0 && b < BINS - 1)
                room = bin_share(p, total, ++b);
            double taken = left <= room || b == BINS - 1 ? left : room; /* the last bin takes what rounding left */
            gaps[b] += taken * p->by_confidence.gap[j];
            left -= taken;
            room -= taken;
        }
    return mean_gap(gaps, total);
}

const MetricDef metric_ece_mass = {
    .component = {.name = "ece_mass",
                  .summary = "expected calibration error of the top label, 15 bins of equal count",
                  .formula = "sum_b n_b/n |mean confidence_b - accuracy_b|; the first n mod 15 bins hold one sample "
                             "more",
                  .notes = "Whole weights count as copies of a sample; with others the bins hold equal weight, and a "
                           "sample on a border is divided."},
    .title = "Expected calibration error, equal-count bins",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence,
    .measure = ece_mass,
};

/* The bins of all classes at once: a class that is p_k likely adds p_k, a target takes 1. */
static double classwise_ece(const Predictions *p, const double *row_weights, Arena *scratch)
{
    int64_t n = p->input.count, classes = p->input.classes;
    double *gaps = arena_zero(scratch, (size_t)(classes * BINS), sizeof *gaps);
    double weight = sum_of(row_weights, n), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (row_weights[i] == 0)
            continue;
        const double *row = p->probabilities + i * classes;
        const unsigned char *bins = p->class_bins + i * classes;
        for (int64_t k = 0; k < classes; k++)
            gaps[k * BINS + bins[k]] += row_weights[i] * (row[k] - prediction_is_target(p, i, k));
    }
    for (int64_t k = 0; k < classes; k++)
        sum += mean_gap(gaps + k * BINS, weight);
    return sum / (double)classes;
}

const MetricDef metric_classwise_ece = {
    .component = {.name = "classwise_ece",
                  .summary = "calibration error of each class's probability, 15 bins of equal width, mean over classes",
                  .source = "arXiv:1904.01685",
                  .formula = "mean_k sum_b n_bk/n |mean p_k - frequency of k|"},
    .title = "Classwise calibration error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .prepare = predictions_bin_classes,
    .measure = classwise_ece,
};

static double ks(const Predictions *p, const double *row_weights, Arena *scratch)
{
    (void)scratch;
    const ConfidenceOrder *order = &p->by_confidence;
    double sum = 0, weight = 0, largest = 0;
    for (int64_t j = 0; j < p->input.count; j++) {
        weight += row_weights[order->rows[j]];
        sum += row_weights[order->rows[j]] * order->gap[j];
        if (order->last[j] && fabs(sum) > largest)
            largest = fabs(sum);
    }
    return weight > 0 ? largest / weight : NAN;
}

const MetricDef metric_ks = {
    .component = {.name = "ks",
                  .summary = "Kolmogorov-Smirnov calibration error of the top label, without bins",
                  .source = "arXiv:2006.12800",
                  .formula = "max_j |1/n sum_{i<=j} (c_i - a_i)|, sorted by c, j at the end of each group of equal c"},
    .title = "Kolmogorov-Smirnov calibration error",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION,
    .prepare = predictions_sort_by_confidence,
    .measure = ks,
};
