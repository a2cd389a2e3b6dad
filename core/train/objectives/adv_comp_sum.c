/* ADV-COMP-SUM (Mao, Mohri and Zhong 2023): a comp-sum loss of z / rho, smooth in the adversary,

       l_tau(z(x) / rho, y) + nu sup_{||x' - x|| <= eps} ||D(x', y) - D(x, y)||_2,    D = (z_y - z_k)_k.

   The attack holds D(x) fixed; the gradient flows through both D(x') and D(x). */
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objectives/adversarial.h"
#include "data/transform.h"
#include "losses/shared.h"

struct adv_comp_sum { Instance attack; double tau, rho; Weight nu; };

static const Param params[] = {
    ADVERSARIAL_ROW(struct adv_comp_sum),
    PARAM_FLOAT(struct adv_comp_sum, tau, 1, .min = 0, .help = "of the comp-sum family: 1 is cross-entropy, 2 mae"),
    PARAM_FLOAT(struct adv_comp_sum, rho, 1, .min = 1e-6, .max = 1e6, .help = "divides the logits in the loss"),
    PARAM_WEIGHT(struct adv_comp_sum, nu, 1, .min = 0, .help = "of the largest change of the margins"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    return adversarial_starts_elsewhere(&((const struct adv_comp_sum *)values)->attack, error);
}

/* The loss is the objective's own; another one in the config would be ignored in silence. */
static bool prepare(ObjectiveContext *context, Error *error)
{
    const InstanceList *transforms = &context->config->train.transforms;
    if (strcmp(context->loss.component->name, "ce") != 0)
        return fail_usage(error, "loss: adv_comp_sum is a loss itself (objective.tau, objective.rho), beside which "
                                 "only "
                          "ce can stand, for validation");
    for (int64_t i = 0; i < transforms->count; i++)
        if (((const TransformDef *)transforms->items[i].component)->batch)
            return fail_usage(error, "train.transforms: adv_comp_sum takes no probabilities, which %s makes of classes",
                              transforms->items[i].component->name);
    return adversarial_prepare(context, error);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct adv_comp_sum *self = context->values;
    bool moves = !weight_is(&self->nu, 0) && attack_moves(context->state);
    BatchTensors moved = moves ? adversarial_batch(context, forward, batch, attack_margin_change) : *batch;
    Tensor *clean = objective_logits(context, forward, batch), *classes = adversarial_classes(batch);
    LossInput input = {.logits = t_scale(clean, 1 / self->rho), .targets = classes};
    Tensor *base = adversarial_mean(loss_comp_sum_of(loss_negative_log_likelihood(&input), self->tau), batch);
    if (!moves)
        return base;
    Tensor *change = attack_margin_change(objective_logits(context, forward, &moved), clean, classes);
    return t_add(base, t_scale(adversarial_mean(change, batch), weight_at(&self->nu, &context->at)));
}

const ObjectiveDef objective_adv_comp_sum = {
    .component = {.name = "adv_comp_sum",
                  .summary = "smooth adversarial comp-sum loss: the largest change of the margins is added",
                  .params = params,
                  .size = sizeof(struct adv_comp_sum),
                  .source = "arXiv:2304.07288",
                  .formula = "l_tau(z(x)/rho, y) + nu max_x' ||D(x') - D(x)||_2, D = (z_y - z_k)_k, x' in the "
                             "attack's ball",
                  .notes = "The theory has nu of the order of sqrt(classes - 1) / rho; in practice it is tuned: where "
                           "it is "
                           "too large, the least objective is that of logits that do not depend on the sample. The "
                           "norm "
                           "penalty of ADV-COMP-SUM is the optimizer's weight_decay.",
                  .validate = validate},
    .prepare = prepare,
    .release = adversarial_release,
    .loss = loss,
};
