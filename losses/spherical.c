/* The spherical family: losses of the outputs' sum, sum of squares and target entry alone. De Brebisson and Vincent
   2016. (mse_onehot, in brier.c, belongs to it too.) */
#include <math.h>
#include <string.h>

#include "losses/rows.h"
#include "losses/shared.h"

/* 1 + o + o^2/2 as (1 + (1 + o)^2) / 2. */
static Tensor *taylor_softmax(const void *self, const LossInput *in)
{
    (void)self;
    Tensor *scores = t_scale(t_add_scalar(t_square(t_add_scalar(in->logits, 1)), 1), 0.5);
    return t_sub(t_log(t_sum(scores, -1, false)), t_log(t_pick(scores, in->targets)));
}

struct spherical_softmax { double eps; };

static const Param spherical_params[] = {
    PARAM_FLOAT(struct spherical_softmax, eps, 0.1, .min = 1e-12, .help = "added to each square"),
    PARAM_END
};

static Tensor *spherical_softmax(const void *values, const LossInput *in)
{
    Tensor *scores = t_add_scalar(t_square(in->logits), ((const struct spherical_softmax *)values)->eps);
    return t_sub(t_log(t_sum(scores, -1, false)), t_log(t_pick(scores, in->targets)));
}

/* log(total) - log(score), of a score of z_y and total = (factor of sum) s + (factor of squares) q + a constant. */
static double log_share(double total, double of_sum, double of_squares, double score, double score_slope,
                        double slopes[3])
{
    slopes[0] = of_sum / total;
    slopes[1] = of_squares / total;
    slopes[2] = -score_slope / score;
    return log(total) - log(score);
}

static double taylor_of_moments(const void *self, const LossMoments *m, double slopes[3])
{
    (void)self;
    double o = m->target, score = 0.5 * (1 + (1 + o) * (1 + o));
    return log_share((double)m->classes + m->sum + 0.5 * m->squares, 1, 0.5, score, 1 + o, slopes);
}

static double spherical_of_moments(const void *values, const LossMoments *m, double slopes[3])
{
    double eps = ((const struct spherical_softmax *)values)->eps, o = m->target;
    return log_share(m->squares + (double)m->classes * eps, 0, 1, o * o + eps, 2 * o, slopes);
}

/* ---- Their probabilities ---- */

static void normalise_scores(int64_t classes, double *scores)
{
    double sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += scores[k];
    for (int64_t k = 0; k < classes; k++)
        scores[k] = log(scores[k]) - log(sum);
}

static void decode_taylor(const void *self, int64_t classes, const double *z, double *log_p)
{
    (void)self;
    for (int64_t k = 0; k < classes; k++)
        log_p[k] = 0.5 * (1 + (1 + z[k]) * (1 + z[k]));
    normalise_scores(classes, log_p);
}

static void decode_spherical(const void *values, int64_t classes, const double *z, double *log_p)
{
    for (int64_t k = 0; k < classes; k++)
        log_p[k] = z[k] * z[k] + ((const struct spherical_softmax *)values)->eps;
    normalise_scores(classes, log_p);
}

/* ---- The Z-loss ---- */

struct z_loss { double a; const cJSON *b; };

static const Param z_params[] = {
    PARAM_FLOAT(struct z_loss, a, 1, .min = 1e-6, .help = "steepness"),
    PARAM_JSON(struct z_loss, b, "\"auto\"", .help = "z-score at which the slope is half; \"auto\": sqrt(C-1)/2"),
    PARAM_END
};

static bool validate_z(const void *values, Error *error)
{
    const cJSON *b = ((const struct z_loss *)values)->b;
    return cJSON_IsNumber(b) || (cJSON_IsString(b) && strcmp(b->valuestring, "auto") == 0) ||
           fail_usage(error, "b: expected a number or \"auto\"");
}

static double steep_at(const struct z_loss *self, int64_t classes)
{
    return cJSON_IsNumber(self->b) ? self->b->valuedouble : 0.5 * sqrt((double)classes - 1);
}

