/* Overlap of soft masks: Dice (Milletari et al. 2016) and Tversky (Salehi et al. 2017). A sample's pixels are all axes
   after the first. */
#include "losses/shared.h"

struct tversky { double alpha, beta, smooth; };
struct dice { double smooth; bool squared; };

static const Param tversky_params[] = {
    PARAM_FLOAT(struct tversky, alpha, 0.5, .min = 0, .help = "price of false positives"),
    PARAM_FLOAT(struct tversky, beta, 0.5, .min = 0, .help = "price of false negatives"),
    PARAM_FLOAT(struct tversky, smooth, 1e-5, .min = 0, .help = "added to numerator and denominator"),
    PARAM_END
};
static const Param dice_params[] = {
    PARAM_FLOAT(struct dice, smooth, 1e-5, .min = 0, .help = "added to numerator and denominator"),
    PARAM_BOOL(struct dice, squared, false, .help = "squares in the denominator, as in V-Net"),
    PARAM_END
};

static Tensor *rows(Tensor *x)
{
    return t_reshape(x, SHAPE(x->shape[0], x->count / x->shape[0]));
}

static Tensor *ratio(Tensor *numerator, Tensor *denominator, double smooth)
{
    return t_add_scalar(t_neg(t_div(t_add_scalar(numerator, smooth), t_add_scalar(denominator, smooth))), 1);
}

static Tensor *tversky(const void *values, const LossInput *in)
{
    const struct tversky *self = values;
    Tensor *p = rows(t_sigmoid(in->logits)), *t = rows(in->targets);
    Tensor *hits = t_sum(t_mul(p, t), -1, false);
    Tensor *false_positive = t_sum(t_mul(p, t_add_scalar(t_neg(t), 1)), -1, false);
    Tensor *false_negative = t_sum(t_mul(rows(t_sigmoid(t_neg(in->logits))), t), -1, false);
    Tensor *misses = t_add(t_scale(false_positive, self->alpha), t_scale(false_negative, self->beta));
    return ratio(hits, t_add(hits, misses), self->smooth);
}

static Tensor *dice(const void *values, const LossInput *in)
{
    const struct dice *self = values;
    Tensor *p = rows(t_sigmoid(in->logits)), *t = rows(in->targets);
    Tensor *sizes = self->squared ? t_add(t_square(p), t_square(t)) : t_add(p, t);
    return ratio(t_scale(t_sum(t_mul(p, t), -1, false), 2), t_sum(sizes, -1, false), self->smooth);
}

static const char *const tversky_examples[] = {"\"tversky\"",
                                               "{\"type\": \"tversky\", \"alpha\": 0.3, \"beta\": 0.7}", NULL};
static const char *const dice_examples[] = {"\"dice\"", "{\"type\": \"dice\", \"smooth\": 1, \"squared\": true}", NULL};

const LossDef loss_tversky = {
    .component = {.name = "tversky", .summary = "overlap of masks, with prices for both kinds of miss",
                  .params = tversky_params,
                  .size = sizeof(struct tversky), .source = "arXiv:1706.05721",
                  .formula = "1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), p = sigmoid(z)",
                  .notes = "Logits and targets are [N, ...], a mask a sample; TP = sum p t, FP = sum p (1-t), FN = "
                           "sum (1-p) t."},
    .targets = LOSS_LABELS, .least_rank = 2, .most_rank = 6, .properties = LOSS_BOUNDED, .forward = tversky,
    .examples = tversky_examples,
};

const LossDef loss_dice = {
    .component = {.name = "dice", .summary = "overlap of masks, Dice's coefficient", .params = dice_params,
                  .size = sizeof(struct dice), .source = "arXiv:1606.04797",
                  .formula = "1 - (2 sum p t + smooth) / (sum p + sum t + smooth), p = sigmoid(z)",
                  .notes = "Logits and targets are [N, ...], a mask a sample. squared: sum p^2 + sum t^2 below."},
    .targets = LOSS_LABELS, .least_rank = 2, .most_rank = 6, .properties = LOSS_BOUNDED, .forward = dice,
    .examples = dice_examples,
};
