/* Binary cross-entropy of labels that do not exclude each other. */
#include "losses/shared.h"

struct bce { FloatList pos_weights; double label_smoothing; };

static const Param params[] = {
    PARAM_FLOATS(struct bce, pos_weights, "[]", .min = 0,
                 .help = "a factor of the positive part for each label; empty: all 1"),
    PARAM_FLOAT(struct bce, label_smoothing, 0, .min = 0, .max = 1, .help = "t becomes (1 - s) t + s/2"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("pos_weights", ((const struct bce *)values)->pos_weights, true, in, error);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct bce *self = values;
    Tensor *t = in->targets, *z = in->logits;
    if (self->label_smoothing > 0)
        t = t_add_scalar(t_scale(t, 1 - self->label_smoothing), self->label_smoothing / 2);
    Tensor *positive = t_mul(t, t_softplus(t_neg(z)));
    if (self->pos_weights.count)
        positive = t_mul(positive, loss_constants(z, self->pos_weights));
    Tensor *negative = t_mul(t_add_scalar(t_neg(t), 1), t_softplus(z));
    Tensor *sum = t_add(positive, negative);
    return z->rank == 1 ? sum : t_mean(sum, -1, false);
}

static const char *const examples[] = {
    "\"bce\"", "{\"type\": \"bce\", \"pos_weights\": [1, 3, 2], \"label_smoothing\": 0.1}", NULL};

const LossDef loss_bce = {
    .component = {.name = "bce", .summary = "binary cross-entropy, labels that do not exclude each other",
                  .params = params, .size = sizeof(struct bce), .source = "Cox 1958",
                  .formula = "mean over labels of w t softplus(-z) + (1-t) softplus(z)",
                  .notes = "Logits and targets are [N, labels], or [N] for one label."},
    .targets = LOSS_LABELS, .least_rank = 1, .most_rank = 2, .forward = forward, .check = check, .examples = examples,
};
