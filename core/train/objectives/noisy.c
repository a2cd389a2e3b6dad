/* Training under noise in the hidden states of a transformer: NoiseFiT (Khadangi et al. 2025) in its blocks, NEFTune
   (Jain et al. 2023) in its embeddings, or dropout alone (R-Drop, Wu et al. 2021). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/tensor/operations.h"
#include "core/train/objectives/noisy.h"
#include "losses/noisefit.h"

static const char *const noises[] = {"blocks", "embeddings", "dropout", NULL};
static const char *const orders[] = {"largest", "lowest", NULL};

static const Param params[] = {
    PARAM_ENUM(struct noisy, noise, "blocks", .choices = noises, .help = "where it is added; dropout: nowhere else"),
    PARAM_JSON(struct noisy, layers, "3",
               .help = "number of blocks that have noise, chosen by snr; \"auto\": blocks and their scales by what the "
                       "noise does to the first batch"),
    PARAM_ENUM(struct noisy, snr, "largest", .choices = orders,
               .help = "which blocks: those of largest or lowest ratio of signal to noise in the first batch"),
    PARAM_INT(struct noisy, snr_passes, 10, .min = 1, .max = 1000, .help = "draws of noise for that ratio"),
    PARAM_FLOAT(struct noisy, deviation, 0.1, .min = 0, .max = 1000,
                .help = "of the noise in blocks, in deviations of the block's output"),
    PARAM_FLOAT(struct noisy, std_power, 1, .min = 0, .max = 10, .help = "exponent of deviation"),
    PARAM_FLOAT(struct noisy, scale, 1, .min = 0, .max = 1000, .help = "factor of the noise in blocks"),
    PARAM_FLOAT(struct noisy, gate, 1, .min = 0, .max = 1, .help = "another one: 0 closes it"),
    PARAM_FLOAT(struct noisy, beta, 0.1, .min = 0, .max = 1000, .help = "less noise far from the token's median"),
    PARAM_FLOAT(struct noisy, factor_max, 5, .min = 0, .max = 1e6, .help = "most that a token's variance multiplies"),
    PARAM_BOOL(struct noisy, detach_scale, true,
               .help = "no gradient through the deviations of the noise in blocks"),
    PARAM_FLOAT(struct noisy, radius, 5, .min = 0, .max = 1000, .help = "of the noise in embeddings"),
    PARAM_END
};

static bool wants_passes(const Instance *loss)
{
    return loss_takes_extra(loss, "noisy_logits_1");
}

static bool is_given(const void *shape, const char *name)
{
    return strcmp(name, "noisy_logits_1") == 0 || strcmp(name, "noisy_logits_2") == 0 ||
           dataset_column(shape, name) != NULL;
}

static bool check(const void *values, const Instance *loss, const Dataset *shape, const TrainConfig *train,
                  Error *error)
{
    (void)values;
    if (!wants_passes(loss))
        return check_loss(loss, shape, train, error);
    const LossTargets targets = loss_targets(loss);
    const char *missing = loss_missing_extra(loss, is_given, shape);
    if (missing)
        return fail_usage(error, "loss: %s needs the extra \"%s\", which neither the data nor this objective gives",
                          loss->component->name, missing);
    if (targets != LOSS_CLASSES && targets != LOSS_CLASSES_OR_SOFT)
        return fail_usage(error, "loss: %s wants %s; noisy has classes", loss->component->name,
                          loss_targets_name(targets));
    if (shape->target_kind == TARGET_TOKENS && loss_any_leaf(loss, loss_looks_inside))
        return fail_usage(error, "loss: %s wants one class a sample, the data has tokens", loss->component->name);
    if (shape->target_kind != TARGET_CLASS && shape->target_kind != TARGET_TOKENS && shape->target_kind != TARGET_SOFT)
        return fail_usage(error, "loss: %s wants classes", loss->component->name);
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
    NoisyState *state = context->state = memory_new(sizeof *state);
    state->blocks = memory_array((size_t)model->layer_count + 1, sizeof *state->blocks);
    state->chosen = memory_array((size_t)model->layer_count + 1, sizeof *state->chosen);
    state->noise = (LayerNoise){.layers = state->chosen, .uniform = self->noise == EMBEDDINGS,
                                .deviation = noisy_deviation(self), .beta = self->beta, .factor_max = self->factor_max,
                                .radius = self->radius, .attached = !self->detach_scale};
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
    if (!noisy_is_auto(self) && (int)self->layers->valuedouble > state->block_count)
        return fail_usage(error, "objective.layers: %d of %d blocks", (int)self->layers->valuedouble,
                          state->block_count);
    state->scales = memory_array((size_t)state->block_count, sizeof *state->scales);
    state->rms = memory_array((size_t)state->block_count, sizeof *state->rms);
    state->noise.scales = state->scales;
    state->noise.rms = state->rms;
    state->kept = parameters_new();
    state->is_chosen = parameters_add(state->kept, "chosen", ROLE_BUFFER, SHAPE(state->block_count));
    return true;
}

static void release(ObjectiveContext *context)
{
    NoisyState *state = context->state;
    if (!state)
        return;
    parameters_free(state->kept);
    memory_free(state->blocks);
    memory_free(state->chosen);
    memory_free(state->scales);
    memory_free(state->rms);
    memory_free(state);
}

static ParameterSet *kept(const ObjectiveContext *context)
{
    return ((const NoisyState *)context->state)->kept;
}

/* From what was chosen in this run, or in the part that it goes on with. */
static void settle_choice(ObjectiveContext *context, const BatchTensors *batch)
{
    NoisyState *state = context->state;
    if (!state->is_chosen || state->noise.count)
        return;
    bool any = false;
    for (int i = 0; i < state->block_count; i++)
        any |= tensor_f32(state->is_chosen)[i] != 0;
    if (!any)
        noisy_choose_blocks(context, batch);
    for (int i = 0; i < state->block_count; i++)
        if (tensor_f32(state->is_chosen)[i] != 0) {
            state->scales[state->noise.count] = (double)tensor_f32(state->is_chosen)[i];
            state->chosen[state->noise.count++] = state->blocks[i];
        }
}

