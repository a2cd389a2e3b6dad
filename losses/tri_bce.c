/* Two heads that answer one binary question, and their mean: each head's cross-entropy is weighted by how much worse
   than the mean's it is. Li et al. 2024. */
#include <math.h>

#include "losses/shared.h"

struct tri_bce { bool detach_weights; };

static const Param params[] = {
    PARAM_BOOL(struct tri_bce, detach_weights, false, .help = "no gradient through the weights of the heads"),
    PARAM_END
};

/* Mean of softplus(z) for target 0, softplus(-z) for 1. */
static Tensor *cross_entropy(Tensor *z, Tensor *sign)
{
    return t_mean(t_softplus(t_mul(sign, z)), ALL_AXES, false);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    int64_t n = in->logits->shape[0];
    Tensor *sign = t_new(in->logits->type, SHAPE(n)), *heads[2], *sum = NULL;
    for (int64_t i = 0; i < n; i++)
        tensor_set(sign, i, tensor_i32(in->targets)[i] ? -1 : 1);
    for (int k = 0; k < 2; k++)
        heads[k] = t_reshape(t_slice(in->logits, 1, k, k + 1), SHAPE(n));
    Tensor *fused = cross_entropy(t_scale(t_add(heads[0], heads[1]), 0.5), sign);
    sum = fused;
    for (int k = 0; k < 2; k++) {
        Tensor *own = cross_entropy(heads[k], sign), *weight = t_relu(t_sub(own, fused));
        sum = t_add(sum, t_mul(((const struct tri_bce *)values)->detach_weights ? t_detach(weight) : weight, own));
    }
    return sum;
}

static int64_t outputs(const void *self, int64_t classes)
{
    (void)self;
    return classes == 2 ? 2 : 0;
}

/* The probability of class 1 is the sigmoid of the mean. */
static void decode(const void *self, int64_t outputs_, const double *z, double *log_p)
{
    (void)self;
    (void)outputs_;
    double mean = (z[0] + z[1]) / 2, rest = log1p(exp(-fabs(mean)));
    log_p[0] = -fmax(mean, 0) - rest;
    log_p[1] = -fmax(-mean, 0) - rest;
}

const LossDef loss_tri_bce = {
    .component = {.name = "tri_bce", .summary = "binary cross-entropy of two heads and of their mean",
                  .params = params, .size = sizeof(struct tri_bce), .source = "arXiv:2407.13349",
                  .formula = "l + max(0, l_1 - l) l_1 + max(0, l_2 - l) l_2, l of the mean of the logits, l_k of "
                             "head k",
                  .notes = "Logits are [N, 2], a column a head; targets 0 or 1. l, l_1, l_2 are means over the batch, "
                           "so the loss is one value of the batch. A model predicts with the mean of the heads."},
    .targets = LOSS_CLASSES, .whole_batch = true, .heads = true, .columns = 2, .outputs = outputs,
    .decode = decode, .forward = forward,
};
