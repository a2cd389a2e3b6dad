/* Precision, recall and F1. Macro means are over the classes that occur in targets or predictions. */
#include "core/metrics/metric.h"
#include "core/metrics/tables.h"

typedef struct MacroMeans { double precision, recall, f1; } MacroMeans;

/* Sums over the classes. */
typedef struct Decisions { double targets, predicted, right; } Decisions;

static MacroMeans macro_means(const Predictions *p, const double *row_weights, Arena *scratch)
{
    ClassFigures *figures = arena_alloc(scratch, (size_t)p->input.classes * sizeof *figures), sum = {0};
    class_figures(p, row_weights, figures);
    double occurring = 0;
    for (int64_t k = 0; k < p->input.classes; k++) {
        if (figures[k].targets + figures[k].predicted == 0)
            continue;
        sum.precision += figures[k].precision;
        sum.recall += figures[k].recall;
        sum.f1 += figures[k].f1;
        occurring++;
    }
    if (occurring == 0)
        return (MacroMeans){NAN, NAN, NAN};
    return (MacroMeans){sum.precision / occurring, sum.recall / occurring, sum.f1 / occurring};
}

static Decisions decisions(const Predictions *p, const double *row_weights, Arena *scratch)
{
    ClassFigures *figures = arena_alloc(scratch, (size_t)p->input.classes * sizeof *figures);
    class_figures(p, row_weights, figures);
    Decisions sum = {0};
    for (int64_t k = 0; k < p->input.classes; k++) {
        sum.targets += figures[k].targets;
        sum.predicted += figures[k].predicted;
        sum.right += figures[k].right;
    }
    return sum;
}

static double precision_macro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    return macro_means(p, row_weights, scratch).precision;
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

static double recall_macro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    return macro_means(p, row_weights, scratch).recall;
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

static double f1_macro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    return macro_means(p, row_weights, scratch).f1;
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
static double share(double right, double of, const Decisions *sum)
{
    return of > 0 ? right / of : sum->targets + sum->predicted > 0 ? 0 : NAN;
}

static double precision_micro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    Decisions sum = decisions(p, row_weights, scratch);
    return share(sum.right, sum.predicted, &sum);
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

static double recall_micro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    Decisions sum = decisions(p, row_weights, scratch);
    return share(sum.right, sum.targets, &sum);
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

static double f1_micro(const Predictions *p, const double *row_weights, Arena *scratch)
{
    Decisions sum = decisions(p, row_weights, scratch);
    return share(2 * sum.right, sum.targets + sum.predicted, &sum);
}

const MetricDef metric_f1_micro = {
    .component = {.name = "f1_micro", .summary = "F1 of all decisions together; of single-label classes the accuracy",
                  .formula = "2 sum TP / (2 sum TP + sum FP + sum FN)"},
    .title = "Micro F1",
    .better = METRIC_HIGHER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .measure = f1_micro,
};
