/* Losses of predicted distributions of one value: quantiles (Koenker and Bassett 1978), the continuous ranked
   probability score of a normal (Gneiting and Raftery 2007). Targets are [N]. */
#include <math.h>

#include "losses/rows.h"
#include "losses/shared.h"

struct pinball { FloatList quantiles; };

static const Param pinball_params[] = {
    PARAM_FLOATS(struct pinball, quantiles, "[0.1, 0.5, 0.9]", .min = 0, .max = 1, .min_count = 1,
                 .help = "what each column predicts"),
    PARAM_END
};

static int64_t pinball_outputs(const void *values, int64_t count)
{
    return count == 1 ? ((const struct pinball *)values)->quantiles.count : 0;
}

/* The median: by the line between the quantiles on both sides of it, or the nearest where all are on one side. */
static void decode_median(const void *values, int64_t outputs, const double *z, double *value)
{
    const double *q = ((const struct pinball *)values)->quantiles.items;
    int64_t below = -1, above = -1;
    for (int64_t k = 0; k < outputs; k++) {
        if (q[k] <= 0.5 && (below < 0 || q[k] > q[below]))
            below = k;
        if (q[k] >= 0.5 && (above < 0 || q[k] < q[above]))
            above = k;
    }
    below = below < 0 ? above : below;
    above = above < 0 ? below : above;
    double share = q[above] > q[below] ? (0.5 - q[below]) / (q[above] - q[below]) : 0;
    *value = z[below] + share * (z[above] - z[below]);
}

static int64_t normal_outputs(const void *self, int64_t count)
{
    (void)self;
    return count == 1 ? 2 : 0;
}

static void decode_mean(const void *self, int64_t outputs, const double *z, double *value)
{
    (void)self, (void)outputs;
    *value = z[0];
}

static bool check_column(const LossInput *in, Error *error)
{
    return in->targets->count == in->logits->shape[0] || fail(error, "targets: expected one value a row");
}

static bool check_pinball(const void *values, const LossInput *in, Error *error)
{
    FloatList quantiles = ((const struct pinball *)values)->quantiles;
    if (quantiles.count != loss_columns(in))
        return fail_usage(error, "quantiles: %lld for %lld columns", (long long)quantiles.count,
                          (long long)loss_columns(in));
    return check_column(in, error);
}

static bool check_normal(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    return check_column(in, error);
}

static Tensor *column(const LossInput *in)
{
    return t_reshape(in->targets, SHAPE(in->logits->shape[0], 1));
}

/* q r + max(0, -r): q r above the prediction, (q-1) r below. */
static Tensor *pinball(const void *values, const LossInput *in)
{
    Tensor *residual = t_sub(column(in), in->logits);
    Tensor *slope = loss_constants(residual, ((const struct pinball *)values)->quantiles);
    return t_mean(t_add(t_mul(slope, residual), t_relu(t_neg(residual))), -1, false);
}

/* d/dz = [r < 0] - q */
ROW float pinball_row(const void *self, const LossRow *row, float *gradient)
{
    const double *quantiles = ((const struct pinball *)self)->quantiles.items;
    const float *z = row->logits, t = row->targets[0];
    const int64_t columns = row->columns;
    const float scale = 1 / (float)columns;
    double sum = 0;
    ROW_SUM(sum)
    for (int64_t k = 0; k < columns; k++) {
        const float q = (float)quantiles[k], r = t - z[k];
        sum += (double)(q * r + (r < 0 ? -r : 0));
        if (gradient)
            gradient[k] = scale * ((float)(r < 0) - q);
    }
    return (float)(sum / (double)columns);
}

LOSS_ROWS(pinball)

/* e^z, z held between -80 and 80, near the ends of single precision; beyond, the gradient goes on as at the border. */
static Tensor *deviation(Tensor *z)
{
    enum { LARGEST = 80 };
    Tensor *held = t_exp(t_clamp(z, -LARGEST, LARGEST)), *beyond = t_sub(z, t_clamp(z, -INFINITY, LARGEST));
    return t_add(held, t_scale(t_sub(beyond, t_detach(beyond)), exp(LARGEST)));
}

/* With r = t - mu and w = r / sigma:  r erf(w / sqrt 2) + sigma (2 phi(w) - 1/sqrt pi). Its derivatives by mu and
   sigma are those at constant w. */
static Tensor *crps(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *residual = t_sub(column(in), t_slice(in->logits, 1, 0, 1));
    Tensor *sigma = deviation(t_slice(in->logits, 1, 1, 2));
    Tensor *ratio = t_detach(t_div(residual, sigma));
    Tensor *density = t_scale(t_exp(t_scale(t_square(ratio), -0.5)), sqrt(2 / M_PI));
    Tensor *value = t_add(t_mul(residual, t_erf(t_scale(ratio, M_SQRT1_2))),
                          t_mul(sigma, t_add_scalar(density, -1 / sqrt(M_PI))));
    return t_reshape(value, SHAPE(in->logits->shape[0]));
}

static void sample_column(const void *self, Random *random, LossInput *in)
{
    (void)self, (void)random;
    in->targets = t_reshape(t_slice(in->targets, 1, 0, 1), SHAPE(in->targets->shape[0]));
}

/* Evenly between 0 and 1. */
static void fit_pinball(int64_t columns, cJSON *spec)
{
    cJSON *quantiles = cJSON_AddArrayToObject(spec, "quantiles");
    for (int64_t k = 0; k < columns; k++)
        cJSON_AddItemToArray(quantiles, cJSON_CreateNumber(((double)k + 0.5) / (double)columns));
}

const LossDef loss_pinball = {
    .component = {.name = "pinball", .summary = "quantile loss, a column a quantile", .params = pinball_params,
                  .size = sizeof(struct pinball), .source = "Koenker and Bassett 1978",
                  .formula = "mean over quantiles of max(q r, (q-1) r), r = t - z_q",
                  .notes = "A trained model has a column for each quantile. The prediction is the median, on the line "
                           "between the quantiles next to 0.5 where that is none of them."},
    .targets = LOSS_VALUES, .outputs = pinball_outputs, .decode = decode_median, .forward = pinball,
    .rows = &rows_pinball, .check = check_pinball, .fit = fit_pinball, .sample = sample_column,
};

const LossDef loss_crps = {
    .component = {.name = "crps",
                  .summary = "continuous ranked probability score of a normal prediction",
                  .source = "Gneiting and Raftery 2007",
                  .formula = "sigma (w (2 Phi(w) - 1) + 2 phi(w) - 1/sqrt(pi)), w = (t - mu) / sigma",
                  .notes = "Logits are [N, 2]: mu and log sigma, which is held between -80 and 80; above, the "
                           "gradient is that at the border. The prediction is mu."},
    .targets = LOSS_VALUES,
    .columns = 2,
    .outputs = normal_outputs,
    .decode = decode_mean,
    .forward = crps,
    .check = check_normal,
    .sample = sample_column,
};
