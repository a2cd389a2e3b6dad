/* Normalisations. */
#include <assert.h>

#include "core/nn/layers.h"
#include "core/tensor/operations.h"

struct norm_state { Tensor *scale, *shift, *mean, *variance; };

static bool build_affine(Builder *builder, Layer *layer, int64_t size, bool shift)
{
    struct norm_state *state = layer->state = arena_zero(builder->arena, 1, sizeof *state);
    state->scale = builder_constant(builder, "weight", ROLE_SCALE, 1, SHAPE(size));
    if (shift)
        state->shift = builder_constant(builder, "bias", ROLE_SCALE, 0, SHAPE(size));
    return state->scale && (state->shift || !shift);
}

static bool need(Builder *builder, Layer *layer, int least)
{
    if (layer->input.vocabulary || layer->input.rank < least)
        return builder_fail(builder, "%s needs features of at least %d axes, got %s", layer->def->component.name, least,
                            layer->input.vocabulary ? "tokens" : shape_text(builder->arena, layer->input));
    return true;
}

static const Param norm_params[] = {
    PARAM_FLOAT(struct norm, epsilon, 1e-5, .min = 0, .max = 1, .help = "added to the variance"), PARAM_END};

static bool build_layer_norm(Builder *builder, Layer *layer)
{
    return need(builder, layer, 1) && build_affine(builder, layer, layer->input.sizes[layer->input.rank - 1], true);
}

static Tensor *forward_layer_norm(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    const struct norm_state *state = layer->state;
    return t_layer_norm(x, state->scale, state->shift, ((const struct norm *)layer->values)->epsilon);
}

const LayerDef layer_layer_norm = {.component = {.name = "layer_norm",
                                                 .summary = "normalises the last axis",
                                                 .params = norm_params,
                                                 .size = sizeof(struct norm),
                                                 .source = "arXiv:1607.06450"},
                                   .build = build_layer_norm,
                                   .forward = forward_layer_norm};

static bool build_rms_norm(Builder *builder, Layer *layer)
{
    return need(builder, layer, 1) && build_affine(builder, layer, layer->input.sizes[layer->input.rank - 1], false);
}

static Tensor *forward_rms_norm(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    const struct norm_state *state = layer->state;
    return t_rms_norm(x, state->scale, ((const struct norm *)layer->values)->epsilon);
}

const LayerDef layer_rms_norm = {.component = {.name = "rms_norm",
                                               .summary = "divides the last axis by its root mean square",
                                               .params = norm_params,
                                               .size = sizeof(struct norm),
                                               .source = "arXiv:1910.07467"},
                                 .build = build_rms_norm,
                                 .forward = forward_rms_norm};

static const Param group_norm_params[] = {
    PARAM_INT(struct group_norm, groups, 8, .min = 1, .max = 1e6, .help = "groups of channels"),
    PARAM_FLOAT(struct group_norm, epsilon, 1e-5, .min = 0, .max = 1, .help = "added to the variance"),
    PARAM_END
};

static bool build_group_norm(Builder *builder, Layer *layer)
{
    int64_t groups = ((const struct group_norm *)layer->values)->groups;
    if (!need(builder, layer, 1))
        return false;
    if (layer->input.sizes[0] % groups)
        return builder_fail(builder, "groups %lld does not divide %lld channels", (long long)groups,
                            (long long)layer->input.sizes[0]);
    return build_affine(builder, layer, layer->input.sizes[0], true);
}

static Tensor *forward_group_norm(const Layer *layer, Forward *forward, Tensor *x)
{
    (void)forward;
    const struct norm_state *state = layer->state;
    const struct group_norm *self = layer->values;
    return t_group_norm(x, self->groups, state->scale, state->shift, self->epsilon);
}

const LayerDef layer_group_norm = {.component = {.name = "group_norm",
                                                 .summary = "normalises groups of channels",
                                                 .params = group_norm_params,
                                                 .size = sizeof(struct group_norm),
                                                 .source = "arXiv:1803.08494"},
                                   .build = build_group_norm,
                                   .forward = forward_group_norm};

static const Param batch_norm_params[] = {
    PARAM_FLOAT(struct batch_norm, momentum, 0.1, .min = 0, .max = 1,
                .help = "share of a batch in the running statistics"),
    PARAM_FLOAT(struct batch_norm, epsilon, 1e-5, .min = 0, .max = 1, .help = "added to the variance"), PARAM_END};

static bool build_batch_norm(Builder *builder, Layer *layer)
{
    if (!need(builder, layer, 1))
        return false;
    int64_t channels = layer->input.sizes[0];
    if (!build_affine(builder, layer, channels, true))
        return false;
    struct norm_state *state = layer->state;
    state->mean = builder_constant(builder, "running_mean", ROLE_BUFFER, 0, SHAPE(channels));
    state->variance = builder_constant(builder, "running_var", ROLE_BUFFER, 1, SHAPE(channels));
    return state->mean && state->variance;
}

/* The running variance is the unbiased one, as in the field's libraries. */
static Tensor *forward_batch_norm(const Layer *layer, Forward *forward, Tensor *x)
{
    const struct norm_state *state = layer->state;
    const struct batch_norm *self = layer->values;
    if (!forward->training)
        return t_batch_norm_fixed(x, state->scale, state->shift, state->mean, state->variance, self->epsilon);
    Tensor *mean, *variance;
    Tensor *result = t_batch_norm(x, state->scale, state->shift, self->epsilon, &mean, &variance);
    if (forward->again)
        return result;
    double samples = (double)x->count / (double)x->shape[1], unbiased = samples > 1 ? samples / (samples - 1) : 1;
    for (int64_t i = 0; i < mean->count; i++) {
        float *running_mean = tensor_f32(state->mean) + i, *running = tensor_f32(state->variance) + i;
        *running_mean += (float)(self->momentum * (tensor_value(mean, i) - (double)*running_mean));
        *running += (float)(self->momentum * (tensor_value(variance, i) * unbiased - (double)*running));
    }
    return result;
}

const LayerDef layer_batch_norm = {
    .component = {.name = "batch_norm",
                  .summary = "normalises channels over the batch; running statistics in evaluation",
                  .params = batch_norm_params,
                  .size = sizeof(struct batch_norm),
                  .source = "arXiv:1502.03167"},
    .build = build_batch_norm,
    .forward = forward_batch_norm};
