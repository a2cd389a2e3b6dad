/* Focal loss. Lin et al. 2017. */
#include "losses/shared.h"

struct focal { double gamma; FloatList class_weights; };

static const Param params[] = {
    PARAM_FLOAT(struct focal, gamma, 2, .min = 0,
                .help = "0 is cross-entropy; larger pays less attention to easy samples"),
    PARAM_FLOATS(struct focal, class_weights, "[]", .min = 0, .help = "a weight for each class; empty: all 1"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("class_weights", ((const struct focal *)values)->class_weights, true, in, error);
}

static Tensor *weights(const void *values, const LossInput *in)
{
    const struct focal *self = values;
    return self->class_weights.count ? loss_by_class(in, self->class_weights.items) : NULL;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct focal *self = values;
    Tensor *cross_entropy = loss_negative_log_likelihood(in);
    if (self->gamma == 0)
        return cross_entropy;
    Tensor *factor = t_exp(t_scale(loss_log_of_others(in->logits, in->targets), self->gamma));
    return t_mul(factor, cross_entropy);
}

static const char *const examples[] = {
    "\"focal\"", "{\"type\": \"focal\", \"gamma\": 0.5, \"class_weights\": [1, 2, 3]}",
        "{\"type\": \"focal\", \"gamma\": 0}", NULL};

const LossDef loss_focal = {
    .component = {.name = "focal", .summary = "cross-entropy that pays less attention to easy samples",
                  .params = params, .size = sizeof(struct focal), .source = "arXiv:1708.02002",
                  .formula = "(1 - p_y)^gamma (-log p_y), p = softmax(z)",
                  .notes = "The class weight of the target joins the sample weight in the mean."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT,
    .forward = forward, .weights = weights, .check = check, .examples = examples,
};
