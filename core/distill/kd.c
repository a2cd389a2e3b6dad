/* Knowledge distillation (Hinton et al. 2015): the student matches the teacher's softened probabilities.
   loss = ce_weight L(student, target) + kd_weight T^2 KL(softmax(teacher/T) || softmax(student/T)). */
#include "core/distill/distiller.h"
#include "core/schedules/weight.h"
#include "core/tensor/operations.h"

struct kd { const char *teacher; double temperature; Weight ce_weight, kd_weight; };

static const Param params[] = {
    DISTILLER_ROW(struct kd),
    PARAM_FLOAT(struct kd, temperature, 4, .min = 1e-6, .max = 1e6, .help = "divides both models' logits"),
    PARAM_WEIGHT(struct kd, ce_weight, 0.1, .min = 0, .help = "of the config's loss against the targets"),
    PARAM_WEIGHT(struct kd, kd_weight, 0.9, .min = 0, .help = "of the divergence from the teacher"),
    PARAM_END
};

static bool prepare(ObjectiveContext *context, Error *error)
{
    TargetKind kind = context->splits->train.dataset->target_kind;
    if (kind == TARGET_VALUES || kind == TARGET_LABELS)
        return fail(error, "distill: kd needs one class a sample; the data has %s",
                    kind == TARGET_VALUES ? "values" : "labels");
    const LossDef *loss = (const LossDef *)context->loss.component;
    if (loss_decodes(&context->loss))
        return fail(error, "distill: kd compares softmax outputs; those of the loss %s are others",
                    loss->component.name);
    return (context->state = teacher_open(((const struct kd *)context->values)->teacher, context, error)) != NULL;
}

static void release(ObjectiveContext *context)
{
    teacher_close(context->state);
}

/* Over the rows that have a target. */
static Tensor *divergence(Tensor *student, Tensor *teacher, Tensor *mask, double temperature)
{
    Tensor *target = t_log_softmax(t_scale(t_detach(teacher), 1 / temperature)),
           *log_p = t_log_softmax(t_scale(student, 1 / temperature));
    Tensor *rows = t_sum(t_mul(t_exp(target), t_sub(target, log_p)), -1, false);
    Tensor *mean = t_mean(rows, ALL_AXES, false);
    if (mask) {
        mask = t_reshape(mask, rows->rank, rows->shape);
        mean = t_div(t_sum(t_mul(rows, mask), ALL_AXES, false), t_sum(mask, ALL_AXES, false));
    }
    return t_scale(mean, temperature * temperature);
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const struct kd *self = context->values;
    Tensor *logits = objective_logits(context, forward, batch);
    LossInput input = objective_loss_input(context, forward, batch, logits);
    Tensor *teacher = t_reshape(teacher_logits(context->state, batch), input.logits->rank, input.logits->shape);
    Tensor *soft = t_scale(divergence(input.logits, teacher, batch->mask, self->temperature),
                           weight_at(&self->kd_weight, &context->at));
    if (weight_is(&self->ce_weight, 0))
        return soft;
    Tensor *hard = loss_evaluate(&context->loss, &input).loss;
    return t_add(t_scale(hard, weight_at(&self->ce_weight, &context->at)), soft);
}

const DistillerDef distiller_kd = {
    .objective = {
        .component = {.name = "kd",
                      .summary = "knowledge distillation",
                      .params = params,
                      .size = sizeof(struct kd),
                      .formula = "ce_weight L(z, y) + kd_weight T^2 KL(softmax(t/T) || softmax(z/T))",
                      .source = "arXiv:1503.02531"},
        .prepare = prepare,
        .release = release,
        .loss = loss,
    }};
