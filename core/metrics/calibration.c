/* Calibration errors: how far confidence is from accuracy. A bin's part of an error is |sum w (c - a)|,
   which is its weight times |mean confidence - accuracy|. */
#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

enum { BINS = CALIBRATION_BINS };

LANES_CLONED
static void mean_gap(const Lanes gaps[BINS], const Lanes *weight, Lanes *mean)
{
    Lanes sum = {0};
    for (int b = 0; b < BINS; b++)
        for (int l = 0; l < LANES; l++)
            sum[l] += fabs(gaps[b][l]);
    lanes_ratio(&sum, weight, mean);
}

LANES_CLONED
static void ece(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    Lanes gaps[BINS] = {{0}}, weight;
    for (int64_t i = 0; i < p->input.count; i++)
        gaps[p->bin[i]] += row_weights[i] * (p->confidence[i] - p->correct[i]);
    lanes_sum(row_weights, p->input.count, &weight);
    mean_gap(gaps, &weight, values);
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

LANES_CLONED
static void mce(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    BinSums bins[BINS];
    bin_sums(p, row_weights, bins);
    for (int l = 0; l < LANES; l++) {
        double largest = NAN;
        for (int b = 0; b < BINS; b++)
            if (bins[b].count[l] > 0) {
                double gap = fabs(bins[b].confidence[l] / bins[b].count[l] - bins[b].right[l] / bins[b].count[l]);
                largest = largest >= gap ? largest : gap;
            }
        (*values)[l] = largest;
    }
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

/* The bins that are being filled, one a lane: what they have room for, the sum of gaps in them, and their numbers. Bin
   b holds `whole`, and one more if b < larger. */
typedef struct Filling {
    Lanes room, gap;
    double whole[LANES], larger[LANES];
    int bin[LANES];
} Filling;

static void start_filling(const Predictions *p, const Lanes *total, Filling *filling)
{
    *filling = (Filling){.bin = {0}};
    for (int l = 0; l < LANES; l++) {
        double share = (*total)[l] / BINS;
        filling->whole[l] = p->weights_are_counts ? floor(share) : share;
        filling->larger[l] = p->weights_are_counts ? (*total)[l] - filling->whole[l] * BINS : 0;
        filling->room[l] = filling->whole[l] + (0 < filling->larger[l]);
    }
}

LANES_INLINE void next_bin(Filling *filling, int lane, Lanes gaps[BINS])
{
    gaps[filling->bin[lane]++][lane] = filling->gap[lane];
    filling->gap[lane] = 0;
    filling->room[lane] = filling->whole[lane] + (filling->bin[lane] < filling->larger[lane]);
}

/* A row of weight `left` that does not fit in: what the bin has room for, the rest to the next ones. */
LANES_INLINE void overflow(Filling *filling, int lane, double left, double gap, Lanes gaps[BINS])
{
    while (left > 0) {
        while (filling->room[lane] <= 0 && filling->bin[lane] < BINS - 1)
            next_bin(filling, lane, gaps);
        /* The last bin takes what rounding left. */
        bool fits = left <= filling->room[lane] || filling->bin[lane] == BINS - 1;
        double taken = fits ? left : filling->room[lane];
        filling->gap[lane] += taken * gap;
        left -= taken;
        filling->room[lane] -= taken;
    }
}

LANES_CLONED
static void ece_mass(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    const ConfidenceOrder *order = &p->by_confidence;
    Lanes gaps[BINS] = {{0}}, total;
    Filling filling;
    lanes_sum(row_weights, p->input.count, &total);
    start_filling(p, &total, &filling);
    for (int64_t j = 0; j < p->input.count; j++) {
        const Lanes weights = row_weights[order->rows[j]], room = filling.room;
        Lanes fitting;
        for (int l = 0; l < LANES; l++)
            fitting[l] = weights[l] > room[l] ? 0 : weights[l];
        filling.gap += fitting * order->gap[j];
        filling.room -= fitting;
        for (int l = 0; l < LANES; l++)
            if (weights[l] > room[l])
                overflow(&filling, l, weights[l], order->gap[j], gaps);
    }
    for (int l = 0; l < LANES; l++)
        gaps[filling.bin[l]][l] = filling.gap[l];
    mean_gap(gaps, &total, values);
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
LANES_CLONED
static void classwise_ece(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    int64_t n = p->input.count, classes = p->input.classes;
    Lanes *gaps = arena_zero(scratch, (size_t)(classes * BINS), sizeof *gaps), weight, sum = {0}, mean;
    lanes_sum(row_weights, n, &weight);
    for (int64_t i = 0; i < n; i++) {
        const double *row = p->probabilities + i * classes;
        const unsigned char *bins = p->class_bins + i * classes;
        for (int64_t k = 0; k < classes; k++)
            gaps[k * BINS + bins[k]] += row_weights[i] * (row[k] - prediction_is_target(p, i, k));
    }
    for (int64_t k = 0; k < classes; k++) {
        mean_gap(gaps + k * BINS, &weight, &mean);
        sum += mean;
    }
    *values = sum / (double)classes;
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

LANES_CLONED
static void ks(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    const ConfidenceOrder *order = &p->by_confidence;
    Lanes sum = {0}, weight = {0}, largest = {0};
    for (int64_t j = 0; j < p->input.count; j++) {
        weight += row_weights[order->rows[j]];
        sum += row_weights[order->rows[j]] * order->gap[j];
        if (order->last[j])
            for (int l = 0; l < LANES; l++)
                largest[l] = fabs(sum[l]) > largest[l] ? fabs(sum[l]) : largest[l];
    }
    lanes_ratio(&largest, &weight, values);
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
