/* Squared errors over classes: of the probabilities (Brier 1950), of the outputs themselves. */
#include "losses/rows.h"
#include "losses/shared.h"

static Tensor *brier(const void *self, const LossInput *in)
{
    (void)self;
    return t_sum(t_square(t_sub(t_softmax(in->logits), loss_soft_targets(in))), -1, false);
}

/* With r = p - t: sum r^2, gradient 2 p_k (r_k - sum p r). 1 - p_y is the share of the others. */
ROW float brier_of(bool soft, const LossRow *row, float *gradient)
{
    const float *z = row->logits, *t = row->targets, largest = row_largest(z, row->columns);
    float *p = row->scratch;
    const int64_t columns = row->columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        p[k] = float_exp(z[k] - largest);
        sum += (double)p[k];
    }
    const double rest = soft ? 0 : (sum - (double)p[row->target]) / sum;
    const float inverse = (float)(1 / sum);
    double value = 0, mean = 0;
    ROW_SUM(value, mean)
    for (int64_t k = 0; k < columns; k++) {
        p[k] *= inverse;
        const float r = soft ? p[k] - t[k] : p[k];
        value += (double)(r * r);
        mean += (double)(p[k] * r);
    }
    const double own = soft ? 0 : (double)p[row->target];
    value += rest * rest - own * own;
    mean -= own * (own + rest);
    const float center = (float)mean;
    ROW_LOOP
    for (int64_t k = 0; k < (gradient ? columns : 0); k++)
        gradient[k] = 2 * p[k] * ((soft ? p[k] - t[k] : p[k]) - center);
    if (gradient && !soft)
        gradient[row->target] = (float)(-2 * own * (rest + mean));
    return (float)value;
}

ROW float brier_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return row->targets ? brier_of(true, row, gradient) : brier_of(false, row, gradient);
}

LOSS_ROWS(brier, .scratch = 1)

static Tensor *mse_onehot(const void *self, const LossInput *in)
{
    (void)self;
    return t_sum(t_square(t_sub(in->logits, loss_soft_targets(in))), -1, false);
}

/* q - 2 z_y + 1 */
static double mse_onehot_of_moments(const void *self, const LossMoments *moments, double slopes[3])
{
    (void)self;
    slopes[0] = 0;
    slopes[1] = 1;
    slopes[2] = -2;
    return moments->squares - 2 * moments->target + 1;
}

ROW float mse_onehot_row(const void *self, const LossRow *row, float *gradient)
{
    return row->targets ? (float)row_squares(row, 1, gradient)
                        : row_of_moments(self, mse_onehot_of_moments, 0, row, gradient);
}

LOSS_ROWS(mse_onehot)

const LossDef loss_brier = {
    .component = {.name = "brier", .summary = "squared error of the probabilities, summed over classes",
                  .source = "Brier 1950", .formula = "sum_k (softmax(z)_k - t_k)^2"},
    .targets = LOSS_CLASSES_OR_SOFT, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED | LOSS_PROPER,
    .forward = brier, .rows = &rows_brier,
};

const LossDef loss_mse_onehot = {
    .component = {.name = "mse_onehot",
                  .summary = "squared error of the outputs to the one-hot target, summed over classes",
                  .source = "arXiv:1604.08859", .formula = "sum_k (z_k - t_k)^2"},
    .targets = LOSS_CLASSES_OR_SOFT, .forward = mse_onehot, .rows = &rows_mse_onehot,
    .of_moments = mse_onehot_of_moments,
};
