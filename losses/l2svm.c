/* One-against-the-rest support vector machine as the last layer. Tang 2013; Agarap 2018. */
#include "losses/shared.h"

enum { MEAN, SUM };
static const char *const reductions[] = {"mean", "sum", NULL};

struct l2svm { double C; int64_t p; int reduction; };

static const Param params[] = {
    PARAM_FLOAT(struct l2svm, C, 0.5, .min = 1e-12, .help = "factor of the hinge part"),
    PARAM_INT(struct l2svm, p, 2, .min = 1, .max = 2, .help = "power of the hinge"),
    PARAM_ENUM(struct l2svm, reduction, "mean", .choices = reductions, .help = "over the samples"),
    PARAM_END
};

static bool sums(const void *values)
{
    return ((const struct l2svm *)values)->reduction == SUM;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct l2svm *self = values;
    Tensor *sign = t_add_scalar(t_scale(loss_one_hot(in), 2), -1);
    Tensor *hinge = t_relu(t_add_scalar(t_neg(t_mul(sign, in->logits)), 1));
    return t_scale(t_sum(self->p == 2 ? t_square(hinge) : hinge, -1, false), self->C);
}

static const char *const examples[] = {"\"l2svm\"",
                                       "{\"type\": \"l2svm\", \"C\": 2, \"p\": 1, \"reduction\": \"sum\"}", NULL};

const LossDef loss_l2svm = {
    .component = {.name = "l2svm", .summary = "squared hinge of one class against the rest, as in a linear SVM",
                  .params = params, .size = sizeof(struct l2svm), .source = "arXiv:1709.03082",
                  .formula = "C sum_k max(0, 1 - s_k z_k)^p, s = +1 for the target, -1 else",
                  .notes = "The penalty of the weights' norm is the optimizer's. reduction sum: the loss is the sum "
                           "over "
                           "samples."},
    .targets = LOSS_CLASSES, .forward = forward, .sums = sums, .examples = examples,
};
