#include "core/metrics/tables.h"

#include <math.h>
#include <string.h>

#include "core/metrics/metric.h"

void confusion_matrix(const Predictions *p, double *matrix)
{
    int64_t classes = p->input.classes;
    memset(matrix, 0, (size_t)(classes * classes) * sizeof *matrix);
    for (int64_t i = 0; i < p->input.count; i++)
        matrix[p->targets[i] * classes + p->predicted[i]] += p->weights[i];
}

LANES_CLONED
static void count_classes(const Predictions *p, const Lanes *row_weights, ClassCounts *counts)
{
    for (int64_t i = 0; i < p->input.count; i++) {
        counts[p->targets[i]].targets += row_weights[i];
        counts[p->predicted[i]].predicted += row_weights[i];
        counts[p->targets[i]].right += row_weights[i] * (double)(p->targets[i] == p->predicted[i]); /* no jump */
    }
}

LANES_CLONED
static void count_labels(const Predictions *p, const Lanes *row_weights, ClassCounts *counts)
{
    for (int64_t i = 0; i < p->input.count; i++)
        for (int64_t k = 0; k < p->input.classes; k++) {
            bool target = prediction_is_target(p, i, k), predicted = prediction_is_predicted(p, i, k);
            if (target)
                counts[k].targets += row_weights[i];
            if (predicted)
                counts[k].predicted += row_weights[i];
            if (target && predicted)
                counts[k].right += row_weights[i];
        }
}

void class_counts(const Predictions *p, const Lanes *row_weights, ClassCounts *counts)
{
    memset(counts, 0, (size_t)p->input.classes * sizeof *counts);
    (p->targets ? count_classes : count_labels)(p, row_weights, counts);
}

ClassFigures class_figures_of(const ClassCounts *counts, int lane)
{
    ClassFigures f = {.targets = counts->targets[lane], .predicted = counts->predicted[lane],
                      .right = counts->right[lane]};
    f.precision = f.predicted > 0 ? f.right / f.predicted : 0;
    f.recall = f.targets > 0 ? f.right / f.targets : 0;
    f.f1 = f.targets + f.predicted > 0 ? 2 * f.right / (f.targets + f.predicted) : 0;
    return f;
}

void class_figures(const Predictions *p, ClassFigures *figures)
{
    Arena *scratch = arena_new();
    ClassCounts *counts = arena_alloc(scratch, (size_t)p->input.classes * sizeof *counts);
    class_counts(p, sample_weights(p, scratch), counts);
    for (int64_t k = 0; k < p->input.classes; k++)
        figures[k] = class_figures_of(&counts[k], 0);
    arena_free(scratch);
}

LANES_CLONED
void bin_sums(const Predictions *p, const Lanes *row_weights, BinSums bins[CALIBRATION_BINS])
{
    memset(bins, 0, CALIBRATION_BINS * sizeof *bins);
    for (int64_t i = 0; i < p->input.count; i++) {
        BinSums *bin = &bins[p->bin[i]];
        bin->count += row_weights[i];
        bin->confidence += row_weights[i] * p->confidence[i];
        bin->right += row_weights[i] * p->correct[i];
    }
}

void reliability_bins(const Predictions *p, ReliabilityBin bins[CALIBRATION_BINS])
{
    BinSums sums[CALIBRATION_BINS];
    Arena *scratch = arena_new();
    bin_sums(p, sample_weights(p, scratch), sums);
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        double count = sums[b].count[0];
        bins[b] = (ReliabilityBin){.low = b / (double)CALIBRATION_BINS,
                                   .high = (b + 1) / (double)CALIBRATION_BINS,
                                   .count = count,
                                   .confidence = count > 0 ? sums[b].confidence[0] / count : NAN,
                                   .accuracy = count > 0 ? sums[b].right[0] / count : NAN};
    }
    arena_free(scratch);
}
