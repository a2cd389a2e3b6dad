#include "core/metrics/predictions.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"

int64_t logits_first_bad_row(int64_t count, int64_t classes, const double *logits, bool allow_impossible)
{
    for (int64_t i = 0; i < count; i++) {
        bool finite = false, bad = false;
        for (int64_t k = 0; k < classes; k++) {
            double z = logits[i * classes + k];
            finite |= isfinite(z);
            bad |= !isfinite(z) && !(allow_impossible && z == -INFINITY);
        }
        if (bad || !finite)
            return i;
    }
    return -1;
}

/* sum_k exp(z_k - largest) with Neumaier's compensation: nearly always correctly rounded, so that rows with
   the same logits in another order of classes have the same confidence, and tie. */
static double sum_of_exponentials(int64_t classes, const double *z, double largest)
{
    double sum = 0, lost = 0;
    for (int64_t k = 0; k < classes; k++) {
        double term = exp(z[k] - largest), next = sum + term;
        lost += sum >= term ? sum - next + term : term - next + sum;
        sum = next;
    }
    return sum + lost;
}

void log_softmax_row(int64_t classes, const double *logits, double *out)
{
    double largest = logits[0];
    for (int64_t k = 1; k < classes; k++)
        largest = fmax(largest, logits[k]);
    double log_sum = log(sum_of_exponentials(classes, logits, largest));
    for (int64_t k = 0; k < classes; k++)
        out[k] = logits[k] - largest - log_sum;
}

