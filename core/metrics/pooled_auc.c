/* Retrieval across queries: is a true label's score above a wrong one's, whichever rows they stand in? The protocol of
   Sheikholeslami et al. 2025: of each row the wrong labels of highest score alone count, and all rows are pooled. */
#include <math.h>
#include <stdlib.h>

#include "core/metrics/metric.h"

typedef struct Entry { double score; int32_t row; bool positive; } Entry;

/* All scores that count, ascending. */
typedef struct PooledScores { int64_t count; Entry *entries; } PooledScores;

static int compare(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The `k` largest wrong scores of a row and all true ones, into room for classes + 1; how many. */
static int64_t take_row(const Predictions *p, int64_t row, int64_t k, Entry *out)
{
    int64_t classes = p->input.classes, wrong = 0, count = 0;
    const double *scores = p->input.logits + row * classes;
    for (int64_t c = 0; c < classes; c++)
        if (!prediction_is_target(p, row, c))
            out[wrong++] = (Entry){scores[c], (int32_t)row, false};
    qsort(out, (size_t)wrong, sizeof *out, compare);
    for (int64_t i = wrong > k ? wrong - k : 0; i < wrong; i++)
        out[count++] = out[i];
    for (int64_t c = 0; c < classes; c++)
        if (prediction_is_target(p, row, c))
            out[count++] = (Entry){scores[c], (int32_t)row, true};
    return count;
}

static const PooledScores *pool(Predictions *p, int64_t k)
{
    PooledScores *pooled = arena_zero(p->arena, 1, sizeof *pooled);
    int64_t classes = p->input.classes, room = 0;
    Entry *row = memory_array((size_t)classes, sizeof *row);
    for (int64_t i = 0; i < p->input.count; i++) {
        int64_t taken = take_row(p, i, k, row);
        if (pooled->count + taken > room) {
            int64_t larger = 2 * room + taken;
            pooled->entries = memory_grow(pooled->entries, (size_t)room * sizeof *row, (size_t)larger * sizeof *row);
            room = larger;
        }
        for (int64_t j = 0; j < taken; j++)
            pooled->entries[pooled->count++] = row[j];
    }
    memory_free(row);
    Entry *kept = arena_alloc(p->arena, (size_t)pooled->count * sizeof *kept);
    for (int64_t j = 0; j < pooled->count; j++)
        kept[j] = pooled->entries[j];
    memory_free(pooled->entries);
    pooled->entries = kept;
    qsort(kept, (size_t)pooled->count, sizeof *kept, compare);
    return pooled;
}

/* Pairs of a true and a wrong score, each by the weights of both rows; ties count one half. */
LANES_CLONED
static void area(const PooledScores *pooled, const Lanes *row_weights, Lanes *values)
{
    Lanes above = {0}, negatives = {0}, positives = {0};
    for (int64_t i = 0; i < pooled->count;) {
        Lanes equal[2] = {{0}};
        int64_t end = i;
        for (; end < pooled->count && pooled->entries[end].score == pooled->entries[i].score; end++)
            equal[pooled->entries[end].positive] += row_weights[pooled->entries[end].row];
        above += equal[1] * (negatives + equal[0] / 2);
        negatives += equal[0];
        positives += equal[1];
        i = end;
    }
    const Lanes pairs = positives * negatives;
    lanes_ratio(&above, &pairs, values);
}

static void prepare_50(Predictions *p)
{
    if (!p->pooled[0])
        p->pooled[0] = pool(p, 50);
}

static void prepare_500(Predictions *p)
{
    if (!p->pooled[1])
        p->pooled[1] = pool(p, 500);
}

static void auc_50(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    area(p->pooled[0], row_weights, values);
}

static void auc_500(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    area(p->pooled[1], row_weights, values);
}

static bool available_50(const Predictions *p)
{
    return p->input.classes > 50 && (p->input.kind == PREDICTION_MULTI_LABEL || p->input.classes_are_items);
}

static bool available_500(const Predictions *p)
{
    return p->input.classes > 500 && (p->input.kind == PREDICTION_MULTI_LABEL || p->input.classes_are_items);
}

#define TEXT(k)                                                                                                        \
    .title = "AUC of pooled scores, " #k " wrong labels a row",                                                        \
    .component = {.name = "AUC@" #k,                                                                                   \
                  .summary = "area under the ROC curve of all rows' scores together, the " #k                          \
                             " best wrong ones of each",                                                               \
                  .formula = "P(s of a true label > s of a wrong one) + P(equal) / 2, of any two rows",                \
                  .notes = "Scores are the model's outputs as they are, and must mean the same in every row.",         \
                  .source = "arXiv:2510.00137"}

const MetricDef metric_pooled_auc_50 = {
    TEXT(50), .better = METRIC_HIGHER, .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .prepare = prepare_50, .measure = auc_50, .available = available_50,
};
const MetricDef metric_pooled_auc_500 = {
    TEXT(500), .better = METRIC_HIGHER, .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL,
    .prepare = prepare_500, .measure = auc_500, .available = available_500,
};
