/* Losses of real values, the mean over the outputs of a sample. */
#include "losses/rows.h"
#include "losses/shared.h"

struct huber { double delta; };

static const Param huber_params[] = {
    PARAM_FLOAT(struct huber, delta, 1, .min = 0, .help = "residual at which the square turns into a line"),
    PARAM_END
};

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    if (tensor_same_shape(in->logits, in->targets))
        return true;
    if (in->logits->rank == 2 && in->logits->shape[1] == 1 && in->targets->rank == 1)
        return true;
    return fail(error, "targets: values must have the shape of the predictions");
}

/* Targets [N] serve predictions [N, 1]. */
static Tensor *residual(const LossInput *in)
{
    return t_sub(in->logits, t_reshape(in->targets, in->logits->rank, in->logits->shape));
}

static Tensor *over_outputs(Tensor *terms)
{
    return terms->rank == 2 ? t_mean(terms, -1, false) : terms;
}

static Tensor *mse(const void *self, const LossInput *in)
{
    (void)self;
    return over_outputs(t_square(residual(in)));
}

/* c (|r| - c/2) with c = min(|r|, delta). */
static Tensor *huber(const void *self, const LossInput *in)
{
    Tensor *size = t_abs(residual(in)), *held = t_clamp(size, 0, ((const struct huber *)self)->delta);
    return over_outputs(t_mul(held, t_sub(size, t_scale(held, 0.5))));
}

ROW float mse_row(const void *self, const LossRow *row, float *gradient)
{
    (void)self;
    return (float)(row_squares(row, 1 / (float)row->columns, gradient) / (double)row->columns);
}

LOSS_ROWS(mse)

/* d/dz = c with the sign of r */
ROW float huber_row(const void *self, const LossRow *row, float *gradient)
{
    const float *z = row->logits, *t = row->targets, delta = (float)((const struct huber *)self)->delta;
    const int64_t columns = row->columns;
    const float scale = 1 / (float)columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const float r = z[k] - t[k], size = fabsf(r), held = size > delta ? delta : size;
        sum += (double)(held * (size - 0.5F * held));
        if (gradient)
            gradient[k] = scale * (r < 0 ? -held : held);
    }
    return (float)(sum / (double)columns);
}

LOSS_ROWS(huber)

static const char *const huber_examples[] = {"\"huber\"", "{\"type\": \"huber\", \"delta\": 0.5}", NULL};

const LossDef loss_mse = {
    .component = {.name = "mse", .summary = "mean squared error of values", .source = "Gauss 1809",
                  .formula = "mean over outputs of (z - t)^2",
                      .notes = "Predictions and targets are [N] or [N, outputs]."},
    .targets = LOSS_VALUES, .least_rank = 1, .most_rank = 2, .forward = mse, .rows = &rows_mse, .check = check,
};

const LossDef loss_huber = {
    .component = {.name = "huber", .summary = "squared error that turns into absolute error", .params = huber_params,
                  .size = sizeof(struct huber), .source = "Huber 1964",
                  .formula = "r^2/2 where |r| <= delta, delta (|r| - delta/2) beyond; r = z - t; mean over outputs",
                  .notes = "Predictions and targets are [N] or [N, outputs]."},
    .targets = LOSS_VALUES, .least_rank = 1, .most_rank = 2, .forward = huber, .rows = &rows_huber,
    .check = check, .examples = huber_examples,
};
