/* Cross-entropy with its mirror image, -sum_k p_k log t_k, in which log 0 is a constant. Wang et al. 2019; between a
   student and its teacher Doebler, Marsden and Yang 2023. */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

struct symmetric_ce { double log_zero; Weight alpha, beta; };

static const Param params[] = {
    PARAM_WEIGHT(struct symmetric_ce, alpha, 1, .min = 0, .help = "factor of the cross-entropy"),
    PARAM_WEIGHT(struct symmetric_ce, beta, 1, .min = 0, .help = "factor of the reverse cross-entropy"),
    PARAM_FLOAT(struct symmetric_ce, log_zero, -4, .max = 0,
                .help = "what stands for log 0; a smaller log t is raised to it"),
    PARAM_END
};

/* Of hard targets: -log_zero (1 - p_y). */
static Tensor *reverse(const struct symmetric_ce *self, const LossInput *in, Tensor *cross_entropy)
{
    if (!loss_targets_are_soft(in))
        return t_scale(loss_one_minus(cross_entropy), -self->log_zero);
    Tensor *log_t = t_like(in->targets);
    for (int64_t i = 0; i < log_t->count; i++)
        tensor_set(log_t, i, fmax(log(tensor_value(in->targets, i)), self->log_zero));
    return t_neg(t_sum(t_mul(t_softmax(in->logits), log_t), -1, false));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct symmetric_ce *self = values;
    LossInput held = *in;
    if (loss_targets_are_soft(in))
        held.targets = t_detach(in->targets); /* a teacher's: neither part moves it */
    Tensor *cross_entropy = loss_cross_entropy_of(&held, held.logits);
    return t_add(t_scale(cross_entropy, weight_at(&self->alpha, &held.at)),
                 t_scale(reverse(self, &held, cross_entropy), weight_at(&self->beta, &held.at)));
}

/* Of soft targets (of hard ones `forward` is a function of -log p_y): alpha (sum t p - t) - beta p_k (l_k - sum p l)
   with l = log t held. */
ROW float symmetric_ce_row(const void *values, const LossRow *row, float *gradient)
{
    const struct symmetric_ce *self = values;
    const float alpha = (float)weight_at(&self->alpha, &row->in->at);
    const float beta = (float)weight_at(&self->beta, &row->in->at);
    const float zero = (float)self->log_zero, *z = row->logits, *t = row->targets;
    const int64_t columns = row->columns;
    const RowSum all = row_log_sum_exp(row);
    double forward = 0, reverse = 0, total = 0;
    ROW_SUM(forward, reverse, total)
    for (int64_t k = 0; k < columns; k++) {
        const float log_p = (z[k] - all.largest) - all.log_sum, log_t = float_log(t[k]);
        const float held = log_t > zero ? log_t : zero;
        forward -= (double)(t[k] * log_p);
        reverse -= (double)(float_exp(log_p) * held);
        total += (double)t[k];
    }
    const float mean = -(float)reverse, sum = (float)total;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float p = float_exp((z[k] - all.largest) - all.log_sum), log_t = float_log(t[k]);
        const float held = log_t > zero ? log_t : zero;
        gradient[k] = alpha * (sum * p - t[k]) - beta * p * (held - mean);
    }
    return (float)((double)alpha * forward + (double)beta * reverse);
}

LOSS_ROWS(symmetric_ce, .takes = loss_has_soft_targets)

static const char *const examples[] = {
    "\"symmetric_ce\"", "{\"type\": \"symmetric_ce\", \"alpha\": 0.1, \"beta\": 2, \"log_zero\": -6}", NULL};

const LossDef loss_symmetric_ce = {
    .component = {.name = "symmetric_ce", .summary = "cross-entropy and reverse cross-entropy, robust to label noise",
                  .params = params, .size = sizeof(struct symmetric_ce), .source = "arXiv:1908.06112",
                  .formula = "alpha (-sum t log p) + beta (-sum p log t), log 0 := log_zero",
                  .notes = "Soft targets have no gradient. With a teacher's probabilities, alpha and beta 0.5 and a "
                           "log_zero that no log t is below, such as -100, it is the consistency loss of RMT "
                           "(arXiv:2211.13081)."},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward,
    .rows = &rows_symmetric_ce, .examples = examples,
};
