#include "core/metrics/metric.h"

static double accuracy(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    (void)scratch;
    int64_t correct = 0;
    for (int64_t i = 0; i < n; i++)
        correct += p->predicted[rows[i]] == p->targets[rows[i]];
    return n ? (double)correct / (double)n : NAN;
}

const MetricDef metric_accuracy = {
    .component = {.name = "accuracy", .summary = "share of samples whose largest logit is the target's", .formula = "mean [argmax z = y]"},
    .measure = accuracy,
};

static double balanced_accuracy(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    int64_t *total = arena_zero(scratch, (size_t)p->classes, sizeof *total), *correct = arena_zero(scratch, (size_t)p->classes, sizeof *correct);
    for (int64_t i = 0; i < n; i++) {
        total[p->targets[rows[i]]]++;
        correct[p->targets[rows[i]]] += p->predicted[rows[i]] == p->targets[rows[i]];
    }
    double sum = 0;
    int64_t present = 0;
    for (int64_t k = 0; k < p->classes; k++)
        if (total[k]) {
            sum += (double)correct[k] / (double)total[k];
            present++;
        }
    return present ? sum / (double)present : NAN;
}

const MetricDef metric_balanced_accuracy = {
    .component = {.name = "balanced_accuracy", .summary = "mean recall over the classes that occur in the targets"},
    .measure = balanced_accuracy,
};

static double nll(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    (void)scratch;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum -= p->log_probabilities[rows[i] * p->classes + p->targets[rows[i]]];
    return n ? sum / (double)n : NAN;
}

const MetricDef metric_nll = {
    .component = {.name = "nll", .summary = "negative log-likelihood of the targets, nats, not clipped", .formula = "mean -log p_y"},
    .measure = nll,
};

static double brier(const Predictions *p, const int64_t *rows, int64_t n, Arena *scratch)
{
    (void)scratch;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < p->classes; k++) {
            double difference = exp(p->log_probabilities[rows[i] * p->classes + k]) - (k == p->targets[rows[i]]);
            sum += difference * difference;
        }
    return n ? sum / (double)n : NAN;
}

const MetricDef metric_brier = {
    .component = {.name = "brier", .summary = "Brier score, a sum over classes", .source = "Brier 1950", .formula = "mean sum_k (p_k - [k = y])^2"},
    .measure = brier,
};
