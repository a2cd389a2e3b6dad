/* Training under noise in the hidden states of a transformer: NoiseFiT (Khadangi et al. 2025) in its blocks, NEFTune
   (Jain et al. 2023) in its embeddings, or dropout alone (R-Drop, Wu et al. 2021). */
#include <string.h>

#include "core/nn/layer_noise.h"
#include "core/tensor/operations.h"
#include "core/train/objective.h"

typedef enum Noise { BLOCKS, EMBEDDINGS, DROPOUT } Noise;
static const char *const noises[] = {"blocks", "embeddings", "dropout", NULL};
typedef enum Order { LARGEST, LOWEST } Order;
static const char *const orders[] = {"largest", "lowest", NULL};

struct noisy { int noise, snr; int64_t layers, snr_passes; double deviation, beta, factor_max, radius; };

static const Param params[] = {
    PARAM_ENUM(struct noisy, noise, "blocks", .choices = noises, .help = "where it is added; dropout: nowhere else"),
    PARAM_INT(struct noisy, layers, 3, .min = 1, .max = 1000, .help = "blocks that have noise"),
    PARAM_ENUM(struct noisy, snr, "largest", .choices = orders,
               .help = "which blocks: those of largest or lowest ratio of signal to noise in the first batch"),
    PARAM_INT(struct noisy, snr_passes, 10, .min = 1, .max = 1000, .help = "draws of noise for that ratio"),
    PARAM_FLOAT(struct noisy, deviation, 0.1, .min = 0, .max = 1000,
                .help = "of the noise in blocks, in deviations of the block's output"),
    PARAM_FLOAT(struct noisy, beta, 0.1, .min = 0, .max = 1000, .help = "less noise far from the token's median"),
    PARAM_FLOAT(struct noisy, factor_max, 5, .min = 0, .max = 1e6, .help = "most that a token's variance multiplies"),
    PARAM_FLOAT(struct noisy, radius, 5, .min = 0, .max = 1000, .help = "of the noise in embeddings"),
    PARAM_END
};

typedef struct State {
    const Layer **blocks, **chosen;
    int block_count;
    ParameterSet *kept;         /* "chosen": 1 for each block that was chosen, all 0 before the first batch */
    Tensor *is_chosen;
    LayerNoise noise;
} State;

static bool wants_passes(const LossDef *def)
{
    return loss_takes_extra(def, "noisy_logits_1");
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values;
    const LossDef *def = (const LossDef *)loss->component;
    if (!wants_passes(def))
        return check_loss(loss, shape, train, error);
    if (shape->target_kind != TARGET_CLASS && shape->target_kind != TARGET_TOKENS && shape->target_kind != TARGET_SOFT)
        return fail_usage(error, "loss: %s wants classes", def->component.name);
    return true;
}

/* The outermost layers that are called so, in order. */
static int find_layers(const Model *model, const char *prefix, const Layer **found)
{
    int count = 0;
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->depth == 0 && strncmp(model->layers[i]->name, prefix, strlen(prefix)) == 0)
            found[count++] = model->layers[i];
    return count;
}

static bool prepare(ObjectiveContext *context, Error *error)
{
    const struct noisy *self = context->values;
    const Model *model = context->model;
    const char *kind = model->def->component.name, *prefix = self->noise == EMBEDDINGS ? "embedding" : "blocks.";
    State *state = context->state = memory_new(sizeof *state);
    state->blocks = memory_array((size_t)model->layer_count + 1, sizeof *state->blocks);
    state->chosen = memory_array((size_t)model->layer_count + 1, sizeof *state->chosen);
    state->noise = (LayerNoise){.layers = state->chosen, .uniform = self->noise == EMBEDDINGS,
                                .deviation = self->deviation, .beta = self->beta, .factor_max = self->factor_max,
                                .radius = self->radius};
    if (self->noise == DROPOUT)
        return true;
    state->block_count = find_layers(model, prefix, state->blocks);
    if (!state->block_count)
        return fail_usage(error, "objective.noise: the model %s has no %s; take a transformer, or \"dropout\"", kind,
                          noises[self->noise]);
    if (self->noise == EMBEDDINGS) {
        state->chosen[0] = state->blocks[0];
        state->noise.count = 1;
        return true;
    }
    if (self->layers > state->block_count)
        return fail_usage(error, "objective.layers: %lld of %d blocks", (long long)self->layers, state->block_count);
    state->kept = parameters_new();
    state->is_chosen = parameters_add(state->kept, "chosen", ROLE_BUFFER, SHAPE(state->block_count));
    return true;
}

