/* Sorting once what the resamples of a bootstrap walk through a thousand times. */
#include <assert.h>
#include <stdlib.h>

#include "core/base/threads.h"
#include "core/metrics/predictions.h"

typedef struct Ranked {
    double value;
    int32_t row;
} Ranked;

/* Ascending, equal ones in the order of the input. */
static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

void predictions_sort_by_confidence(Predictions *p)
{
    int64_t n = p->input.count;
    if (p->by_confidence.rows)
        return;
    assert(p->confidence);
    Ranked *ranked = memory_array((size_t)n, sizeof *ranked);
    for (int64_t i = 0; i < n; i++)
        ranked[i] = (Ranked){p->confidence[i], (int32_t)i};
    qsort(ranked, (size_t)n, sizeof *ranked, compare_ranked);
    int32_t *rows = arena_zero(p->arena, (size_t)n, sizeof *rows);
    double *gap = arena_zero(p->arena, (size_t)n, sizeof *gap);
    unsigned char *wrong = arena_zero(p->arena, (size_t)n, 1), *last = arena_zero(p->arena, (size_t)n, 1);
    for (int64_t j = 0; j < n; j++) {
        rows[j] = ranked[j].row;
        gap[j] = ranked[j].value - p->correct[rows[j]];
        wrong[j] = p->correct[rows[j]] == 0;
        last[j] = j + 1 == n || ranked[j + 1].value != ranked[j].value;
    }
    memory_free(ranked);
    p->by_confidence = (ConfidenceOrder){rows, gap, wrong, last};
}

typedef struct Sorting {
    const Predictions *predictions;
    ClassOrder *orders;
    int32_t *rows;                      /* [classes, count] */
    ClassGroup *const *groups;          /* room for each class */
} Sorting;

/* Appends the rows of equal probability [begin, end): the negatives, then the positives. */
static int32_t *append_group(const Sorting *s, int64_t k, const Ranked *begin, const Ranked *end, int32_t *rows,
                             ClassGroup *groups, int64_t *count)
{
    const Predictions *p = s->predictions;
    ClassGroup added = {0, 0};
    for (const Ranked *at = begin; at < end; at++)
        if (!prediction_is_target(p, at->row, k)) {
            *rows++ = at->row;
            added.negatives++;
        }
    for (const Ranked *at = begin; at < end; at++)
        if (prediction_is_target(p, at->row, k)) {
            *rows++ = at->row;
            added.positives++;
        }
    if (added.positives == 0 && *count > 0 && groups[*count - 1].positives == 0)
        groups[*count - 1].negatives += added.negatives;
    else
        groups[(*count)++] = added;
    return rows;
}

static void sort_class(const Sorting *s, int64_t k, Ranked *ranked)
{
    const Predictions *p = s->predictions;
    int64_t n = p->input.count, count = 0;
    for (int64_t i = 0; i < n; i++)
        ranked[i] = (Ranked){p->probabilities[i * p->input.classes + k], (int32_t)i};
    qsort(ranked, (size_t)n, sizeof *ranked, compare_ranked);
    int32_t *rows = s->rows + k * n;
    for (int64_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && ranked[end].value == ranked[begin].value; end++)
            continue;
        rows = append_group(s, k, ranked + begin, ranked + end, rows, s->groups[k], &count);
    }
    s->orders[k] = (ClassOrder){s->rows + k * n, s->groups[k], count};
}

static void sort_classes(void *context, int64_t begin, int64_t end)
{
    const Sorting *s = context;
    Ranked *ranked = memory_array((size_t)s->predictions->input.count, sizeof *ranked);
    for (int64_t k = begin; k < end; k++)
        sort_class(s, k, ranked);
    memory_free(ranked);
}

void predictions_sort_by_class(Predictions *p)
{
    int64_t n = p->input.count, classes = p->input.classes;
    if (p->by_class)
        return;
    assert(p->probabilities);
    ClassGroup **groups = memory_array((size_t)classes, sizeof *groups);
    for (int64_t k = 0; k < classes; k++) {
        int64_t positives = 0;
        for (int64_t i = 0; i < n; i++)
            positives += prediction_is_target(p, i, k);
        /* Negatives before, between and after. */
        groups[k] = arena_zero(p->arena, (size_t)positives * 2 + 1, sizeof **groups);
    }
    Sorting s = {p, arena_zero(p->arena, (size_t)classes, sizeof(ClassOrder)),
                 arena_zero(p->arena, (size_t)(classes * n), sizeof(int32_t)), groups};
    parallel_for(classes, 1, sort_classes, &s);
    p->by_class = s.orders;
    memory_free(groups);
}

void predictions_bin_classes(Predictions *p)
{
    size_t cells = (size_t)(p->input.count * p->input.classes);
    if (p->class_bins)
        return;
    unsigned char *bins = arena_alloc(p->arena, cells);
    for (size_t at = 0; at < cells; at++)
        bins[at] = (unsigned char)calibration_bin(p->probabilities[at]);
    p->class_bins = bins;
}
