/* Losses of predicted distributions of one value: quantiles (Koenker and Bassett 1978), the continuous ranked
   probability score of a normal (Gneiting and Raftery 2007). Targets are [N]. */
#include <math.h>

#include "losses/shared.h"

struct pinball { FloatList quantiles; };

static const Param pinball_params[] = {
    PARAM_FLOATS(struct pinball, quantiles, "[0.1, 0.5, 0.9]", .min = 0, .max = 1, .min_count = 1,
                 .help = "what each column predicts"),
    PARAM_END
};

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
    if (loss_columns(in) != 2)
        return fail(error, "logits: crps needs two columns, mean and log standard deviation");
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

/* With r = t - mu and w = r / sigma:  r erf(w / sqrt 2) + sigma (2 phi(w) - 1/sqrt pi). Its derivatives by mu and
   sigma are those at constant w. */
static Tensor *crps(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *residual = t_sub(column(in), t_slice(in->logits, 1, 0, 1));
    Tensor *sigma = t_exp(t_slice(in->logits, 1, 1, 2));
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

static void sample_normal(const void *self, Random *random, LossInput *in)
{
    sample_column(self, random, in);
    in->logits = t_slice(in->logits, 1, 0, 2);
}

const LossDef loss_pinball = {
    .component = {.name = "pinball", .summary = "quantile loss, a column a quantile", .params = pinball_params,
                  .size = sizeof(struct pinball), .source = "Koenker and Bassett 1978",
                  .formula = "mean over quantiles of max(q r, (q-1) r), r = t - z_q"},
    .targets = LOSS_VALUES, .forward = pinball, .check = check_pinball, .sample = sample_column,
};

const LossDef loss_crps = {
    .component = {.name = "crps", .summary = "continuous ranked probability score of a normal prediction",
                  .source = "Gneiting and Raftery 2007",
                  .formula = "sigma (w (2 Phi(w) - 1) + 2 phi(w) - 1/sqrt(pi)), w = (t - mu) / sigma",
                  .notes = "Logits are [N, 2]: mu and log sigma."},
    .targets = LOSS_VALUES, .forward = crps, .check = check_normal, .sample = sample_normal,
};
