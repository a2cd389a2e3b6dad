/* Bootstrapping: targets mixed with the model's own prediction. Reed et al. 2014. */
#include <math.h>

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

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct bootstrap *self = values;
    double beta = isnan(self->beta) ? (self->mode == SOFT ? 0.95 : 0.8) : self->beta;
    Tensor *log_p = t_log_softmax(in->logits), *own;
    if (self->mode == HARD)
        own = t_pick(log_p, t_argmax(log_p, -1));
    else
        own = t_sum(t_mul(self->detach ? t_detach(t_exp(log_p)) : t_exp(log_p), log_p), -1, false);
    return t_neg(t_add(t_scale(t_pick(log_p, in->targets), beta), t_scale(own, 1 - beta)));
}

static const char *const examples[] = {"\"bootstrap\"", "{\"type\": \"bootstrap\", \"mode\": \"hard\"}", NULL};

const LossDef loss_bootstrap = {
    .component = {.name = "bootstrap", .summary = "cross-entropy of targets mixed with the prediction",
                  .params = params,
                  .size = sizeof(struct bootstrap), .source = "arXiv:1412.6596",
                  .formula = "-sum_k t_k log p_k, t = beta e_y + (1-beta) p, or + (1-beta) the one-hot of argmax p"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward, .examples = examples,
};
