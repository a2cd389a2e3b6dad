/* Normalisations: y = (x - mean) / sqrt(variance + epsilon) scale + shift, over the last axis (Ba et al. 2016;
   without the mean: Zhang and Sennrich 2019), over groups of channels (Wu and He 2018) or over the batch (Ioffe
   and Szegedy 2015). They differ in which elements share statistics: norm.h. */
#include <assert.h>
#include <math.h>

#include "core/tensor/norm.h"
#include "core/tensor/operation.h"
#include "core/tensor/operations.h"

/* ---- What all share ---- */

/* inputs: x, scale, shift; saved: mean and factor. */
static Tensor *normalise(const OperationDef *operation, const Norm *norm, Tensor *x, Tensor *scale, Tensor *shift,
                         Tensor *mean, Tensor *factor)
{
    assert(!scale || (scale->type == x->type && scale->count == norm->channels));
    assert(!shift || (shift->type == x->type && shift->count == norm->channels));
    Tensor *y = t_like(x);
    (x->type == ARRAY_F32 ? norm_apply_single : norm_apply_double)(norm, x, tensor_f64(mean), tensor_f64(factor), scale,
                                                                   shift, y);
    Node *node = op_record(operation, y, 3, (Tensor *[]){x, scale, shift}, norm, sizeof *norm);
    if (node) {
        node->saved[0] = mean;
        node->saved[1] = factor;
    }
    return y;
}

static Tensor *normalise_by_own_statistics(const OperationDef *operation, const Norm *norm, Tensor *x, Tensor *scale,
                                           Tensor *shift, Tensor **batch_mean, Tensor **batch_variance)
{
    const int64_t count = norm_statistics_count(norm);
    Tensor *mean = t_new(ARRAY_F64, SHAPE(count)), *factor = t_new(ARRAY_F64, SHAPE(count));
    (x->type == ARRAY_F32 ? norm_statistics_single : norm_statistics_double)(norm, x, tensor_f64(mean),
                                                                             tensor_f64(factor));
    if (batch_mean)
        *batch_mean = t_new(x->type, SHAPE(count));
    if (batch_variance)
        *batch_variance = t_new(x->type, SHAPE(count));
    for (int64_t i = 0; i < count; i++) {
        const double variance = tensor_f64(factor)[i];
        if (batch_mean)
            tensor_set(*batch_mean, i, tensor_f64(mean)[i]);
        if (batch_variance)
            tensor_set(*batch_variance, i, variance);
        tensor_f64(factor)[i] = 1 / sqrt(variance + norm->epsilon);
    }
    return normalise(operation, norm, x, scale, shift, mean, factor);
}

/* Over what shares a mean, of t in the shape that shared_view makes; size 1 is kept. */
static Tensor *average(const Norm *norm, Tensor *t)
{
    return norm->per_channel ? t_mean(t_mean(t, 0, true), 2, true) : t_mean(t, 2, true);
}

static Tensor *channel_view(const Norm *norm, Tensor *t)
{
    return t_reshape(t, SHAPE(norm->outer, norm->channels, norm->inner));
}

static Tensor *shared_view(const Norm *norm, Tensor *t)
{
    return norm->per_channel ? channel_view(norm, t)
                             : t_reshape(t, SHAPE(norm->outer, norm->groups, norm_elements(norm)));
}

static Tensor *constant(const Tensor *statistic, ArrayType type)
{
    Tensor *copy = t_new(type, SHAPE(1, statistic->count, 1));
    for (int64_t i = 0; i < copy->count; i++)
        tensor_set(copy, i, tensor_value(statistic, i));
    return copy;
}

/* The gradients (norm.h) in terms of recorded operations, where they are to be differentiated again. */
static void backward_composed(const Node *node, Tensor *gradient, Tensor **gradients)
{
    const Norm *norm = node->attributes;
    Tensor *x = node->inputs[0], *scale = node->inputs[1], *g = channel_view(norm, gradient), *factor;
    Tensor *centred = shared_view(norm, x);
    if (norm->given) {
        centred = t_sub(centred, constant(node->saved[0], x->type));
        factor = constant(node->saved[1], x->type);
    } else {
        centred = norm->centred ? t_sub(centred, average(norm, centred)) : centred;
        factor = t_rsqrt(t_add_scalar(average(norm, t_square(centred)), norm->epsilon));
    }
    Tensor *normal = t_mul(centred, factor);
    if (op_wants(node, 1))
        gradients[1] = t_reshape(t_sum_to(t_mul(g, channel_view(norm, normal)), SHAPE(1, norm->channels, 1)),
                                 scale->rank, scale->shape);
    if (op_wants(node, 2))
        gradients[2] = t_reshape(t_sum_to(g, SHAPE(1, norm->channels, 1)), node->inputs[2]->rank,
                                 node->inputs[2]->shape);
    if (!op_wants(node, 0))
        return;
    Tensor *dy = shared_view(norm, scale ? t_mul(g, t_reshape(scale, SHAPE(1, norm->channels, 1))) : g), *rest = dy;
    if (!norm->given && norm->centred)
        rest = t_sub(rest, average(norm, dy));
    if (!norm->given)
        rest = t_sub(rest, t_mul(normal, average(norm, t_mul(dy, normal))));
    gradients[0] = t_reshape(t_mul(rest, factor), x->rank, x->shape);
}