/* Rows of equal outputs (variance below 1e-12) get no gradient. */
static Tensor *z_loss(const void *values, const LossInput *in)
{
    const struct z_loss *self = values;
    double b = steep_at(self, loss_columns(in));
    Tensor *centred = t_sub(in->logits, t_mean(in->logits, -1, true));
    Tensor *variance = t_mean(t_square(centred), -1, false);
    Tensor *score = t_div(t_pick(centred, in->targets), t_sqrt(t_add_scalar(variance, 1e-12)));
    Tensor *varies = t_cast(t_less_equal(t_scalar(variance->type, 1e-12), variance), variance->type);
    score = t_straight_through(t_detach(score), t_mul(score, varies));
    return t_scale(t_softplus(t_scale(t_add_scalar(t_neg(score), b), self->a)), 1 / self->a);
}

/* With sigma^2 = q/C - mu^2 + 1e-12 the score is (z_y - mu) / sigma. */
static double z_of_moments(const void *values, const LossMoments *m, double slopes[3])
{
    const struct z_loss *self = values;
    double count = (double)m->classes, mean = m->sum / count, variance = fmax(m->squares / count - mean * mean, 0);
    double sigma = sqrt(variance + 1e-12), score = (m->target - mean) / sigma;
    double x = self->a * (steep_at(self, m->classes) - score), decay = exp(-fabs(x));
    double slope = variance < 1e-12 ? 0 : -(x > 0 ? 1 : decay) / (1 + decay); /* for the score */
    slopes[0] = slope * (score * mean / (sigma * sigma) - 1 / sigma) / count;
    slopes[1] = -slope * score / (2 * count * sigma * sigma);
    slopes[2] = slope / sigma;
    return (fmax(x, 0) + log1p(decay)) / self->a;
}

ROW float taylor_softmax_row(const void *self, const LossRow *row, float *gradient)
{
    return row_of_moments(self, taylor_of_moments, 0, row, gradient);
}

ROW float spherical_softmax_row(const void *self, const LossRow *row, float *gradient)
{
    return row_of_moments(self, spherical_of_moments, 0, row, gradient);
}

/* Blind to shifts; the target's takes what all logits share from the moments, which lose low bits to it. */
ROW float z_loss_row(const void *self, const LossRow *row, float *gradient)
{
    return row_of_moments(self, z_of_moments, row->logits[row->target], row, gradient);
}

LOSS_ROWS(taylor_softmax)
LOSS_ROWS(spherical_softmax)
LOSS_ROWS(z_loss)

static const char *const z_examples[] = {"\"z_loss\"", "{\"type\": \"z_loss\", \"a\": 2, \"b\": 1.5}", NULL};

const LossDef loss_taylor_softmax = {
    .component = {.name = "taylor_softmax",
                  .summary = "cross-entropy of softmax with exp replaced by its second-order series",
                  .source = "arXiv:1511.05042", .formula = "-log((1 + z_y + z_y^2/2) / sum_k (1 + z_k + z_k^2/2))"},
    .targets = LOSS_CLASSES, .decode = decode_taylor, .forward = taylor_softmax, .rows = &rows_taylor_softmax,
    .of_moments = taylor_of_moments,
};

const LossDef loss_spherical_softmax = {
    .component = {.name = "spherical_softmax", .summary = "cross-entropy of normalised squares",
                  .params = spherical_params,
                  .size = sizeof(struct spherical_softmax), .source = "arXiv:1511.05042",
                  .formula = "-log((z_y^2 + eps) / sum_k (z_k^2 + eps))"},
    .targets = LOSS_CLASSES, .decode = decode_spherical, .forward = spherical_softmax, .rows = &rows_spherical_softmax,
    .of_moments = spherical_of_moments,
};

const LossDef loss_z_loss = {
    .component = {.name = "z_loss", .summary = "softplus of the target's z-score, blind to shift and scale",
                  .params = z_params,
                  .size = sizeof(struct z_loss), .source = "arXiv:1604.08859",
                  .formula = "softplus(a (b - s_y)) / a, s = (z - mean z) / sqrt(var z + 1e-12)",
                  .notes = "There are no probabilities. A row whose variance is below 1e-12 has no gradient.",
                  .validate = validate_z},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED, .one_class = M_LN2,
    .forward = z_loss, .rows = &rows_z_loss,
    .of_moments = z_of_moments,
    .examples = z_examples,
};
