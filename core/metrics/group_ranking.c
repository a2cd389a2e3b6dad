/* How well scores order the members of groups by what they are worth (profit, relevance). What a group gives does not
   depend on the weights of its rows; the group weighs as its first row does, and resamples draw whole groups. */
#include <math.h>
#include <stdlib.h>

#include "core/metrics/metric.h"

enum { NDCG_1, NDCG_3, NDCG_5, NDCG_10, RECIPROCAL_RANK, CAPTURED_1, CAPTURED_5, BEST_1, BEST_5, LOSS_1, FIGURES };

/* Of each group; NAN where one is undefined. */
typedef struct GroupFigures {
    int64_t count;
    const int64_t *first;           /* [count], its first row */
    double *values[FIGURES];        /* [count] each */
} GroupFigures;

static bool available(const Predictions *p)
{
    const PredictionInput *in = &p->input;
    bool worth = in->profits || in->kind & (PREDICTION_RANKING | PREDICTION_REGRESSION);
    return in->groups && worth && in->classes == (in->kind == PREDICTION_CLASSIFICATION ? 2 : 1);
}

typedef struct Member { double score, worth; } Member;

static int by_score(const void *a, const void *b)
{
    const Member *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

static int by_worth(const void *a, const void *b)
{
    const Member *x = a, *y = b;
    return (x->worth < y->worth) - (x->worth > y->worth);
}

/* Members that tie share what their places give. */
static void share_between_ties(const Member *sorted, int64_t count, double *at_place)
{
    for (int64_t begin = 0, end; begin < count; begin = end) {
        double sum = 0;
        for (end = begin; end < count && sorted[end].score == sorted[begin].score; end++)
            sum += at_place[end];
        for (int64_t i = begin; i < end; i++)
            at_place[i] = sum / (double)(end - begin);
    }
}

/* sum over the first k places of max(worth, 0) / log2(place + 1); `sorted` by score, `best` by worth. */
static double ndcg(const Member *sorted, const Member *best, int64_t count, int64_t k, double *at_place)
{
    double gained = 0, ideal = 0;
    for (int64_t i = 0; i < count; i++)
        at_place[i] = i < k ? 1 / log2((double)i + 2) : 0;
    for (int64_t i = 0; i < count; i++)
        ideal += at_place[i] * fmax(best[i].worth, 0);
    share_between_ties(sorted, count, at_place);
    for (int64_t i = 0; i < count; i++)
        gained += at_place[i] * fmax(sorted[i].worth, 0);
    return ideal > 0 ? gained / ideal : NAN;
}

/* 1 over the place of the member that is worth most; of several such, of the first; ties have their mean place. */
static double reciprocal_rank(const Member *sorted, const Member *best, int64_t count)
{
    for (int64_t begin = 0, end; begin < count; begin = end) {
        bool found = false;
        for (end = begin; end < count && sorted[end].score == sorted[begin].score; end++)
            found |= sorted[end].worth == best[0].worth;
        if (found)
            return 1 / ((double)(begin + end + 1) / 2);
    }
    return NAN;
}

static int64_t flagged_of(int64_t count, double share)
{
    return (int64_t)ceil(share * (double)count - 1e-9);
}

/* Worth of the flagged members, those of the highest scores. */
static double captured(const Member *sorted, int64_t count, double share, double *at_place)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        at_place[i] = i < flagged_of(count, share);
    share_between_ties(sorted, count, at_place);
    for (int64_t i = 0; i < count; i++)
        sum += at_place[i] * sorted[i].worth;
    return sum;
}

static double worth_of_best(const Member *best, int64_t count, double share)
{
    double sum = 0;
    for (int64_t i = 0; i < flagged_of(count, share); i++)
        sum += best[i].worth;
    return sum;
}

/* |worth| of the members that are flagged and should not be, or the reverse; ties by their chance. */
static double misjudged(const Member *sorted, const Member *best, int64_t count, double share, double *at_place)
{
    int64_t flagged = flagged_of(count, share), above = 0, level = 0;
    double least = best[flagged - 1].worth, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        at_place[i] = i < flagged;
        above += best[i].worth > least;
        level += best[i].worth == least;
    }
    share_between_ties(sorted, count, at_place);
    for (int64_t i = 0; i < count; i++) {
        double worth = sorted[i].worth,
               due = worth > least ? 1 : worth == least ? (double)(flagged - above) / (double)level : 0;
        sum += fabs(at_place[i] - due) * fabs(worth);
    }
    return sum;
}

static void measure_group(const Predictions *p, int64_t first, int64_t count, int64_t group, GroupFigures *to,
                          Arena *scratch)
{
    const PredictionInput *in = &p->input;
    Member *sorted = arena_alloc(scratch, (size_t)count * sizeof *sorted),
           *best = arena_alloc(scratch, (size_t)count * sizeof *best);
    double *at_place = arena_alloc(scratch, (size_t)count * sizeof *at_place);
    for (int64_t i = 0; i < count; i++) {
        const double *z = in->logits + (first + i) * in->classes;
        sorted[i] = (Member){in->classes == 2 ? z[1] - z[0] : z[0],
                             in->profits ? in->profits[first + i] : in->soft_targets[first + i]};
        best[i] = sorted[i];
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_score);
    qsort(best, (size_t)count, sizeof *best, by_worth);
    static const int64_t places[] = {1, 3, 5, 10};
    for (int i = 0; i < 4; i++)
        to->values[NDCG_1 + i][group] = ndcg(sorted, best, count, places[i], at_place);
    to->values[RECIPROCAL_RANK][group] = reciprocal_rank(sorted, best, count);
    static const double shares[] = {0.01, 0.05};
    for (int i = 0; i < 2; i++) {
        to->values[CAPTURED_1 + i][group] = captured(sorted, count, shares[i], at_place);
        to->values[BEST_1 + i][group] = worth_of_best(best, count, shares[i]);
    }
    to->values[LOSS_1][group] = misjudged(sorted, best, count, 0.01, at_place);
}