static void backward_norm(const Node *node, Tensor *gradient, Tensor **gradients)
{
    if (tape_recording()) {
        backward_composed(node, gradient, gradients);
        return;
    }
    for (int i = 0; i < 3; i++)
        if (op_wants(node, i))
            gradients[i] = t_like(node->inputs[i]);
    const NormGradient work = {.x = node->inputs[0], .dy = gradient, .scale = node->inputs[1],
                               .mean = tensor_f64(node->saved[0]), .factor = tensor_f64(node->saved[1]),
                               .dx = gradients[0], .dscale = gradients[1], .dshift = gradients[2]};
    (gradient->type == ARRAY_F32 ? norm_gradient_single : norm_gradient_double)(node->attributes, &work);
}

/* Variants of the samples: shapes of x, and which parameters `apply` uses; those left out have gradient 0. */
static bool uses_scale(int variant)
{
    return variant != 1 && variant != 4;
}

static bool uses_shift(int variant)
{
    return variant != 2 && variant != 4;
}

static int sample_norm(Random *random, int64_t channels, Tensor *x, Tensor **inputs)
{
    inputs[0] = x;
    inputs[1] = sample_leaf(random, -2, 2, SHAPE(channels));
    inputs[2] = sample_leaf(random, -2, 2, SHAPE(channels));
    return 3;
}

/* ---- Over the last axis ---- */

static int sample_last_axis(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: return sample_norm(random, 5, sample_leaf(random, -2, 2, SHAPE(3, 5)), inputs);
    case 3: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(0, 4)), inputs);
    case 5: return sample_norm(random, 1, sample_leaf(random, -2, 2, SHAPE(3, 1)), inputs);
    case 6: return sample_norm(random, 37, sample_leaf(random, -2, 2, SHAPE(2, 37)), inputs);
    default: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(2, 3, 4)), inputs);
    }
}

static Norm over_last_axis(const Tensor *x, bool centred, double epsilon)
{
    assert(x->rank > 0 && epsilon >= 0);
    const int64_t channels = x->shape[x->rank - 1];
    assert(channels > 0);
    return (Norm){.outer = x->count / channels,
                  .channels = channels,
                  .inner = 1,
                  .groups = 1,
                  .centred = centred,
                  .epsilon = epsilon};
}

static Tensor *apply_layer_norm(Tensor **inputs, int variant)
{
    return t_layer_norm(inputs[0], uses_scale(variant) ? inputs[1] : NULL, uses_shift(variant) ? inputs[2] : NULL, 0.1);
}

const OperationDef operation_layer_norm = {
    .component = {.name = "layer_norm", .summary = "normalise over the last axis", .source = "arXiv:1607.06450"},
    .backward = backward_norm, .variants = 7, .inputs = sample_last_axis, .apply = apply_layer_norm,
};

Tensor *t_layer_norm(Tensor *x, Tensor *scale, Tensor *shift, double epsilon)
{
    const Norm norm = over_last_axis(x, true, epsilon);
    return normalise_by_own_statistics(&operation_layer_norm, &norm, x, scale, shift, NULL, NULL);
}

static Tensor *apply_rms_norm(Tensor **inputs, int variant)
{
    return t_rms_norm(inputs[0], uses_scale(variant) ? inputs[1] : NULL, 0.1);
}

const OperationDef operation_rms_norm = {
    .component = {.name = "rms_norm",
                  .summary = "divide by the root mean square over the last axis",
                  .source = "arXiv:1910.07467"},
    .backward = backward_norm,
    .variants = 7,
    .inputs = sample_last_axis,
    .apply = apply_rms_norm,
};

Tensor *t_rms_norm(Tensor *x, Tensor *scale, double epsilon)
{
    const Norm norm = over_last_axis(x, false, epsilon);
    return normalise_by_own_statistics(&operation_rms_norm, &norm, x, scale, NULL, NULL, NULL);
}

/* ---- Over groups of channels ---- */

