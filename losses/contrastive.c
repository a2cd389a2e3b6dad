/* Contrastive losses of embeddings [N, D]: every sample against all others of the batch. NT-Xent: Chen et al. 2020;
   supervised: Khosla et al. 2020, the sum over positives outside the logarithm. They differ in what the targets
   mean. */
#include <math.h>

#include "losses/shared.h"

struct contrastive { double temperature; };

static const Param params[] = {
    PARAM_FLOAT(struct contrastive, temperature, 0.1, .min = 1e-6, .help = "divides the cosines"),
    PARAM_END
};

/* [N, N] shares of the positives of each row: 1/their number; all 0 in a row without. */
static Tensor *positive_shares(const LossInput *in)
{
    int64_t n = in->logits->shape[0];
    const int32_t *id = tensor_i32(in->targets);
    Tensor *shares = t_zeros(in->logits->type, SHAPE(n, n));
    for (int64_t i = 0; i < n; i++) {
        int64_t count = 0;
        for (int64_t j = 0; j < n; j++)
            count += j != i && id[j] == id[i];
        for (int64_t j = 0; j < n; j++)
            if (j != i && id[j] == id[i])
                tensor_set(shares, i * n + j, 1 / (double)count);
    }
    return shares;
}

/* 0 for anchors without a positive. */
static Tensor *anchors(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *largest = t_max(positive_shares(in), -1, false);
    return t_cast(t_less(t_scalar(largest->type, 0), largest), largest->type);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    int64_t n = in->logits->shape[0];
    Tensor *unit = loss_normalized(in->logits);
    Tensor *scores = t_scale(t_matmul(unit, unit, false, true), 1 / ((const struct contrastive *)values)->temperature);
    Tensor *itself = t_new(ARRAY_I32, SHAPE(n));
    for (int64_t i = 0; i < n; i++)
        tensor_i32(itself)[i] = (int32_t)i;
    Tensor *log_p = t_log_softmax(loss_without_target(scores, itself, -INFINITY));
    return t_neg(t_sum(t_mul(positive_shares(in), loss_without_target(log_p, itself, 0)), -1, false));
}

#define NOTES "Logits are embeddings [N, D], normalised inside. An anchor without a positive is left out of the mean."

const LossDef loss_nt_xent = {
    .component = {.name = "nt_xent", .summary = "contrastive loss of views: the other view against the batch",
                  .params = params,
                  .size = sizeof(struct contrastive), .source = "arXiv:2002.05709",
                  .formula = "-log(exp(s_ip / T) / sum_{a != i} exp(s_ia / T)), s cosines, mean over the positives p "
                             "of i",
                  .notes = NOTES " Targets are ids: views of one sample share theirs."},
    .targets = LOSS_IDS, .properties = LOSS_BOUNDED, .forward = forward, .weights = anchors,
};

const LossDef loss_supcon = {
    .component = {.name = "supcon", .summary = "supervised contrastive loss: samples of the class against the batch",
                  .params = params, .size = sizeof(struct contrastive), .source = "arXiv:2004.11362",
                  .formula = "-mean over positives p of log(exp(s_ip / T) / sum_{a != i} exp(s_ia / T)), s cosines",
                  .notes = NOTES " Targets are classes, any integers."},
    .targets = LOSS_IDS, .properties = LOSS_BOUNDED, .forward = forward, .weights = anchors,
};
