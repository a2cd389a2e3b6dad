/* PolyLoss's first-order form. Leng et al. 2022. */
#include "losses/shared.h"

struct poly1 { double epsilon; };

static const Param params[] = {
    PARAM_FLOAT(struct poly1, epsilon, 1, .min = -1,
                .help = "added to the coefficient of 1 - p_y in the series of -log p_y"),
    PARAM_END
};

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct poly1 *self = values;
    Tensor *cross_entropy = loss_negative_log_likelihood(in);
    return t_add(cross_entropy, t_scale(loss_one_minus(cross_entropy), self->epsilon));
}

const LossDef loss_poly1 = {
    .component = {.name = "poly1", .summary = "cross-entropy with its first polynomial coefficient changed",
                  .params = params,
                  .size = sizeof(struct poly1), .source = "arXiv:2204.12511",
                      .formula = "-log p_y + epsilon (1 - p_y)"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = forward,
};
