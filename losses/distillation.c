/* Losses towards a teacher's logits: Hinton, Vinyals and Dean 2015; decoupled, Zhao et al. 2022. */
#include <math.h>

#include "losses/shared.h"

struct kd { double temperature; Weight ce_weight, kd_weight; };
struct dkd { double temperature; Weight alpha, beta, ce_weight; };

static const Param kd_params[] = {
    PARAM_FLOAT(struct kd, temperature, 4, .min = 1e-6, .help = "divides both logits"),
    PARAM_WEIGHT(struct kd, ce_weight, 0.1, .min = 0, .help = "factor of the cross-entropy of the targets"),
    PARAM_WEIGHT(struct kd, kd_weight, 0.9, .min = 0, .help = "factor of the divergence from the teacher"),
    PARAM_END
};
static const Param dkd_params[] = {
    PARAM_WEIGHT(struct dkd, alpha, 1, .min = 0, .help = "factor of the part of target against the rest"),
    PARAM_WEIGHT(struct dkd, beta, 8, .min = 0, .help = "factor of the part among the rest"),
    PARAM_FLOAT(struct dkd, temperature, 4, .min = 1e-6, .help = "divides both logits"),
    PARAM_WEIGHT(struct dkd, ce_weight, 0, .min = 0, .help = "factor of the cross-entropy of the targets"),
    PARAM_END
};

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return loss_check_like_logits(in, "teacher_logits", error);
}

static Tensor *kd(const void *values, const LossInput *in)
{
    const struct kd *self = values;
    double T = self->temperature;
    Tensor *teacher = t_log_softmax(t_scale(loss_extra(in, "teacher_logits"), 1 / T));
    Tensor *student = t_log_softmax(t_scale(in->logits, 1 / T));
    Tensor *cross_entropy = loss_cross_entropy_of(in, in->logits);
    return t_add(t_scale(loss_divergence(teacher, student), T * T * weight_at(&self->kd_weight, &in->at)),
                 t_scale(cross_entropy, weight_at(&self->ce_weight, &in->at)));
}

/* KL of (p_y, 1 - p_y), teacher against student. */
static Tensor *target_part(Tensor *teacher, Tensor *student, Tensor *classes)
{
    Tensor *log_p = t_neg(t_softmax_cross_entropy(teacher, classes));
    Tensor *log_q = t_neg(t_softmax_cross_entropy(student, classes));
    Tensor *log_rest_p = loss_log_of_others(teacher, classes), *log_rest_q = loss_log_of_others(student, classes);
    return t_add(t_mul(t_exp(log_p), t_sub(log_p, log_q)), t_mul(t_exp(log_rest_p), t_sub(log_rest_p, log_rest_q)));
}

/* KL of the distributions over the other classes; the target's entry is left out. */
static Tensor *rest_part(Tensor *teacher, Tensor *student, Tensor *classes)
{
    Tensor *log_p = t_log_softmax(loss_without_target(teacher, classes, -INFINITY));
    Tensor *log_q = t_log_softmax(loss_without_target(student, classes, -INFINITY));
    Tensor *gap = t_sub(loss_without_target(log_p, classes, 0), loss_without_target(log_q, classes, 0));
    return t_sum(t_mul(t_exp(log_p), gap), -1, false);
}

static Tensor *dkd(const void *values, const LossInput *in)
{
    const struct dkd *self = values;
    double T = self->temperature;
    Tensor *teacher = t_scale(loss_extra(in, "teacher_logits"), 1 / T), *student = t_scale(in->logits, 1 / T);
    if (loss_columns(in) == 1) /* there is no rest */
        return t_scale(loss_negative_log_likelihood(in), 0);
    Tensor *sum = t_add(t_scale(target_part(teacher, student, in->targets), weight_at(&self->alpha, &in->at) * T * T),
                        t_scale(rest_part(teacher, student, in->targets), weight_at(&self->beta, &in->at) * T * T));
    if (weight_is(&self->ce_weight, 0))
        return sum;
    return t_add(sum, t_scale(loss_negative_log_likelihood(in), weight_at(&self->ce_weight, &in->at)));
}

static const char *const extras[] = {"teacher_logits", NULL};
static const char *const dkd_examples[] = {"\"dkd\"", "{\"type\": \"dkd\", \"temperature\": 2, \"ce_weight\": 1}",
                                           NULL};

const LossDef loss_kd = {
    .component = {.name = "kd", .summary = "knowledge distillation: a teacher's probabilities at a temperature",
                  .params = kd_params,
                  .size = sizeof(struct kd), .source = "arXiv:1503.02531",
                  .formula = "kd_weight T^2 KL(softmax(teacher / T), softmax(z / T)) + ce_weight (-sum t log "
                             "softmax(z))",
                  .notes = "Extra teacher_logits [N, C]."},
    .targets = LOSS_CLASSES_OR_SOFT, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT, .forward = kd,
        .check = check,
};

const LossDef loss_dkd = {
    .component = {.name = "dkd", .summary = "decoupled knowledge distillation: the target and the rest, weighted apart",
                  .params = dkd_params, .size = sizeof(struct dkd), .source = "arXiv:2203.08679",
                  .formula = "T^2 (alpha KL of (p_y, 1-p_y) + beta KL among the others) + ce_weight (-log p_y)",
                  .notes = "Extra teacher_logits [N, C]; divergences are of the student from the teacher, at "
                           "temperature T."},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT,
        .forward = dkd,
    .check = check, .examples = dkd_examples,
};
