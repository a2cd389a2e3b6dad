/* Likelihoods of the targets. */
#include "core/metrics/metric.h"

static void nll(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    weighted_mean(p->input.count, p->nll, row_weights, values);
}

const MetricDef metric_nll = {
    .component = {.name = "nll",
                  .summary = "negative log-likelihood of the targets, nats, not clipped",
                  .formula = "mean -log p_y",
                  .notes = "Of soft targets the expectation -sum_k t_k log p_k; of multi-label targets the mean over "
                           "labels. Infinite when an impossible class (logit -infinity) is a target. A calibrator that "
                           "returns probabilities is measured with probabilities of at least 1e-12."},
    .title = "Negative log-likelihood (nats)",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL | PREDICTION_TOKENS,
    .measure = nll,
};

static void perplexity(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    nll(p, row_weights, scratch, values);
    for (int l = 0; l < LANES; l++)
        (*values)[l] = exp((*values)[l]);
}

const MetricDef metric_perplexity = {
    .component = {.name = "perplexity",
                  .summary = "exponential of the mean nll of a token",
                  .formula = "exp(mean -log p_y)"},
    .title = "Perplexity",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_TOKENS,
    .measure = perplexity,
};

static void bits_per_byte(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    nll(p, row_weights, scratch, values);
    *values /= log(2) * p->input.bytes_per_token;
}

static bool has_bytes(const Predictions *p)
{
    return p->input.bytes_per_token > 0;
}

const MetricDef metric_bits_per_byte = {
    .component = {.name = "bits_per_byte", .summary = "bits that the model needs for a byte of text",
                  .formula = "mean -log p_y / (log 2 * bytes per token)"},
    .title = "Bits per byte",
    .better = METRIC_LOWER,
    .kinds = PREDICTION_TOKENS,
    .measure = bits_per_byte, .available = has_bytes,
};

/* ---- Heads ---- */

static void head_nll(const Predictions *p, int64_t head, const Lanes *row_weights, Lanes *values)
{
    weighted_mean(p->input.count, p->input.head_nll + head * p->input.count, row_weights, values);
}

static void first_head(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    head_nll(p, 0, row_weights, values);
}

static void second_head(const Predictions *p, const Lanes *row_weights, Arena *scratch, Lanes *values)
{
    (void)scratch;
    head_nll(p, 1, row_weights, values);
}

static bool has_two_heads(const Predictions *p)
{
    return p->input.head_nll && p->input.heads == 2;
}

#define HEAD_NOTES "For the model fcn with the loss tri_bce; nll is that of the mean of both networks' logits."

const MetricDef metric_logloss_ecn = {
    .component = {.name = "logloss_ecn", .summary = "nll in nats of the exponential cross network alone",
                  .formula = "mean of softplus(-s z_ecn), s = 1 or -1", .source = "arXiv:2407.13349",
                  .notes = HEAD_NOTES},
    .title = "Log loss of the ECN", .better = METRIC_LOWER, .kinds = PREDICTION_CLASSIFICATION,
    .measure = first_head, .available = has_two_heads,
};

const MetricDef metric_logloss_lcn = {
    .component = {.name = "logloss_lcn", .summary = "nll in nats of the linear cross network alone",
                  .formula = "mean of softplus(-s z_lcn), s = 1 or -1", .source = "arXiv:2407.13349",
                  .notes = HEAD_NOTES},
    .title = "Log loss of the LCN", .better = METRIC_LOWER, .kinds = PREDICTION_CLASSIFICATION,
    .measure = second_head, .available = has_two_heads,
};
