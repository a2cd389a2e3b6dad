/* How well the labels of highest score hit the true ones, where labels are very many: P@k, PSP@k, nDCG@k, R@k, MRR@10.
   Labels with equal scores are taken in their order. */
#include <math.h>

#include "core/base/threads.h"
#include "core/metrics/metric.h"

enum {
    PRECISION_1, PRECISION_3, PRECISION_5, PROPENSITY_1, PROPENSITY_3, PROPENSITY_5, BEST_1, BEST_3, BEST_5,
    NDCG_1, NDCG_3, NDCG_5, NDCG_10, RECIPROCAL_RANK, RECALL_10, RECALL_50, RECALL_100, FIGURES
};
enum { DEEPEST = 100 };

/* Of each row, [count] each; NAN where a row has no true label and the figure needs one. */
typedef struct LabelFigures { double *values[FIGURES]; } LabelFigures;

static const int64_t places[] = {1, 3, 5};

/* The first labels by score, [depth]: insertion into a sorted list, whose last place is the bar. */
static void first_labels(const double *scores, int64_t labels, int64_t depth, int64_t *first)
{
    int64_t count = 0;
    for (int64_t l = 0; l < labels; l++) {
        if (count == depth && !(scores[l] > scores[first[count - 1]]))
            continue;
        int64_t at = count < depth ? count++ : count - 1;
        for (; at > 0 && scores[l] > scores[first[at - 1]]; at--)
            first[at] = first[at - 1];
        first[at] = l;
    }
}

/* The largest sum of k of the values 1 / propensity of true labels. */
static double best_propensity_sum(const double *propensities, const double *targets, int64_t labels, int64_t k)
{
    double largest[5] = {0}, sum = 0;
    for (int64_t l = 0; l < labels; l++) {
        double value = targets[l] > 0.5 ? 1 / propensities[l] : 0;
        for (int64_t i = 0; i < k && value > 0; i++)
            if (value > largest[i]) {
                double lower = largest[i];
                largest[i] = value;
                value = lower;
            }
    }
    for (int64_t i = 0; i < k; i++)
        sum += largest[i];
    return sum;
}

typedef struct Hits { int64_t first[DEEPEST], depth, positives; const double *targets; } Hits;

static bool is_hit(const Hits *hits, int64_t place)
{
    return hits->targets[hits->first[place]] > 0.5;
}

static double hits_within(const Hits *hits, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k && i < hits->depth; i++)
        sum += is_hit(hits, i);
    return sum;
}

static double ndcg(const Hits *hits, int64_t k)
{
    double gained = 0, ideal = 0;
    for (int64_t i = 0; i < k && i < hits->depth; i++) {
        double discount = 1 / log2((double)i + 2);
        gained += is_hit(hits, i) ? discount : 0;
        ideal += i < hits->positives ? discount : 0;
    }
    return hits->positives ? gained / ideal : NAN;
}

static double reciprocal_rank(const Hits *hits)
{
    for (int64_t i = 0; i < 10 && i < hits->depth; i++)
        if (is_hit(hits, i))
            return 1 / ((double)i + 1);
    return hits->positives ? 0 : NAN;
}

/* `targets` [classes]: 1 for true labels. */
static void measure_row(const PredictionInput *in, int64_t row, const double *targets, const LabelFigures *to)
{
    Hits hits = {.depth = in->classes < DEEPEST ? in->classes : DEEPEST,
                 .targets = targets};
    first_labels(in->logits + row * in->classes, in->classes, hits.depth, hits.first);
    for (int64_t l = 0; l < in->classes; l++)
        hits.positives += hits.targets[l] > 0.5;
    for (int i = 0; i < 3; i++) {
        int64_t k = places[i];
        to->values[PRECISION_1 + i][row] = hits_within(&hits, k) / (double)k;
        to->values[NDCG_1 + i][row] = ndcg(&hits, k);
        double sum = 0;
        for (int64_t r = 0; in->propensities && r < k && r < hits.depth; r++)
            sum += is_hit(&hits, r) ? 1 / in->propensities[hits.first[r]] : 0;
        to->values[PROPENSITY_1 + i][row] = sum;
        to->values[BEST_1 + i][row] =
            in->propensities ? best_propensity_sum(in->propensities, hits.targets, in->classes, k) : 0;
    }
    to->values[NDCG_10][row] = ndcg(&hits, 10);
    static const int64_t depths[] = {10, 50, 100};
    for (int i = 0; i < 3; i++)
        to->values[RECALL_10 + i][row] = hits.positives ? hits_within(&hits, depths[i]) / (double)hits.positives : NAN;
    to->values[RECIPROCAL_RANK][row] = reciprocal_rank(&hits);
}

