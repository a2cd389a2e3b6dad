/* Comp-sum losses (Mao, Mohri and Zhong 2023): with g = -log p_y,

       l = (e^((1-tau) g) - 1) / (1 - tau),    l = g at tau = 1.

   Members have names of their own: sum-exponential tau = 0, generalized cross-entropy tau = 1 + q, mean
   absolute error tau = 2. dl/dz = p_y^(tau-1) (p - e_y). */
#include <math.h>

#include "losses/shared.h"

/* Beyond e^80, near the end of single precision, the exponential goes on as its tangent's direction: the value
   stays and the gradient is that at the border. */
enum { LARGEST_EXPONENT = 80 };

Tensor *loss_comp_sum_of(Tensor *negative_log, double tau)
{
    if (tau == 1)
        return negative_log;
    Tensor *exponent = t_scale(negative_log, 1 - tau);
    Tensor *value = loss_expm1(t_clamp(exponent, -INFINITY, LARGEST_EXPONENT));
    if (tau < 1) {
        Tensor *beyond = t_relu(t_add_scalar(exponent, -LARGEST_EXPONENT));
        value = t_add(value, t_scale(t_sub(beyond, t_detach(beyond)), exp(LARGEST_EXPONENT)));
    }
    return t_scale(value, 1 / (1 - tau));
}

struct comp_sum { double tau; };
struct gce { double q; };

static const Param comp_sum_params[] = {
    PARAM_FLOAT(struct comp_sum, tau, 1, .min = 0, .help = "0 is sum_exp, 1 cross-entropy, 2 mae"),
    PARAM_END
};
static const Param gce_params[] = {
    PARAM_FLOAT(struct gce, q, 0.7, .min = 0, .max = 1, .help = "0 is cross-entropy, 1 mean absolute error"),
    PARAM_END
};

static Tensor *comp_sum(const void *self, const LossInput *in)
{
    return loss_comp_sum_of(loss_negative_log_likelihood(in), ((const struct comp_sum *)self)->tau);
}

static Tensor *sum_exp(const void *self, const LossInput *in)
{
    (void)self;
    return loss_comp_sum_of(loss_negative_log_likelihood(in), 0);
}

static Tensor *gce(const void *self, const LossInput *in)
{
    return loss_comp_sum_of(loss_negative_log_likelihood(in), 1 + ((const struct gce *)self)->q);
}

static Tensor *mae(const void *self, const LossInput *in)
{
    (void)self;
    return loss_comp_sum_of(loss_negative_log_likelihood(in), 2);
}

static const char *const comp_sum_examples[] = {
    "\"comp_sum\"", "{\"type\": \"comp_sum\", \"tau\": 0.5}", "{\"type\": \"comp_sum\", \"tau\": 3}", NULL};
static const char *const gce_examples[] = {"\"gce\"", "{\"type\": \"gce\", \"q\": 0}",
                                           "{\"type\": \"gce\", \"q\": 1}", NULL};

const LossDef loss_comp_sum = {
    .component = {.name = "comp_sum", .summary = "the comp-sum family, from sum-exponential to mean absolute error",
                  .params = comp_sum_params, .size = sizeof(struct comp_sum), .source = "arXiv:2304.07288",
                  .formula = "(1 - p_y^(tau-1)) / (tau-1); -log p_y at tau = 1",
                  .notes = "Below tau = 1 the exponent (1-tau)(-log p_y) is held at 80; beyond it the gradient is that "
                           "at the border. H-consistency bound, for n classes, R the risk of this loss, R01 the "
                           "error rate and M, M01 their minimizability gaps: R01 - R01* + M01 <= Gamma(R - R* + M), "
                           "where Gamma(b) <= sqrt(2^tau (2-tau) b) for tau < 1, sqrt(2 n^(tau-1) b) for "
                           "1 <= tau < 2 and (tau-1) n^(tau-1) b for tau >= 2: above tau = 1 it grows with n."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_PROPER, .forward = comp_sum,
    .examples = comp_sum_examples,
};

const LossDef loss_sum_exp = {
    .component = {.name = "sum_exp", .summary = "sum-exponential loss, comp_sum at tau = 0",
                  .source = "arXiv:2304.07288",
                  .formula = "sum_{k != y} exp(z_k - z_y) = 1/p_y - 1",
                  .notes = "The exponent -log p_y is held at 80; beyond it the gradient is that at the border."},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT, .forward = sum_exp,
};

const LossDef loss_gce = {
    .component = {.name = "gce", .summary = "generalized cross-entropy, robust to label noise", .params = gce_params,
                  .size = sizeof(struct gce), .source = "arXiv:1805.07836",
                  .formula = "(1 - p_y^q) / q; -log p_y at q = 0"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED, .forward = gce,
    .examples = gce_examples,
};

const LossDef loss_mae = {
    .component = {.name = "mae", .summary = "mean absolute error of the probabilities, up to a factor 2",
                  .source = "arXiv:1712.09482", .formula = "1 - p_y"},
    .targets = LOSS_CLASSES, .properties = LOSS_TRANSLATION_INVARIANT | LOSS_BOUNDED | LOSS_SYMMETRIC, .forward = mae,
};