int calibration_bin(double probability)
{
    int bin = (int)ceil((probability - 1e-12) * CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : bin;
}

static int64_t first_largest(int64_t count, const double *values)
{
    int64_t best = 0;
    for (int64_t k = 1; k < count; k++)
        if (values[k] > values[best])
            best = k;
    return best;
}

/* The arrays while they are filled; what the kind lacks is NULL. */
typedef struct Filling {
    const PredictionInput *input;
    double *log_probabilities, *probabilities, *confidence;
    int64_t *predicted, *targets;
    double *nll, *correct, *in_top5, *brier, *squared_error, *absolute_error, *covered;
    unsigned char *bin;
} Filling;

/* -sum_k t_k log p_k, where an impossible class costs nothing unless it is a target. */
static double cross_entropy(const PredictionInput *in, int64_t i, int64_t target, const double *log_p)
{
    double floor = in->probabilities_only ? log(1e-12) : -INFINITY;
    if (!in->soft_targets)
        return -fmax(log_p[target], floor);
    const double *t = in->soft_targets + i * in->classes;
    double sum = 0;
    for (int64_t k = 0; k < in->classes; k++)
        if (t[k] != 0)
            sum -= t[k] * fmax(log_p[k], floor);
    return sum;
}

/* Classes that come before the target in the order of decreasing logits, the first of equal ones first. */
static int64_t rank_of(int64_t classes, const double *z, int64_t target)
{
    int64_t before = 0;
    for (int64_t k = 0; k < classes; k++)
        before += z[k] > z[target] || (z[k] == z[target] && k < target);
    return before;
}

static void fill_class_row(const Filling *f, int64_t i)
{
    const PredictionInput *in = f->input;
    const double *z = in->logits + i * in->classes;
    int64_t best = first_largest(in->classes, z);
    int64_t target = in->soft_targets ? first_largest(in->classes, in->soft_targets + i * in->classes) : in->targets[i];
    double sum = sum_of_exponentials(in->classes, z, z[best]), log_sum = log(sum);
    f->predicted[i] = best;
    f->targets[i] = target;
    f->confidence[i] = 1 / sum;
    f->correct[i] = best == target;
    f->in_top5[i] = rank_of(in->classes, z, target) < 5;
    f->bin[i] = (unsigned char)calibration_bin(1 / sum);
    if (f->covered)
        f->covered[i] = in->sets[i * in->classes + target] != 0;
    if (in->kind == PREDICTION_TOKENS) {
        assert(!in->soft_targets && !in->probabilities_only);
        f->nll[i] = log_sum - (z[target] - z[best]);
        return;
    }
    double *log_p = f->log_probabilities + i * in->classes, *p = f->probabilities + i * in->classes;
    f->brier[i] = 0;
    for (int64_t k = 0; k < in->classes; k++) {
        log_p[k] = z[k] - z[best] - log_sum;
        p[k] = exp(z[k] - z[best]) / sum;
        double t = in->soft_targets ? in->soft_targets[i * in->classes + k] : k == target;
        f->brier[i] += (p[k] - t) * (p[k] - t);
    }
    f->nll[i] = cross_entropy(in, i, target, log_p);
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static void fill_label_row(const Filling *f, int64_t i)
{
    const PredictionInput *in = f->input;
    double nll = 0, correct = 0, brier = 0, labels = (double)in->classes;
    for (int64_t at = i * in->classes; at < (i + 1) * in->classes; at++) {
        double z = in->logits[at], t = in->soft_targets[at], p = 1 / (1 + exp(-z));
        f->probabilities[at] = p;
        nll += t == 1 ? softplus(-z) : t == 0 ? softplus(z) : t * softplus(-z) + (1 - t) * softplus(z);
        correct += (z > 0) == (t > 0.5);
        brier += (p - t) * (p - t);
    }
    f->nll[i] = nll / labels;
    f->correct[i] = correct / labels;
    f->brier[i] = brier / labels;
}

static void fill_value_row(const Filling *f, int64_t i)
{
    const PredictionInput *in = f->input;
    double squared = 0, absolute = 0;
    for (int64_t at = i * in->classes; at < (i + 1) * in->classes; at++) {
        double error = in->logits[at] - in->soft_targets[at];
        squared += error * error;
        absolute += fabs(error);
    }
    f->squared_error[i] = squared / (double)in->classes;
    f->absolute_error[i] = absolute / (double)in->classes;
    if (f->covered)
        f->covered[i] = in->lower[i] <= in->soft_targets[i] && in->soft_targets[i] <= in->upper[i];
}

static void fill_rows(void *context, int64_t begin, int64_t end)
{
    const Filling *f = context;
    for (int64_t i = begin; i < end; i++)
        switch (f->input->kind) {
        case PREDICTION_CLASSIFICATION:
        case PREDICTION_TOKENS: fill_class_row(f, i); break;
        case PREDICTION_MULTI_LABEL: fill_label_row(f, i); break;
        case PREDICTION_REGRESSION: fill_value_row(f, i); break;
        case PREDICTION_RANKING: break;
        }
}

static const double *copy_weights(Arena *arena, const PredictionInput *input, bool *are_counts)
{
    double *weights = arena_zero(arena, (size_t)input->count, sizeof *weights);
    *are_counts = true;
    for (int64_t i = 0; i < input->count; i++) {
        weights[i] = input->weights ? input->weights[i] : 1;
        *are_counts &= weights[i] == floor(weights[i]);
    }
    return weights;
}

static Filling new_filling(Arena *arena, const PredictionInput *input)
{
    size_t rows = (size_t)input->count, cells = (size_t)(input->count * input->classes);
    Filling f = {.input = input};
    bool classes = input->kind & (PREDICTION_CLASSIFICATION | PREDICTION_TOKENS);
    if (input->kind == PREDICTION_REGRESSION) {
        f.squared_error = arena_zero(arena, rows, sizeof(double));
        f.absolute_error = arena_zero(arena, rows, sizeof(double));
    } else if (input->kind != PREDICTION_RANKING) {
        f.nll = arena_zero(arena, rows, sizeof(double));
        f.correct = arena_zero(arena, rows, sizeof(double));
    }
    if (classes) {
        f.predicted = arena_zero(arena, rows, sizeof(int64_t));
        f.targets = arena_zero(arena, rows, sizeof(int64_t));
        f.confidence = arena_zero(arena, rows, sizeof(double));
        f.in_top5 = arena_zero(arena, rows, sizeof(double));
        f.bin = arena_zero(arena, rows, 1);
    }
    if (input->kind & (PREDICTION_CLASSIFICATION | PREDICTION_MULTI_LABEL)) {
        f.probabilities = arena_zero(arena, cells, sizeof(double));
        f.brier = arena_zero(arena, rows, sizeof(double));
    }
    if (input->kind == PREDICTION_CLASSIFICATION)
        f.log_probabilities = arena_zero(arena, cells, sizeof(double));
    if (classes ? input->sets != NULL : input->lower && input->upper && input->classes == 1)
        f.covered = arena_zero(arena, rows, sizeof(double));
    return f;
}

Predictions *predictions_new(Arena *arena, const PredictionInput *input)
{
    assert(input->count >= 0 && input->count <= INT32_MAX && input->classes >= 1);
    assert(input->soft_targets || (input->targets && input->kind & (PREDICTION_CLASSIFICATION | PREDICTION_TOKENS)));
    Filling f = new_filling(arena, input);
    parallel_for(input->count, 256, fill_rows, &f);
    Predictions *p = arena_zero(arena, 1, sizeof *p);
    *p = (Predictions){
        .input = *input, .arena = arena,
        .log_probabilities = f.log_probabilities, .probabilities = f.probabilities, .confidence = f.confidence,
        .predicted = f.predicted, .targets = f.targets, .nll = f.nll, .correct = f.correct, .in_top5 = f.in_top5,
        .brier = f.brier, .squared_error = f.squared_error, .absolute_error = f.absolute_error,
        .covered = f.covered, .bin = f.bin,
    };
    p->weights = copy_weights(arena, input, &p->weights_are_counts);
    return p;
}
