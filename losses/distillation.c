/* Losses towards a teacher's logits: Hinton, Vinyals and Dean 2015; decoupled, Zhao et al. 2022. */
#include <math.h>
#include <string.h>

#include "losses/rows.h"
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

/* ---- In closed form ---- */

/* Logits at a temperature: log p_k = (z_k - largest) / T - log_sum. */
typedef struct Tempered { float largest, scale, log_sum; } Tempered;

/* Without the class `but`; -1: of all. */
ROW Tempered tempered(const float *z, int64_t columns, int64_t but, double temperature)
{
    const float scale = (float)(1 / temperature);
    float largest = -INFINITY;
    ROW_MAX(largest)
    for (int64_t k = 0; k < columns; k++) {
        const float x = k == but ? -INFINITY : z[k];
        largest = x > largest ? x : largest;
    }
    largest = isinf(largest) ? 0 : largest;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const float e = float_exp((z[k] - largest) * scale);
        sum += (double)(k == but ? 0 : e);
    }
    return (Tempered){largest, scale, (float)log(sum)};
}

ROW float tempered_log(Tempered by, float z)
{
    return (z - by.largest) * by.scale - by.log_sum;
}

/* log(1 - p_y): of the others' sum to that of all. */
ROW double log_of_others(Tempered all, Tempered others)
{
    return (double)((others.largest - all.largest) * all.scale) + (double)(others.log_sum - all.log_sum);
}

static const float *teacher_row(const LossRow *row)
{
    return tensor_f32(loss_extra(row->in, "teacher_logits")) + row->index * row->columns;
}

/* T kd_weight (q - p) + ce_weight (sum t softmax(z) - t), q and p at the temperature. */
ROW float kd_row(const void *values, const LossRow *row, float *gradient)
{
    const struct kd *self = values;
    const int64_t columns = row->columns;
    const float *z = row->logits, *teacher_z = teacher_row(row), *t = row->targets;
    const Tempered teacher = tempered(teacher_z, columns, -1, self->temperature);
    const Tempered student = tempered(z, columns, -1, self->temperature);
    const double T = self->temperature, by_kd = weight_at(&self->kd_weight, &row->in->at);
    const double by_ce = weight_at(&self->ce_weight, &row->in->at);
    float *hard = row->scratch;
    if (!t) {
        memset(hard, 0, (size_t)columns * sizeof *hard);
        hard[row->target] = 1;
    }
    const double cross_entropy = (double)row_cross_entropy(row, t ? t : hard, gradient);
    const float pull = (float)(T * by_kd), push = (float)by_ce;
    double divergence = 0;
    ROW_SUM(divergence)
    for (int64_t k = 0; k < columns; k++) {
        const float log_p = tempered_log(teacher, teacher_z[k]), log_q = tempered_log(student, z[k]);
        const float p = float_exp(log_p);
        divergence += (double)(p * (log_p - log_q));
        if (gradient)
            gradient[k] = pull * (float_exp(log_q) - p) + push * gradient[k];
    }
    return (float)(T * T * by_kd * divergence + by_ce * cross_entropy);
}

LOSS_ROWS(kd, .scratch = 1)

/* With p^, q^ among the others of the target y: by the target's part q_y - p_y at y and (p_y - q_y) q^_k elsewhere, by
   the rest's q^_k - p^_k elsewhere; all times T. */
ROW float dkd_row(const void *values, const LossRow *row, float *gradient)
{
    const struct dkd *self = values;
    const int64_t columns = row->columns, y = row->target;
    const float *z = row->logits, *teacher_z = teacher_row(row);
    const double T = self->temperature, alpha = weight_at(&self->alpha, &row->in->at);
    const double beta = weight_at(&self->beta, &row->in->at), by_ce = weight_at(&self->ce_weight, &row->in->at);
    const Tempered teacher = tempered(teacher_z, columns, -1, T), student = tempered(z, columns, -1, T);
    const Tempered teacher_rest = tempered(teacher_z, columns, y, T), student_rest = tempered(z, columns, y, T);
    const double log_p = (double)tempered_log(teacher, teacher_z[y]), log_q = (double)tempered_log(student, z[y]);
    const double log_rest_p = log_of_others(teacher, teacher_rest), log_rest_q = log_of_others(student, student_rest);
    const double gap = log_p > -0.5 ? exp(log_rest_q) - exp(log_rest_p) : exp(log_p) - exp(log_q); /* p_y - q_y */
    const double target_part = exp(log_p) * (log_p - log_q) + exp(log_rest_p) * (log_rest_p - log_rest_q);
    float cross_entropy = 0;
    if (by_ce != 0) {
        const RowSum all = row_log_sum_exp(row);
        cross_entropy = row_negative_log_likelihood(row, all);
        if (gradient)
            row_likelihood_gradient(row, all, (float)by_ce, gradient);
    }
    const float along = (float)(T * (alpha * gap + beta)), against = (float)(T * beta), kept = by_ce != 0 ? 1 : 0;
    double rest_part = 0;
    ROW_SUM(rest_part)
    for (int64_t k = 0; k < columns; k++) {
        const float log_p_k = tempered_log(teacher_rest, teacher_z[k]), log_q_k = tempered_log(student_rest, z[k]);
        const float p = float_exp(log_p_k);
        rest_part += (double)(k == y ? 0 : p * (log_p_k - log_q_k));
        if (gradient)
            gradient[k] = (k == y ? 0 : along * float_exp(log_q_k) - against * p) + (kept > 0 ? gradient[k] : 0);
    }
    if (gradient)
        gradient[y] -= (float)(T * alpha * gap);
    return (float)(T * T * (alpha * target_part + beta * rest_part) + by_ce * (double)cross_entropy);
}

static bool has_others(const void *self, const LossInput *in)
{
    (void)self;
    return loss_columns(in) > 1;
}

LOSS_ROWS(dkd, .takes = has_others)

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
        .rows = &rows_kd,
        .check = check,
};

const LossDef loss_dkd = {
    .component = {.name = "dkd", .summary = "decoupled knowledge distillation: the target and the rest, weighted apart",
                  .params = dkd_params, .size = sizeof(struct dkd), .source = "arXiv:2203.08679",
                  .formula = "T^2 (alpha KL of (p_y, 1-p_y) + beta KL among the others) + ce_weight (-log p_y)",
                  .notes = "Extra teacher_logits [N, C]; divergences are of the student from the teacher, at "
                           "temperature T."},
    .targets = LOSS_CLASSES, .extras = extras, .properties = LOSS_TRANSLATION_INVARIANT,
        .forward = dkd, .rows = &rows_dkd,
    .check = check, .examples = dkd_examples,
};