static Norm over_channels(const Tensor *x, int64_t groups, bool per_channel, double epsilon)
{
    assert(x->rank >= 2 && x->shape[1] > 0 && x->shape[1] % groups == 0 && epsilon >= 0);
    Norm norm = {.outer = x->shape[0],
                 .channels = x->shape[1],
                 .inner = 1,
                 .groups = groups,
                 .per_channel = per_channel,
                 .centred = true,
                 .epsilon = epsilon};
    for (int i = 2; i < x->rank; i++)
        norm.inner *= x->shape[i];
    return norm;
}

static int sample_images(Random *random, int variant, Tensor **inputs)
{
    switch (variant) {
    case 0: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(3, 4)), inputs);
    case 3: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(0, 4, 2)), inputs);
    case 5: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(1, 4, 1, 1)), inputs);
    case 6: return sample_norm(random, 70, sample_leaf(random, -2, 2, SHAPE(4, 70)), inputs);
    default: return sample_norm(random, 4, sample_leaf(random, -2, 2, SHAPE(2, 4, 3, 2)), inputs);
    }
}

static Tensor *apply_group_norm(Tensor **inputs, int variant)
{
    return t_group_norm(inputs[0], variant == 1 ? 1 : variant == 4 ? 4 : 2, uses_scale(variant) ? inputs[1] : NULL,
                        uses_shift(variant) ? inputs[2] : NULL, 0.1);
}

const OperationDef operation_group_norm = {
    .component = {.name = "group_norm",
                  .summary = "normalise over groups of channels of each example",
                  .source = "arXiv:1803.08494"},
    .backward = backward_norm,
    .variants = 7,
    .inputs = sample_images,
    .apply = apply_group_norm,
};

Tensor *t_group_norm(Tensor *x, int64_t groups, Tensor *scale, Tensor *shift, double epsilon)
{
    const Norm norm = over_channels(x, groups, false, epsilon);
    return normalise_by_own_statistics(&operation_group_norm, &norm, x, scale, shift, NULL, NULL);
}

/* ---- Over the batch ---- */

static Tensor *apply_batch_norm(Tensor **inputs, int variant)
{
    return t_batch_norm(inputs[0], uses_scale(variant) ? inputs[1] : NULL, uses_shift(variant) ? inputs[2] : NULL, 0.1,
                        NULL, NULL);
}

const OperationDef operation_batch_norm = {
    .component = {.name = "batch_norm",
                  .summary = "normalise each channel over the batch",
                  .source = "arXiv:1502.03167"},
    .backward = backward_norm,
    .variants = 7,
    .inputs = sample_images,
    .apply = apply_batch_norm,
};

Tensor *t_batch_norm(Tensor *x, Tensor *scale, Tensor *shift, double epsilon, Tensor **mean, Tensor **variance)
{
    const Norm norm = over_channels(x, 1, true, epsilon);
    return normalise_by_own_statistics(&operation_batch_norm, &norm, x, scale, shift, mean, variance);
}

static Tensor *apply_batch_norm_fixed(Tensor **inputs, int variant)
{
    const int64_t channels = inputs[0]->shape[1];
    Tensor *mean = t_new(inputs[0]->type, SHAPE(channels)), *variance = t_like(mean);
    for (int64_t i = 0; i < channels; i++) {
        tensor_set(mean, i, 0.25 * (double)(i % 3));
        tensor_set(variance, i, 1 + 0.5 * (double)(i % 2));
    }
    return t_batch_norm_fixed(inputs[0], uses_scale(variant) ? inputs[1] : NULL, uses_shift(variant) ? inputs[2] : NULL,
                              mean, variance, 0.1);
}

const OperationDef operation_batch_norm_fixed = {
    .component = {.name = "batch_norm_fixed",
                  .summary = "normalise each channel by given statistics",
                  .source = "arXiv:1502.03167"},
    .backward = backward_norm,
    .variants = 7,
    .inputs = sample_images,
    .apply = apply_batch_norm_fixed,
};

Tensor *t_batch_norm_fixed(Tensor *x, Tensor *scale, Tensor *shift, Tensor *mean, Tensor *variance, double epsilon)
{
    Norm norm = over_channels(x, 1, true, epsilon);
    norm.given = true;
    assert(mean->count == norm.channels && variance->count == norm.channels);
    Tensor *own_mean = t_new(ARRAY_F64, SHAPE(norm.channels)), *factor = t_like(own_mean);
    for (int64_t i = 0; i < norm.channels; i++) {
        tensor_f64(own_mean)[i] = tensor_value(mean, i);
        tensor_f64(factor)[i] = 1 / sqrt(tensor_value(variance, i) + epsilon);
    }
    return normalise(&operation_batch_norm_fixed, &norm, x, scale, shift, own_mean, factor);
}
