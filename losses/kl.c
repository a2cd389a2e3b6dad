/* Kullback-Leibler divergence of the prediction from the target distribution. */
#include "losses/rows.h"
#include "losses/shared.h"

struct kl { bool detach; };

static const Param params[] = {
    PARAM_BOOL(struct kl, detach, true, .help = "no gradient to the targets"),
    PARAM_END
};

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct kl *self = values;
    Tensor *t = loss_soft_targets(in);
    if (self->detach)
        t = t_detach(t);
    return t_sum(t_sub(t_xlogx(t), t_mul(t, t_log_softmax(in->logits))), -1, false);
}

ROW float kl_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t columns = row->columns;
    const float *t = row->targets;
    double entropy = 0;
    ROW_SUM(entropy)
    for (int64_t k = 0; k < columns; k++) {
        const float log_t = float_log(t[k] > 0 ? t[k] : 1);
        entropy -= (double)(t[k] * log_t);
    }
    return row_cross_entropy(row, t, gradient) - (float)entropy;
}

LOSS_ROWS(kl, .takes = loss_has_soft_targets)

const LossDef loss_kl = {
    .component = {.name = "kl", .summary = "Kullback-Leibler divergence from the target distribution", .params = params,
                  .size = sizeof(struct kl), .source = "Kullback and Leibler 1951",
                  .formula = "sum_k t_k (log t_k - log softmax(z)_k), 0 log 0 = 0"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_PROPER, .forward = forward,
    .rows = &rows_kl,
};
