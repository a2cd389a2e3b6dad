/* Bootstrapping: targets mixed with the model's own prediction. Reed et al. 2014. */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

enum { SOFT, HARD };
static const char *const modes[] = {"soft", "hard", NULL};

struct bootstrap { int mode; double beta; bool detach; };

static const Param params[] = {
    PARAM_ENUM(struct bootstrap, mode, "soft", .choices = modes,
               .help = "the prediction as probabilities or as its largest class"),
    PARAM_FLOAT(struct bootstrap, beta, null, .min = 0, .max = 1,
                .help = "share of the given target; null: 0.95 soft, 0.8 hard"),
    PARAM_BOOL(struct bootstrap, detach, false, .help = "no gradient through the prediction in the target"),
    PARAM_END
};

static double share_of_target(const struct bootstrap *self)
{
    return isnan(self->beta) ? (self->mode == SOFT ? 0.95 : 0.8) : self->beta;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct bootstrap *self = values;
    double beta = share_of_target(self);
    Tensor *log_p = t_log_softmax(in->logits), *own;
    if (self->mode == HARD)
        own = t_pick(log_p, t_argmax(log_p, -1));
    else
        own = t_sum(t_mul(self->detach ? t_detach(t_exp(log_p)) : t_exp(log_p), log_p), -1, false);
    return t_neg(t_add(t_scale(t_pick(log_p, in->targets), beta), t_scale(own, 1 - beta)));
}

/* Soft: beta (p - e_y) - (1-beta) p_k (log p_k + H), H the entropy; detached the second part is 0. */
ROW float soft_row(float beta, bool detach, const LossRow *row, float *gradient)
{
    const RowSum all = row_log_sum_exp(row);
    const double entropy = row_entropy(row, all);
    const float *z = row->logits, H = (float)entropy, rest = detach ? 0 : 1 - beta;
    const int64_t columns = row->columns;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float log_p = (z[k] - all.largest) - all.log_sum;
        gradient[k] = float_exp(log_p) * (beta - rest * (log_p + H));
    }
    if (gradient)
        gradient[row->target] -= beta;
    return (float)((double)beta * (double)row_negative_log_likelihood(row, all) + (1 - (double)beta) * entropy);
}

/* Hard: two targets, the second the first of the largest logits. */
ROW float hard_row(float beta, const LossRow *row, float *gradient)
{
    const RowSum all = row_log_sum_exp(row);
    int64_t best = 0;
    while (best < row->columns - 1 && row->logits[best] != all.largest)
        best++;
    if (gradient) {
        row_likelihood_gradient(row, all, 1, gradient);
        gradient[row->target] += 1 - beta;
        gradient[best] -= 1 - beta;
    }
    const float gap = row->logits[best] - row->logits[row->target];
    return all.log_sum + (all.largest - row->logits[best]) + beta * gap;
}

ROW float bootstrap_row(const void *values, const LossRow *row, float *gradient)
{
    const struct bootstrap *self = values;
    const float beta = (float)share_of_target(self);
    return self->mode == HARD ? hard_row(beta, row, gradient) : soft_row(beta, self->detach, row, gradient);
}

LOSS_ROWS(bootstrap)

static const char *const examples[] = {"\"bootstrap\"", "{\"type\": \"bootstrap\", \"mode\": \"hard\"}", NULL};

const LossDef loss_bootstrap = {
    .component = {.name = "bootstrap", .summary = "cross-entropy of targets mixed with the prediction",
                  .params = params,
                  .size = sizeof(struct bootstrap), .source = "arXiv:1412.6596",
                  .formula = "-sum_k t_k log p_k, t = beta e_y + (1-beta) p, or + (1-beta) the one-hot of argmax p"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward,
    .rows = &rows_bootstrap, .examples = examples,
};
