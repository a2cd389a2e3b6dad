/* Preferences between two answers, by how much more the policy favours one than the reference does: direct preference
   optimisation (Rafailov et al. 2023), and its soft form for preferences that are probabilities (Zhai et al. 2024). */
#include "losses/shared.h"

struct preference { double beta; };

static const Param params[] = {
    PARAM_FLOAT(struct preference, beta, 0.1, .min = 1e-12, .help = "factor of the difference of log-ratios"),
    PARAM_END
};

static bool check_dpo(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return loss_check_like_logits(in, "reference", error);
}

static bool check_spce(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    if (in->targets->count != in->targets->shape[0])
        return fail(error, "targets: expected [%lld], the probability that the chosen is better",
                    (long long)in->logits->shape[0]);
    for (int64_t i = 0; i < in->targets->count; i++) {
        double p = tensor_value(in->targets, i);
        if (!(p >= 0 && p <= 1))
            return fail(error, "targets: %g at row %lld is not a probability", p, (long long)i);
    }
    return loss_check_like_logits(in, "reference", error);
}

/* [N, 1]. Between answers first: their log-likelihoods, sums over tokens, are large beside the differences. */
static Tensor *chosen_over_rejected(Tensor *log_likelihoods)
{
    return t_sub(t_slice(log_likelihoods, 1, 0, 1), t_slice(log_likelihoods, 1, 1, 2));
}

/* h = beta ((log pi(w) - log ref(w)) - (log pi(l) - log ref(l))), [N]. */
static Tensor *margin(const struct preference *self, const LossInput *in)
{
    Tensor *of_policy = chosen_over_rejected(in->logits);
    Tensor *of_reference = chosen_over_rejected(t_detach(loss_extra(in, "reference")));
    return t_scale(t_reshape(t_sub(of_policy, of_reference), SHAPE(in->logits->shape[0])), self->beta);
}

static Tensor *dpo(const void *self, const LossInput *in)
{
    return t_softplus(t_neg(margin(self, in)));
}

/* p softplus(-h) + (1 - p) softplus(h): the difference softplus(h) - p h would lose its bits where h is large. */
static Tensor *spce(const void *self, const LossInput *in)
{
    Tensor *h = margin(self, in), *p = t_reshape(in->targets, SHAPE(in->targets->shape[0]));
    Tensor *rest = t_add_scalar(t_neg(p), 1);
    return t_add(t_mul(p, t_softplus(t_neg(h))), t_mul(rest, t_softplus(h)));
}

static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    in->targets = t_random_uniform(ARRAY_F64, SHAPE(in->logits->shape[0]), *random);
}

static const char *const extras[] = {"reference", NULL};
static const char *const dpo_examples[] = {"\"dpo\"", "{\"type\": \"dpo\", \"beta\": 1}", NULL};
static const char *const spce_examples[] = {"\"spce\"", "{\"type\": \"spce\", \"beta\": 1}", NULL};

#define INPUTS "Logits are log-likelihoods [N, 2] of (chosen, rejected), sums over the tokens; the extra reference " \
               "[N, 2] has those of the reference model, without gradient. h is beta times the difference of the " \
               "log-ratios of policy and reference."

const LossDef loss_dpo = {
    .component = {.name = "dpo", .summary = "direct preference optimisation: the chosen answer over the rejected",
                  .params = params, .size = sizeof(struct preference), .source = "arXiv:2305.18290",
                  .formula = "-log sigmoid(h), h = beta ((z_w - ref_w) - (z_l - ref_l))", .notes = INPUTS},
    .targets = LOSS_NO_TARGETS, .extras = extras, .columns = 2, .properties = LOSS_TRANSLATION_INVARIANT,
    .forward = dpo, .check = check_dpo, .examples = dpo_examples,
};

const LossDef loss_spce = {
    .component = {.name = "spce", .summary = "soft-preference cross-entropy: preferences that are probabilities",
                  .params = params, .size = sizeof(struct preference), .source = "arXiv:2405.14103",
                  .formula = "softplus(h) - p h, h = beta ((z_w - ref_w) - (z_l - ref_l))",
                  .notes = INPUTS " Targets are the probabilities p [N] that the chosen is better; least at "
                           "h = logit(p), and dpo at p = 1."},
    .targets = LOSS_VALUES, .extras = extras, .columns = 2, .properties = LOSS_TRANSLATION_INVARIANT,
    .forward = spce, .check = check_spce, .examples = spce_examples, .sample = sample,
};
