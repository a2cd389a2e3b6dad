/* Cross-entropy of hard or soft targets, with label smoothing (Szegedy et al. 2016), class weights, and
   an index that is ignored. */
#include "losses/rows.h"
#include "losses/shared.h"

struct ce { double label_smoothing; FloatList class_weights; int64_t ignore_index; };

static const Param params[] = {
    PARAM_FLOAT(struct ce, label_smoothing, 0, .min = 0, .max = 1,
                .help = "share of the uniform distribution over all classes in the target"),
    PARAM_FLOATS(struct ce, class_weights, "[]", .min = 0, .help = "a weight for each class; empty: all 1"),
    PARAM_INT(struct ce, ignore_index, null, .help = "targets of this value count for nothing"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("class_weights", ((const struct ce *)values)->class_weights, true, in, error);
}

static int64_t ignore_index(const void *values)
{
    return ((const struct ce *)values)->ignore_index;
}

static bool plain(const void *values)
{
    const struct ce *self = values;
    return self->label_smoothing == 0 && self->class_weights.count == 0;
}

/* Ignored rows become -1, which the operations leave out. */
static Tensor *kept_targets(const struct ce *self, const LossInput *in)
{
    if (self->ignore_index == PARAM_UNSET)
        return in->targets;
    Tensor *kept = t_like(in->targets);
    for (int64_t i = 0; i < kept->count; i++)
        tensor_i32(kept)[i] = tensor_i32(in->targets)[i] == self->ignore_index ? -1 : tensor_i32(in->targets)[i];
    return kept;
}

static Tensor *weights(const void *values, const LossInput *in)
{
    const struct ce *self = values;
    if (loss_targets_are_soft(in) || (self->ignore_index == PARAM_UNSET && self->class_weights.count == 0))
        return NULL;
    Tensor *result = t_new(in->logits->type, in->targets->rank, in->targets->shape);
    for (int64_t i = 0; i < result->count; i++) {
        int64_t target = tensor_i32(in->targets)[i];
        bool ignored = self->ignore_index != PARAM_UNSET && target == self->ignore_index;
        tensor_set(result, i, ignored ? 0 : self->class_weights.count ? self->class_weights.items[target] : 1);
    }
    return result;
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct ce *self = values;
    int64_t classes = loss_columns(in);
    double smoothing = self->label_smoothing;
    bool soft = loss_targets_are_soft(in);
    if (!soft && smoothing == 0)
        return t_softmax_cross_entropy(in->logits, kept_targets(self, in));
    Tensor *log_p = t_log_softmax(in->logits);
    if (soft && self->class_weights.count)
        log_p = t_mul(log_p, loss_constants(log_p, self->class_weights));
    if (soft) {
        Tensor *targets = in->targets;
        if (smoothing > 0)
            targets = t_add_scalar(t_scale(targets, 1 - smoothing), smoothing / (double)classes);
        return t_neg(t_sum(t_mul(targets, log_p), -1, false));
    }
    /* (1-s) log p_y + s/C sum log p; one-hot rows of ignored targets are zero, and so must the second term be. */
    Tensor *one_hot = t_one_hot(kept_targets(self, in), classes, log_p->type);
    Tensor *kept = t_sum(one_hot, -1, true);
    Tensor *targets = t_add(t_scale(one_hot, 1 - smoothing), t_scale(kept, smoothing / (double)classes));
    return t_neg(t_sum(t_mul(targets, log_p), -1, false));
}

/* Bare cross-entropy of hard targets is an operation of its own, fused already. */
static bool takes_row(const void *values, const LossInput *in)
{
    return loss_targets_are_soft(in) || ((const struct ce *)values)->label_smoothing > 0;
}

ROW float ce_row(const void *values, const LossRow *row, float *gradient)
{
    const struct ce *self = values;
    const int64_t columns = row->columns;
    const float *t = row->targets;
    const float keep = (float)(1 - self->label_smoothing), share = (float)(self->label_smoothing / (double)columns);
    const double *weights = self->class_weights.items;
    float *c = row->scratch;
    if (!t && self->ignore_index != PARAM_UNSET && row->target == self->ignore_index) {
        for (int64_t k = 0; k < (gradient ? columns : 0); k++)
            gradient[k] = 0;
        return 0;
    }
    ROW_LOOP
    for (int64_t k = 0; k < columns; k++)
        c[k] = t ? keep * t[k] + share : share;
    if (!t)
        c[row->target] += keep;
    ROW_LOOP
    for (int64_t k = 0; k < (t && self->class_weights.count ? columns : 0); k++)
        c[k] *= (float)weights[k];
    return row_cross_entropy(row, c, gradient);
}

LOSS_ROWS(ce, .scratch = 1, .takes = takes_row)

static const char *const examples[] = {
    "\"ce\"", "{\"type\": \"ce\", \"label_smoothing\": 0.1}",
    "{\"type\": \"ce\", \"class_weights\": [1, 2, 0.5], \"ignore_index\": 1}", NULL};

const LossDef loss_ce = {
    .component = {.name = "ce", .summary = "cross-entropy", .params = params, .size = sizeof(struct ce),
                  .source = "Cox 1958; label smoothing: arXiv:1512.00567",
                  .formula = "-sum_k t_k log softmax(z)_k",
                  .notes = "With label smoothing s, t becomes (1-s) t + s/C. For hard targets the class weight of the "
                           "target "
                           "joins the sample weight in the mean; for soft targets each class's term is multiplied."},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_PROPER,
    .forward = forward, .rows = &rows_ce, .weights = weights, .check = check, .ignore_index = ignore_index,
    .plain = plain, .examples = examples,
};
