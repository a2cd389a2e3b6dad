/* Focal loss. Lin et al. 2017. */
#include "losses/rows.h"
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

/* With g = -log p_y: d/dg = (1-p)^gamma (1 + gamma g p / (1-p)). 1-p is of the sum over the others, as p may be 1. */
ROW float focal_row(const void *values, const LossRow *row, float *gradient)
{
    const struct focal *self = values;
    const RowSum all = row_log_sum_exp(row);
    const float g = row_negative_log_likelihood(row, all);
    const double others = row_sum_exp(row->logits, 0, row->target, all.largest) +
                          row_sum_exp(row->logits, row->target + 1, row->columns, all.largest);
    const double rest = others / exp((double)all.log_sum), factor = pow(rest, self->gamma);
    const double ratio = rest > 0 ? (double)g / rest : 1; /* -log(1-x) / x */
    if (gradient)
        row_likelihood_gradient(row, all, (float)(factor * (1 + self->gamma * ratio * exp(-(double)g))), gradient);
    return (float)(factor * (double)g);
}

LOSS_ROWS(focal)

static const char *const examples[] = {
    "\"focal\"", "{\"type\": \"focal\", \"gamma\": 0.5, \"class_weights\": [1, 2, 3]}",
        "{\"type\": \"focal\", \"gamma\": 0}", NULL};

const LossDef loss_focal = {
    .component = {.name = "focal", .summary = "cross-entropy that pays less attention to easy samples",
                  .params = params, .size = sizeof(struct focal), .source = "arXiv:1708.02002",
                  .formula = "(1 - p_y)^gamma (-log p_y), p = softmax(z)",
                  .notes = "The class weight of the target joins the sample weight in the mean."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT,
    .forward = forward, .rows = &rows_focal, .weights = weights, .check = check, .examples = examples,
};
