/* Adversarial training (Madry et al. 2018): the loss at the points of an attack instead of at the samples. */
#include "core/train/objectives/adversarial.h"

struct pgd_at { Instance attack; };

static const Param params[] = {ADVERSARIAL_ROW(struct pgd_at), PARAM_END};

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    BatchTensors moved = adversarial_batch(context, forward, batch, attack_cross_entropy);
    Tensor *logits = objective_logits(context, forward, &moved);
    LossInput input = objective_loss_input(context, forward, &moved, logits);
    return loss_evaluate(&context->loss, &input).loss;
}

const ObjectiveDef objective_pgd_at = {
    .component = {.name = "pgd_at",
                  .summary = "adversarial training: the loss where an attack makes cross-entropy large",
                  .params = params,
                  .size = sizeof(struct pgd_at),
                  .source = "arXiv:1706.06083",
                  .formula = "L(z(x'), y), x' = argmax CE(z(x'), y) within the attack's ball"},
    .prepare = adversarial_prepare,
    .release = adversarial_release,
    .loss = loss,
};
