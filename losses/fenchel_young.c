/* Fenchel-Young losses of Tsallis entropies (Blondel et al. 2020): with the sparse prediction p,

       max_p (<p, z> + H(p)) - H(t) - <t, z>,   gradient p - t. */
#include "losses/shared.h"

/* H of exponent 2 (Martins and Astudillo 2016) and 1.5 (Peters et al. 2019), rows. */
static Tensor *tsallis_2(Tensor *p)
{
    return t_scale(t_add_scalar(t_neg(t_sum(t_square(p), -1, false)), 1), 0.5);
}

static Tensor *tsallis_15(Tensor *p)
{
    return t_scale(t_add_scalar(t_neg(t_sum(t_mul(p, t_sqrt(p)), -1, false)), 1), 4.0 / 3);
}

/* p maximises, so the derivative through it is 0; p - t sums to 0, so z may be shifted. */
static Tensor *fenchel_young(const LossInput *in, Tensor *(*predict)(Tensor *), Tensor *(*entropy)(Tensor *))
{
    Tensor *p = predict(t_detach(in->logits)), *t = loss_soft_targets(in);
    Tensor *z = loss_centered(in->logits);
    Tensor *gap = t_sub(entropy(p), entropy(t));
    return t_add(t_sum(t_mul(t_sub(p, t), z), -1, false), gap);
}

static Tensor *sparsemax(const void *self, const LossInput *in)
{
    (void)self;
    return fenchel_young(in, t_sparsemax, tsallis_2);
}

static Tensor *entmax15(const void *self, const LossInput *in)
{
    (void)self;
    return fenchel_young(in, t_entmax15, tsallis_15);
}

const LossDef loss_sparsemax = {
    .component = {.name = "sparsemax", .summary = "Fenchel-Young loss of sparsemax", .source = "arXiv:1602.02068",
                  .formula = "max_p (<p, z> + H(p)) - H(t) - <t, z>, H(p) = (1 - sum p^2) / 2"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = sparsemax,
};

const LossDef loss_entmax15 = {
    .component = {.name = "entmax15", .summary = "Fenchel-Young loss of 1.5-entmax", .source = "arXiv:1905.05702",
                  .formula = "max_p (<p, z> + H(p)) - H(t) - <t, z>, H(p) = 4/3 (1 - sum p^1.5)"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT, .forward = entmax15,
};
