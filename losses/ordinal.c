/* Ordinal classes 0 < 1 < ... < K-1 by K-1 binary thresholds. CORAL: Cao, Mirjalili and Raschka 2020; CORN: Shi, Cao
   and Raschka 2021. */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

/* `count` elements from `begin` on. */
static void set_first(Tensor *tensor, int64_t begin, int64_t count, double value)
{
    for (int64_t i = begin; tensor->type == ARRAY_F32 && i < begin + count; i++)
        tensor_f32(tensor)[i] = (float)value;
    for (int64_t i = begin; tensor->type == ARRAY_F64 && i < begin + count; i++)
        tensor_f64(tensor)[i] = value;
}

/* softplus(-z) where y > k, softplus(z) elsewhere; [N, K-1]. */
static Tensor *threshold_terms(const LossInput *in)
{
    Tensor *sign = t_full(in->logits->type, in->logits->rank, in->logits->shape, 1);
    for (int64_t row = 0, columns = loss_columns(in); row < in->targets->count; row++)
        set_first(sign, row * columns, tensor_i32(in->targets)[row], -1);
    return t_softplus(t_mul(sign, in->logits));
}

static Tensor *coral(const void *self, const LossInput *in)
{
    (void)self;
    return t_sum(threshold_terms(in), -1, false);
}

/* sum softplus(-z_k), or softplus(z_k) where they are not passed, k in [begin, end). d/dz = -sigmoid(-z), or
   sigmoid(z). */
ROW double answers(const LossRow *row, int64_t begin, int64_t end, bool passed, float scale, float *gradient)
{
    const float *z = row->logits;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = begin; k < end; k++) {
        const RowLogistic of = row_logistic(z[k]);
        const float x = passed ? -z[k] : z[k];
        sum += (double)((x > 0 ? x : 0) + of.tail);
        if (gradient)
            gradient[k] = scale * (passed ? -of.rest : of.p);
    }
    return sum;
}

ROW float coral_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return (float)(answers(row, 0, row->target, true, 1, gradient) +
                   answers(row, row->target, row->columns, false, 1, gradient));
}

LOSS_ROWS(coral)

/* K-1 thresholds between K classes. */
static int64_t thresholds(const void *self, int64_t classes)
{
    (void)self;
    return classes - 1;
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* A class's value is -softplus(-z) of the thresholds below it and -softplus(z) of the others; up to what all classes
   share, the sum of the z below it. */
static void decode_coral(const void *self, int64_t outputs, const double *z, double *log_p)
{
    (void)self;
    double largest = 0, sum = 0, value = 0;
    for (int64_t k = 0; k <= outputs; k++) {
        log_p[k] = value;
        largest = fmax(largest, value);
        value += k < outputs ? z[k] : 0;
    }
    for (int64_t k = 0; k <= outputs; k++)
        sum += exp(log_p[k] - largest);
    for (int64_t k = 0; k <= outputs; k++)
        log_p[k] = log_p[k] - largest - log(sum);
}

/* log P(y = k) = sum_{j < k} log sigmoid(z_j) + log(1 - sigmoid(z_k)). */
static void decode_corn(const void *self, int64_t outputs, const double *z, double *log_p)
{
    (void)self;
    double beyond = 0;
    for (int64_t k = 0; k < outputs; k++) {
        log_p[k] = beyond - softplus(z[k]);
        beyond -= softplus(-z[k]);
    }
    log_p[outputs] = beyond;
}

/* Task k is asked of the samples with y >= k: a sample of class y has min(y + 1, K-1) tasks. */
static double tasks(const LossInput *in, int64_t row)
{
    int64_t target = tensor_i32(in->targets)[row], most = loss_columns(in);
    return (double)(target < most ? target + 1 : most);
}

static Tensor *task_counts(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *counts = t_new(in->logits->type, SHAPE(in->logits->shape[0]));
    for (int64_t i = 0; i < counts->count; i++)
        tensor_set(counts, i, tasks(in, i));
    return counts;
}

/* The mean over a sample's tasks; weighted by their number, the mean over samples is that over all pairs. */
static Tensor *corn(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *share = t_zeros(in->logits->type, in->logits->rank, in->logits->shape);
    for (int64_t row = 0, columns = loss_columns(in); row < in->targets->count; row++)
        set_first(share, row * columns, (int64_t)tasks(in, row), 1 / tasks(in, row));
    return t_sum(t_mul(share, threshold_terms(in)), -1, false);
}

ROW float corn_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    const int64_t asked = row->target < row->columns ? row->target + 1 : row->columns;
    const float share = 1 / (float)asked;
    for (int64_t k = asked; gradient && k < row->columns; k++)
        gradient[k] = 0;
    return (float)((answers(row, 0, row->target, true, share, gradient) +
                    answers(row, row->target, asked, false, share, gradient)) / (double)asked);
}

LOSS_ROWS(corn)

const LossDef loss_coral = {
    .component = {.name = "coral",
                  .summary = "ordinal classes by binary thresholds of shared weights",
                  .source = "arXiv:1901.07884",
                  .formula = "sum_k [y > k] softplus(-z_k) + [y <= k] softplus(z_k)",
                  .notes =
                      "Logits are [N, K-1], thresholds between the classes 0..K-1; a trained model has one for each. "
                      "A class's probability is that of its thresholds' answers among those of all classes, "
                      "softmax_y sum_{k < y} z_k: where thresholds descend, the largest is the class with as many "
                      "positive ones below it."},
    .targets = LOSS_CLASSES,
    .unnamed_classes = 1,
    .outputs = thresholds,
    .decode = decode_coral,
    .forward = coral,
    .rows = &rows_coral,
};

const LossDef loss_corn = {
    .component = {.name = "corn", .summary = "ordinal classes by conditional binary tasks",
                  .source = "arXiv:2111.08851",
                  .formula = "mean over all pairs (sample, k <= y) of [y > k] softplus(-z_k) + [y <= k] softplus(z_k)",
                  .notes = "Logits are [N, K-1], z_k that of P(y > k | y >= k). A sample's value is the mean over its "
                           "tasks, "
                           "and their number joins its weight in the mean. P(y = k) is (1 - sigmoid(z_k)) times the "
                           "sigmoid(z_j) of all j < k."},
    .targets = LOSS_CLASSES, .unnamed_classes = 1, .outputs = thresholds, .decode = decode_corn, .forward = corn,
    .rows = &rows_corn, .weights = task_counts,
};
