/* evaluation.json: a measured split in the detail that a report shows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/evaluation.h"
#include "core/metrics/tables.h"
#include "core/report/evaluation.h"

enum { HARDEST = 24, CONFUSION_CLASSES = 200 };

static void add_metrics(Evaluation *evaluation, const MeasuredSplit *measured, Arena *arena)
{
    int count = 0, used = 0;
    while (measured->metrics[count])
        count++;
    EvaluationMetric *metrics = arena_zero(arena, (size_t)(count + measured->figures.count) + 1, sizeof *metrics);
    if (!isnan(measured->loss))
        metrics[used++] = (EvaluationMetric){"loss", measured->loss, NAN, NAN};
    for (int i = 1; i < measured->figures.count; i++)
        metrics[used++] = (EvaluationMetric){measured->figures.items[i].name, measured->figures.items[i].value, NAN,
                                             NAN};
    for (int i = 0; i < count; i++) {
        double low = measured->intervals ? measured->intervals[i][0] : NAN,
               high = measured->intervals ? measured->intervals[i][1] : NAN;
        metrics[used++] = (EvaluationMetric){measured->metrics[i]->component.name, measured->values[i], low, high};
    }
    evaluation->metrics = metrics;
    evaluation->metric_count = used;
}

static void add_tables(Evaluation *evaluation, const Predictions *predictions, const Dataset *dataset, Arena *arena)
{
    int64_t classes = predictions->input.classes;
    ReliabilityBin *bins = arena_zero(arena, CALIBRATION_BINS, sizeof *bins);
    reliability_bins(predictions, bins);
    evaluation->bins = bins;
    evaluation->bin_count = CALIBRATION_BINS;
    if (predictions->input.kind != PREDICTION_CLASSIFICATION || classes > CONFUSION_CLASSES)
        return;
    double *confusion = arena_zero(arena, (size_t)(classes * classes), sizeof *confusion);
    ClassFigures *figures = arena_zero(arena, (size_t)classes, sizeof *figures);
    confusion_matrix(predictions, confusion);
    class_figures(predictions, figures);
    evaluation->class_count = (int)classes;
    evaluation->classes = dataset->class_names;
    evaluation->confusion = confusion;
    evaluation->per_class = figures;
}

typedef struct Hard { double loss; int64_t row; } Hard;

static int by_loss(const void *a, const void *b)
{
    const Hard *left = a, *right = b;
    if (left->loss != right->loss)
        return left->loss > right->loss ? -1 : 1;
    return left->row < right->row ? -1 : left->row > right->row;
}

/* The sample as bytes [channels, height, width]: U8 as it is, floats stretched over their own range. */
static ExampleImage picture(const Dataset *dataset, int64_t sample, Arena *arena)
{
    bool image = dataset->rank == 3 && (dataset->shape[0] == 1 || dataset->shape[0] == 3) &&
                 dataset->shape[1] <= EVALUATION_SIDE_MAX && dataset->shape[2] <= EVALUATION_SIDE_MAX;
    if (!image || dataset->type == ARRAY_I32)
        return (ExampleImage){0};
    int64_t count = dataset_sample_size(dataset);
    uint8_t *pixels = arena_zero(arena, (size_t)count, 1);
    if (dataset->type == ARRAY_U8) {
        memcpy(pixels, (const uint8_t *)dataset->features + sample * dataset->sample_stride, (size_t)count);
    } else {
        const float *values = (const float *)dataset->features + sample * dataset->sample_stride;
        float low = values[0], high = values[0];
        for (int64_t i = 1; i < count; i++) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
        }
        for (int64_t i = 0; i < count; i++)
            pixels[i] = (uint8_t)(high > low ? 255 * (values[i] - low) / (high - low) + 0.5f : 0);
    }
    return (ExampleImage){.width = (int)dataset->shape[2],
                          .height = (int)dataset->shape[1],
                          .channels = (int)dataset->shape[0],
                          .pixels = pixels};
}

static void add_hardest(Evaluation *evaluation, const Predictions *predictions, const DataSplit *split, Arena *arena)
{
    int64_t count = predictions->input.count;
    if (predictions->input.kind != PREDICTION_CLASSIFICATION || count != split->count)
        return;
    Hard *order = arena_zero(arena, (size_t)count, sizeof *order);
    for (int64_t i = 0; i < count; i++)
        order[i] = (Hard){predictions->nll[i], i};
    qsort(order, (size_t)count, sizeof *order, by_loss);
    int shown = count < HARDEST ? (int)count : HARDEST;
    HardExample *examples = arena_zero(arena, (size_t)shown, sizeof *examples);
    for (int i = 0; i < shown; i++) {
        int64_t row = order[i].row;
        examples[i] = (HardExample){.index = row,
                                    .label = predictions->targets[row],
                                    .predicted = predictions->predicted[row],
                                    .loss = order[i].loss,
                                    .confidence = predictions->confidence[row],
                                    .image = picture(split->dataset, split->order[row], arena)};
    }
    evaluation->hardest = examples;
    evaluation->hardest_count = shown;
}

static void add_layers(Evaluation *evaluation, const Model *model, Arena *arena)
{
    LayerRow *rows = arena_zero(arena, (size_t)model->layer_count, sizeof *rows);
    for (int i = 0; i < model->layer_count; i++) {
        const Layer *layer = model->layers[i];
        if (layer->depth > 0)
            continue;
        LayerRow *row = &rows[evaluation->layer_count++];
        *row = (LayerRow){.name = layer->name, .type = layer->def->component.name, .rank = layer->output.rank,
                          .parameters = layer->parameter_count, .flops = layer->flops};
        for (int k = 0; k < layer->output.rank; k++)
            row->output[k] = layer->output.sizes[k];
    }
    evaluation->layers = rows;
}

bool measured_write(const MeasuredSplit *measured, const Model *model, const DataSplit *split, const char *path,
                    Error *error)
{
    Arena *arena = arena_new();
    Evaluation evaluation = {.split = measured->split, .n = measured->outputs.count};
    add_metrics(&evaluation, measured, arena);
    if (measured->outputs.kind == PREDICTION_CLASSIFICATION || measured->outputs.kind == PREDICTION_TOKENS)
        add_tables(&evaluation, measured->predictions, split->dataset, arena);
    add_hardest(&evaluation, measured->predictions, split, arena);
    add_layers(&evaluation, model, arena);
    bool good = evaluation_write(path, &evaluation, error);
    arena_free(arena);
    return good;
}
