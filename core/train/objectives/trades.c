/* TRADES (Zhang et al. 2019): the loss at the samples, and how far an attack can move the prediction. Gradients flow
   through both predictions of the divergence. */
#include "core/schedules/weight.h"
#include "core/tensor/operations.h"
#include "core/train/objectives/adversarial.h"

struct trades { Instance attack; Weight beta; };

static const Param params[] = {
    ADVERSARIAL_ROW(struct trades),
    PARAM_WEIGHT(struct trades, beta, 6, .min = 0, .help = "of the divergence; 1/lambda of the paper"),
    PARAM_END
};

static bool validate(const void *values, Error *error)
{
    return adversarial_starts_elsewhere(&((const struct trades *)values)->attack, error);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct trades *self = context->values;
    bool moves = !weight_is(&self->beta, 0) && attack_moves(context->state);
    BatchTensors moved = moves ? adversarial_batch(context, forward, batch, attack_divergence) : *batch;
    Tensor *clean = objective_logits(context, forward, batch);
    LossInput input = objective_loss_input(context, forward, batch, clean);
    Tensor *natural = loss_evaluate(&context->loss, &input).loss;
    if (!moves)
        return natural;
    Tensor *divergence = attack_divergence(objective_logits(context, forward, &moved), clean, NULL);
    return t_add(natural, t_scale(adversarial_mean(divergence, batch), weight_at(&self->beta, &context->at)));
}

const ObjectiveDef objective_trades = {
    .component = {.name = "trades",
                  .summary = "the loss, and the divergence of predictions under an attack",
                  .params = params,
                  .size = sizeof(struct trades),
                  .source = "arXiv:1901.08573",
                  .formula = "L(z(x), y) + beta KL(softmax z(x) || softmax z(x')), x' = argmax KL within the attack's "
                             "ball",
                  .validate = validate},
    .prepare = adversarial_prepare,
    .release = adversarial_release,
    .loss = loss,
};
