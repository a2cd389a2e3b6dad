/* Ordinal classes 0 < 1 < ... < K-1 by K-1 binary thresholds. CORAL: Cao, Mirjalili and Raschka 2020; CORN: Shi, Cao
   and Raschka 2021. */
#include "losses/shared.h"

/* softplus(-z) where y > k, softplus(z) elsewhere; [N, K-1]. */
static Tensor *threshold_terms(const LossInput *in)
{
    Tensor *sign = t_like(in->logits);
    for (int64_t i = 0; i < sign->count; i++)
        tensor_set(sign, i, tensor_i32(in->targets)[i / loss_columns(in)] > i % loss_columns(in) ? -1 : 1);
    return t_softplus(t_mul(sign, in->logits));
}

static Tensor *coral(const void *self, const LossInput *in)
{
    (void)self;
    return t_sum(threshold_terms(in), -1, false);
}

/* Task k is asked of the samples with y >= k: a sample of class y has min(y + 1, K-1) tasks. */
static double tasks(const LossInput *in, int64_t row)
{
    int64_t target = tensor_i32(in->targets)[row], most = loss_columns(in);
    return (double)(target < most ? target + 1 : most);
}

static Tensor *task_counts(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *counts = t_new(in->logits->type, SHAPE(in->logits->shape[0]));
    for (int64_t i = 0; i < counts->count; i++)
        tensor_set(counts, i, tasks(in, i));
    return counts;
}

/* The mean over a sample's tasks; weighted by their number, the mean over samples is that over all pairs. */
static Tensor *corn(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *share = t_zeros(in->logits->type, in->logits->rank, in->logits->shape);
    for (int64_t i = 0; i < share->count; i++) {
        int64_t row = i / loss_columns(in), task = i % loss_columns(in);
        if (tensor_i32(in->targets)[row] >= task)
            tensor_set(share, i, 1 / tasks(in, row));
    }
    return t_sum(t_mul(share, threshold_terms(in)), -1, false);
}

const LossDef loss_coral = {
    .component = {.name = "coral", .summary = "ordinal classes by binary thresholds of shared weights",
                  .source = "arXiv:1901.07884",
                  .formula = "sum_k [y > k] softplus(-z_k) + [y <= k] softplus(z_k)",
                  .notes = "Logits are [N, K-1], thresholds between the classes 0..K-1."},
    .targets = LOSS_CLASSES, .unnamed_classes = 1, .forward = coral,
};

const LossDef loss_corn = {
    .component = {.name = "corn", .summary = "ordinal classes by conditional binary tasks",
                  .source = "arXiv:2111.08851",
                  .formula = "mean over all pairs (sample, k <= y) of [y > k] softplus(-z_k) + [y <= k] softplus(z_k)",
                  .notes = "Logits are [N, K-1], z_k that of P(y > k | y >= k). A sample's value is the mean over its "
                           "tasks, "
                           "and their number joins its weight in the mean."},
    .targets = LOSS_CLASSES, .unnamed_classes = 1, .forward = corn, .weights = task_counts,
};
