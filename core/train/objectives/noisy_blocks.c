/* Which blocks of a transformer have noise, and how much: by the ratio of signal to noise, or by trial (Khadangi et al.
   2025 and the second version of their code). */
#include "core/train/objectives/noisy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "losses/shared.h"

bool noisy_is_auto(const struct noisy *self)
{
    return cJSON_IsString(self->layers) && strcmp(self->layers->valuestring, "auto") == 0;
}

double noisy_deviation(const struct noisy *self)
{
    return pow(self->deviation, self->std_power) * self->scale * self->gate;
}

static void report(ObjectiveContext *context, const char *prefix, const Layer *block, double value)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", prefix, block->name);
    objective_figure(context, name, value);
}

/* ---- By the ratio of signal to noise ---- */

static double mean_size(const Tensor *x, const Tensor *from)
{
    double sum = 0;
    for (int64_t i = 0; i < x->count; i++)
        sum += fabs(tensor_value(x, i) - (from ? tensor_value(from, i) : 0));
    return sum / (double)x->count;
}

/* The noise of one block alone, without a record of what it was; scale NULL: 1. */
static LayerNoise alone_in(const ObjectiveContext *context, const Layer *const *block, const double *scale)
{
    LayerNoise alone = ((const NoisyState *)context->state)->noise;
    alone.layers = block;
    alone.count = 1;
    alone.scales = scale;
    alone.rms = NULL;
    alone.attached = false;
    return alone;
}

/* Of noise added to the clean output of the block, not of what earlier noise would make of it. */
static double signal_to_noise(const ObjectiveContext *context, const Layer *block, const BatchTensors *batch)
{
    const struct noisy *self = context->values;
    LayerNoise alone = alone_in(context, &block, NULL);
    Forward clean = {.tap = block}, draws = {.seed = context->seed};
    model_forward(context->model, &clean, batch->x);
    double noise = 0;
    for (int64_t i = 0; i < self->snr_passes; i++)
        noise += mean_size(layer_noise_add(&alone, block, &draws, clean.tapped), clean.tapped) /
                 (double)self->snr_passes;
    return mean_size(clean.tapped, NULL) / (noise + 1e-6);
}

static void choose_by_ratio(ObjectiveContext *context, const BatchTensors *batch)
{
    const struct noisy *self = context->values;
    NoisyState *state = context->state;
    double *ratios = arena_zero(tape_arena(), (size_t)state->block_count, sizeof *ratios);
    for (int i = 0; i < state->block_count; i++) {
        ratios[i] = signal_to_noise(context, state->blocks[i], batch);
        report(context, "snr", state->blocks[i], ratios[i]);
        ratios[i] *= self->snr == LARGEST ? 1 : -1;
    }
    for (int taken = 0; taken < (int)self->layers->valuedouble; taken++) {
        int best = -1;
        for (int i = 0; i < state->block_count; i++)
            if (tensor_f32(state->is_chosen)[i] == 0 && (best < 0 || ratios[i] > ratios[best]))
                best = i;
        tensor_f32(state->is_chosen)[best] = 1;
    }
}

/* ---- By trial ---- */

static const double factors[] = {0.25, 0.5, 1, 1.5, 2};
enum { FACTORS = sizeof factors / sizeof *factors, BANDS = 3 };

typedef struct Trial { double rise, score, scale; bool accepted; } Trial;

static double mean_of(const Tensor *x)
{
    double sum = 0;
    for (int64_t i = 0; i < x->count; i++)
        sum += tensor_value(x, i) / (double)x->count;
    return sum;
}

/* One pass with that noise against the clean one. */
static Trial try_scale(const ObjectiveContext *context, const Layer *block, const BatchTensors *batch,
                       const LossInput *clean, double factor)
{
    double width = (double)block->output.sizes[block->output.rank - 1];
    Trial trial = {.scale = factor / sqrt(width)};
    LayerNoise alone = alone_in(context, &block, &trial.scale);
    Forward forward = {.seed = context->seed, .noise = &alone};
    Tensor *noisy = t_reshape(objective_logits(context, &forward, batch), clean->logits->rank, clean->logits->shape);
    double before = mean_of(loss_cross_entropy_of(clean, clean->logits)),
           after = mean_of(loss_cross_entropy_of(clean, noisy));
    Tensor *p = t_log_softmax(clean->logits), *q = t_log_softmax(noisy);
    double divergence = mean_of(loss_divergence(p, q)) + mean_of(loss_divergence(q, p));
    trial.rise = (after - before) / before;
    trial.accepted = trial.rise <= 0.02;
    trial.score = divergence / (1 + fmax(0, trial.rise)) / (1 + 0.05 * log2(factor) * log2(factor));
    return trial;
}

