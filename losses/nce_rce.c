/* Normalized and reverse cross-entropy, an active and a passive loss. Ma et al. 2020. */
#include "losses/shared.h"

struct nce_rce { double log_zero; Weight alpha, beta; };

static const Param params[] = {
    PARAM_WEIGHT(struct nce_rce, alpha, 1, .min = 0, .help = "factor of the normalized cross-entropy"),
    PARAM_WEIGHT(struct nce_rce, beta, 1, .min = 0, .help = "factor of the reverse cross-entropy"),
    PARAM_FLOAT(struct nce_rce, log_zero, -4, .max = 0, .help = "what stands for log 0"),
    PARAM_END
};

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct nce_rce *self = values;
    Tensor *log_p = t_log_softmax(in->logits), *log_py = t_pick(log_p, in->targets);
    Tensor *normalized = loss_columns(in) > 1 ? t_div(log_py, t_sum(log_p, -1, false))
                                              : t_add_scalar(t_scale(log_py, 0), 1); /* x / x */
    Tensor *reverse = t_scale(loss_one_minus(t_neg(log_py)), -self->log_zero);
    return t_add(t_scale(normalized, weight_at(&self->alpha, &in->at)),
                 t_scale(reverse, weight_at(&self->beta, &in->at)));
}

const LossDef loss_nce_rce = {
    .component = {.name = "nce_rce", .summary = "normalized and reverse cross-entropy, robust to label noise",
                  .params = params, .size = sizeof(struct nce_rce), .source = "arXiv:2006.13554",
                  .formula = "alpha log p_y / sum_k log p_k + beta (-log_zero) (1 - p_y)"},
    .targets = LOSS_CLASSES,
    .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED | LOSS_SYMMETRIC, .one_class = 1, .forward = forward,
};