typedef struct Work { const PredictionInput *input; const LabelFigures *figures; } Work;

static void measure_rows(void *context, int64_t begin, int64_t end)
{
    const Work *work = context;
    const PredictionInput *in = work->input;
    double *one_hot = in->targets ? memory_array((size_t)in->classes, sizeof *one_hot) : NULL;
    for (int64_t row = begin; row < end; row++) {
        if (one_hot)
            one_hot[in->targets[row]] = 1;
        measure_row(in, row, one_hot ? one_hot : in->soft_targets + row * in->classes, work->figures);
        if (one_hot)
            one_hot[in->targets[row]] = 0;
    }
    memory_free(one_hot);
}

static void prepare(Predictions *p)
{
    if (p->label_figures)
        return;
    LabelFigures *figures = arena_zero(p->arena, 1, sizeof *figures);
    for (int f = 0; f < FIGURES; f++)
        figures->values[f] = arena_alloc(p->arena, (size_t)p->input.count * sizeof(double));
    parallel_for(p->input.count, 64, measure_rows, &(Work){&p->input, figures});
    p->label_figures = figures;
}

/* Over the rows where it is defined. */
LANES_CLONED
static void row_mean(const Predictions *p, const Lanes *row_weights, int figure, Lanes *mean)
{
    const double *values = p->label_figures->values[figure];
    Lanes sum = {0}, weight = {0};
    for (int64_t i = 0; i < p->input.count; i++)
        if (!isnan(values[i])) {
            sum += row_weights[i] * values[i];
            weight += row_weights[i];
        }
    lanes_ratio(&sum, &weight, mean);
}

static void propensity_share(const Predictions *p, const Lanes *row_weights, int figure, Lanes *share)
{
    Lanes best, reached;
    row_mean(p, row_weights, figure + BEST_1 - PROPENSITY_1, &best);
    row_mean(p, row_weights, figure, &reached);
    lanes_ratio(&reached, &best, share);
}

/* More labels than places: else the figure says nothing of the order. */
#define MEASURE(name, how, figure, k)                                                               \
    static void name(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)  \
    {                                                                                                \
        (void)scratch;                                                                               \
        how(p, row_weights, figure, values);                                                         \
    }                                                                                                \
    static bool name##_available(const Predictions *p)                                               \
    {                                                                                                \
        return p->input.classes > (k) && (p->input.propensities || how != propensity_share) &&        \
               (p->input.kind == PREDICTION_MULTI_LABEL || p->input.classes_are_items);               \
    }
MEASURE(precision_1, row_mean, PRECISION_1, 1)
MEASURE(precision_3, row_mean, PRECISION_3, 3)
MEASURE(precision_5, row_mean, PRECISION_5, 5)
MEASURE(propensity_1, propensity_share, PROPENSITY_1, 1)
MEASURE(propensity_3, propensity_share, PROPENSITY_3, 3)
MEASURE(propensity_5, propensity_share, PROPENSITY_5, 5)
MEASURE(ndcg_1, row_mean, NDCG_1, 1)
MEASURE(ndcg_3, row_mean, NDCG_3, 3)
MEASURE(ndcg_5, row_mean, NDCG_5, 5)
MEASURE(ndcg_10, row_mean, NDCG_10, 10)
MEASURE(mrr_10, row_mean, RECIPROCAL_RANK, 10)
MEASURE(recall_10, row_mean, RECALL_10, 10)
MEASURE(recall_50, row_mean, RECALL_50, 50)
MEASURE(recall_100, row_mean, RECALL_100, 100)

