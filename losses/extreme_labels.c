/* Softmax losses of scores [B, L] of very many labels of which few are positive: Gupta et al. 2024 (DEXML). */
#include <math.h>

#include "losses/labels.h"
#include "losses/rows.h"

struct decoupled_softmax { bool sample_positives; };

static const Param decoupled_params[] = {
    PARAM_BOOL(struct decoupled_softmax, sample_positives, false, .help = LABELS_SAMPLE_HELP ". One a row"),
    PARAM_END
};

/* [B, L] I32: 1 at positives. */
static Tensor *positive_mask(const LossInput *in)
{
    return t_less(t_scalar(in->targets->type, 0), in->targets);
}

static const int64_t *one_each(const LossInput *in)
{
    int64_t *ones = arena_alloc(tape_arena(), (size_t)in->logits->shape[0] * sizeof *ones);
    for (int64_t row = 0; row < in->logits->shape[0]; row++)
        ones[row] = 1;
    return ones;
}

/* softplus(A - s_p), A over the negatives; a row without negatives costs nothing. */
static Tensor *decoupled(const void *values, const LossInput *in)
{
    Tensor *nothing = t_scalar(in->logits->type, -INFINITY), *z = loss_centered(in->logits);
    Tensor *others = t_log_sum_exp(t_where(positive_mask(in), nothing, z), -1, true);
    const bool sampled = ((const struct decoupled_softmax *)values)->sample_positives;
    const bool *used = labels_used(in, sampled ? one_each(in) : NULL);
    return labels_mean(used, t_softplus(t_sub(others, z)));
}

static Tensor *softmax_multi(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *positive = t_cast(positive_mask(in), in->logits->type);
    return t_neg(t_sum(t_mul(positive, t_log_softmax(in->logits)), -1, false));
}

/* Positives are counted whatever their value. */
ROW float softmax_multi_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t columns = row->columns;
    const float *t = row->targets;
    float *positive = row->scratch;
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        positive[k] = t[k] > 0 ? 1 : 0;
    return row_cross_entropy(row, positive, gradient);
}

LOSS_ROWS(softmax_multi, .scratch = 1)

static bool takes_all_positives(const void *values, const LossInput *in)
{
    (void)in;
    return !((const struct decoupled_softmax *)values)->sample_positives;
}

/* With u_l = sigmoid(A - s_l) / P of the P positives and A the log-sum-exp of the negatives: -u_l at a positive, the
   sum of the u_l times softmax of the negatives at a negative. */
ROW float decoupled_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t columns = row->columns;
    const float *z = row->logits, *t = row->targets;
    float rival = -INFINITY;
    ROW_MAX(rival)
    for (int64_t k = 0; k < columns; k++) {
        const float x = t[k] > 0 ? -INFINITY : z[k];
        rival = x > rival ? x : rival;
    }
    const bool alone = rival == -INFINITY;
    rival = alone ? 0 : rival;
    double negatives = 0, positives = 0;
    ROW_SUM(negatives, positives)
    for (int64_t k = 0; k < columns; k++) {
        const float e = float_exp(z[k] - rival);
        negatives += (double)(t[k] > 0 ? 0 : e);
        positives += (double)(t[k] > 0 ? 1.0F : 0.0F);
    }
    const float log_sum = alone ? -INFINITY : (float)log(negatives), share = (float)(1 / positives);
    double value = 0, pushed = 0;
    ROW_SUM(value, pushed)
    for (int64_t k = 0; k < columns; k++) {
        const float gap = alone ? -200 : (rival - z[k]) + log_sum, u = float_sigmoid(gap);
        const float cost = (gap > 0 ? gap : 0) + float_softplus_tail(gap);
        value += (double)(t[k] > 0 ? cost : 0);
        pushed += (double)(t[k] > 0 ? u : 0);
    }
    const float factor = share * (float)pushed;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float gap = alone ? -200 : (rival - z[k]) + log_sum, u = float_sigmoid(gap);
        const float p = alone ? 0 : float_exp(-gap);
        gradient[k] = t[k] > 0 ? -share * u : factor * p;
    }
    return (float)(value / positives);
}

LOSS_ROWS(decoupled, .takes = takes_all_positives)

static const char *const decoupled_examples[] = {
    "\"decoupled_softmax\"", "{\"type\": \"decoupled_softmax\", \"sample_positives\": true}", NULL};
const LossDef loss_decoupled_softmax = {
    .component = {.name = "decoupled_softmax", .summary = "softmax of each positive label against the negatives only",
                  .params = decoupled_params, .size = sizeof(struct decoupled_softmax), .source = "arXiv:2310.10636",
                  .formula = "mean over positives p of log(e^{s_p} + sum_n e^{s_n}) - s_p, n negatives",
                  .notes = LABELS_NOTES},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = decoupled,
    .rows = &rows_decoupled, .any_labels = true,
    .positives = true, .check = labels_check, .examples = decoupled_examples, .sample = labels_sample,
    .sample_columns = 7,
};

const LossDef loss_softmax_multi = {
    .component = {.name = "softmax_multi", .summary = "softmax of each positive label against all labels, summed",
                  .source = "arXiv:2310.10636", .formula = "sum over positives p of log sum_l e^{s_l} - s_p",
                  .notes = LABELS_NOTES},
    .targets = LOSS_LABELS, .properties = LOSS_TRANSLATION_INVARIANT, .forward = softmax_multi,
    .rows = &rows_softmax_multi, .any_labels = true, .positives = true,
    .check = labels_check, .sample = labels_sample, .sample_columns = 7,
};