static void release(ObjectiveContext *context)
{
    State *state = context->state;
    if (!state)
        return;
    parameters_free(state->kept);
    memory_free(state->blocks);
    memory_free(state->chosen);
    memory_free(state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return ((const State *)context->state)->kept;
}

/* ---- The choice of blocks ---- */

static double mean_size(const Tensor *x, const Tensor *from)
{
    double sum = 0;
    for (int64_t i = 0; i < x->count; i++)
        sum += fabs(tensor_value(x, i) - (from ? tensor_value(from, i) : 0));
    return sum / (double)x->count;
}

/* Of noise added to the clean output of the block, not of what earlier noise would make of it. */
static double signal_to_noise(const ObjectiveContext *context, const Layer *block, const BatchTensors *batch)
{
    const struct noisy *self = context->values;
    LayerNoise alone = ((const State *)context->state)->noise;
    alone.layers = &block;
    alone.count = 1;
    Forward clean = {.tap = block}, draws = {.seed = context->seed};
    model_forward(context->model, &clean, batch->x);
    double noise = 0;
    for (int64_t i = 0; i < self->snr_passes; i++)
        noise += mean_size(layer_noise_add(&alone, block, &draws, clean.tapped), clean.tapped) /
                 (double)self->snr_passes;
    return mean_size(clean.tapped, NULL) / (noise + 1e-6);
}

static void choose_blocks(const ObjectiveContext *context, const BatchTensors *batch)
{
    const struct noisy *self = context->values;
    State *state = context->state;
    double *ratios = arena_zero(tape_arena(), (size_t)state->block_count, sizeof *ratios);
    bool was = tape_record(false);
    for (int i = 0; i < state->block_count; i++)
        ratios[i] = signal_to_noise(context, state->blocks[i], batch) * (self->snr == LARGEST ? 1 : -1);
    tape_record(was);
    for (int64_t taken = 0; taken < self->layers; taken++) {
        int best = -1;
        for (int i = 0; i < state->block_count; i++)
            if (tensor_f32(state->is_chosen)[i] == 0 && (best < 0 || ratios[i] > ratios[best]))
                best = i;
        tensor_f32(state->is_chosen)[best] = 1;
    }
}

/* From what was chosen in this run, or in the part that it goes on with. */
static void settle_choice(const ObjectiveContext *context, const BatchTensors *batch)
{
    State *state = context->state;
    if (!state->is_chosen || state->noise.count)
        return;
    bool any = false;
    for (int i = 0; i < state->block_count; i++)
        any |= tensor_f32(state->is_chosen)[i] != 0;
    if (!any)
        choose_blocks(context, batch);
    for (int i = 0; i < state->block_count; i++)
        if (tensor_f32(state->is_chosen)[i] != 0)
            state->chosen[state->noise.count++] = state->blocks[i];
}

/* ---- The passes ---- */

static Tensor *noisy_logits(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const State *state = context->state;
    forward->noise = state->noise.count ? &state->noise : NULL;
    Tensor *logits = objective_logits(context, forward, batch);
    forward->noise = NULL;
    return logits;
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    settle_choice(context, batch);
    if (!wants_passes((const LossDef *)context->loss.component)) {
        LossInput input = objective_loss_input(context, forward, batch, noisy_logits(context, forward, batch));
        return loss_evaluate(&context->loss, &input).loss;
    }
    LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
    static const char *const names[] = {"noisy_logits_1", "noisy_logits_2"};
    for (int i = 0; i < 2; i++) {
        Tensor *logits = noisy_logits(context, forward, batch);
        loss_set_extra(&input, names[i], t_reshape(logits, input.logits->rank, input.logits->shape));
    }
    return loss_evaluate(&context->loss, &input).loss;
}

const ObjectiveDef objective_noisy = {
    .component = {.name = "noisy",
                  .summary = "noise in the hidden states, and losses that compare noisy passes",
                  .params = params,
                  .size = sizeof(struct noisy),
                  .source = "arXiv:2504.03302, arXiv:2310.05914, arXiv:2106.14448",
                  .formula = "L(z, z1, z2): a clean pass and two noisy ones, or L(z1)",
                  .notes = "With noise in blocks and the loss noisefit this is NoiseFiT, with dropout and its mode rdrop "
                           "R-Drop; with noise in embeddings and the loss ce NEFTune. Losses that do not compare passes "
                           "get a single noisy pass. Noise in blocks is adaptive: N(0, sigma^2) with sigma = deviation "
                           "std(h) MAD exp(-beta |h - median| / MAD) min(exp(v / mean v), factor_max), median, MAD and "
                           "variance v of each token; in embeddings it is U(-1, 1) radius / sqrt(tokens width). "
                           "Predictions have no noise."},
    .check = check, .prepare = prepare, .release = release, .kept = kept, .loss = loss,
};
