/* Bias loss: cross-entropy weighted by the variance of a sample's last feature maps, since a sample that excites few
   features is guessed rather than known. Abrahamyan et al. 2021. */
#include <math.h>

#include "losses/shared.h"

enum { GLOBAL, LOCAL };
static const char *const norms[] = {"global", "local", NULL};

struct bias { double alpha, beta; int norm; const char *tap; };

static const Param params[] = {
    PARAM_FLOAT(struct bias, alpha, 0.3, .min = 0, .help = "factor of the variance in the exponent"),
    PARAM_FLOAT(struct bias, beta, 0.3, .help = "subtracted from the exponential"),
    PARAM_ENUM(struct bias, norm, "global", .choices = norms,
               .help = "variances count from the least so far (global) or the least of the batch (local)"),
    PARAM_STRING(struct bias, tap, "last_conv",
                 .help = "in training, the layer whose output is looked at; last_conv: the last one with axes"),
    PARAM_END
};

/* What is kept for the run: whether there was a batch, and the least variance so far. */
enum { SEEN, LEAST, WIDTH };
#define FIRST_LEAST 1e5

static int64_t run_state_width(const void *self)
{
    return ((const struct bias *)self)->norm == GLOBAL ? WIDTH : 0;
}

static bool check(const void *self, const LossInput *in, Error *error)
{
    (void)self;
    const Tensor *taps = in->features;
    if (!taps)
        return fail_usage(error, "bias needs features, the feature maps of each sample");
    if (taps->rank < 2 || taps->shape[0] != in->logits->shape[0])
        return fail(error, "features: expected [%lld, ...], a row for each of the logits",
                    (long long)in->logits->shape[0]);
    const Tensor *marks = loss_extra(in, "marked");
    if (marks && (marks->rank != 1 || marks->count != in->logits->shape[0]))
        return fail(error, "marked: expected [%lld], a number for each sample", (long long)in->logits->shape[0]);
    return taps->count >= 2 * taps->shape[0] || fail(error, "features: one value a sample has no variance");
}

/* Unbiased. */
static double variance(const Tensor *taps, int64_t row)
{
    int64_t n = taps->count / taps->shape[0];
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += tensor_value(taps, row * n + i);
    for (int64_t i = 0; i < n; i++) {
        double apart = tensor_value(taps, row * n + i) - sum / (double)n;
        squares += apart * apart;
    }
    return squares / (double)(n - 1);
}

/* The least variance so far, this batch included. */
static double running_least(const LossInput *in, double least)
{
    least = fmin(least, in->run_state && in->run_state[SEEN] > 0 ? (double)in->run_state[LEAST] : FIRST_LEAST);
    if (in->run_state) {
        in->run_state[SEEN] = 1;
        in->run_state[LEAST] = (float)least;
    }
    return least;
}

/* exp(alpha u) - beta of the normalised variances, [N], constant. */
static Tensor *sample_weights(const struct bias *self, const LossInput *in)
{
    int64_t n = in->logits->shape[0];
    Tensor *weights = t_new(in->logits->type, SHAPE(n));
    double *v = arena_alloc(tape_arena(), (size_t)n * sizeof *v), least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        v[i] = variance(in->features, i);
        least = fmin(least, v[i]);
        most = fmax(most, v[i]);
    }
    double from = self->norm == GLOBAL ? running_least(in, least) : least;
    for (int64_t i = 0; i < n; i++) {
        double u = most > least ? (v[i] - from) / (most - least) : 0;
        tensor_set(weights, i, exp(self->alpha * u) - self->beta);
    }
    return weights;
}

static Tensor *forward(const void *self, const LossInput *in)
{
    return t_mul(sample_weights(self, in), loss_negative_log_likelihood(in));
}

static double mean_where(const Tensor *values, const Tensor *marks, double mark)
{
    double sum = 0, count = 0;
    for (int64_t i = 0; i < values->count; i++)
        if (!marks || (tensor_value(marks, i) != 0) == (mark != 0)) {
            sum += tensor_value(values, i);
            count++;
        }
    return count > 0 ? sum / count : NAN;
}

enum { WEIGHT_MEAN, WEIGHT_MIN, WEIGHT_MAX, FEAT_VAR_MEAN, WEIGHT_MARKED, WEIGHT_UNMARKED };
static const char *const figures[] = {"weight_mean", "weight_min", "weight_max", "feat_var_mean", "weight_marked",
                                      "weight_unmarked", NULL};

static void measure(const void *self, const LossInput *in, double *values)
{
    const Tensor *weights = sample_weights(self, in), *marks = loss_extra(in, "marked");
    values[WEIGHT_MEAN] = mean_where(weights, NULL, 0);
    values[WEIGHT_MIN] = values[WEIGHT_MAX] = tensor_value(weights, 0);
    values[FEAT_VAR_MEAN] = 0;
    for (int64_t i = 0; i < weights->count; i++) {
        values[WEIGHT_MIN] = fmin(values[WEIGHT_MIN], tensor_value(weights, i));
        values[WEIGHT_MAX] = fmax(values[WEIGHT_MAX], tensor_value(weights, i));
        values[FEAT_VAR_MEAN] += variance(in->features, i) / (double)weights->count;
    }
    values[WEIGHT_MARKED] = marks ? mean_where(weights, marks, 1) : NAN;
    values[WEIGHT_UNMARKED] = marks ? mean_where(weights, marks, 0) : NAN;
}

static const char *tap(const void *self)
{
    return ((const struct bias *)self)->tap;
}

static void sample(const void *self, Random *random, LossInput *in)
{
    (void)self;
    in->features = t_random_normal(ARRAY_F64, SHAPE(in->logits->shape[0], 2, 3, 3), *random);
}

static const char *const extras[] = {"marked?", NULL};
static const char *const examples[] = {"\"bias\"", "{\"type\": \"bias\", \"norm\": \"local\", \"beta\": 0.5}", NULL};

const LossDef loss_bias = {
    .component = {.name = "bias",
                  .summary = "cross-entropy weighted by the variance of a sample's feature maps",
                  .params = params,
                  .size = sizeof(struct bias),
                  .source = "arXiv:2107.11170",
                  .formula = "(exp(alpha u) - beta) (-log p_y), u = (v - least v) / (max v - min v of the batch)",
                  .notes = "v is the unbiased variance of a sample's features, without gradient; in training the "
                           "features are the output of the layer `tap`. least v: of all batches so far, starting at "
                           "100000 (norm global), or of the batch (local). Where all variances of a batch are "
                           "equal u is 0. Training logs mean, least and largest weight and the mean of v as "
                           "weight_mean, weight_min, weight_max and feat_var_mean, and by the extra marked, a number "
                           "for each sample, the mean weights of those with another number than 0 and of the others "
                           "as weight_marked and weight_unmarked."},
    .targets = LOSS_CLASSES,
    .extras = extras,
    .figures = figures,
    .measure = measure,
    .properties = LOSS_TRANSLATION_INVARIANT,
    .run_state_width = run_state_width,
    .tap = tap,
    .forward = forward,
    .check = check,
    .examples = examples,
    .sample = sample,
};
