#include "losses/shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t loss_columns(const LossInput *in)
{
    return in->logits->shape[in->logits->rank - 1];
}

float *loss_state_of(const LossInput *in, int64_t row, int64_t width)
{
    int64_t stride = in->state_stride ? in->state_stride : width;
    return in->state ? in->state + (in->ids ? in->ids[row] : row) * stride : NULL;
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

bool loss_samples_differ(const void *self, const LossInput *in)
{
    (void)self;
    const int64_t count = in->logits->shape[0];
    if (!in->state || !in->ids)
        return true;
    int64_t *ids = memory_array((size_t)count, sizeof *ids);
    memcpy(ids, in->ids, (size_t)count * sizeof *ids);
    qsort(ids, (size_t)count, sizeof *ids, compare_ids);
    bool differ = true;
    for (int64_t i = 1; i < count && differ; i++)
        differ = ids[i] != ids[i - 1];
    memory_free(ids);
    return differ;
}

Tensor *loss_negative_log_likelihood(const LossInput *in)
{
    return t_softmax_cross_entropy(in->logits, in->targets);
}

Tensor *loss_without_target(Tensor *logits, Tensor *classes, double value)
{
    Tensor *one_hot = t_cast(t_one_hot(classes, logits->shape[logits->rank - 1], logits->type), ARRAY_I32);
    return t_where(one_hot, t_scalar(logits->type, value), logits);
}

/* The maximum is taken off first: a large one would take the low bits of both sums. */
Tensor *loss_log_of_others(Tensor *logits, Tensor *classes)
{
    Tensor *shifted = t_sub(logits, t_detach(t_max(logits, -1, true)));
    Tensor *others = t_log_sum_exp(loss_without_target(shifted, classes, -INFINITY), -1, false);
    return t_sub(others, t_log_sum_exp(shifted, -1, false));
}

Tensor *loss_expm1(Tensor *x)
{
    return t_straight_through(t_expm1(t_detach(x)), t_exp(x));
}

Tensor *loss_one_minus(Tensor *negative_log)
{
    return t_neg(loss_expm1(t_neg(negative_log)));
}

Tensor *loss_entropy_of(Tensor *log_p)
{
    return t_neg(t_sum(t_mul(t_exp(log_p), log_p), -1, false));
}

Tensor *loss_divergence(Tensor *log_p, Tensor *log_q)
{
    return t_sum(t_mul(t_exp(log_p), t_sub(log_p, log_q)), -1, false);
}

bool loss_targets_are_soft(const LossInput *in)
{
    return in->targets->type != ARRAY_I32;
}

bool loss_has_soft_targets(const void *self, const LossInput *in)
{
    (void)self;
    return loss_targets_are_soft(in);
}

Tensor *loss_one_hot(const LossInput *in)
{
    return t_one_hot(in->targets, loss_columns(in), in->logits->type);
}

Tensor *loss_soft_targets(const LossInput *in)
{
    return loss_targets_are_soft(in) ? in->targets : loss_one_hot(in);
}

Tensor *loss_cross_entropy_of(const LossInput *in, Tensor *logits)
{
    if (!loss_targets_are_soft(in))
        return t_softmax_cross_entropy(logits, in->targets);
    return t_neg(t_sum(t_mul(in->targets, t_log_softmax(logits)), -1, false));
}

Tensor *loss_constants(const Tensor *like, FloatList values)
{
    Tensor *constants = t_new(like->type, SHAPE(values.count));
    for (int64_t i = 0; i < values.count; i++)
        tensor_set(constants, i, values.items[i]);
    return constants;
}

Tensor *loss_by_class(const LossInput *in, const double *values)
{
    Tensor *result = t_new(in->logits->type, in->targets->rank, in->targets->shape);
    for (int64_t i = 0; i < result->count; i++)
        tensor_set(result, i, values[tensor_i32(in->targets)[i]]);
    return result;
}

bool loss_check_per_class(const char *key, FloatList values, bool may_be_empty, const LossInput *in, Error *error)
{
    if (values.count == loss_columns(in) || (may_be_empty && values.count == 0))
        return true;
    return fail_usage(error, "%s: %lld values for %lld classes", key, (long long)values.count,
                      (long long)loss_columns(in));
}

Tensor *loss_centered(Tensor *logits)
{
    return t_sub(logits, t_detach(t_max(logits, -1, true)));
}

Tensor *loss_normalized(Tensor *rows)
{
    return t_div(rows, t_maximum(t_norm(rows, -1, true), t_scalar(rows->type, 1e-12)));
}

bool loss_check_like_logits(const LossInput *in, const char *name, Error *error)
{
    return tensor_same_shape(loss_extra(in, name), in->logits) ||
           fail(error, "%s: expected the shape of the logits", name);
}