/* ---- The passes ---- */

static Tensor *noisy_logits(const ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    const NoisyState *state = context->state;
    forward->noise = state->noise.count ? &state->noise : NULL;
    Tensor *logits = objective_logits(context, forward, batch);
    forward->noise = NULL;
    return logits;
}

/* What noisefit is made of, unweighted, and what the noise was. */
static void report_parts(ObjectiveContext *context, const LossInput *input, double total)
{
    static const struct { const char *name; int mode; } parts[] = {
        {"ce", NOISEFIT_BASEFIT}, {"soft", NOISEFIT_KL_ONLY}, {"consistency", NOISEFIT_CONSISTENCY_ONLY}};
    bool was = tape_record(false);
    for (size_t i = 0; context->loss.component == &loss_noisefit.component && i < sizeof parts / sizeof *parts; i++) {
        struct noisefit part = *(const struct noisefit *)context->loss.values;
        part.mode = parts[i].mode;
        Instance alone = {context->loss.component, &part};
        objective_figure(context, parts[i].name, tensor_value(loss_evaluate(&alone, input).loss, 0));
    }
    tape_record(was);
    objective_figure(context, "total", total);
}

static void report_noise(ObjectiveContext *context)
{
    const NoisyState *state = context->state;
    for (int i = 0; i < state->noise.count && state->rms; i++) {
        char name[64];
        snprintf(name, sizeof name, "noise_rms_%s", state->chosen[i]->name);
        objective_figure(context, name, state->rms[i]);
    }
}

static Tensor *loss(ObjectiveContext *context, Forward *forward, const BatchTensors *batch)
{
    settle_choice(context, batch);
    bool logged = (forward->step + 1) % context->config->train.log_every == 0;
    Tensor *result;
    if (!wants_passes(&context->loss)) {
        LossInput input = objective_loss_input(context, forward, batch, noisy_logits(context, forward, batch));
        result = loss_evaluate(&context->loss, &input).loss;
    } else {
        LossInput input = objective_loss_input(context, forward, batch, objective_logits(context, forward, batch));
        static const char *const names[] = {"noisy_logits_1", "noisy_logits_2"};
        for (int i = 0; i < 2; i++) {
            Tensor *logits = noisy_logits(context, forward, batch);
            loss_set_extra(&input, names[i], t_reshape(logits, input.logits->rank, input.logits->shape));
        }
        result = loss_evaluate(&context->loss, &input).loss;
        if (logged)
            report_parts(context, &input, tensor_value(result, 0));
    }
    if (logged)
        report_noise(context);
    return result;
}

static bool validate(const void *values, Error *error)
{
    const struct noisy *self = values;
    const cJSON *layers = self->layers;
    double count = cJSON_IsNumber(layers) ? layers->valuedouble : 0;
    return noisy_is_auto(self) || (count == floor(count) && count >= 1 && count <= 1000) ||
           fail_usage(error, "layers: expected a whole number from 1 to 1000, or \"auto\"");
}

const ObjectiveDef objective_noisy = {
    .component = {.name = "noisy",
                  .summary = "noise in the hidden states, and losses that compare noisy passes",
                  .params = params,
                  .size = sizeof(struct noisy),
                  .validate = validate,
                  .source = "arXiv:2504.03302, arXiv:2310.05914, arXiv:2106.14448",
                  .formula = "L(z, z1, z2): a clean pass and two noisy ones, or L(z1)",
                  .notes =
                      "With noise in blocks and the loss noisefit this is NoiseFiT, with dropout and its mode rdrop "
                      "R-Drop; with noise in embeddings and the loss ce NEFTune. Losses that do not compare passes "
                      "get a single noisy pass. Noise in blocks is adaptive: N(0, sigma^2) with sigma = "
                      "deviation^std_power scale gate "
                      "std(h) MAD exp(-beta |h - median| / MAD) min(exp(v / mean v), factor_max), median, MAD and "
                      "variance v of each token; in embeddings it is U(-1, 1) radius / sqrt(tokens width). "
                      "Predictions have no noise.\n\n"
                      "Of layers, the blocks of largest (or lowest) ratio of the mean |h| to that of noise added to h "
                      "itself, in the first batch. With \"auto\", scales 1/4, 1/2, 1, 3/2, 2 times 1 / sqrt(width) are "
                      "tried for each block alone; those that raise the cross-entropy by more than 2% are refused "
                      "(where all of all are, the smallest of the block that raises it least is taken), the others "
                      "have the score symmetric divergence from the clean pass / (1 + max(0, rise)) / (1 + 0.05 "
                      "log2(factor)^2). A block takes the smallest scale within 0.9 of its best. Blocks whose best "
                      "is at least median + MAD of all, no more than sqrt(blocks) rounded up, from different thirds "
                      "of the depth first, have noise.\n\n"
                      "metrics.jsonl gets snr_BLOCK (with \"auto\": scale_BLOCK) of the first batch, noise_rms_BLOCK "
                      "of each step's last pass, and of noisefit the parts ce, soft and consistency, unweighted, and "
                      "their total. The noise grows faster than h, and with detach_scale the model does not know: "
                      "h may grow while it is trained, and the noise with it."},
    .check = check,
    .prepare = prepare,
    .release = release,
    .kept = kept,
    .loss = loss,
};