/* The block's best score, and the smallest scale that comes within 0.9 of it; not accepted: the smallest scale. */
static Trial try_block(const ObjectiveContext *context, const Layer *block, const BatchTensors *batch,
                       const LossInput *clean)
{
    Trial trials[FACTORS], best = {.score = -INFINITY};
    for (int f = 0; f < FACTORS; f++) {
        trials[f] = try_scale(context, block, batch, clean, factors[f]);
        if (trials[f].accepted && trials[f].score > best.score)
            best = trials[f];
    }
    if (!best.accepted)
        return trials[0];
    for (int f = FACTORS - 1; f >= 0; f--)
        if (trials[f].accepted && trials[f].score >= 0.9 * best.score)
            best.scale = trials[f].scale;
    return best;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double *sorted = arena_alloc(tape_arena(), (size_t)count * sizeof *sorted);
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* median + MAD of the accepted blocks' scores; INFINITY where there is none. */
static double least_score(const Trial *trials, int count)
{
    double *values = arena_alloc(tape_arena(), (size_t)count * sizeof *values);
    int accepted = 0;
    for (int i = 0; i < count; i++)
        if (trials[i].accepted)
            values[accepted++] = trials[i].score;
    if (accepted == 0)
        return INFINITY;
    double middle = median(values, accepted);
    for (int i = 0; i < accepted; i++)
        values[i] = fabs(values[i] - middle);
    return middle + median(values, accepted);
}

/* The best of the blocks that are left, -1: none; `bands`: those that were taken from already. */
static int next_block(const NoisyState *state, const Trial *trials, double least, const bool *bands)
{
    int best = -1;
    for (int i = 0; i < state->block_count; i++) {
        bool free = tensor_f32(state->is_chosen)[i] == 0 && (!bands || !bands[i * BANDS / state->block_count]);
        if (free && trials[i].accepted && trials[i].score >= least &&
            (best < 0 || trials[i].score > trials[best].score))
            best = i;
    }
    return best;
}

static void choose_by_trial(ObjectiveContext *context, const BatchTensors *batch)
{
    NoisyState *state = context->state;
    Forward forward = {.seed = context->seed};
    LossInput clean = objective_loss_input(context, &forward, batch, objective_logits(context, &forward, batch));
    Trial *trials = arena_zero(tape_arena(), (size_t)state->block_count, sizeof *trials);
    int gentlest = 0, most = (int)ceil(sqrt(state->block_count)), taken = 0;
    for (int i = 0; i < state->block_count; i++) {
        trials[i] = try_block(context, state->blocks[i], batch, &clean);
        gentlest = trials[i].rise < trials[gentlest].rise ? i : gentlest;
    }
    double least = least_score(trials, state->block_count);
    bool bands[BANDS] = {false};
    for (int spread = 1; spread >= 0; spread--)
        for (int i; taken < most && (i = next_block(state, trials, least, spread ? bands : NULL)) >= 0; taken++) {
            tensor_f32(state->is_chosen)[i] = (float)trials[i].scale;
            bands[i * BANDS / state->block_count] = true;
        }
    if (taken == 0)
        tensor_f32(state->is_chosen)[gentlest] = (float)trials[gentlest].scale;
    for (int i = 0; i < state->block_count; i++)
        report(context, "scale", state->blocks[i], (double)tensor_f32(state->is_chosen)[i]);
}

void noisy_choose_blocks(ObjectiveContext *context, const BatchTensors *batch)
{
    bool was = tape_record(false);
    (noisy_is_auto(context->values) ? choose_by_trial : choose_by_ratio)(context, batch);
    tape_record(was);
}
