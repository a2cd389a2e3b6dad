/* Early-learning regularisation: predictions are held to their own running mean. Liu et al. 2020. */
#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

struct elr { double beta; Weight lambda; };

static const Param params[] = {
    PARAM_FLOAT(struct elr, beta, 0.7, .min = 0, .max = 1, .help = "share of the running mean that is kept"),
    PARAM_WEIGHT(struct elr, lambda, 3, .min = 0, .help = "factor of the regulariser"),
    PARAM_END
};

static int64_t state_width(const void *self, int64_t classes)
{
    (void)self;
    return classes;
}

/* q <- beta q + (1-beta) p for the samples of the batch; returns 1 - q, [N, C], constant. */
static Tensor *update(const struct elr *self, const LossInput *in, const Tensor *p)
{
    int64_t classes = loss_columns(in);
    Tensor *rest = t_like(p);
    for (int64_t i = 0; i < p->count; i++) {
        int64_t k = i % classes;
        float *q = loss_state_of(in, i / classes, classes);
        double mean = self->beta * (q ? (double)q[k] : 0) + (1 - self->beta) * tensor_value(p, i);
        if (q)
            q[k] = (float)mean;
        tensor_set(rest, i, 1 - mean);
    }
    return rest;
}

/* 1 - <q, p> as sum_k p_k (1 - q_k). */
static Tensor *forward(const void *values, const LossInput *in)
{
    const struct elr *self = values;
    Tensor *p = t_softmax(in->logits);
    Tensor *rest = t_sum(t_mul(p, update(self, in, p)), -1, false);
    return t_add(loss_negative_log_likelihood(in), t_scale(t_log(rest), weight_at(&self->lambda, &in->at)));
}

/* With S = sum_k p_k (1 - q_k): p - e_y + lambda p_k ((1 - q_k) / S - 1). */
ROW float elr_row(const void *values, const LossRow *row, float *gradient)
{
    const struct elr *self = values;
    const float keep = (float)self->beta, lambda = (float)weight_at(&self->lambda, &row->in->at), *z = row->logits;
    const int64_t columns = row->columns;
    const RowSum all = row_log_sum_exp(row);
    float *state = loss_state_of(row->in, row->index, columns), *rest = row->scratch, *q = state ? state : rest;
    if (!state)
        memset(rest, 0, (size_t)columns * sizeof *rest);
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const float p = float_exp((z[k] - all.largest) - all.log_sum);
        const float mean = keep * q[k] + (1 - keep) * p;
        q[k] = mean;
        sum += (double)(p * (1 - mean));
    }
    const float inverse = (float)(1 / sum);
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++) {
        const float p = float_exp((z[k] - all.largest) - all.log_sum);
        gradient[k] = p * (1 + lambda * ((1 - q[k]) * inverse - 1));
    }
    if (gradient)
        gradient[row->target] -= 1;
    return row_negative_log_likelihood(row, all) + lambda * (float)log(sum);
}

LOSS_ROWS(elr, .scratch = 1, .takes = loss_samples_differ)

const LossDef loss_elr = {
    .component = {.name = "elr", .summary = "early-learning regularisation against memorised label noise",
                  .params = params,
                  .size = sizeof(struct elr), .source = "arXiv:2007.00151",
                  .formula = "-log p_y + lambda log(1 - <q, p>), q <- beta q + (1-beta) p",
                  .notes = "q is kept for each sample of the data set, starts at 0, is updated before it is used, and "
                           "has "
                           "no gradient."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_DETACHED, .state_width = state_width,
    .one_class = -1.0700248318161973, /* 3 log 0.7 */
    .forward = forward, .rows = &rows_elr,
};