static void prepare(Predictions *p)
{
    const PredictionInput *in = &p->input;
    if (p->group_figures)
        return;
    GroupFigures *figures = arena_zero(p->arena, 1, sizeof *figures);
    int64_t *first = arena_alloc(p->arena, (size_t)in->count * sizeof *first);
    for (int64_t i = 0; i < in->count; i++)
        if (i == 0 || in->groups[i] != in->groups[i - 1])
            first[figures->count++] = i;
    figures->first = first;
    for (int f = 0; f < FIGURES; f++)
        figures->values[f] = arena_alloc(p->arena, (size_t)figures->count * sizeof(double));
    Arena *scratch = arena_new();
    for (int64_t g = 0; g < figures->count; g++) {
        int64_t end = g + 1 < figures->count ? first[g + 1] : in->count;
        measure_group(p, first[g], end - first[g], g, figures, scratch);
        arena_reset(scratch);
    }
    arena_free(scratch);
    p->group_figures = figures;
}

/* Over the groups where it is defined. */
LANES_CLONED
static void group_mean(const Predictions *p, const Lanes *row_weights, int figure, Lanes *mean)
{
    const GroupFigures *figures = p->group_figures;
    Lanes sum = {0}, weight = {0};
    for (int64_t g = 0; g < figures->count; g++) {
        double value = figures->values[figure][g];
        if (isnan(value))
            continue;
        sum += row_weights[figures->first[g]] * value;
        weight += row_weights[figures->first[g]];
    }
    lanes_ratio(&sum, &weight, mean);
}

static void captured_share(const Predictions *p, const Lanes *row_weights, int figure, Lanes *share)
{
    Lanes best, captured;
    group_mean(p, row_weights, figure + BEST_1 - CAPTURED_1, &best);
    group_mean(p, row_weights, figure, &captured);
    lanes_ratio(&captured, &best, share);
}

#define MEASURE(name, how, figure)                                                                  \
    static void name(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)  \
    {                                                                                                \
        (void)scratch;                                                                               \
        how(p, row_weights, figure, values);                                                         \
    }
MEASURE(ndcg_1, group_mean, NDCG_1)
MEASURE(ndcg_3, group_mean, NDCG_3)
MEASURE(ndcg_5, group_mean, NDCG_5)
MEASURE(ndcg_10, group_mean, NDCG_10)
MEASURE(mrr, group_mean, RECIPROCAL_RANK)
MEASURE(captured_1, captured_share, CAPTURED_1)
MEASURE(captured_5, captured_share, CAPTURED_5)
MEASURE(financial_loss, group_mean, LOSS_1)

#define KINDS \
    PREDICTION_RANKING | PREDICTION_REGRESSION | PREDICTION_MULTI_LABEL | PREDICTION_CLASSIFICATION
#define MEASURED(name) \
    .better = METRIC_HIGHER, .kinds = KINDS, .prepare = prepare, .measure = name, .available = available
#define WORTH "Worth is the data's extra \"profit\", or the target where there is none; for data with groups and one " \
              "score a row. Members with equal scores share their places. A group weighs as its first row."
#define NDCG_TEXT(k)                                                                                               \
    .title = "NDCG@" #k,                                                                                           \
    .component = {.name = "ndcg@" #k, .summary = "order of the first " #k " of each group, 1 at best",             \
                  .formula = "mean over groups of sum_{r <= " #k "} g_r / log2(r + 1) over its largest, "          \
                             "g = max(worth, 0)",                                                                  \
                  .source = "Jarvelin and Kekalainen 2002",                                                        \
                  .notes = WORTH " Groups in which nothing is worth more than 0 are left out."}

const MetricDef metric_ndcg_1 = {NDCG_TEXT(1), MEASURED(ndcg_1)};
const MetricDef metric_ndcg_3 = {NDCG_TEXT(3), MEASURED(ndcg_3)};
const MetricDef metric_ndcg_5 = {NDCG_TEXT(5), MEASURED(ndcg_5)};
const MetricDef metric_ndcg_10 = {NDCG_TEXT(10), MEASURED(ndcg_10)};

const MetricDef metric_mrr = {
    .component = {.name = "mrr", .summary = "mean over groups of 1 / place of the member that is worth most",
                  .notes = WORTH},
    .title = "Mean reciprocal rank", MEASURED(mrr),
};

#define CAPTURED_TEXT(share)                                                                                       \
    .title = "Captured profit, top " share,                                                                        \
    .component = {.name = "captured_pnl@" share,                                                                   \
                  .summary = "profit of the " share " of each group with the highest scores, over the best's",     \
                  .formula = "sum of worth of the ceil(share n) first by score / of the first by worth",           \
                  .source = "arXiv:2509.16616", .notes = WORTH}

const MetricDef metric_captured_pnl_1 = {CAPTURED_TEXT("1%"), MEASURED(captured_1)};
const MetricDef metric_captured_pnl_5 = {CAPTURED_TEXT("5%"), MEASURED(captured_5)};

const MetricDef metric_financial_loss = {
    .component = {.name = "financial_loss",
                  .summary = "profits and losses of the members of a group that flagging the top 1% by score misjudges",
                  .formula = "mean over groups of sum |worth| over those flagged by score or by worth, but not by both",
                  .source = "arXiv:2509.16616", .notes = WORTH},
    .title = "Financial loss", .better = METRIC_LOWER,
    .kinds = KINDS, .prepare = prepare, .measure = financial_loss, .available = available,
};
