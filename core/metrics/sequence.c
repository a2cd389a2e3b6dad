/* Predicted sequences against their targets: the rows of a group are the positions of one sequence. What a sequence
   gives does not depend on the weights of its rows; it weighs as its first row does, and resamples draw whole ones. */
#include <math.h>
#include <string.h>

#include "core/metrics/metric.h"

enum { ORDERS = 4 };

typedef struct SequenceFigures {
    int64_t count;
    const int64_t *first;       /* [count + 1], rows where sequences begin */
    double (*matches)[ORDERS];  /* [count], n-grams of the prediction that the target has, at most as often as it has */
    double (*ngrams)[ORDERS];   /* [count], n-grams of the prediction */
    double *exact;              /* [count], 1: every token is right */
    double *edits;              /* [count], Levenshtein distance over the length */
} SequenceFigures;

static bool same_tokens(const int64_t *a, const int64_t *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

/* Every n-gram of the target is used up by one of the prediction. */
static double matching_ngrams(const int64_t *predicted, const int64_t *target, int64_t length, int64_t n,
                              unsigned char *used)
{
    double matches = 0;
    memset(used, 0, (size_t)length);
    for (int64_t i = 0; i + n <= length; i++)
        for (int64_t j = 0; j + n <= length; j++)
            if (!used[j] && same_tokens(predicted + i, target + j, n)) {
                used[j] = 1;
                matches++;
                break;
            }
    return matches;
}

/* Wagner and Fischer 1974, with one row of the table. */
static double edit_distance(const int64_t *predicted, const int64_t *target, int64_t length, int64_t *row)
{
    for (int64_t j = 0; j <= length; j++)
        row[j] = j;
    for (int64_t i = 0; i < length; i++) {
        int64_t diagonal = row[0];
        row[0] = i + 1;
        for (int64_t j = 0; j < length; j++) {
            int64_t replaced = diagonal + (predicted[i] != target[j]), above = row[j + 1];
            int64_t least = (above < row[j] ? above : row[j]) + 1;
            row[j + 1] = replaced < least ? replaced : least;
            diagonal = above;
        }
    }
    return (double)row[length];
}

static void measure_sequence(const Predictions *p, int64_t first, int64_t length, int64_t sequence,
                             SequenceFigures *to, Arena *scratch)
{
    const int64_t *predicted = p->predicted + first, *target = p->targets + first;
    unsigned char *used = arena_alloc(scratch, (size_t)length);
    for (int64_t n = 1; n <= ORDERS; n++) {
        to->matches[sequence][n - 1] = matching_ngrams(predicted, target, length, n, used);
        to->ngrams[sequence][n - 1] = (double)(length >= n ? length - n + 1 : 0);
    }
    to->exact[sequence] = same_tokens(predicted, target, length);
    int64_t *row = arena_alloc(scratch, (size_t)(length + 1) * sizeof *row);
    to->edits[sequence] = edit_distance(predicted, target, length, row) / (double)length;
}

static void prepare(Predictions *p)
{
    const PredictionInput *in = &p->input;
    if (p->sequence_figures)
        return;
    SequenceFigures *figures = arena_zero(p->arena, 1, sizeof *figures);
    int64_t *first = arena_alloc(p->arena, (size_t)(in->count + 1) * sizeof *first);
    for (int64_t i = 0; i < in->count; i++)
        if (i == 0 || in->groups[i] != in->groups[i - 1])
            first[figures->count++] = i;
    first[figures->count] = in->count;
    figures->first = first;
    size_t count = (size_t)figures->count;
    figures->matches = arena_alloc(p->arena, count * sizeof *figures->matches + 1);
    figures->ngrams = arena_alloc(p->arena, count * sizeof *figures->ngrams + 1);
    figures->exact = arena_alloc(p->arena, count * sizeof(double) + 1);
    figures->edits = arena_alloc(p->arena, count * sizeof(double) + 1);
    Arena *scratch = arena_new();
    for (int64_t s = 0; s < figures->count; s++) {
        measure_sequence(p, first[s], first[s + 1] - first[s], s, figures, scratch);
        arena_reset(scratch);
    }
    arena_free(scratch);
    p->sequence_figures = figures;
}

static bool has_sequences(const Predictions *p)
{
    return p->input.groups != NULL;
}

static void sequence_mean(const SequenceFigures *figures, const double *values, const Lanes *row_weights, Lanes *mean)
{
    Lanes sum = {0}, weight = {0};
    for (int64_t s = 0; s < figures->count; s++) {
        sum += row_weights[figures->first[s]] * values[s];
        weight += row_weights[figures->first[s]];
    }
    lanes_ratio(&sum, &weight, mean);
}

/* Prediction and target are equally long, so that there is no brevity to punish. */
static void bleu(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    const SequenceFigures *figures = p->sequence_figures;
    Lanes matches[ORDERS] = {{0}}, ngrams[ORDERS] = {{0}}, sum = {0};
    for (int64_t s = 0; s < figures->count; s++)
        for (int n = 0; n < ORDERS; n++) {
            matches[n] += row_weights[figures->first[s]] * figures->matches[s][n];
            ngrams[n] += row_weights[figures->first[s]] * figures->ngrams[s][n];
        }
    for (int n = 0; n < ORDERS; n++)
        for (int l = 0; l < LANES; l++)
            sum[l] += log(matches[n][l] / ngrams[n][l]); /* NAN where there is no n-gram */
    for (int l = 0; l < LANES; l++)
        (*values)[l] = exp(sum[l] / ORDERS);
}

static void exact_match(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    sequence_mean(p->sequence_figures, p->sequence_figures->exact, row_weights, values);
}

static void edits(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    sequence_mean(p->sequence_figures, p->sequence_figures->edits, row_weights, values);
}

const MetricDef metric_bleu = {
    .component = {.name = "bleu", .summary = "shared n-grams of predicted and target sequences, n to 4, of the corpus",
                  .formula = "(p_1 p_2 p_3 p_4)^(1/4), p_n = matching n-grams / n-grams of all predictions",
                  .source = "Papineni et al. 2002",
                  .notes = "Predictions are the likeliest tokens; an n-gram matches at most as often as its sequence's "
                           "target has it. Not smoothed: 0 where an n has no match, undefined where no sequence has "
                           "4 tokens. From 0 to 1. Prediction and target are equally long, so there is no penalty "
                           "of brevity."},
    .title = "BLEU-4", .better = METRIC_HIGHER, .kinds = PREDICTION_TOKENS,
    .prepare = prepare, .measure = bleu, .available = has_sequences,
};

const MetricDef metric_exact_match = {
    .component = {.name = "exact_match", .summary = "share of sequences whose every token is the target's",
                  .formula = "mean over sequences of [all tokens are right]"},
    .title = "Exact match", .better = METRIC_HIGHER, .kinds = PREDICTION_TOKENS,
    .prepare = prepare, .measure = exact_match, .available = has_sequences,
};

const MetricDef metric_edit_distance = {
    .component = {.name = "edit_distance", .summary = "tokens to insert, remove or replace, over the length",
                  .formula = "mean over sequences of Levenshtein(prediction, target) / length",
                  .source = "Wagner and Fischer 1974"},
    .title = "Edit distance", .better = METRIC_LOWER, .kinds = PREDICTION_TOKENS,
    .prepare = prepare, .measure = edits, .available = has_sequences,
};
