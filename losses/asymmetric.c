/* Asymmetric loss for many labels of which few are positive. Ridnik et al. 2021. */
#include "losses/shared.h"

struct asymmetric { double gamma_pos, gamma_neg, clip; bool detach_focus; };

static const Param params[] = {
    PARAM_FLOAT(struct asymmetric, gamma_pos, 0, .min = 0, .help = "focusing of positive labels"),
    PARAM_FLOAT(struct asymmetric, gamma_neg, 4, .min = 0, .help = "focusing of negative labels"),
    PARAM_FLOAT(struct asymmetric, clip, 0.05, .min = 0, .max = 1,
                .help = "probability below which a negative label costs nothing"),
    PARAM_BOOL(struct asymmetric, detach_focus, false, .help = "no gradient through the focusing factors"),
    PARAM_END
};

static Tensor *focused(const struct asymmetric *self, Tensor *factor, Tensor *log_p)
{
    return t_mul(self->detach_focus ? t_detach(factor) : factor, log_p);
}

/* (1-p)^gamma_pos log p */
static Tensor *positive(const struct asymmetric *self, Tensor *z)
{
    return focused(self, t_exp(t_scale(t_log_sigmoid(t_neg(z)), self->gamma_pos)), t_log_sigmoid(z));
}

/* (1-pn)^gamma_neg log pn with pn = min(1, 1 - p + clip): nothing where p <= clip. */
static Tensor *negative(const struct asymmetric *self, Tensor *z)
{
    if (self->clip == 0)
        return focused(self, t_exp(t_scale(t_log_sigmoid(z), self->gamma_neg)), t_log_sigmoid(t_neg(z)));
    Tensor *beyond = t_add_scalar(t_sigmoid(z), -self->clip), *zero = t_scalar(z->type, 0), *one = t_scalar(z->type, 1);
    Tensor *costs = t_less(zero, beyond);
    Tensor *base = t_where(costs, beyond, one);
    Tensor *log_pn = t_log1p(t_neg(t_where(costs, beyond, zero)));
    return focused(self, t_exp(t_scale(t_log(base), self->gamma_neg)), log_pn);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    Tensor *t = in->targets, *z = in->logits;
    Tensor *sum = t_add(t_mul(t, positive(values, z)), t_mul(t_add_scalar(t_neg(t), 1), negative(values, z)));
    return t_neg(z->rank == 1 ? sum : t_mean(sum, -1, false));
}

static const char *const examples[] = {
    "\"asymmetric\"", "{\"type\": \"asymmetric\", \"gamma_pos\": 1, \"gamma_neg\": 2.5, \"clip\": 0}",
    "{\"type\": \"asymmetric\", \"gamma_neg\": 0.5, \"clip\": 0.3}", NULL};

const LossDef loss_asymmetric = {
    .component = {.name = "asymmetric",
                  .summary = "binary cross-entropy that pays less attention to easy negative labels",
                  .params = params, .size = sizeof(struct asymmetric), .source = "arXiv:2009.14119",
                  .formula = "mean over labels of -[t (1-p)^gamma_pos log p + (1-t) (1-pn)^gamma_neg log pn], "
                             "pn = min(1, 1 - p + clip), p = sigmoid(z)"},
    .targets = LOSS_LABELS, .least_rank = 1, .most_rank = 2, .forward = forward, .examples = examples,
};
