#include "core/metrics/tables.h"

#include <math.h>
#include <string.h>

void confusion_matrix(const Predictions *p, const double *row_weights, double *matrix)
{
    const double *weights = row_weights ? row_weights : p->weights;
    int64_t classes = p->input.classes;
    memset(matrix, 0, (size_t)(classes * classes) * sizeof *matrix);
    for (int64_t i = 0; i < p->input.count; i++)
        matrix[p->targets[i] * classes + p->predicted[i]] += weights[i];
}

static void count_classes(const Predictions *p, const double *weights, ClassFigures *figures)
{
    for (int64_t i = 0; i < p->input.count; i++) {
        figures[p->targets[i]].targets += weights[i];
        figures[p->predicted[i]].predicted += weights[i];
        if (p->targets[i] == p->predicted[i])
            figures[p->targets[i]].right += weights[i];
    }
}

static void count_labels(const Predictions *p, const double *weights, ClassFigures *figures)
{
    for (int64_t i = 0; i < p->input.count; i++)
        for (int64_t k = 0; k < p->input.classes; k++) {
            bool target = prediction_is_target(p, i, k), predicted = prediction_is_predicted(p, i, k);
            figures[k].targets += target ? weights[i] : 0;
            figures[k].predicted += predicted ? weights[i] : 0;
            figures[k].right += target && predicted ? weights[i] : 0;
        }
}

void class_figures(const Predictions *p, const double *row_weights, ClassFigures *figures)
{
    memset(figures, 0, (size_t)p->input.classes * sizeof *figures);
    (p->targets ? count_classes : count_labels)(p, row_weights ? row_weights : p->weights, figures);
    for (int64_t k = 0; k < p->input.classes; k++) {
        ClassFigures *f = &figures[k];
        f->precision = f->predicted > 0 ? f->right / f->predicted : 0;
        f->recall = f->targets > 0 ? f->right / f->targets : 0;
        f->f1 = f->targets + f->predicted > 0 ? 2 * f->right / (f->targets + f->predicted) : 0;
    }
}

void reliability_bins(const Predictions *p, const double *row_weights, ReliabilityBin bins[CALIBRATION_BINS])
{
    const double *weights = row_weights ? row_weights : p->weights;
    for (int b = 0; b < CALIBRATION_BINS; b++)
        bins[b] = (ReliabilityBin){.low = b / (double)CALIBRATION_BINS, .high = (b + 1) / (double)CALIBRATION_BINS};
    for (int64_t i = 0; i < p->input.count; i++) {
        ReliabilityBin *bin = &bins[p->bin[i]];
        bin->count += weights[i];
        bin->confidence += weights[i] * p->confidence[i];
        bin->accuracy += weights[i] * p->correct[i];
    }
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        bins[b].confidence = bins[b].count > 0 ? bins[b].confidence / bins[b].count : NAN;
        bins[b].accuracy = bins[b].count > 0 ? bins[b].accuracy / bins[b].count : NAN;
    }
}
