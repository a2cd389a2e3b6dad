/* A clean pass and two passes with noise in the hidden states: cross-entropy, divergence of the noisy passes from the
   clean one, and of one from the other. Khadangi et al. 2025; R-Drop: Wu et al. 2021. */
#include "losses/noisefit.h"
#include "losses/shared.h"

static const char *const modes[] = {"full", "ce_noisy", "ce_kl", "kl_only", "consistency_only", "basefit", "rdrop",
                                    NULL};

static const Param params[] = {
    PARAM_FLOAT(struct noisefit, alpha, 0.5, .min = 0, .max = 1,
                .help = "share of the cross-entropy; the rest is the divergence from the clean pass"),
    PARAM_WEIGHT(struct noisefit, lambda, 0.1, .min = 0, .help = "factor of the divergence between the noisy passes"),
    PARAM_FLOAT(struct noisefit, temperature, 1, .min = 1e-6, .help = "divides the logits in the divergences"),
    PARAM_ENUM(struct noisefit, mode, "full", .choices = modes, .help = "which parts count"),
    PARAM_BOOL(struct noisefit, detach_teacher, true,
               .help = "no gradient to the distribution that a divergence is taken from"),
    PARAM_END
};

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return loss_check_like_logits(in, "noisy_logits_1", error) && loss_check_like_logits(in, "noisy_logits_2", error);
}

/* log softmax(z / T), [N, C]. */
static Tensor *log_shares(const struct noisefit *self, Tensor *z)
{
    return t_log_softmax(self->temperature == 1 ? z : t_scale(z, 1 / self->temperature));
}

/* T^2 KL(p, q), [N], of logarithms. It is linear in log q: its mean over two q is that of their mean logarithm. */
static Tensor *divergence(const struct noisefit *self, Tensor *log_p, Tensor *log_q)
{
    Tensor *source = self->detach_teacher ? t_detach(log_p) : log_p;
    return t_scale(loss_divergence(source, log_q), self->temperature * self->temperature);
}

static Tensor *half_sum(Tensor *a, Tensor *b)
{
    return t_scale(t_add(a, b), 0.5);
}

/* R-Drop's divergences are symmetric: both sides have gradients. */
static Tensor *rdrop(const struct noisefit *self, Tensor *log_first, Tensor *log_second)
{
    struct noisefit open = *self;
    open.detach_teacher = false;
    return half_sum(divergence(&open, log_first, log_second), divergence(&open, log_second, log_first));
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct noisefit *self = values;
    Tensor *z = in->logits, *first = loss_extra(in, "noisy_logits_1"), *second = loss_extra(in, "noisy_logits_2");
    if (self->mode == NOISEFIT_BASEFIT)
        return loss_cross_entropy_of(in, z);
    Tensor *noisy = NULL;
    if (self->mode == NOISEFIT_CE_NOISY || self->mode == NOISEFIT_RDROP)
        noisy = half_sum(loss_cross_entropy_of(in, first), loss_cross_entropy_of(in, second));
    if (self->mode == NOISEFIT_CE_NOISY)
        return noisy;
    Tensor *log_first = log_shares(self, first), *log_second = log_shares(self, second);
    if (self->mode == NOISEFIT_RDROP)
        return t_add(noisy, rdrop(self, log_first, log_second));
    if (self->mode == NOISEFIT_CONSISTENCY_ONLY)
        return divergence(self, log_second, log_first);
    Tensor *soft = divergence(self, log_shares(self, z), half_sum(log_first, log_second));
    if (self->mode == NOISEFIT_KL_ONLY)
        return soft;
    Tensor *sum = t_add(t_scale(loss_cross_entropy_of(in, z), self->alpha), t_scale(soft, 1 - self->alpha));
    if (self->mode == NOISEFIT_CE_KL)
        return sum;
    return t_add(sum, t_scale(divergence(self, log_second, log_first), weight_at(&self->lambda, &in->at)));
}

static const char *const extras[] = {"noisy_logits_1", "noisy_logits_2", NULL};
static const char *const examples[] = {"\"noisefit\"",
                                       "{\"type\": \"noisefit\", \"detach_teacher\": false, \"temperature\": 2}",
                                       "{\"type\": \"noisefit\", \"mode\": \"ce_noisy\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"ce_kl\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"kl_only\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"consistency_only\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"basefit\"}",
                                       "{\"type\": \"noisefit\", \"mode\": \"rdrop\"}", NULL};

const LossDef loss_noisefit = {
    .component = {.name = "noisefit", .summary = "cross-entropy held steady under noise in the hidden states",
                  .params = params, .size = sizeof(struct noisefit), .source = "arXiv:2504.03302",
                  .formula = "alpha CE(z) + (1 - alpha) (KL(z, z1) + KL(z, z2)) / 2 + lambda KL(z2, z1), KL of "
                             "softmax(. / T) times T^2",
                  .notes = "Extras noisy_logits_1 and noisy_logits_2 [N, C]: z1, z2, logits of two noisy passes. "
                           "Modes: full as above; ce_kl without the last term; kl_only and consistency_only the "
                           "second or third part alone, unweighted; basefit CE(z); ce_noisy (CE(z1) + CE(z2)) / 2; "
                           "rdrop that plus (KL(z1, z2) + KL(z2, z1)) / 2, with gradients to both sides."},
    .targets = LOSS_CLASSES_OR_SOFT, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_DETACHED,
    .forward = forward, .check = check, .examples = examples,
};
