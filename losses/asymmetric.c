/* Asymmetric loss for many labels of which few are positive. Ridnik et al. 2021. */
#include "losses/rows.h"
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

/* 4 is the paper's; x^4 by a logarithm costs as much as all the rest. */
ROW float power(float x, float log_x, float exponent, bool fourth)
{
    return fourth ? (x * x) * (x * x) : float_exp(exponent * log_x);
}

typedef struct Factors { float positive, negative, clip, keep; } Factors;

/* The loss of label t at logit z, times -1, and its derivative by z. Comments beside are of clip = 0. */
ROW float label(Factors by, bool clips, bool fourth, float z, float t, float *slope)
{
    const RowLogistic of = row_logistic(z);
    const float p = of.p, rest = of.rest, log_p = (z < 0 ? z : 0) - of.tail, log_rest = (z > 0 ? -z : 0) - of.tail;
    const float focus = by.positive > 0 ? float_exp(by.positive * log_rest) : 1;
    const float beyond = clips ? p - by.clip : p, base = beyond > 0 ? beyond : 0;   /* p */
    const float log_base = clips ? float_log(base) : log_p, log_pn = clips ? float_log1p(-base) : log_rest;
    const float other_focus = by.negative > 0 ? power(base, log_base, by.negative, fourth) : 1;
    /* gamma p^(gamma-1) dp/dz and d log(1-p) / dz */
    const float by_focus = by.keep * by.negative * rest * (clips ? p / (base > 0 ? base : 1) : 1);
    const float by_log = clips ? (base > 0 ? p * rest / (1 - base) : 0) : p;
    *slope = t * (focus * (rest - by.keep * by.positive * p * log_p)) +
             (1 - t) * (other_focus * (by_focus * log_pn - by_log));
    return t * (focus * log_p) + (1 - t) * (other_focus * log_pn);
}

ROW float labels(Factors by, bool clips, bool fourth, const LossRow *row, float *gradient)
{
    const float *z = row->logits, *t = row->targets;
    const int64_t columns = row->columns;
    const float scale = -1 / (float)columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        float slope;
        sum -= (double)label(by, clips, fourth, z[k], t[k], &slope);
        if (gradient)
            gradient[k] = scale * slope;
    }
    return (float)(sum / (double)columns);
}

ROW float asymmetric_row(const void *values, const LossRow *row, float *gradient)
{
    const struct asymmetric *self = values;
    const Factors by = {(float)self->gamma_pos, (float)self->gamma_neg, (float)self->clip, self->detach_focus ? 0 : 1};
    if (by.clip > 0 && by.positive == 0 && by.negative == 4)
        return labels((Factors){0, 4, by.clip, by.keep}, true, true, row, gradient);
    return by.clip > 0 ? labels(by, true, false, row, gradient) : labels(by, false, false, row, gradient);
}

LOSS_ROWS(asymmetric)

static const char *const examples[] = {
    "\"asymmetric\"", "{\"type\": \"asymmetric\", \"gamma_pos\": 1, \"gamma_neg\": 2.5, \"clip\": 0}",
    "{\"type\": \"asymmetric\", \"gamma_neg\": 0.5, \"clip\": 0.3}", NULL};

const LossDef loss_asymmetric = {
    .component = {.name = "asymmetric",
                  .summary = "binary cross-entropy that pays less attention to easy negative labels",
                  .params = params, .size = sizeof(struct asymmetric), .source = "arXiv:2009.14119",
                  .formula = "mean over labels of -[t (1-p)^gamma_pos log p + (1-t) (1-pn)^gamma_neg log pn], "
                             "pn = min(1, 1 - p + clip), p = sigmoid(z)"},
    .targets = LOSS_LABELS, .least_rank = 1, .most_rank = 2, .forward = forward, .rows = &rows_asymmetric,
    .examples = examples,
};