#define MEASURED(name)                                                                                             \
    .better = METRIC_HIGHER, .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL, .prepare = prepare,       \
    .measure = name, .available = name##_available
#define PRECISION_TEXT(k)                                                                                          \
    .title = "P@" #k, .component = {.name = "P@" #k, .summary = "share of true labels among the first " #k}
#define PROPENSITY_TEXT(k)                                                                                         \
    .title = "PSP@" #k,                                                                                            \
    .component = {.name = "PSP@" #k,                                                                               \
                  .summary = "P@" #k " with hits over their propensities, over the best: rare labels count",       \
                  .formula = "sum over rows and their first " #k " labels of y_l / p_l, over its largest value",   \
                  .notes = "Propensities p_l = 1 / (1 + C (n_l + 1.5)^-0.55), C = (log N - 1) 2.5^0.55, of the "   \
                           "counts n_l in the N training samples.",                                                \
                  .source = "Jain, Prabhu and Varma, KDD 2016"}
#define LABELS_TEXT "Rows without a true label are left out."

const MetricDef metric_precision_at_1 = {PRECISION_TEXT(1), MEASURED(precision_1)};
const MetricDef metric_precision_at_3 = {PRECISION_TEXT(3), MEASURED(precision_3)};
const MetricDef metric_precision_at_5 = {PRECISION_TEXT(5), MEASURED(precision_5)};
const MetricDef metric_propensity_scored_precision_at_1 = {PROPENSITY_TEXT(1), MEASURED(propensity_1)};
const MetricDef metric_propensity_scored_precision_at_3 = {PROPENSITY_TEXT(3), MEASURED(propensity_3)};
const MetricDef metric_propensity_scored_precision_at_5 = {PROPENSITY_TEXT(5), MEASURED(propensity_5)};

#define NDCG_TEXT(k)                                                                                               \
    .title = "Label NDCG@" #k,                                                                                     \
    .component = {.name = "nDCG@" #k,                                                                              \
                  .summary = "order of the first " #k " labels, 1 where the true ones come first",                 \
                  .formula = "mean over rows of sum_{r <= " #k "} y_r / log2(r + 1) over its largest",             \
                  .source = "Jarvelin and Kekalainen 2002", .notes = LABELS_TEXT}
#define RECALL_TEXT(k)                                                                                             \
    .title = "Recall@" #k,                                                                                         \
    .component = {.name = "R@" #k, .summary = "share of the true labels that are among the first " #k,             \
                  .notes = LABELS_TEXT}

const MetricDef metric_label_ndcg_1 = {NDCG_TEXT(1), MEASURED(ndcg_1)};
const MetricDef metric_label_ndcg_3 = {NDCG_TEXT(3), MEASURED(ndcg_3)};
const MetricDef metric_label_ndcg_5 = {NDCG_TEXT(5), MEASURED(ndcg_5)};
const MetricDef metric_label_ndcg_10 = {NDCG_TEXT(10), MEASURED(ndcg_10)};
const MetricDef metric_label_mrr_10 = {
    .title = "Mean reciprocal rank to the tenth label",
    .component = {.name = "MRR@10", .summary = "1 / place of the first true label, 0 beyond the tenth",
                  .notes = LABELS_TEXT},
    MEASURED(mrr_10)};
const MetricDef metric_label_recall_10 = {RECALL_TEXT(10), MEASURED(recall_10)};
const MetricDef metric_label_recall_50 = {RECALL_TEXT(50), MEASURED(recall_50)};
const MetricDef metric_label_recall_100 = {RECALL_TEXT(100), MEASURED(recall_100)};
