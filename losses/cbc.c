/* Cross-model confident cross-entropy: where the other network is sure, its answer is the target, and the classes that
   it finds unlikely are pushed away. Liu et al. 2022 (TraCoCo). */
#include <math.h>

#include "losses/shared.h"

struct cbc { double threshold, neg_threshold; };

static const Param params[] = {
    PARAM_FLOAT(struct cbc, threshold, 0.65, .min = 0, .max = 1,
                .help = "rows whose largest teacher probability reaches it are positive; above 1/classes"),
    PARAM_FLOAT(struct cbc, neg_threshold, 0.1, .min = 0, .max = 1,
                .help = "rows whose least teacher probability is below it are negative"),
    PARAM_END
};

static bool check(const void *values, const LossInput *in, Error *error)
{
    if (!loss_check_like_logits(in, "teacher_logits", error))
        return false;
    double threshold = ((const struct cbc *)values)->threshold;
    if (!(threshold * (double)loss_columns(in) > 1))
        return fail_usage(error, "threshold: %g must be above 1/classes = %g", threshold,
                          1 / (double)loss_columns(in));
    return true;
}

/* log(1 - p_c) of every class, [N, C], clamped at log 1e-6. The largest probability, which alone can come near 1, is
   left out of a log-sum-exp; the others are at most 1/2. */
static Tensor *log_of_rest(Tensor *z, Tensor *log_p)
{
    Tensor *best = t_argmax(z, -1);
    Tensor *is_best = t_cast(t_one_hot(best, z->shape[1], z->type), ARRAY_I32);
    Tensor *largest = t_reshape(loss_log_of_others(z, best), SHAPE(z->shape[0], 1));
    Tensor *small = t_where(is_best, t_scalar(z->type, -1), log_p);
    return t_clamp(t_where(is_best, largest, t_log1p(t_neg(t_exp(small)))), log(1e-6), INFINITY);
}

/* What each entry of log p and of log(1 - p) counts: the teacher's probabilities over the numbers of terms. */
static void weigh(const struct cbc *self, const LossInput *in, Tensor *positive, Tensor *negative)
{
    int64_t columns = loss_columns(in), rows = positive->shape[0], sure = 0, terms = 0;
    Tensor *p = t_softmax(t_detach(t_reshape(loss_extra(in, "teacher_logits"), SHAPE(rows, columns))));
    Tensor *best = t_argmax(p, -1);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < rows; i++) {
            int64_t own = tensor_i32(best)[i];
            double most = tensor_value(p, i * columns + own), least = most;
            for (int64_t c = 0; c < columns; c++)
                least = fmin(least, tensor_value(p, i * columns + c));
            bool is_positive = most >= self->threshold, is_negative = least < self->neg_threshold;
            sure += pass == 0 && is_positive;
            terms += pass == 0 && is_negative ? columns - 1 : 0;
            for (int64_t c = 0; pass == 1 && c < columns; c++) {
                tensor_set(positive, i * columns + c, is_positive && c == own ? most / (double)sure : 0);
                tensor_set(negative, i * columns + c, is_negative && c != own ? least / (double)terms : 0);
            }
        }
}

static Tensor *forward(const void *self, const LossInput *in)
{
    Tensor *z = t_reshape(in->logits, SHAPE(-1, loss_columns(in))), *log_p = t_log_softmax(z);
    Tensor *positive = t_like(z), *negative = t_like(z);
    weigh(self, in, positive, negative);
    Tensor *sum = t_add(t_mul(positive, log_p), t_mul(negative, log_of_rest(z, log_p)));
    return t_neg(t_sum(sum, ALL_AXES, false));
}

static const char *const extras[] = {"teacher_logits", NULL};

const LossDef loss_cbc = {
    .component = {.name = "cbc", .summary = "confident pseudo-labels of another network, towards and away",
                  .params = params, .size = sizeof(struct cbc), .source = "arXiv:2203.14523",
                  .formula = "mean over sure rows of -w+ log p_y + mean over (row, c != y) of -w- log max(1 - p_c, "
                             "1e-6)",
                  .notes = "Extra teacher_logits, of the logits' shape [..., C], without gradient: y is their largest "
                           "class, w+ its probability, w- the least one. Sure rows have w+ >= threshold, rows of the "
                           "second mean w- < neg_threshold; a mean of nothing is 0. There are no targets, and the "
                           "loss is one value of the batch."},
    .targets = LOSS_NO_TARGETS, .extras = extras, .whole_batch = true, .least_rank = 2, .most_rank = 6,
    .least_columns = 2, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_DETACHED, .forward = forward, .check = check,
};
