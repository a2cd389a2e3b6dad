/* Binary cross-entropy of labels that do not exclude each other; and of very many, of which few are positive: Gupta et
   al. 2024 (DEXML). */
#include "losses/rows.h"
#include "losses/shared.h"

struct bce { FloatList pos_weights; double label_smoothing; };

static const Param params[] = {
    PARAM_FLOATS(struct bce, pos_weights, "[]", .min = 0,
                 .help = "a factor of the positive part for each label; empty: all 1"),
    PARAM_FLOAT(struct bce, label_smoothing, 0, .min = 0, .max = 1, .help = "t becomes (1 - s) t + s/2"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    return loss_check_per_class("pos_weights", ((const struct bce *)values)->pos_weights, true, in, error);
}

static Tensor *forward(const void *values, const LossInput *in)
{
    const struct bce *self = values;
    Tensor *t = in->targets, *z = in->logits;
    if (self->label_smoothing > 0)
        t = t_add_scalar(t_scale(t, 1 - self->label_smoothing), self->label_smoothing / 2);
    Tensor *positive = t_mul(t, t_softplus(t_neg(z)));
    if (self->pos_weights.count)
        positive = t_mul(positive, loss_constants(z, self->pos_weights));
    Tensor *negative = t_mul(t_add_scalar(t_neg(t), 1), t_softplus(z));
    Tensor *sum = t_add(positive, negative);
    return z->rank == 1 ? sum : t_mean(sum, -1, false);
}

/* d/dz = (1-t) sigmoid(z) - w t sigmoid(-z), t smoothed */
ROW float labels(const LossRow *row, double smoothing, const double *weights, float *gradient)
{
    const float *z = row->logits, *t = row->targets, keep = (float)(1 - smoothing), shift = (float)(smoothing / 2);
    const int64_t columns = row->columns;
    const float scale = 1 / (float)columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const RowLogistic of = row_logistic(z[k]);
        const float label = keep * t[k] + shift, positive = weights ? label * (float)weights[k] : label;
        const float negative = 1 - label;
        sum += (double)(positive * ((z[k] < 0 ? -z[k] : 0) + of.tail) + negative * ((z[k] > 0 ? z[k] : 0) + of.tail));
        if (gradient)
            gradient[k] = scale * (negative * of.p - positive * of.rest);
    }
    return (float)(sum / (double)columns);
}

ROW float bce_row(const void *values, const LossRow *row, float *gradient)
{
    const struct bce *self = values;
    if (self->pos_weights.count)
        return labels(row, self->label_smoothing, self->pos_weights.items, gradient);
    return labels(row, self->label_smoothing, NULL, gradient);
}

LOSS_ROWS(bce)

static Tensor *forward_multi(const void *self, const LossInput *in)
{
    (void)self;
    return forward(&(struct bce){0}, in);
}

ROW float bce_multi_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return labels(row, 0, NULL, gradient);
}

LOSS_ROWS(bce_multi)

static const char *const examples[] = {
    "\"bce\"", "{\"type\": \"bce\", \"pos_weights\": [1, 3, 2], \"label_smoothing\": 0.1}", NULL};

const LossDef loss_bce = {
    .component = {.name = "bce", .summary = "binary cross-entropy, labels that do not exclude each other",
                  .params = params, .size = sizeof(struct bce), .source = "Cox 1958",
                  .formula = "mean over labels of w t softplus(-z) + (1-t) softplus(z)",
                  .notes = "Logits and targets are [N, labels], or [N] for one label."},
    .targets = LOSS_LABELS, .least_rank = 1, .most_rank = 2, .forward = forward, .rows = &rows_bce,
    .check = check, .examples = examples,
};

const LossDef loss_bce_multi = {
    .component = {.name = "bce_multi", .summary = "binary cross-entropy of each label, averaged over labels",
                  .source = "arXiv:2310.10636", .formula = "mean over labels of softplus(s) - t s",
                  .notes = "Logits are scores [B, L], already divided by the temperature."},
    .targets = LOSS_LABELS, .forward = forward_multi, .rows = &rows_bce_multi, .any_labels = true,
};
