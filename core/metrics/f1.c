/* Precision, recall and F1. Macro means are over the classes that occur in targets or predictions. */
#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

enum { PRECISION, RECALL, F1 };

/* Classes that occur in neither targets nor predictions have figures of 0, and do not count. */
static void macro_mean(const Predictions *p, const Lanes *row_weights, Arena *scratch, int figure, Lanes *mean)
{
    ClassCounts *counts = arena_alloc(scratch, (size_t)p->input.classes * sizeof *counts);
    class_counts(p, row_weights, counts);
    Lanes sum = {0}, occurring = {0};
    for (int64_t k = 0; k < p->input.classes; k++)
        for (int l = 0; l < LANES; l++) {
            ClassFigures of = class_figures_of(&counts[k], l);
            sum[l] += figure == PRECISION ? of.precision : figure == RECALL ? of.recall : of.f1;
            occurring[l] += of.targets + of.predicted > 0;
        }
    lanes_ratio(&sum, &occurring, mean);
}

/* Sums over the classes. */
static ClassCounts decisions(const Predictions *p, const Lanes *row_weights, Arena *scratch)
{
    ClassCounts *counts = arena_alloc(scratch, (size_t)p->input.classes * sizeof *counts), sum = {0};
    class_counts(p, row_weights, counts);
    for (int64_t k = 0; k < p->input.classes; k++) {
        sum.targets += counts[k].targets;
        sum.predicted += counts[k].predicted;
        sum.right += counts[k].right;
    }
    return sum;
}

static void precision_macro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    macro_mean(p, row_weights, scratch, PRECISION, values);
}

const MetricDef metric_precision_macro = {
    .component = {.name = "precision_macro",
                  .summary = "mean precision over the classes in targets or predictions; 0 for one never predicted",
                  .formula = "mean_k TP_k / (TP_k + FP_k)"},
    .title = "Macro precision",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = precision_macro,
};

static void recall_macro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    macro_mean(p, row_weights, scratch, RECALL, values);
}

const MetricDef metric_recall_macro = {
    .component = {.name = "recall_macro",
                  .summary = "mean recall over the classes in targets or predictions; 0 for one that is no target",
                  .formula = "mean_k TP_k / (TP_k + FN_k)"},
    .title = "Macro recall",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = recall_macro,
};

static void f1_macro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    macro_mean(p, row_weights, scratch, F1, values);
}

const MetricDef metric_f1_macro = {
    .component = {.name = "f1_macro", .summary = "mean F1 over the classes in targets or predictions",
                  .formula = "mean_k 2 TP_k / (2 TP_k + FP_k + FN_k)"},
    .title = "Macro F1",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = f1_macro,
};

/* 0 where nothing was predicted, as for one class; NAN without a target or prediction. */
static void share(const Lanes *right, const Lanes *of, const ClassCounts *sum, Lanes *values)
{
    lanes_ratio(right, of, values);
    for (int l = 0; l < LANES; l++)
        if ((*of)[l] == 0 && sum->targets[l] + sum->predicted[l] > 0)
            (*values)[l] = 0;
}

static void precision_micro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    ClassCounts sum = decisions(p, row_weights, scratch);
    share(&sum.right, &sum.predicted, &sum, values);
}

const MetricDef metric_precision_micro = {
    .component = {.name = "precision_micro", .summary = "precision of all decisions together; 0 for none predicted",
                  .formula = "sum TP / (sum TP + sum FP)",
                  .notes = "Of labels only: with one class a sample it is the accuracy."},
    .title = "Micro precision",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_MULTI_LABEL,
    .measure = precision_micro,
};

static void recall_micro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    ClassCounts sum = decisions(p, row_weights, scratch);
    share(&sum.right, &sum.targets, &sum, values);
}

const MetricDef metric_recall_micro = {
    .component = {.name = "recall_micro", .summary = "recall of all decisions together; 0 without a target",
                  .formula = "sum TP / (sum TP + sum FN)",
                  .notes = "Of labels only: with one class a sample it is the accuracy."},
    .title = "Micro recall",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_MULTI_LABEL,
    .measure = recall_micro,
};

static void f1_micro(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    ClassCounts sum = decisions(p, row_weights, scratch);
    Lanes twice = 2 * sum.right, both = sum.targets + sum.predicted;
    share(&twice, &both, &sum, values);
}

const MetricDef metric_f1_micro = {
    .component = {.name = "f1_micro", .summary = "F1 of all decisions together; of single-label classes the accuracy",
                  .formula = "2 sum TP / (2 sum TP + sum FP + sum FN)"},
    .title = "Micro F1",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = f1_micro,
};
